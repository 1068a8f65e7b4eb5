//! The frames of a capture: pcap or pcapng.
//!
//! Owns what is read of such a file, and how much of it. Nothing in it is trusted.

use std::io;
use std::time::Duration;

use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};
use thiserror::Error;

/// Room for the largest block of a file.
const BUFFER: usize = 4 << 20;
/// Most frames, and most bytes of all of them: a board and its server say far less.
const MAX_FRAMES: usize = 1_000_000;
const MAX_BYTES: usize = 512 << 20;
/// Most interfaces of a section.
const MAX_LINKS: usize = 1_000;
/// Ticks of a second where a file names none.
const MICROSECONDS: u64 = 1_000_000;
/// A block of pcapng has at least its type and, twice, its length.
const MIN_BLOCK: u32 = 12;

/// What a capture of Ethernet holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Each frame with its time, since 1970 as a rule.
    pub frames: Vec<(Duration, Vec<u8>)>,
    /// The file ends within a block, as where the capturing program was killed: these are the frames
    /// before that.
    pub broke_off: bool,
}

/// Why there are no frames to be had of a file; a text for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Wrong {
    /// It does not begin as a file of these kinds does.
    #[error("this is no capture of pcap or pcapng: {0}")]
    Foreign(&'static str),
    /// It goes on otherwise than it began.
    #[error("the capture is damaged: {0}")]
    Damaged(&'static str),
    /// It is larger than anything that is of use here.
    #[error("the capture is too large: cut it to the time in which the board was switched on")]
    TooLarge,
    /// All of its frames are of something else.
    #[error("the capture is not of Ethernet: capture one interface, not `any`")]
    NotEthernet,
}

/// What a file says of one of its interfaces.
#[derive(Clone, Copy)]
struct Link {
    ethernet: bool,
    /// Ticks of a second.
    ticks: u64,
}

/// What has been read so far.
#[derive(Default)]
struct Frames {
    links: Vec<Link>,
    kept: Vec<(Duration, Vec<u8>)>,
    bytes: usize,
    /// Frames of something else than Ethernet.
    others: usize,
    /// It is a file of pcapng.
    has_blocks: bool,
}

/// The frames of a capture of Ethernet; those before a file breaks off.
///
/// # Errors
/// [`Wrong`].
pub fn frames(file: impl io::Read + Send) -> Result<Capture, Wrong> {
    let mut reader = create_reader(BUFFER, file).map_err(|error| Wrong::Foreign(words(&error)))?;
    let mut frames = Frames::default();
    let broke_off = loop {
        if frames.has_blocks && is_stunted(reader.data()) {
            return Err(Wrong::Damaged("a block of it is shorter than any"));
        }
        match reader.next() {
            Ok((length, block)) => {
                frames.take(block);
                reader.consume(length);
            }
            Err(PcapError::Eof) => break false,
            Err(PcapError::Incomplete(_)) => {
                reader.refill().map_err(|error| Wrong::Damaged(words(&error)))?;
            }
            Err(PcapError::UnexpectedEof) => break true,
            Err(error) => return Err(Wrong::Damaged(words(&error))),
        }
        if frames.is_too_large() {
            return Err(Wrong::TooLarge);
        }
    };
    if frames.kept.is_empty() && frames.others > 0 {
        return Err(Wrong::NotEthernet);
    }
    Ok(Capture { frames: frames.kept, broke_off })
}

/// Whether the next block of pcapng is shorter than one can be, in whichever order its bytes stand: the
/// parser subtracts without looking. Read the wrong way round, such a length is of a block that is larger
/// than any that is read.
fn is_stunted(data: &[u8]) -> bool {
    let length = data.get(4..8).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    length.is_some_and(|bytes| u32::from_le_bytes(bytes).min(u32::from_be_bytes(bytes)) < MIN_BLOCK)
}

/// Without the bytes that the parser was at.
fn words(error: &PcapError<&[u8]>) -> &'static str {
    match error {
        PcapError::Eof | PcapError::UnexpectedEof => "it breaks off",
        PcapError::BufferTooSmall => "a block of it is too large",
        PcapError::ReadError => "it cannot be read",
        PcapError::Incomplete(_) => "it is not whole",
        PcapError::HeaderNotRecognized => "it does not begin as one",
        PcapError::NomError(..) | PcapError::OwnedNomError(..) => "a block of it is no block",
    }
}

impl Frames {
    fn is_too_large(&self) -> bool {
        self.kept.len() > MAX_FRAMES || self.bytes > MAX_BYTES || self.links.len() > MAX_LINKS
    }

    fn take(&mut self, block: PcapBlockOwned<'_>) {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let nano = header.is_nanosecond_precision();
                let ticks = if nano { 1_000 * MICROSECONDS } else { MICROSECONDS };
                self.links = vec![Link { ethernet: header.network == Linktype::ETHERNET, ticks }];
            }
            PcapBlockOwned::Legacy(packet) => {
                let ticks = self.links.first().map_or(MICROSECONDS, |link| link.ticks);
                let at = u64::from(packet.ts_sec) * ticks + u64::from(packet.ts_usec);
                self.keep(0, at, packet.data);
            }
            // Interfaces are numbered anew in each section.
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.has_blocks = true;
                self.links.clear();
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(link)) => {
                let ticks = link.ts_resolution().filter(|ticks| *ticks > 0);
                self.links.push(Link {
                    ethernet: link.linktype == Linktype::ETHERNET,
                    ticks: ticks.unwrap_or(MICROSECONDS),
                });
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let at = (u64::from(packet.ts_high) << 32) | u64::from(packet.ts_low);
                self.keep(packet.if_id as usize, at, packet.packet_data());
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                self.keep(0, 0, packet.packet_data());
            }
            PcapBlockOwned::NG(_) => {}
        }
    }

    fn keep(&mut self, link: usize, at: u64, frame: &[u8]) {
        match self.links.get(link) {
            Some(link) if link.ethernet => {
                // To the microsecond, which is more than anybody needs here.
                let (seconds, rest) = (at / link.ticks, at % link.ticks);
                let micros = u128::from(rest) * u128::from(MICROSECONDS) / u128::from(link.ticks);
                let at = Duration::from_secs(seconds)
                    + Duration::from_micros(u64::try_from(micros).unwrap_or(0));
                self.bytes += frame.len();
                self.kept.push((at, frame.to_vec()));
            }
            Some(_) | None => self.others += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn words(numbers: &[u32], big: bool) -> Vec<u8> {
        let bytes = |n: &u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        numbers.iter().flat_map(bytes).collect()
    }

    /// A file of pcap with two frames, of this kind of link.
    fn pcap(magic: u32, link: u32, big: bool) -> Vec<u8> {
        // Version 2.4 is two numbers of two bytes.
        let version = if big { 0x0002_0004 } else { 0x0004_0002 };
        let mut file = words(&[magic, version, 0, 0, 65_535, link], big);
        file.extend(words(&[100, 5, 4, 4], big));
        file.extend([1, 2, 3, 4]);
        file.extend(words(&[101, 7, 3, 99], big));
        file.extend([5, 6, 7]);
        file
    }

    /// A block of pcapng.
    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 12).unwrap();
        let ends = length.to_le_bytes();
        [kind.to_le_bytes().as_slice(), &ends, body, &ends].concat()
    }

    fn pcapng(link: u16) -> Vec<u8> {
        let section = [words(&[0x1a2b_3c4d, 1], false), vec![0xff; 8]].concat();
        let interface = [link.to_le_bytes().as_slice(), &[0, 0], &[0, 0, 4, 0]].concat();
        // Interface 0, at 1.5 s, three bytes of four.
        let packet = [words(&[0, 0, 1_500_000, 3, 4], false), vec![5, 6, 7, 0]].concat();
        [block(0x0a0d_0d0a, &section), block(1, &interface), block(6, &packet)].concat()
    }

    #[test]
    fn frames_have_their_times_in_both_kinds_of_files() {
        for (magic, big, unit) in [
            (0xa1b2_c3d4, false, Duration::from_micros(1)),
            (0xa1b2_c3d4, true, Duration::from_micros(1)),
            (0xa1b2_3c4d, false, Duration::from_nanos(1)),
        ] {
            let read = frames(pcap(magic, 1, big).as_slice()).unwrap();
            let first = Duration::from_secs(100) + 5 * unit;
            let first = Duration::from_micros(u64::try_from(first.as_micros()).unwrap());
            assert_eq!(read.frames[0], (first, vec![1, 2, 3, 4]), "{magic:x} {big}");
            assert_eq!(read.frames[1].1, [5, 6, 7]);
            assert!(!read.broke_off);
        }
        let read = frames(pcapng(1).as_slice()).unwrap();
        assert_eq!(read.frames, [(Duration::from_millis(1_500), vec![5, 6, 7])]);
        assert!(!read.broke_off);
    }

    #[test]
    fn what_is_no_capture_of_ethernet_is_refused() {
        for (content, expected) in [
            (b"nothing of the kind, but long enough to be one".to_vec(), "no capture"),
            (Vec::new(), "no capture"),
            (pcap(0xa1b2_c3d4, 113, false), "not `any`"),
            (pcapng(113), "not `any`"),
        ] {
            let refused = frames(content.as_slice()).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn a_block_that_is_shorter_than_any_is_refused() {
        let end = [0, 0, 0, 0];
        for length in [0_u32, 4, 11] {
            // About a process: the parser has no bound of its own for these.
            let block = [0x8000_0001_u32.to_le_bytes(), length.to_le_bytes(), end, end].concat();
            let file = [pcapng(1), block].concat();
            let refused = frames(file.as_slice()).unwrap_err();
            assert!(matches!(refused, Wrong::Damaged(_)), "{length}: {refused}");
        }
    }

    #[test]
    fn a_file_that_breaks_off_gives_what_is_before() {
        let mut whole = pcap(0xa1b2_c3d4, 1, false);
        whole.pop();
        let read = frames(whole.as_slice()).unwrap();
        assert_eq!((read.frames.len(), read.broke_off), (1, true));
        let mut whole = pcapng(1);
        whole.pop();
        let read = frames(whole.as_slice()).unwrap();
        assert_eq!((read.frames.len(), read.broke_off), (0, true));
    }
}
