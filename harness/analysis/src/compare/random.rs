//! Random numbers that are the same on every machine and in every version: the output
//! stream of BLAKE3 over the name of what they are for. Generators of crates promise
//! neither.

/// Bytes taken from the stream at a time.
const BLOCK: usize = 4096;

/// A stream of random numbers.
pub(super) struct Random {
    stream: blake3::OutputReader,
    block: [u8; BLOCK],
    at: usize,
}

impl Random {
    /// The stream that belongs to `purpose`.
    pub(super) fn of(purpose: &str) -> Random {
        Random {
            stream: blake3::Hasher::new()
                .update(purpose.as_bytes())
                .finalize_xof(),
            block: [0; BLOCK],
            at: BLOCK,
        }
    }

    fn next(&mut self) -> u32 {
        if self.at == BLOCK {
            self.stream.fill(&mut self.block);
            self.at = 0;
        }
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.block[self.at..self.at + 4]);
        self.at += 4;
        u32::from_le_bytes(bytes)
    }

    /// One of `0..bound`, each as likely as any other; 0 if there is only 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u32;
        // The numbers above the last whole multiple would favour the small ones.
        let fair = u32::MAX - u32::MAX % bound;
        loop {
            let number = self.next();
            if number < fair {
                return (number % bound) as usize;
            }
        }
    }

    /// Brings `count` elements to the front, each choice as likely as any other (the first
    /// steps of Fisher and Yates).
    pub(super) fn choose<T>(&mut self, values: &mut [T], count: usize) {
        for at in 0..count.min(values.len()) {
            let other = at + self.below(values.len() - at);
            values.swap(at, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_same_for_ever_and_fair() {
        let mut random = Random::of("test");
        let first: Vec<usize> = (0..6).map(|_| random.below(100)).collect();
        insta::assert_snapshot!(format!("{first:?}"));
        let mut seen = [0; 6];
        for _ in 0..6000 {
            seen[random.below(6)] += 1;
        }
        assert!(seen.iter().all(|&n| (900..1100).contains(&n)), "{seen:?}");
        let mut values: Vec<u32> = (0..50).collect();
        random.choose(&mut values, 20);
        values.sort_unstable();
        assert_eq!(values, (0..50).collect::<Vec<_>>());
    }
}
