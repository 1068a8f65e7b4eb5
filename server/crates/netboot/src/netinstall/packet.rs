//! Frames, and what a board says of itself in the first one. Little endian, unlike the rest of the wire.

use thiserror::Error;

use crate::mac::Mac;

/// The port of both ends.
pub const PORT: u16 = 5000;
/// Most bytes that one frame carries; a chunk of a file is a kibibyte or a little more.
pub const MAX_PAYLOAD: usize = 4096;

/// Bytes before the payload.
const HEADER: usize = 20;
/// Most bytes of one line of an announcement.
const MAX_LINE: usize = 128;
/// What an announcement begins with.
const DISCOVER: &str = "DSCV";

/// Why bytes are no frame, or no announcement; a text for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not of Netinstall: {0}")]
pub struct Wrong(pub &'static str);

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Who says it.
    pub from: Mac,
    /// Whom it is said to; zero in announcements.
    pub to: Mac,
    /// The sender's counter: one more with each frame that is new. Goes on with 0 behind 65,535.
    pub counter: u16,
    /// The counter of the other side, as the sender knows it.
    pub peer: u16,
    /// What is said.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Reads one; what follows it is not looked at.
    ///
    /// # Errors
    /// [`Wrong`]: it is none, is cut off, or carries more than [`MAX_PAYLOAD`].
    pub fn read(bytes: &[u8]) -> Result<Self, Wrong> {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(Wrong("it is too short"));
        };
        let [from @ .., t0, t1, t2, t3, t4, t5, _, _, l0, l1, c0, c1, p0, p1] = *header;
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        if length > MAX_PAYLOAD {
            return Err(Wrong("it is too long"));
        }
        let payload = rest.get(..length).ok_or(Wrong("it is cut off"))?;
        Ok(Self {
            from: Mac(from),
            to: Mac([t0, t1, t2, t3, t4, t5]),
            counter: u16::from_le_bytes([c0, c1]),
            peer: u16::from_le_bytes([p0, p1]),
            payload: payload.to_vec(),
        })
    }

    /// As it goes onto the wire; a payload of more than [`MAX_PAYLOAD`] is cut off.
    pub fn write(&self) -> Vec<u8> {
        let payload = &self.payload[..self.payload.len().min(MAX_PAYLOAD)];
        let length = u16::try_from(payload.len()).expect("a payload is within its limit");
        let mut bytes = Vec::with_capacity(HEADER + payload.len());
        bytes.extend(self.from.0);
        bytes.extend(self.to.0);
        bytes.extend([0, 0]);
        bytes.extend(length.to_le_bytes());
        bytes.extend(self.counter.to_le_bytes());
        bytes.extend(self.peer.to_le_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }
}

/// What a board says of itself until it is offered something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its licence's.
    pub software_id: String,
    /// What an offer must repeat.
    pub key: String,
    /// `RB5009UG+S+`
    pub model: String,
    /// As RouterOS calls it: `arm64`.
    pub arch: String,
    /// The oldest version that it takes.
    pub min_version: String,
    /// What is installed; none = it does not say.
    pub version: Option<String>,
}

impl Announcement {
    /// Reads one from a frame's payload.
    ///
    /// # Errors
    /// [`Wrong`]: it is none, a line is missing or too long, or its key is no text that could be
    /// repeated. What is no printable ASCII in the other lines becomes `?`.
    pub fn read(payload: &[u8]) -> Result<Self, Wrong> {
        let end = payload.iter().position(|byte| *byte == 0).unwrap_or(payload.len());
        let mut lines = payload[..end].split(|byte| *byte == b'\n');
        if lines.next() != Some(DISCOVER.as_bytes()) {
            return Err(Wrong("it does not begin as an announcement"));
        }
        let mut line = || -> Result<&[u8], Wrong> {
            let line = lines.next().ok_or(Wrong("a line is missing"))?;
            if line.len() > MAX_LINE {
                return Err(Wrong("a line is too long"));
            }
            Ok(line)
        };
        let software_id = shown(line()?);
        let key = line()?;
        if key.iter().any(|byte| !is_printable(*byte)) {
            return Err(Wrong("its key is not a text"));
        }
        Ok(Self {
            software_id,
            key: shown(key),
            model: shown(line()?),
            arch: shown(line()?),
            min_version: shown(line()?),
            version: line().ok().filter(|line| !line.is_empty()).map(shown),
        })
    }

    /// As a frame's payload.
    pub fn write(&self) -> Vec<u8> {
        let mut text = String::from(DISCOVER);
        let all = [&self.software_id, &self.key, &self.model, &self.arch, &self.min_version];
        for line in all.into_iter().chain(&self.version) {
            text.push('\n');
            text.push_str(line);
        }
        text.push('\n');
        text.into_bytes()
    }
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

fn shown(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| if is_printable(*byte) { char::from(*byte) } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    const BOARD: Mac = Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]);
    const SERVER: Mac = Mac([2, 0, 0, 0, 0, 9]);

    #[test]
    fn a_frame_as_the_wire_has_it() {
        let payload = b"RETR".to_vec();
        let frame = Frame { from: BOARD, to: SERVER, counter: 0x0102, peer: 3, payload };
        let bytes = b"\xe4\x8d\x8c\0\0\x01\x02\0\0\0\0\x09\0\0\x04\0\x02\x01\x03\0RETR";
        assert_eq!(frame.write(), bytes);
        assert_eq!(Frame::read(bytes), Ok(frame.clone()));
        // As short frames of Ethernet are filled up.
        assert_eq!(Frame::read(&[bytes.as_slice(), &[0; 20]].concat()), Ok(frame));
        for end in 0..bytes.len() {
            assert!(Frame::read(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_frame_has_its_limit() {
        let payload = vec![1; MAX_PAYLOAD + 1];
        let mut frame = Frame { from: BOARD, to: SERVER, counter: 1, peer: 0, payload };
        let mut bytes = frame.write();
        frame.payload.pop();
        assert_eq!(Frame::read(&bytes), Ok(frame));
        bytes[14..16].copy_from_slice(&4097_u16.to_le_bytes());
        bytes.push(1);
        assert!(Frame::read(&bytes).is_err());
    }

    #[test]
    fn an_announcement_says_what_a_board_is() {
        let announcement = Announcement {
            software_id: "ABCD-1234".to_owned(),
            key: "k/ey+1=".to_owned(),
            model: "RB5009UG+S+".to_owned(),
            arch: "arm64".to_owned(),
            min_version: "7.4".to_owned(),
            version: Some("7.8".to_owned()),
        };
        let bytes = b"DSCV\nABCD-1234\nk/ey+1=\nRB5009UG+S+\narm64\n7.4\n7.8\n";
        assert_eq!(announcement.write(), bytes);
        assert_eq!(Announcement::read(bytes), Ok(announcement.clone()));
        let without = Announcement { version: None, ..announcement };
        for bytes in [
            b"DSCV\nABCD-1234\nk/ey+1=\nRB5009UG+S+\narm64\n7.4\n".as_slice(),
            b"DSCV\nABCD-1234\nk/ey+1=\nRB5009UG+S+\narm64\n7.4",
            b"DSCV\nABCD-1234\nk/ey+1=\nRB5009UG+S+\narm64\n7.4\n\0\0",
        ] {
            assert_eq!(Announcement::read(bytes).unwrap(), without);
        }
    }

    #[test]
    fn what_is_no_announcement_is_refused() {
        let long = [b"DSCV\n1\nk\n".as_slice(), &[b'm'; 129], b"\narm\n7.1\n"].concat();
        for bytes in [
            b"".as_slice(),
            b"DSCV",
            b"DSCV\n",
            b"DSCV\n1\nk\nm\narm",
            b"DSCVX\n1\nk\nm\narm\n7.1\n",
            b"DSCV\n1\nk\xff\nm\narm\n7.1\n",
            b"YACK\n",
            &long,
        ] {
            assert!(Announcement::read(bytes).is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
        let odd = Announcement::read(b"DSCV\n\n\nm\x1b[2J\narm\n7.1\n").unwrap();
        assert_eq!((odd.model.as_str(), odd.key.as_str()), ("m?[2J", ""));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            (from, to) in (any::<[u8; 6]>(), any::<[u8; 6]>()),
            (counter, peer) in (any::<u16>(), any::<u16>()),
            payload in proptest::collection::vec(any::<u8>(), 0..1500),
        ) {
            let frame = Frame { from: Mac(from), to: Mac(to), counter, peer, payload };
            prop_assert_eq!(Frame::read(&frame.write()), Ok(frame));
        }

        #[test]
        fn no_bytes_break_it(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
            lines in proptest::collection::vec("[ -~]{0,10}|\\PC{0,10}", 0..9),
        ) {
            if let Ok(frame) = Frame::read(&bytes) {
                prop_assert_eq!(Frame::read(&frame.write()), Ok(frame));
            }
            let text = format!("DSCV\n{}", lines.join("\n"));
            if let Ok(announcement) = Announcement::read(text.as_bytes()) {
                prop_assert_eq!(Announcement::read(&announcement.write()), Ok(announcement));
            }
        }
    }
}
