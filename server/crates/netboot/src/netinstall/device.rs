//! The board's side of one installation: the installer that a board has booted, as far as it is known,
//! for tests and demonstrations. It keeps what it is given, and formats nothing.

use std::time::Duration;

use super::packet::{Announcement, Frame};
use super::{FILE, FORMATS, File, OFFER, Outcome, READY, RESTART, TAKES, WAITS};
use crate::mac::Mac;

/// Most bytes that it takes in all.
const MAX_BYTES: usize = 512 * 1024 * 1024;
/// Most bytes of a file's name.
const MAX_NAME: usize = 128;

/// How a board behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// After which time it says its last answer, or its announcement, again.
    pub repeat: Duration,
    /// How long it formats its disk.
    pub format: Duration,
    /// It does not answer the header of a file, as some boards do not.
    pub skips_answer: bool,
    /// It answers the last chunk of a file twice; there are servers that wait for that.
    pub doubles: bool,
    /// It takes no offer without its key, as newer boards do not.
    pub needs_key: bool,
    /// It falls silent when it has taken so many bytes.
    pub dies_after: Option<u64>,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            repeat: Duration::from_secs(1),
            format: Duration::from_secs(3),
            skips_answer: false,
            doubles: true,
            needs_key: true,
            dies_after: None,
        }
    }
}

/// What the board waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// An offer.
    Announcing,
    /// That it formats.
    Offered,
    /// The question whether it is ready; and, asked or not, the end of formatting.
    Formatting { until: Duration, asked: bool },
    /// A file, or the end of them.
    Ready,
    /// The rest of a file.
    Taking { name: String, size: usize, bytes: Vec<u8> },
    /// The end of a file.
    Taken,
    /// To be told to restart.
    Waiting,
}

/// A board that is installed.
#[derive(Debug, Clone)]
pub struct Device {
    mac: Mac,
    announcement: Announcement,
    habits: Habits,
    server: Mac,
    state: State,
    files: Vec<File>,
    /// Bytes of all files so far.
    taken: usize,
    /// Its own, of its last answer.
    counter: u16,
    /// The server's, of what was said last.
    peer: u16,
    /// Its last answer, as it was said; none = it has none to say again.
    last: Option<Vec<u8>>,
    said_at: Duration,
    outcome: Option<Outcome>,
}

impl Device {
    /// A board that has booted its installer; gives the first announcement.
    pub fn begin(
        mac: Mac,
        announcement: Announcement,
        habits: Habits,
        now: Duration,
    ) -> (Self, Vec<Vec<u8>>) {
        // Its counter stands at 1 in announcements, and begins again with the first answer.
        let payload = announcement.write();
        let frame = Frame { from: mac, to: Mac::ZERO, counter: 1, peer: 0, payload }.write();
        let device = Self {
            mac,
            announcement,
            habits,
            server: Mac::ZERO,
            state: State::Announcing,
            files: Vec::new(),
            taken: 0,
            counter: 0,
            peer: 0,
            last: Some(frame.clone()),
            said_at: now,
            outcome: None,
        };
        (device, vec![frame])
    }

    /// Takes what came to the port, and gives what is to be broadcast.
    pub fn packet(&mut self, bytes: &[u8], now: Duration) -> Vec<Vec<u8>> {
        if self.outcome.is_some() {
            return Vec::new();
        }
        let Ok(frame) = Frame::read(bytes) else { return Vec::new() };
        if frame.to != self.mac || frame.from == self.mac {
            return Vec::new();
        }
        if self.state == State::Announcing {
            return self.offered(&frame, now);
        }
        if frame.from != self.server {
            return Vec::new();
        }
        if frame.counter == self.peer {
            // Its answer was lost.
            return self.last.clone().into_iter().collect();
        }
        if frame.counter != self.peer.wrapping_add(1) || frame.peer != self.counter {
            return Vec::new();
        }
        self.peer = frame.counter;
        self.said(&frame.payload, now)
    }

    fn offered(&mut self, frame: &Frame, now: Duration) -> Vec<Vec<u8>> {
        let mut lines = frame.payload.split(|byte| *byte == b'\n');
        let offer = lines.next() == Some(OFFER.as_bytes());
        let key = lines.next() == Some(self.announcement.key.as_bytes());
        if !offer || (self.habits.needs_key && !key) || (frame.counter, frame.peer) != (1, 0) {
            return Vec::new();
        }
        self.server = frame.from;
        self.peer = frame.counter;
        self.state = State::Offered;
        self.answer(&format!("{TAKES}\n"), now)
    }

    /// Something new from the server.
    fn said(&mut self, payload: &[u8], now: Duration) -> Vec<Vec<u8>> {
        // Where nothing is put in its place, the answer to what came before is not said again.
        self.last = None;
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Offered if payload.is_empty() => {
                let until = now + self.habits.format;
                self.state = State::Formatting { until, asked: false };
                self.answer(FORMATS, now)
            }
            State::Formatting { until, asked: false } if payload.is_empty() => {
                self.state = State::Formatting { until, asked: true };
                self.tick(now)
            }
            State::Ready => self.header(payload, now),
            State::Taking { name, size, bytes } => self.chunk((name, size, bytes), payload, now),
            State::Taken if payload.is_empty() => self.answer(READY, now),
            State::Waiting if payload.starts_with(RESTART.as_bytes()) => {
                self.outcome = Some(Outcome::Done);
                Vec::new()
            }
            state => self.fail(format!("the server said what was not due: {state:?}")),
        }
    }

    fn header(&mut self, payload: &[u8], now: Duration) -> Vec<Vec<u8>> {
        let text = String::from_utf8_lossy(payload);
        let mut lines = text.trim_end_matches('\0').lines();
        if lines.next() != Some(FILE) {
            return self.fail("the server sent no header of a file".to_owned());
        }
        let Some(name) = lines.next() else {
            self.state = State::Waiting;
            return self.answer(WAITS, now);
        };
        let size = lines.next().and_then(|size| size.parse::<usize>().ok());
        let room = MAX_BYTES - self.taken;
        let Some(size) = size.filter(|size| *size <= room && name.len() <= MAX_NAME) else {
            return self.fail("the header of a file is wrong, or it is too large".to_owned());
        };
        let name = name.to_owned();
        if size == 0 {
            self.keep(name, &[]);
        } else {
            self.state = State::Taking { name, size, bytes: Vec::new() };
        }
        if self.habits.skips_answer { Vec::new() } else { self.answer(READY, now) }
    }

    fn chunk(
        &mut self,
        (name, size, mut bytes): (String, usize, Vec<u8>),
        chunk: &[u8],
        now: Duration,
    ) -> Vec<Vec<u8>> {
        if chunk.is_empty() || chunk.len() > size - bytes.len() {
            return self.fail(format!("a chunk of {name} has {} bytes", chunk.len()));
        }
        bytes.extend_from_slice(chunk);
        self.taken += chunk.len();
        let dead = |after: u64| u64::try_from(self.taken).is_ok_and(|taken| taken >= after);
        if self.habits.dies_after.is_some_and(dead) {
            return self.fail("it died".to_owned());
        }
        let whole = bytes.len() == size;
        if whole {
            self.keep(name, &bytes);
        } else {
            self.state = State::Taking { name, size, bytes };
        }
        let mut packets = self.answer(READY, now);
        if whole && self.habits.doubles {
            packets.extend_from_within(..);
        }
        packets
    }

    fn keep(&mut self, name: String, bytes: &[u8]) {
        self.files.push(File { name, content: bytes.into() });
        self.state = State::Taken;
    }

    fn answer(&mut self, words: &str, now: Duration) -> Vec<Vec<u8>> {
        self.counter = self.counter.wrapping_add(1);
        let payload = words.as_bytes().to_vec();
        let (from, to) = (self.mac, self.server);
        let frame = Frame { from, to, counter: self.counter, peer: self.peer, payload }.write();
        self.last = Some(frame.clone());
        self.said_at = now;
        vec![frame]
    }

    fn fail(&mut self, words: String) -> Vec<Vec<u8>> {
        self.outcome = Some(Outcome::Failed(words));
        Vec::new()
    }

    /// Ends formatting, or says the last thing again.
    pub fn tick(&mut self, now: Duration) -> Vec<Vec<u8>> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        if matches!(self.state, State::Formatting { asked: true, .. }) {
            self.state = State::Ready;
            return self.answer(READY, now);
        }
        self.said_at = now;
        self.last.clone().into_iter().collect()
    }

    /// When [`tick`](Self::tick) has something to do; none = not before something comes.
    pub fn deadline(&self) -> Option<Duration> {
        if self.outcome.is_some() {
            return None;
        }
        if let State::Formatting { until, asked: true } = self.state {
            return Some(until);
        }
        self.last.is_some().then(|| self.said_at + self.habits.repeat)
    }

    /// The files that it has whole, in the order in which they came.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// How it has ended: done = it was told to restart; none = it has not.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome.clone()
    }
}

#[cfg(test)]
mod tests;
