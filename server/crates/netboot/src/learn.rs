//! What a capture tells: who asked what, what was answered, which files were read, and how a script
//! lies in one of them.
//!
//! Owns how a profile is made of what an official server has sent. It says what it saw and what it
//! concludes, never that a board has taken it: such a profile is `captured`. Reads the frames of a
//! capture ([`capture`]) and those of the probe alike; nothing in them is trusted.

pub mod capture;
mod infer;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::booter::FLASHBOOT;
use crate::bootp::{Reply, Request};
use crate::mac::Mac;
use crate::tftp::Packet;
use crate::wire::{self, Datagram, Frame};

pub use infer::{Inference, Length, infer, profile};

/// Most requests, and most replies, that are kept.
const MAX_HEARD: usize = 10_000;
/// Most reads that are kept.
const MAX_READS: usize = 1_000;
/// Most bytes of all files together.
const MAX_BYTES: usize = 256 << 20;
/// Bytes of a block where none were agreed.
const BLKSIZE: usize = 512;
/// Most characters of a name or a value that are shown.
const MAX_SHOWN: usize = 128;

/// What was heard.
#[derive(Debug, Clone, Default)]
pub struct Learned {
    /// Frames in all, of which kind ever.
    pub frames: u64,
    /// What boards asked, in order.
    pub requests: Vec<Heard<Request>>,
    /// What servers answered, in order.
    pub replies: Vec<Heard<Reply>>,
    /// Files that were read, in order.
    pub reads: Vec<Read>,
    /// Bytes of all files.
    kept: usize,
}

/// A message with its circumstances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard<T> {
    /// Since the first frame.
    pub at: Duration,
    /// Who said it.
    pub from: SocketAddrV4,
    /// What.
    pub what: T,
}

/// A file that was read by TFTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Since the first frame.
    pub at: Duration,
    /// Who read it, by the frame.
    pub board: Mac,
    /// From whom.
    pub server: Ipv4Addr,
    /// Its name.
    pub file: String,
    /// `octet`, as a rule.
    pub mode: String,
    /// What was asked for, the last time.
    pub options: Vec<(String, String)>,
    /// What the server made of it.
    pub agreed: Vec<(String, String)>,
    /// How often it was asked for.
    pub asked: u32,
    /// Why it was refused, in the server's words.
    pub refused: Option<String>,
    client: SocketAddrV4,
    content: Vec<u8>,
    /// The number of the block that is due.
    next: u16,
    whole: bool,
}

/// What the frames of a capture tell; each with its time since any beginning.
pub fn conversation(frames: impl IntoIterator<Item = (Duration, Vec<u8>)>) -> Learned {
    let mut learned = Learned::default();
    let mut beginning = None;
    for (at, frame) in frames {
        learned.frames += 1;
        let at = at.saturating_sub(*beginning.get_or_insert(at));
        if let Some(Frame::Udp(datagram)) = wire::read(&frame) {
            learned.hear(at, &datagram);
        }
    }
    learned
}

impl Learned {
    /// The file that is most likely a configuration: the first that a board has read whole which asked
    /// for one, else the first whole one.
    pub fn delivery(&self) -> Option<&Read> {
        let whole = || self.reads.iter().filter(|read| read.content().is_some());
        let asked = |read: &&Read| {
            let request = self.request_of(read.board);
            request.and_then(Request::vendor_class).is_some_and(|class| class == FLASHBOOT)
        };
        whole().find(asked).or_else(|| whole().next())
    }

    /// The first thing that a board asked.
    pub fn request_of(&self, board: Mac) -> Option<&Request> {
        self.requests.iter().map(|heard| &heard.what).find(|request| request.mac == board)
    }

    /// The first answer to a board by a server.
    pub fn reply_to(&self, board: Mac, server: Ipv4Addr) -> Option<&Reply> {
        let mut replies = self.replies.iter().map(|heard| &heard.what);
        replies.find(|reply| reply.mac == board && reply.siaddr == server)
    }

    fn hear(&mut self, at: Duration, datagram: &Datagram<'_>) {
        let (from, payload) = (datagram.source, datagram.payload);
        match datagram.target.port() {
            67 => keep(&mut self.requests, at, from, Request::read(payload).ok()),
            68 => keep(&mut self.replies, at, from, Reply::read(payload).ok()),
            69 => {
                if let Ok(Packet::Read { file, mode, options }) = Packet::read(payload) {
                    self.ask(at, datagram, file, mode, options);
                }
            }
            _ => self.transfer(datagram),
        }
    }

    fn ask(
        &mut self,
        at: Duration,
        datagram: &Datagram<'_>,
        file: &[u8],
        mode: &[u8],
        options: Vec<(String, String)>,
    ) {
        let (client, server) = (datagram.source, *datagram.target.ip());
        let again =
            |read: &&mut Read| read.client == client && read.server == server && !read.whole;
        if let Some(read) = self.reads.iter_mut().rev().find(again) {
            read.asked += 1;
            if read.options != options {
                // The server begins anew, with these.
                self.kept -= read.content.len();
                read.content.clear();
                read.next = 1;
                read.agreed.clear();
                read.options = options;
            }
            return;
        }
        if self.reads.len() >= MAX_READS {
            return;
        }
        self.reads.push(Read {
            at,
            board: datagram.macs.0,
            server,
            file: shown(file),
            mode: shown(mode),
            options,
            agreed: Vec::new(),
            asked: 1,
            refused: None,
            client,
            content: Vec::new(),
            next: 1,
            whole: false,
        });
    }

    /// What a server says to whoever reads.
    fn transfer(&mut self, datagram: &Datagram<'_>) {
        let (client, server) = (datagram.target, datagram.source.ip());
        let meant = |read: &&mut Read| read.client == client && read.server == *server;
        let Some(read) = self.reads.iter_mut().rev().find(meant) else { return };
        match Packet::read(datagram.payload) {
            Ok(Packet::Options(agreed)) if read.next == 1 && !read.whole => read.agreed = agreed,
            Ok(Packet::Data { block, bytes }) => {
                let room = MAX_BYTES - self.kept;
                if read.whole || block != read.next || bytes.len() > room {
                    return;
                }
                self.kept += bytes.len();
                read.content.extend_from_slice(bytes);
                read.next = read.next.wrapping_add(1);
                read.whole = bytes.len() < read.blksize();
            }
            Ok(Packet::Error { words, .. }) if !read.whole => read.refused = Some(words),
            _ => {}
        }
    }
}

impl Read {
    /// The file, if all of it was seen.
    pub fn content(&self) -> Option<&[u8]> {
        self.whole.then_some(self.content.as_slice())
    }

    /// The size of its blocks: what was agreed, else 512.
    pub fn blksize(&self) -> usize {
        let agreed = self.agreed.iter().find(|(name, _)| name.eq_ignore_ascii_case("blksize"));
        agreed.and_then(|(_, value)| value.parse().ok()).unwrap_or(BLKSIZE)
    }
}

fn keep<T>(list: &mut Vec<Heard<T>>, at: Duration, from: SocketAddrV4, what: Option<T>) {
    if let Some(what) = what
        && list.len() < MAX_HEARD
    {
        list.push(Heard { at, from, what });
    }
}

/// What people see of bytes that ought to be text.
fn shown(bytes: &[u8]) -> String {
    crate::bootp::text(bytes, MAX_SHOWN)
}

/// An option: its number, its bytes, and the text that they are, if they are one.
fn option_words((code, value): &(u8, Vec<u8>)) -> String {
    let digits = hex::encode(value);
    let is_text = !value.is_empty() && value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let text = if is_text { format!(" `{}`", shown(value)) } else { String::new() };
    format!("{code}={digits}{text}")
}

fn list_words(pairs: &[(String, String)]) -> String {
    let words: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if words.is_empty() { "no options".to_owned() } else { words.join(" ") }
}

impl fmt::Display for Learned {
    /// What was heard, a line for each thing; what comes again in the same words has one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<(Duration, String, u32)> = Vec::new();
        let mut add = |at: Duration, line: String| {
            if let Some((_, _, count)) = lines.iter_mut().find(|(_, known, _)| *known == line) {
                *count += 1;
            } else if lines.len() < MAX_READS {
                lines.push((at, line, 1));
            }
        };
        for Heard { at, what, .. } in &self.requests {
            let options: Vec<String> = what.options.iter().map(option_words).collect();
            add(*at, format!("{} asks: {}", what.mac, options.join(", ")));
        }
        for Heard { at, from, what } in &self.replies {
            let options: Vec<String> = what.options.iter().map(option_words).collect();
            add(
                *at,
                format!(
                    "{} answers {}: address {}, server {}, file `{}`, {}",
                    from.ip(),
                    what.mac,
                    what.yiaddr,
                    what.siaddr,
                    shown(&what.file),
                    options.join(", ")
                ),
            );
        }
        for read in &self.reads {
            let end = match (&read.refused, read.content()) {
                (_, Some(content)) => format!("{} bytes", content.len()),
                (Some(words), None) => format!("refused: {words}"),
                (None, None) => format!("not whole: {} bytes were seen", read.content.len()),
            };
            add(
                read.at,
                format!(
                    "{} reads `{}` ({}) from {}, asked {} times, last with {}; agreed: {}; {end}",
                    read.board,
                    read.file,
                    read.mode,
                    read.server,
                    read.asked,
                    list_words(&read.options),
                    list_words(&read.agreed),
                ),
            );
        }
        lines.sort_by_key(|(at, ..)| *at);
        for (at, line, count) in lines {
            let times = if count > 1 { format!(" ({count} times)") } else { String::new() };
            writeln!(f, "{:9.3} s  {line}{times}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
