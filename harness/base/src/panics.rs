//! A panic in one line: what none of exitlab's programs must do, and what is said where one does
//! it all the same. No backtrace, and no path of the machine that built it.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use crate::bounded::shortened;
use crate::screen;

/// Most characters of a panic's own words.
const SHOWN: usize = 300;

static PANICKED: AtomicBool = AtomicBool::new(false);

/// From now on, a panic of this process, which is called `name`, is one line on standard error.
pub fn tell_in_one_line(name: &'static str) {
    std::panic::set_hook(Box::new(move |info| {
        PANICKED.store(true, Ordering::Relaxed);
        screen::err(&format!("{name}: {}\n", line(info)));
    }));
}

/// Whether any thread of this process has panicked since then.
pub fn happened() -> bool {
    PANICKED.load(Ordering::Relaxed)
}

/// What `work` comes to, or the words of its panic.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        // Nothing of it is looked at after a panic.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
            Err(panic) => Poll::Ready(Err(words(panic.as_ref()))),
        }
    })
    .await
}

fn line(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or(String::new(), place);
    format!(
        "this is a mistake of exitlab, please report it with this line and the command: \
         {}{place}",
        words(info.payload())
    )
}

fn words(panic: &(dyn Any + Send)) -> String {
    let words = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let one_line: Vec<&str> = words.unwrap_or("a panic").split_whitespace().collect();
    shortened(&one_line.join(" "), SHOWN)
}

/// Files of the workspace are named relative to it, those of others by where they were built.
fn place(location: &Location<'_>) -> String {
    let file = match location.file() {
        relative if !relative.starts_with('/') => relative,
        absolute => absolute.rsplit('/').next().unwrap_or_default(),
    };
    format!(" ({file}:{})", location.line())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Set where this program is to panic.
    const CHILD: &str = "EXITLAB_TEST_PANICS";

    #[test]
    fn a_panic_is_one_line_without_a_path_of_the_build() {
        if std::env::var_os(CHILD).is_some() {
            tell_in_one_line("exitlab");
            let empty: Vec<u32> = Vec::new();
            let at = std::env::args().count() + 5;
            assert_eq!(empty[at], 0);
        }
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["a_panic_is_one_line", "--nocapture"])
            .env(CHILD, "")
            .env("RUST_BACKTRACE", "full")
            .output()
            .unwrap();
        assert_eq!(child.status.code(), Some(101));
        let said = String::from_utf8(child.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        let start = "exitlab: this is a mistake of exitlab, please report it with this line and \
                     the command: index out of bounds: ";
        assert!(said.starts_with(start), "{said}");
        assert!(said.contains("(harness/base/src/panics.rs:"), "{said}");
    }

    #[tokio::test]
    async fn the_panic_of_a_future_is_an_error() {
        assert_eq!(caught(async { 1 }).await, Ok(1));
        let panics = async {
            tokio::task::yield_now().await;
            panic!("two\n lines")
        };
        let caught: Result<(), String> = caught(panics).await;
        assert_eq!(caught, Err("two lines".to_owned()));
    }
}
