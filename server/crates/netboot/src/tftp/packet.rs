//! The packets (RFC 1350 section 5, RFC 2347).

use thiserror::Error;

/// Most bytes of one block (RFC 2348).
pub const MAX_BLKSIZE: u16 = 65_464;

/// Most bytes of a request or of an answer to its options; RFC 2347 has 512.
const MAX_REQUEST: usize = 1024;
/// Most bytes of a file's name.
const MAX_FILE: usize = 512;
/// Most options of one packet; there are four that mean something.
const MAX_OPTIONS: usize = 16;
/// Most bytes of an option's name, and of its value.
const MAX_OPTION: usize = 64;
/// Most bytes of an error's words.
const MAX_WORDS: usize = 256;

const READ: u16 = 1;
const WRITE: u16 = 2;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OPTIONS: u16 = 6;

/// Error codes (RFC 1350 appendix, RFC 2347).
pub mod code {
    /// None of the others; the words say it.
    pub const UNDEFINED: u16 = 0;
    /// There is no such file.
    pub const NOT_FOUND: u16 = 1;
    /// It may not be had, or not be written.
    pub const DENIED: u16 = 2;
    /// There is no room for it.
    pub const FULL: u16 = 3;
    /// This is not what was due.
    pub const ILLEGAL: u16 = 4;
    /// No transfer is under way with this port.
    pub const UNKNOWN_PORT: u16 = 5;
    /// What was agreed about options does not hold.
    pub const OPTIONS: u16 = 8;
}

/// Why bytes are no packet; a text for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a TFTP packet: {0}")]
pub struct Wrong(pub &'static str);

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A file is asked for.
    Read {
        /// Its name, of any bytes but NUL; boards leave it empty, too.
        file: &'a [u8],
        /// `octet`, or what nobody should ask for any more ([`is_octet`]).
        mode: &'a [u8],
        /// In the order in which they were asked.
        options: Vec<(String, String)>,
    },
    /// A file is to be written: refused, whatever it is.
    Write {
        /// Its name.
        file: &'a [u8],
    },
    /// One block of the file.
    Data {
        /// Its number; the first is 1.
        block: u16,
        /// Up to [`MAX_BLKSIZE`] of them; fewer than agreed in the last block.
        bytes: &'a [u8],
    },
    /// A block has come; of number 0, the answer to the options.
    Ack {
        /// Its number.
        block: u16,
    },
    /// The transfer is over.
    Error {
        /// One of [`code`].
        code: u16,
        /// For people.
        words: String,
    },
    /// The options that the server takes, with what it makes of them (OACK).
    Options(Vec<(String, String)>),
}

impl<'a> Packet<'a> {
    /// Reads one. What is no printable ASCII in options is left out, and in the words of an error
    /// shown as `?`; a list of options ends where it is filled up with NUL.
    ///
    /// # Errors
    /// [`Wrong`]: it is none, or beyond the limits.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Wrong> {
        let Some((opcode, rest)) = take_u16(bytes) else {
            return Err(Wrong("it is too short"));
        };
        match opcode {
            READ | WRITE | OPTIONS if bytes.len() > MAX_REQUEST => {
                Err(Wrong("the request is too long"))
            }
            READ => {
                let (file, rest) = file_name(rest)?;
                let (mode, rest) = text(rest).ok_or(Wrong("the mode does not end"))?;
                Ok(Self::Read { file, mode, options: options(rest) })
            }
            WRITE => {
                let (file, _) = file_name(rest)?;
                Ok(Self::Write { file })
            }
            DATA => {
                let (block, bytes) = take_u16(rest).ok_or(Wrong("the block has no number"))?;
                if bytes.len() > usize::from(MAX_BLKSIZE) {
                    return Err(Wrong("the block is too long"));
                }
                Ok(Self::Data { block, bytes })
            }
            ACK => {
                let (block, _) = take_u16(rest).ok_or(Wrong("the block has no number"))?;
                Ok(Self::Ack { block })
            }
            ERROR => {
                let (code, rest) = take_u16(rest).ok_or(Wrong("the error has no code"))?;
                let words = text(rest).map_or(rest, |(words, _)| words);
                let words = words.iter().take(MAX_WORDS).map(|byte| shown(*byte)).collect();
                Ok(Self::Error { code, words })
            }
            OPTIONS => Ok(Self::Options(options(rest))),
            _ => Err(Wrong("there is no such operation")),
        }
    }

    /// As it goes onto the wire.
    pub fn write(&self) -> Vec<u8> {
        match self {
            Self::Read { file, mode, options } => {
                let mut bytes = READ.to_be_bytes().to_vec();
                put_text(&mut bytes, file);
                put_text(&mut bytes, mode);
                put_options(&mut bytes, options);
                bytes
            }
            Self::Write { file } => {
                let mut bytes = WRITE.to_be_bytes().to_vec();
                put_text(&mut bytes, file);
                put_text(&mut bytes, b"octet");
                bytes
            }
            Self::Data { block, bytes: content } => {
                let mut bytes = Vec::with_capacity(4 + content.len());
                bytes.extend(DATA.to_be_bytes());
                bytes.extend(block.to_be_bytes());
                bytes.extend_from_slice(content);
                bytes
            }
            Self::Ack { block } => {
                let mut bytes = ACK.to_be_bytes().to_vec();
                bytes.extend(block.to_be_bytes());
                bytes
            }
            Self::Error { code, words } => {
                let mut bytes = ERROR.to_be_bytes().to_vec();
                bytes.extend(code.to_be_bytes());
                put_text(&mut bytes, words.as_bytes());
                bytes
            }
            Self::Options(options) => {
                let mut bytes = OPTIONS.to_be_bytes().to_vec();
                put_options(&mut bytes, options);
                bytes
            }
        }
    }
}

/// Whether a file is asked for as it is. Ends of lines are translated for nobody: whoever asks for
/// another mode is refused with [`code::ILLEGAL`].
pub fn is_octet(mode: &[u8]) -> bool {
    mode.eq_ignore_ascii_case(b"octet")
}

/// An error, as it goes onto the wire: one of [`code`], and words for people.
pub fn refuse(code: u16, words: &str) -> Vec<u8> {
    Packet::Error { code, words: words.to_owned() }.write()
}

fn take_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*number), rest))
}

/// What is before the next NUL, and what is behind it.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn file_name(bytes: &[u8]) -> Result<(&[u8], &[u8]), Wrong> {
    let (file, rest) = text(bytes).ok_or(Wrong("the file's name does not end"))?;
    if file.len() > MAX_FILE {
        return Err(Wrong("the file's name is too long"));
    }
    Ok((file, rest))
}

fn put_text(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend(text.iter().filter(|byte| **byte != 0));
    bytes.push(0);
}

fn put_options(bytes: &mut Vec<u8>, options: &[(String, String)]) {
    for (name, value) in options {
        put_text(bytes, name.as_bytes());
        put_text(bytes, value.as_bytes());
    }
}

fn options(mut bytes: &[u8]) -> Vec<(String, String)> {
    let mut options = Vec::new();
    while options.len() < MAX_OPTIONS
        && let Some((name, rest)) = text(bytes)
        && let Some((value, rest)) = text(rest)
        && !name.is_empty()
    {
        if let (Some(name), Some(value)) = (word(name), word(value)) {
            options.push((name, value));
        }
        bytes = rest;
    }
    options
}

/// The text of an option.
fn word(bytes: &[u8]) -> Option<String> {
    let printable = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    (bytes.len() <= MAX_OPTION && printable)
        .then(|| bytes.iter().map(|byte| char::from(*byte)).collect())
}

fn shown(byte: u8) -> char {
    if matches!(byte, b' '..=b'~') { char::from(byte) } else { '?' }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn pairs(options: &[(&str, &str)]) -> Vec<(String, String)> {
        options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_a_boot_loader_asks() {
        let bytes = b"\x00\x01vmlinux\0octet\0blksize\x001452\0";
        let packet = Packet::read(bytes).unwrap();
        let options = pairs(&[("blksize", "1452")]);
        assert_eq!(packet, Packet::Read { file: b"vmlinux", mode: b"octet", options });
        assert_eq!(packet.write(), bytes);
    }

    #[test]
    fn packets_as_the_wire_has_them() {
        let cases: [(Packet<'_>, &[u8]); 8] = [
            (Packet::Data { block: 1, bytes: b"abc" }, b"\x00\x03\x00\x01abc"),
            (Packet::Data { block: 65_535, bytes: b"" }, b"\x00\x03\xff\xff"),
            (Packet::Ack { block: 258 }, b"\x00\x04\x01\x02"),
            (Packet::Error { code: 5, words: "no".to_owned() }, b"\x00\x05\x00\x05no\0"),
            (Packet::Options(pairs(&[("tsize", "7")])), b"\x00\x06tsize\x007\0"),
            (Packet::Options(Vec::new()), b"\x00\x06"),
            (Packet::Write { file: b"x" }, b"\x00\x02x\0octet\0"),
            (Packet::Read { file: b"", mode: b"OCTET", options: Vec::new() }, b"\x00\x01\0OCTET\0"),
        ];
        for (packet, bytes) in cases {
            assert_eq!(packet.write(), bytes);
            assert_eq!(Packet::read(bytes), Ok(packet));
        }
        assert!(is_octet(b"OcTeT") && !is_octet(b"netascii") && !is_octet(b""));
        assert_eq!(refuse(code::DENIED, "no"), b"\x00\x05\x00\x02no\0");
    }

    #[test]
    fn what_is_none_is_refused() {
        let long = [b"\x00\x01".as_slice(), &[b'x'; 2000], b"\0octet\0"].concat();
        let name = [b"\x00\x02".as_slice(), &[b'x'; 513], b"\0octet\0"].concat();
        let block = [b"\x00\x03\x00\x01".as_slice(), &[0; 65_465]].concat();
        for bytes in [
            b"".as_slice(),
            b"\x00",
            b"\x00\x00",
            b"\x00\x07",
            b"\x01\x01a\0octet\0",
            b"\x00\x01file",
            b"\x00\x01file\0octet",
            b"\x00\x02file",
            b"\x00\x03\x00",
            b"\x00\x04",
            b"\x00\x05\x00",
            &long,
            &name,
            &block,
        ] {
            assert!(Packet::read(bytes).is_err(), "{:?}", &bytes[..bytes.len().min(20)]);
        }
        assert!(Packet::read(&block[..block.len() - 1]).is_ok());
    }

    #[test]
    fn odd_options_are_left_out() {
        let options_of = |rest: &[u8]| {
            let bytes = [b"\x00\x01f\0octet\0".as_slice(), rest].concat();
            match Packet::read(&bytes).unwrap() {
                Packet::Read { options, .. } => options,
                other => panic!("{other:?}"),
            }
        };
        let blksize = pairs(&[("blksize", "512")]);
        // Filled up with NUL, cut off, with bytes that are no text, too long.
        assert_eq!(options_of(b"blksize\x00512\0\0\0\0\0"), blksize);
        assert_eq!(options_of(b"blksize\x00512\0tsize\x000"), blksize);
        assert_eq!(options_of(b"ts\xffize\x000\0blksize\x00512\0"), blksize);
        let long = [[b'x'; 65].as_slice(), b"\x001\0blksize\x00512\0"].concat();
        assert_eq!(options_of(&long), blksize);
        assert_eq!(options_of(&b"a\x001\0".repeat(100)).len(), 16);
    }

    #[test]
    fn an_error_is_shown_as_it_can_be() {
        let words = |bytes: &[u8]| match Packet::read(bytes).unwrap() {
            Packet::Error { words, .. } => words,
            other => panic!("{other:?}"),
        };
        assert_eq!(words(b"\x00\x05\x00\x01gone\0and more"), "gone");
        assert_eq!(words(b"\x00\x05\x00\x01no end"), "no end");
        assert_eq!(words(b"\x00\x05\x00\x01\x1b[2J\xff"), "?[2J?");
        assert_eq!(words(&[b"\x00\x05\x00\x01".as_slice(), &[b'x'; 5000]].concat()).len(), 256);
    }

    fn any_options() -> impl Strategy<Value = Vec<(String, String)>> {
        proptest::collection::vec(("[!-~]{1,20}", "[ -~]{0,20}"), 0..8)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            file in proptest::collection::vec(1..=255_u8, 0..100),
            options in any_options(),
            block in any::<u16>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
            words in "[ -~]{0,100}",
        ) {
            for packet in [
                Packet::Read { file: &file, mode: b"octet", options: options.clone() },
                Packet::Write { file: &file },
                Packet::Data { block, bytes: &bytes },
                Packet::Ack { block },
                Packet::Error { code: block, words },
                Packet::Options(options),
            ] {
                let bytes = packet.write();
                prop_assert_eq!(Packet::read(&bytes), Ok(packet));
            }
        }

        #[test]
        fn no_bytes_break_it(
            opcode in 0..8_u8,
            rest in proptest::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..200),
        ) {
            let bytes = [[0, opcode].as_slice(), &rest].concat();
            if let Ok(packet) = Packet::read(&bytes) {
                let again = packet.write();
                prop_assert_eq!(Packet::read(&again), Ok(packet));
            }
        }
    }
}
