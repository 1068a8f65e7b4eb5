//! Captures: the frames of a pcap or pcapng file.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

/// Room for the largest block of a file.
const BUFFER: usize = 4 << 20;
/// Most frames, and most bytes of all of them: a board and its server say far less.
const MAX_FRAMES: usize = 1_000_000;
const MAX_BYTES: usize = 512 << 20;
/// Ticks of a second where a file names none.
const MICROSECONDS: u64 = 1_000_000;

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
}

/// The frames of a capture of Ethernet, each with its time; those before a file breaks off.
///
/// # Errors
/// No such file, none of these kinds, no Ethernet in it, or too much.
pub(super) fn frames(path: &Path) -> anyhow::Result<Vec<(Duration, Vec<u8>)>> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    let mut reader = create_reader(BUFFER, file)
        .map_err(|error| anyhow!("{name} is no capture of pcap or pcapng: {}", words(&error)))?;
    let mut frames = Frames::default();
    loop {
        match reader.next() {
            Ok((length, block)) => {
                frames.take(block);
                reader.consume(length);
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::Incomplete(_)) => {
                reader.refill().map_err(|error| anyhow!("{name}: {}", words(&error)))?;
            }
            // As where the capturing program was killed.
            Err(PcapError::UnexpectedEof) => {
                eprintln!("{name} breaks off: what is before that is read");
                break;
            }
            Err(error) => bail!("{name} is damaged: {}", words(&error)),
        }
        if frames.kept.len() > MAX_FRAMES || frames.bytes > MAX_BYTES {
            bail!("{name} is too large: cut it to the time in which the board was switched on");
        }
    }
    if frames.kept.is_empty() && frames.others > 0 {
        bail!("{name} is not of Ethernet: capture one interface, not `any`");
    }
    Ok(frames.kept)
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
            PcapBlockOwned::NG(Block::SectionHeader(_)) => self.links.clear(),
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

    fn read(content: &[u8]) -> anyhow::Result<Vec<(Duration, Vec<u8>)>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pcap");
        std::fs::write(&path, content).unwrap();
        frames(&path)
    }

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
            let frames = read(&pcap(magic, 1, big)).unwrap();
            let first = Duration::from_secs(100) + 5 * unit;
            let first = Duration::from_micros(u64::try_from(first.as_micros()).unwrap());
            assert_eq!(frames[0], (first, vec![1, 2, 3, 4]), "{magic:x} {big}");
            assert_eq!(frames[1].1, [5, 6, 7]);
        }
        let frames = read(&pcapng(1)).unwrap();
        assert_eq!(frames, [(Duration::from_millis(1_500), vec![5, 6, 7])]);
    }

    #[test]
    fn what_is_no_capture_of_ethernet_is_refused_in_words() {
        for (content, expected) in [
            (b"nothing of the kind, but long enough to be one".to_vec(), "no capture"),
            (Vec::new(), "no capture"),
            (pcap(0xa1b2_c3d4, 113, false), "not `any`"),
            (pcapng(113), "not `any`"),
        ] {
            let refused = read(&content).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn a_file_that_breaks_off_gives_what_is_before() {
        let mut whole = pcap(0xa1b2_c3d4, 1, false);
        whole.pop();
        assert_eq!(read(&whole).unwrap().len(), 1);
        let mut whole = pcapng(1);
        let cut = whole.len() - 1;
        whole.truncate(cut);
        assert!(read(&whole).unwrap().is_empty());
    }
}
