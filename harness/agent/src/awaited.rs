//! The lines of a guest's console that a schedule waits for. They are looked for as they are
//! printed, so that no console is kept for it, however much it prints.

use tokio::sync::watch;

use exitlab_model::plan::Moment;

/// Looks for the texts of a schedule, in their order: a line is taken for one of them only.
pub struct Seeker {
    texts: Vec<String>,
    found: watch::Sender<usize>,
}

/// How many of the texts have been found. It is closed when there are no more lines.
pub type Found = watch::Receiver<usize>;

impl Seeker {
    /// For the lines that are among `moments`.
    pub fn of(moments: &[Moment]) -> (Seeker, Found) {
        let texts = moments.iter().filter_map(|moment| match moment {
            Moment::Line(text) => Some(text.clone()),
            _ => None,
        });
        let (found, receiver) = watch::channel(0);
        let seeker = Seeker {
            texts: texts.collect(),
            found,
        };
        (seeker, receiver)
    }

    /// Looks at a line.
    pub fn see(&self, line: &str) {
        let next = *self.found.borrow();
        if self.texts.get(next).is_some_and(|text| line.contains(text)) {
            self.found.send_replace(next + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_in_order_and_each_in_a_line_of_its_own() {
        let line = |text: &str| Moment::Line(text.to_owned());
        let moments = [
            Moment::Boot,
            line("a"),
            Moment::After(1.0),
            line("a"),
            line("b"),
        ];
        let (seeker, found) = Seeker::of(&moments);
        for (text, count) in [
            ("b", 0),
            ("x a b", 1),
            ("none", 1),
            ("a", 2),
            ("b", 3),
            ("a", 3),
        ] {
            seeker.see(text);
            assert_eq!(*found.borrow(), count, "{text}");
        }
    }
}
