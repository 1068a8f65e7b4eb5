//! The server's side of one transfer.
//!
//! Whoever asked acknowledges blocks; what was acknowledged for the first time brings the next ones, and
//! nothing else does, so that a copy of an acknowledgement on the wire is never answered by a copy of a
//! block (the Sorcerer's Apprentice, RFC 1123 section 4.2.3.1). The timer runs from the last such
//! progress, not from the last packet: RouterBOOT acknowledges its last block again after each 100 ms of
//! silence, and would keep a timer that each packet sets from ever ending.

use std::sync::Arc;
use std::time::Duration;

use super::packet::{MAX_BLKSIZE, Packet};
use super::{BLKSIZE, number, option};

/// Least bytes of a block (RFC 2348).
const MIN_BLKSIZE: u16 = 8;
/// Most blocks that are under way at once, whatever the limits say: each call gives as many packets.
const MAX_WINDOW: u16 = 1024;
/// The longest time between two repeats, unless the client asks for another: some clients begin their own
/// timer anew with each packet, also one that they have already, and repeat nothing before it ends.
const SLOWEST: Duration = Duration::from_secs(8);
/// Whoever acknowledged something this short a time ago does not begin anew.
const FRESH: Duration = Duration::from_secs(1);

/// What a transfer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of one block, however large the client wants them.
    pub max_blksize: u16,
    /// Most blocks under way before an acknowledgement (RFC 7440).
    pub max_window: u16,
    /// After which time without progress the blocks under way are sent again.
    pub retransmit: Duration,
    /// After which time without progress the transfer has failed.
    pub give_up: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // What fits into one frame of Ethernet.
            max_blksize: 1468,
            max_window: 16,
            retransmit: Duration::from_millis(200),
            give_up: Duration::from_secs(30),
        }
    }
}

/// How a transfer has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The last block was acknowledged.
    Done,
    /// All was sent, and the last block never acknowledged: the client may have all of it.
    Unacknowledged,
    /// It was not all sent, or the client ended it; why, in words.
    Failed(String),
}

/// One transfer to one port.
#[derive(Debug, Clone)]
pub struct Sender {
    content: Arc<[u8]>,
    /// What is said of the options; it takes the place of block 0.
    answer: Vec<u8>,
    blksize: usize,
    window: u64,
    /// The number of the last block, which is shorter than the others.
    last: u64,
    /// The first block that was not acknowledged.
    base: u64,
    /// The one behind the last that was ever sent.
    end: u64,
    retransmit: Duration,
    /// The longest time between two repeats.
    slowest: Duration,
    give_up: Duration,
    /// Repeats since the last progress.
    repeats: u32,
    said_at: Duration,
    progress_at: Duration,
    /// The client acknowledged anything at all.
    heard: bool,
    resent: u32,
    outcome: Option<Outcome>,
}

impl Sender {
    /// Begins to answer a request for `content`, and gives the first packets. Of the options,
    /// `blksize`, `tsize`, `timeout` and `windowsize` are taken, each as far as the limits let; others
    /// and wrong ones are as if they had not been there.
    ///
    /// A request that comes again from the same port begins another transfer in place of this one, unless
    /// this one is [`under_way`](Self::under_way).
    pub fn begin(
        content: Arc<[u8]>,
        options: &[(String, String)],
        limits: &Limits,
        now: Duration,
    ) -> (Self, Vec<Vec<u8>>) {
        let agreed = Agreed::of(options, content.len(), limits);
        let blksize = usize::from(agreed.blksize);
        let base = if agreed.answer.is_empty() { 1 } else { 0 };
        let mut sender = Self {
            last: length(content.len() / blksize) + 1,
            content,
            answer: Packet::Options(agreed.answer).write(),
            blksize,
            window: u64::from(agreed.window),
            base,
            end: base,
            retransmit: limits.retransmit,
            slowest: agreed.timeout.unwrap_or(SLOWEST).max(limits.retransmit),
            give_up: limits.give_up,
            repeats: 0,
            said_at: now,
            progress_at: now,
            heard: false,
            resent: 0,
            outcome: None,
        };
        let packets = sender.say();
        (sender, packets)
    }

    /// Takes what came from the client, and gives what is to be sent to it. What is no packet, or none
    /// that a client sends within a transfer, is left without an answer.
    pub fn packet(&mut self, bytes: &[u8], now: Duration) -> Vec<Vec<u8>> {
        if self.outcome.is_some() {
            return Vec::new();
        }
        match Packet::read(bytes) {
            Ok(Packet::Ack { block }) => self.acknowledged(block, now),
            Ok(Packet::Error { code, words }) => {
                self.outcome =
                    Some(Outcome::Failed(format!("the client ended it: {words} ({code})")));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn acknowledged(&mut self, block: u16, now: Duration) -> Vec<Vec<u8>> {
        // How far it is behind the first one that is open; anything but the few under way is a copy of
        // what was acknowledged before.
        let ahead = u64::from(block.wrapping_sub(number(self.base)));
        if self.base + ahead >= self.end {
            return Vec::new();
        }
        self.base += ahead + 1;
        self.progress_at = now;
        self.said_at = now;
        self.repeats = 0;
        self.heard = true;
        if self.base > self.last {
            self.outcome = Some(Outcome::Done);
            return Vec::new();
        }
        self.say()
    }

    /// Says again what got no answer for too long, and ends what got none at all.
    pub fn tick(&mut self, now: Duration) -> Vec<Vec<u8>> {
        if self.outcome.is_some() {
            return Vec::new();
        }
        if now >= self.progress_at + self.give_up {
            self.outcome = Some(self.silence());
            return Vec::new();
        }
        if now < self.said_at + self.pause() {
            return Vec::new();
        }
        self.said_at = now;
        self.repeats += 1;
        self.say()
    }

    /// When [`tick`](Self::tick) has something to do; none = never again.
    pub fn deadline(&self) -> Option<Duration> {
        let again = self.said_at + self.pause();
        self.outcome.is_none().then(|| again.min(self.progress_at + self.give_up))
    }

    /// How it has ended; none = it has not.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome.clone()
    }

    /// Bytes of the file that were acknowledged.
    pub fn sent_bytes(&self) -> u64 {
        let whole = self.base.saturating_sub(1) * length(self.blksize);
        whole.min(length(self.content.len()))
    }

    /// Bytes of the file that went out, acknowledged or not.
    pub fn out_bytes(&self) -> u64 {
        let whole = self.end.saturating_sub(1) * length(self.blksize);
        whole.min(length(self.content.len()))
    }

    /// Packets that were sent again.
    pub fn resent(&self) -> u32 {
        self.resent
    }

    /// Whether the client acknowledged something within the last second. A request from its port is then
    /// a late copy on the wire, and to be left alone: whoever begins anew would send the client into the
    /// middle of another transfer. The last acknowledgement counts, too, so this is worth asking of a
    /// transfer that has ended.
    pub fn under_way(&self, now: Duration) -> bool {
        self.heard && now < self.progress_at + FRESH
    }

    /// Until when an answer is waited for: as long as ever, or, for a client that asked for a time, twice
    /// as long with each repeat up to that time. A wire that loses packets is not made slow by a client
    /// that asks for seconds, and a slow client not flooded.
    fn pause(&self) -> Duration {
        let factor = 1_u32 << self.repeats.min(10);
        self.retransmit.saturating_mul(factor).min(self.slowest)
    }

    /// The blocks that are under way from now on.
    fn say(&mut self) -> Vec<Vec<u8>> {
        let last = match self.base {
            0 => 0,
            base => self.last.min(base + self.window - 1),
        };
        let packets = (self.base..=last).map(|block| self.block(block)).collect();
        let again = self.end.min(last + 1).saturating_sub(self.base);
        self.resent = self.resent.saturating_add(u32::try_from(again).unwrap_or(u32::MAX));
        self.end = self.end.max(last + 1);
        packets
    }

    fn block(&self, block: u64) -> Vec<u8> {
        let Some(before) = block.checked_sub(1) else {
            return self.answer.clone();
        };
        let before =
            usize::try_from(before).expect("a file in memory has no more blocks than bytes");
        let from = (before * self.blksize).min(self.content.len());
        let to = (from + self.blksize).min(self.content.len());
        Packet::Data { block: number(block), bytes: &self.content[from..to] }.write()
    }

    /// How it has ended where nothing is waited for any more.
    fn silence(&self) -> Outcome {
        if self.end > self.last {
            return Outcome::Unacknowledged;
        }
        let seconds = self.give_up.as_secs();
        if !self.heard {
            return Outcome::Failed(format!(
                "the client asked for the file, and then said nothing for {seconds} s"
            ));
        }
        let (sent, total) = (self.sent_bytes(), self.content.len());
        Outcome::Failed(format!(
            "the client acknowledged nothing for {seconds} s, at {sent} of {total} bytes"
        ))
    }
}

/// What the options of a request come to.
struct Agreed {
    /// Those that are taken, in the client's order.
    answer: Vec<(String, String)>,
    blksize: u16,
    window: u16,
    timeout: Option<Duration>,
}

impl Agreed {
    fn of(options: &[(String, String)], size: usize, limits: &Limits) -> Self {
        let mut agreed = Self { answer: Vec::new(), blksize: BLKSIZE, window: 1, timeout: None };
        for (at, (name, value)) in options.iter().enumerate() {
            // The first one of a name counts.
            let first = option(&options[..at], name).is_none();
            let Some(asked) = value.parse::<u64>().ok().filter(|_| first) else { continue };
            let Some(taken) = agreed.take(&name.to_ascii_lowercase(), asked, size, limits) else {
                continue;
            };
            agreed.answer.push((name.clone(), taken.to_string()));
        }
        agreed
    }

    /// The value that is answered; none = the option is left out.
    fn take(&mut self, name: &str, asked: u64, size: usize, limits: &Limits) -> Option<u64> {
        match name {
            "blksize" if asked >= u64::from(MIN_BLKSIZE) => {
                let most = limits.max_blksize.clamp(MIN_BLKSIZE, MAX_BLKSIZE);
                self.blksize = u16::try_from(asked).map_or(most, |asked| asked.min(most));
                Some(u64::from(self.blksize))
            }
            "windowsize" if asked >= 1 => {
                let most = limits.max_window.clamp(1, MAX_WINDOW);
                self.window = u16::try_from(asked).map_or(most, |asked| asked.min(most));
                Some(u64::from(self.window))
            }
            // RFC 2349: the value of a request to read is 0, and the answer the size.
            "tsize" => Some(length(size)),
            "timeout" if (1..=255).contains(&asked) => {
                self.timeout = Some(Duration::from_secs(asked));
                Some(asked)
            }
            _ => None,
        }
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("a usize fits a u64 wherever this runs")
}

#[cfg(test)]
mod tests;
