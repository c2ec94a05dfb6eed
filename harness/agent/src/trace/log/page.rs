//! A page of the kernel's ring buffer, as `trace_pipe_raw` gives it: a header, then events, each
//! with the time since the one before (kernel/trace/ring_buffer.c, include/linux/ring_buffer.h,
//! "Event header"). Of a kernel of 64 bits, as every host of ours is.

/// Bytes of a page; the kernel gives no more at once.
pub const BYTES: usize = 4096;

/// Time and length stand before the data.
const HEADER: usize = 16;

/// The bits of the length; those above tell that events were lost before the page.
const LENGTH: u64 = (1 << 20) - 1;

/// Values of `type_len` that are no lengths (`enum ring_buffer_type`).
const PADDING: u32 = 29;
const TIME_EXTEND: u32 = 30;
const TIME_STAMP: u32 = 31;

/// Bits of the time in an event's header.
const TIME_BITS: u32 = 27;

/// The events of a page: time, in the unit of the instance's clock, and data. What is no page
/// ends them.
#[derive(Debug)]
pub struct Events<'a> {
    time: u64,
    rest: &'a [u8],
    malformed: bool,
}

impl<'a> Events<'a> {
    /// Of a page.
    pub fn of(page: &'a [u8]) -> Events<'a> {
        let header = u64_at(page, 0).zip(u64_at(page, 8));
        let (time, length) = header.unwrap_or_default();
        let end = HEADER.saturating_add((length & LENGTH) as usize);
        let rest = page.get(HEADER..end);
        Events {
            time,
            rest: rest.unwrap_or_default(),
            malformed: header.is_none() || rest.is_none(),
        }
    }

    /// Whether the events ended before the page did.
    pub fn malformed(&self) -> bool {
        self.malformed
    }

    /// Time and data of the next event, or none of what has no data.
    fn event(&mut self) -> Option<Option<(u64, &'a [u8])>> {
        let header = u32_at(self.rest, 0)?;
        let (kind, delta) = (header & 31, u64::from(header >> 5));
        let word = || u32_at(self.rest, 4);
        let (from, to) = match kind {
            // Nothing more is on this page.
            PADDING if delta == 0 => {
                self.rest = &[];
                return Some(None);
            }
            // Something that was taken back.
            PADDING => (0, 4 + word()? as usize),
            TIME_EXTEND | TIME_STAMP => {
                let high = u64::from(word()?) << TIME_BITS;
                let time = if kind == TIME_STAMP { 0 } else { self.time };
                self.time = time.wrapping_add(high).wrapping_add(delta);
                self.rest = self.rest.get(8..)?;
                return Some(None);
            }
            // The length stands in the first word, itself included.
            0 => (8, 4 + word()? as usize),
            words => (4, 4 + 4 * words as usize),
        };
        self.time = self.time.wrapping_add(delta);
        let data = self.rest.get(from..to)?;
        // What is longer than its words is followed by what fills the last of them.
        self.rest = self.rest.get(to.next_multiple_of(4)..)?;
        Some((kind != PADDING).then_some((self.time, data)))
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            match self.event() {
                Some(Some(event)) => return Some(event),
                Some(None) => {}
                None => {
                    self.malformed = true;
                    self.rest = &[];
                }
            }
        }
        None
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// A page as the kernel would write it, of time and data.
#[cfg(test)]
pub fn page(start: u64, events: &[(u64, &[u8])]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut last = start;
    for (time, event) in events {
        let delta = time - last;
        last = *time;
        if delta >> TIME_BITS != 0 {
            let low = (delta & ((1 << TIME_BITS) - 1)) as u32;
            data.extend((low << 5 | TIME_EXTEND).to_le_bytes());
            data.extend(((delta >> TIME_BITS) as u32).to_le_bytes());
        }
        let low = if delta >> TIME_BITS == 0 {
            delta as u32
        } else {
            0
        };
        let words = event.len() as u32 / 4;
        match words {
            1..=28 => data.extend((low << 5 | words).to_le_bytes()),
            _ => {
                data.extend((low << 5).to_le_bytes());
                data.extend((event.len() as u32 + 4).to_le_bytes());
            }
        }
        data.extend(*event);
    }
    let mut page = start.to_le_bytes().to_vec();
    page.extend((data.len() as u64).to_le_bytes());
    page.extend(data);
    page.resize(BYTES, 0);
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn events_have_their_times_and_their_data() {
        let long = [7; 120];
        let far = 1000 + (5 << 40);
        let written: [(u64, &[u8]); 3] = [(1000, &[1; 8]), (1003, &long), (far, &[2; 4])];
        let page = page(900, &written);
        let mut events = Events::of(&page);
        let read: Vec<_> = events.by_ref().collect();
        assert_eq!(read, written);
        assert!(!events.malformed());
    }

    #[test]
    fn what_was_taken_back_and_what_is_empty_is_passed_over() {
        let mut bytes = page(50, &[(60, &[1; 8]), (61, &[2; 8])]);
        // The first one is taken back: its header becomes padding, its length is in the word.
        bytes[16..20].copy_from_slice(&(10_u32 << 5 | PADDING).to_le_bytes());
        bytes[20..24].copy_from_slice(&8_u32.to_le_bytes());
        assert_eq!(Events::of(&bytes).collect::<Vec<_>>(), [(61, &[2; 8][..])]);
        // Events were lost before the page.
        let length = u64::from_le_bytes(bytes[8..16].try_into().unwrap()) | 1 << 31 | 1 << 30;
        bytes[8..16].copy_from_slice(&length.to_le_bytes());
        assert_eq!(Events::of(&bytes).count(), 1);
        // Padding without a time ends the page.
        bytes[16..20].copy_from_slice(&PADDING.to_le_bytes());
        let mut events = Events::of(&bytes);
        assert_eq!(events.next(), None);
        assert!(!events.malformed());
        // An absolute time.
        let mut bytes = page(50, &[(50, &[1; 4]), (51, &[2; 4])]);
        bytes[16..20].copy_from_slice(&(5_u32 << 5 | TIME_STAMP).to_le_bytes());
        bytes[20..24].copy_from_slice(&2_u32.to_le_bytes());
        let time = (2 << TIME_BITS) + 5 + 1;
        assert_eq!(
            Events::of(&bytes).collect::<Vec<_>>(),
            [(time, &[2; 4][..])]
        );
    }

    #[test]
    fn what_is_no_page_says_so() {
        let mut bytes = page(50, &[(60, &[1; 8])]);
        bytes[16] = 28;
        let mut events = Events::of(&bytes);
        assert_eq!((events.next(), events.malformed()), (None, true));
        assert!(Events::of(&bytes[..10]).malformed());
        assert!(Events::of(&bytes[..20]).malformed());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Events::of(&bytes).count() <= bytes.len());
        }
    }
}
