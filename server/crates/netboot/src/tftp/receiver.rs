//! The client's side of one transfer: of a boot loader that is played, and of the probe that asks an
//! official server what it gives.
//!
//! Blocks are taken in their order and never kept for later; what is behind a gap is asked for again by
//! acknowledging what is before it, once (RFC 7440 section 4). Silence is answered by saying the last
//! thing again.

use std::time::Duration;

use super::packet::{Packet, code, refuse};
use super::{BLKSIZE, number, option};

/// How a client behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// After which time without progress the last thing is said again.
    pub repeat: Duration,
    /// How often that is done in all before the transfer has failed.
    pub patience: u32,
    /// Who asked for larger blocks than 512 bytes repeats the request with those.
    pub smaller: bool,
    /// Blocks go on with number 0 behind 65,535; a client that cannot do this fails there.
    pub rollover: bool,
    /// Most bytes that are taken.
    pub max_bytes: usize,
}

impl Default for Quirks {
    /// A client without any.
    fn default() -> Self {
        Self {
            repeat: Duration::from_millis(500),
            patience: 200,
            smaller: false,
            rollover: true,
            max_bytes: 64 * 1024 * 1024,
        }
    }
}

impl Quirks {
    /// As RouterBOOT is, so far as it is known.
    pub fn routerboot() -> Self {
        Self {
            repeat: Duration::from_millis(100),
            patience: 2000,
            smaller: true,
            rollover: false,
            ..Self::default()
        }
    }
}

/// One transfer from one server.
#[derive(Debug, Clone)]
pub struct Receiver {
    file: Vec<u8>,
    /// As the last request had them.
    asked: Vec<(String, String)>,
    quirks: Quirks,
    agreed: Vec<(String, String)>,
    blksize: usize,
    /// Blocks that come before one acknowledgement.
    window: u64,
    /// The server has answered.
    answered: bool,
    content: Vec<u8>,
    /// The block that is due.
    next: u64,
    /// The last block that was acknowledged.
    acknowledged: u64,
    /// What is behind a gap has been answered since the last block that was taken.
    gap_told: bool,
    said_at: Duration,
    repeats: u32,
    outcome: Option<Result<(), String>>,
}

impl Receiver {
    /// Begins a transfer; gives the request, which goes to port 69 of the server. What the server answers
    /// from is its port from then on; a packet from another one is not to be given to this machine, but
    /// answered by [`code::UNKNOWN_PORT`].
    pub fn begin(
        file: &str,
        options: &[(String, String)],
        quirks: Quirks,
        now: Duration,
    ) -> (Self, Vec<u8>) {
        let receiver = Self {
            file: file.as_bytes().to_vec(),
            asked: options.to_vec(),
            quirks,
            agreed: Vec::new(),
            blksize: usize::from(BLKSIZE),
            window: 1,
            answered: false,
            content: Vec::new(),
            next: 1,
            acknowledged: 0,
            gap_told: false,
            said_at: now,
            repeats: 0,
            outcome: None,
        };
        let request = receiver.request();
        (receiver, request)
    }

    fn request(&self) -> Vec<u8> {
        Packet::Read { file: &self.file, mode: b"octet", options: self.asked.clone() }.write()
    }

    /// Takes what came from the server, and gives what is to be sent to it. A transfer that has ended
    /// well still acknowledges its last block, should it come again.
    pub fn packet(&mut self, bytes: &[u8], now: Duration) -> Vec<Vec<u8>> {
        let packet = Packet::read(bytes);
        match &self.outcome {
            Some(Err(_)) => return Vec::new(),
            Some(Ok(())) => {
                return match packet {
                    Ok(Packet::Data { block, .. }) if block == number(self.acknowledged) => {
                        vec![self.acknowledgement()]
                    }
                    _ => Vec::new(),
                };
            }
            None => {}
        }
        match packet {
            Ok(Packet::Data { block, bytes }) => self.data(block, bytes, now),
            Ok(Packet::Options(options)) => self.options(options, now),
            Ok(Packet::Error { code, words }) => {
                self.outcome = Some(Err(format!("the server refused: {words} ({code})")));
                Vec::new()
            }
            Ok(Packet::Read { .. } | Packet::Write { .. } | Packet::Ack { .. }) | Err(_) => {
                self.fail(code::ILLEGAL, "the server said what no server says")
            }
        }
    }

    /// What was agreed, unless blocks have come already. A server that answers with larger blocks than
    /// were asked for answers an earlier request: what was asked since will be answered, too.
    fn options(&mut self, agreed: Vec<(String, String)>, now: Duration) -> Vec<Vec<u8>> {
        let within = |name| option(&agreed, name) <= option(&self.asked, name);
        if self.next > 1 || !within("blksize") || !within("windowsize") {
            return Vec::new();
        }
        let blksize = option(&agreed, "blksize").and_then(|blksize| usize::try_from(blksize).ok());
        self.blksize = blksize.unwrap_or(usize::from(BLKSIZE));
        self.window = option(&agreed, "windowsize").unwrap_or(1);
        if self.blksize < 1 || self.window < 1 {
            return self.fail(code::OPTIONS, "the server agreed to nothing that can be done");
        }
        self.agreed = agreed;
        self.answered = true;
        self.said_at = now;
        vec![self.acknowledgement()]
    }

    fn data(&mut self, block: u16, bytes: &[u8], now: Duration) -> Vec<Vec<u8>> {
        if block == number(self.next) {
            return self.take(bytes, now);
        }
        // One that came before, or is behind one that is missing.
        let ahead = block.wrapping_sub(number(self.next)) < 0x8000;
        if ahead && self.answered && !self.gap_told {
            self.gap_told = true;
            return vec![self.acknowledge()];
        }
        // The server has not seen the acknowledgement. A copy of another block says nothing: answering it
        // would have the server send a whole window for each copy.
        if !ahead && block == number(self.acknowledged) {
            return vec![self.acknowledgement()];
        }
        Vec::new()
    }

    fn take(&mut self, bytes: &[u8], now: Duration) -> Vec<Vec<u8>> {
        if bytes.len() > self.blksize {
            return self.fail(code::ILLEGAL, "the server sends larger blocks than agreed");
        }
        if self.content.len() + bytes.len() > self.quirks.max_bytes {
            return self.fail(code::FULL, "the file is too large");
        }
        if self.next > 65_535 && !self.quirks.rollover {
            return self.fail(code::FULL, "the file has more blocks than there are numbers");
        }
        self.content.extend_from_slice(bytes);
        self.answered = true;
        self.gap_told = false;
        self.said_at = now;
        self.next += 1;
        if bytes.len() < self.blksize {
            self.outcome = Some(Ok(()));
            return vec![self.acknowledge()];
        }
        if self.next - self.acknowledged > self.window {
            return vec![self.acknowledge()];
        }
        Vec::new()
    }

    /// Acknowledges all that was taken.
    fn acknowledge(&mut self) -> Vec<u8> {
        self.acknowledged = self.next - 1;
        self.acknowledgement()
    }

    fn acknowledgement(&self) -> Vec<u8> {
        Packet::Ack { block: number(self.acknowledged) }.write()
    }

    fn fail(&mut self, code: u16, words: &str) -> Vec<Vec<u8>> {
        self.outcome = Some(Err(words.to_owned()));
        vec![refuse(code, words)]
    }

    /// Says again what was not answered.
    pub fn tick(&mut self, now: Duration) -> Vec<Vec<u8>> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        self.said_at = now;
        self.repeats += 1;
        if self.repeats > self.quirks.patience {
            self.outcome = Some(Err("the server fell silent".to_owned()));
            return Vec::new();
        }
        if self.answered {
            return vec![self.acknowledge()];
        }
        if self.quirks.smaller && option(&self.asked, "blksize") > Some(u64::from(BLKSIZE)) {
            self.asked = vec![("blksize".to_owned(), BLKSIZE.to_string())];
        }
        vec![self.request()]
    }

    /// When [`tick`](Self::tick) has something to do; none = never again.
    pub fn deadline(&self) -> Option<Duration> {
        self.outcome.is_none().then(|| self.said_at + self.quirks.repeat)
    }

    /// What came, or why it did not, in words; none = it is still coming. The bytes are copied.
    pub fn outcome(&self) -> Option<Result<Vec<u8>, String>> {
        let outcome = self.outcome.clone()?;
        Some(outcome.map(|()| self.content.clone()))
    }

    /// What the server said of the options, word by word.
    pub fn agreed(&self) -> &[(String, String)] {
        &self.agreed
    }
}

#[cfg(test)]
mod tests;
