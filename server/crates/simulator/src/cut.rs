//! A RouterOS package as it comes in, cut short: it still says what it is, and a thousand devices
//! can fetch one at the same time.
//!
//! Pure. Knows of the file only that it is a row of containers (routeros.md section 7); what they
//! say is read by [`muster_routeros::npk`].

/// Bytes before the first container: the magic, and the length of the rest.
const FILE_HEAD: usize = 8;
/// Bytes before each container: its id, and its length.
const HEAD: usize = 6;
/// Bytes that are kept of a container; what tells packages apart is far shorter.
const KEPT: usize = 4 << 10;
/// Bytes that are kept of a file: a real one has some dozens of containers.
const MOST: usize = 1 << 20;

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    FileHead,
    Head,
    Payload,
}

/// A package that is coming in.
#[derive(Debug)]
pub(crate) struct Cut {
    out: Vec<u8>,
    /// Bytes that came.
    size: u64,
    /// What the file says that follows its head.
    declared: u32,
    part: Part,
    /// Bytes of this part that are to be kept, and after them those that are not.
    keep: usize,
    skip: usize,
}

impl Cut {
    /// Of which nothing has come yet.
    pub(crate) fn new() -> Self {
        let part = Part::FileHead;
        Self { out: Vec::new(), size: 0, declared: 0, part, keep: FILE_HEAD, skip: 0 }
    }

    /// Takes what comes next.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        self.size += bytes.len() as u64;
        while !bytes.is_empty() && self.out.len() < MOST {
            let (room, keeps) = if self.keep > 0 { (self.keep, true) } else { (self.skip, false) };
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            bytes = later;
            if keeps {
                self.out.extend_from_slice(now);
                self.keep -= now.len();
            } else {
                self.skip -= now.len();
            }
            while self.keep == 0 && self.skip == 0 {
                self.next_part();
            }
        }
    }

    /// The package with its long containers cut short; `None` where the file is not whole.
    pub(crate) fn finish(mut self) -> Option<Vec<u8>> {
        let at_end = self.part == Part::Head && self.keep == HEAD;
        let whole = self.size == u64::from(self.declared) + FILE_HEAD as u64;
        if !at_end || !whole || self.out.len() >= MOST {
            return None;
        }
        let length = u32::try_from(self.out.len() - FILE_HEAD).ok()?;
        self.out[4..FILE_HEAD].copy_from_slice(&length.to_le_bytes());
        Some(self.out)
    }

    fn next_part(&mut self) {
        match self.part {
            Part::FileHead => self.declared = self.length(),
            Part::Head => {
                let length = self.length() as usize;
                self.keep = length.min(KEPT);
                self.skip = length - self.keep;
                let (at, kept) = (self.out.len() - 4, self.keep as u32);
                self.out[at..].copy_from_slice(&kept.to_le_bytes());
                self.part = Part::Payload;
                return;
            }
            Part::Payload => {}
        }
        self.part = Part::Head;
        self.keep = HEAD;
    }

    /// The length that ends either head, little endian.
    fn length(&self) -> u32 {
        let (_, last) = self.out.split_last_chunk::<4>().expect("a head is longer than its length");
        u32::from_le_bytes(*last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file of these containers.
    fn file(containers: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (id, payload) in containers {
            body.extend(id.to_le_bytes());
            body.extend((payload.len() as u32).to_le_bytes());
            body.extend(payload);
        }
        let mut file = vec![0x1E, 0xF1, 0xD0, 0xBA];
        file.extend((body.len() as u32).to_le_bytes());
        file.extend(body);
        file
    }

    fn cut(file: &[u8], step: usize) -> Option<Vec<u8>> {
        let mut cut = Cut::new();
        file.chunks(step).for_each(|part| cut.push(part));
        cut.finish()
    }

    #[test]
    fn a_long_container_is_cut_and_all_else_is_kept() {
        let image = vec![7; 3 * KEPT];
        let whole = file(&[(25, vec![]), (1, vec![1; 32]), (21, image.clone()), (9, vec![2; 20])]);
        let short =
            [(25, vec![]), (1, vec![1; 32]), (21, image[..KEPT].to_vec()), (9, vec![2; 20])];
        for step in [1, 5, 1_000, whole.len()] {
            assert_eq!(cut(&whole, step), Some(file(&short)), "{step}");
        }
    }

    #[test]
    fn a_file_that_is_not_whole_is_none() {
        let whole = file(&[(1, vec![1; 32]), (21, vec![0; 2 * KEPT])]);
        for length in [0, 3, 8, 10, 20, whole.len() - 1] {
            assert_eq!(cut(&whole[..length], 64), None, "{length}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert_eq!(cut(&longer, 64), None);
        let many: Vec<_> = (0..300).map(|_| (4, vec![0; KEPT])).collect();
        assert_eq!(cut(&file(&many), 1 << 16), None);
    }

    proptest! {
        #[test]
        fn no_file_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..400), step in 1..50_usize) {
            let kept = cut(&bytes, step);
            prop_assert!(kept.is_none_or(|kept| kept.len() <= bytes.len()));
        }

        #[test]
        fn short_containers_come_out_as_they_were(
            containers in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..60)), 0..8),
            step in 1..50_usize,
        ) {
            let whole = file(&containers);
            prop_assert_eq!(cut(&whole, step), Some(whole));
        }
    }
}
