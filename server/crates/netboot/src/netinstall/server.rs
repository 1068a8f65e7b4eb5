//! The server's side of one installation.
//!
//! Each frame is answered before the next one is said, and the counters of both sides tell an answer
//! from a repeat: only the one that goes on from what was heard last, and names what was said last, is
//! one. A board says its last answer again until it hears something new; that is never answered, but
//! what was said is said again, as it was, when no answer comes for a while.

use std::time::Duration;

use super::packet::{Announcement, Frame};
use super::{FILE, FORMATS, File, OFFER, Outcome, READY, RESTART, TAKES, WAITS};
use crate::mac::Mac;

/// Bytes of a file in one frame.
pub const CHUNK: usize = 1024;

/// How long a board may format its disk.
const FORMATTING: Duration = Duration::from_secs(120);
/// How long it may otherwise say nothing new.
const SILENCE: Duration = Duration::from_secs(60);
/// Some boards do not answer the header of a file: how long it is waited for.
const HEADER: Duration = Duration::from_secs(5);
/// A board that says nothing for so long after it was told to restart has heard it.
const QUIET: Duration = Duration::from_secs(2);
/// Most characters of an answer that an error repeats.
const SHOWN: usize = 64;

/// What is said at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Offer,
    Format,
    Ready,
    Header,
    Chunk,
    FileEnd,
    End,
    Restart,
}

impl Step {
    /// What the board answers.
    fn answer(self) -> &'static str {
        match self {
            Self::Offer => TAKES,
            Self::Format => FORMATS,
            Self::Ready | Self::Header | Self::Chunk | Self::FileEnd => READY,
            Self::End | Self::Restart => WAITS,
        }
    }

    /// How long a new answer may take.
    fn patience(self) -> Duration {
        match self {
            Self::Format | Self::Ready => FORMATTING,
            Self::Offer
            | Self::Header
            | Self::Chunk
            | Self::FileEnd
            | Self::End
            | Self::Restart => SILENCE,
        }
    }

    /// After which time it is said again for the first time, and how long that time becomes.
    fn pauses(self) -> (Duration, Duration) {
        let [first, most] = match self {
            Self::Format | Self::Ready => [2000, 8000],
            Self::Header | Self::Restart => [250, 500],
            Self::Offer | Self::Chunk | Self::FileEnd | Self::End => [250, 4000],
        };
        (Duration::from_millis(first), Duration::from_millis(most))
    }
}

/// How far an installation has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is done at present, for people: `sending routeros-7.16.1-arm64.npk`.
    pub step: String,
    /// Bytes of files that the board has taken.
    pub sent: u64,
    /// Bytes of all files.
    pub total: u64,
}

/// One installation.
#[derive(Debug, Clone)]
pub struct Installer {
    server: Mac,
    device: Mac,
    key: String,
    files: Vec<File>,
    step: Step,
    /// Which file is sent.
    file: usize,
    /// Its bytes that the board has.
    offset: usize,
    sent: u64,
    /// Ours, of what was said last.
    counter: u16,
    /// The board's, of what it answered last.
    peer: u16,
    /// The header of this file got no answer.
    skipped: bool,
    said_at: Duration,
    /// Times that it was said again.
    repeats: u32,
    progress_at: Duration,
    /// When the board was heard last after it was told to restart.
    heard_at: Duration,
    outcome: Option<Outcome>,
}

impl Installer {
    /// Begins an installation on a board that announces itself, and gives the first frames. The board
    /// formats its disk when it takes the offer: that it may, and that the files are those for it
    /// ([`super::check()`]), was decided before. Files are sent in their order.
    pub fn begin(
        server: Mac,
        announcement: &Announcement,
        device: Mac,
        files: Vec<File>,
        now: Duration,
    ) -> (Self, Vec<Vec<u8>>) {
        let installer = Self {
            server,
            device,
            key: announcement.key.clone(),
            files,
            step: Step::Offer,
            file: 0,
            offset: 0,
            sent: 0,
            counter: 1,
            peer: 0,
            skipped: false,
            said_at: now,
            repeats: 0,
            progress_at: now,
            heard_at: now,
            outcome: None,
        };
        let offer = installer.say();
        (installer, vec![offer])
    }

    /// Takes what came to the port, from whomever, and gives what is to be broadcast.
    pub fn packet(&mut self, bytes: &[u8], now: Duration) -> Vec<Vec<u8>> {
        if self.outcome.is_some() {
            return Vec::new();
        }
        let Ok(frame) = Frame::read(bytes) else { return Vec::new() };
        if (frame.from, frame.to) != (self.device, self.server) {
            return Vec::new();
        }
        if self.step == Step::Restart {
            // It waits still: it has not heard it.
            self.heard_at = now;
            return vec![self.say()];
        }
        if frame.counter != self.peer.wrapping_add(1) {
            return Vec::new();
        }
        if frame.peer == self.counter {
            self.peer = frame.counter;
            return self.answered(&frame.payload, now);
        }
        if self.skipped && frame.peer == self.counter.wrapping_sub(1) {
            // The answer to the header has come after all: the board waits for a frame that says so.
            self.peer = frame.counter;
            self.skipped = false;
            self.progress_at = now;
            return vec![self.say()];
        }
        Vec::new()
    }

    fn answered(&mut self, payload: &[u8], now: Duration) -> Vec<Vec<u8>> {
        let due = self.step.answer();
        if !payload.starts_with(due.as_bytes()) {
            let said = String::from_utf8_lossy(payload)
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(SHOWN)
                .collect::<String>();
            let step = self.progress().step;
            self.outcome = Some(Outcome::Failed(format!(
                "the board answered `{}` instead of `{due}` while {step}: it needs a power cycle, and \
                 then another attempt",
                said.trim()
            )));
            return Vec::new();
        }
        self.progress_at = now;
        if self.step == Step::Chunk {
            let taken = self.chunk().len();
            self.offset += taken;
            self.sent += length(taken);
        }
        if self.step == Step::FileEnd {
            self.file += 1;
            self.offset = 0;
        }
        vec![self.go_on(now)]
    }

    /// Says the next thing, which is a new frame.
    fn go_on(&mut self, now: Duration) -> Vec<u8> {
        self.step = match self.step {
            Step::Offer => Step::Format,
            Step::Format => Step::Ready,
            Step::Ready | Step::FileEnd if self.file < self.files.len() => Step::Header,
            Step::Ready | Step::FileEnd => Step::End,
            Step::Header | Step::Chunk if self.chunk().is_empty() => Step::FileEnd,
            Step::Header | Step::Chunk => Step::Chunk,
            Step::End | Step::Restart => Step::Restart,
        };
        self.counter = self.counter.wrapping_add(1);
        self.skipped = false;
        self.said_at = now;
        self.heard_at = now;
        self.repeats = 0;
        self.say()
    }

    /// Says again what got no answer, and ends what got none at all.
    pub fn tick(&mut self, now: Duration) -> Vec<Vec<u8>> {
        if self.outcome.is_some() {
            return Vec::new();
        }
        if self.step == Step::Restart && now >= self.heard_at + QUIET {
            self.outcome = Some(Outcome::Done);
            return Vec::new();
        }
        if now >= self.progress_at + self.step.patience() {
            self.outcome = Some(Outcome::Failed(self.silence()));
            return Vec::new();
        }
        if self.step == Step::Header && now >= self.progress_at + HEADER {
            let packet = self.go_on(now);
            self.skipped = true;
            return vec![packet];
        }
        if now >= self.said_at + self.pause() {
            self.said_at = now;
            self.repeats += 1;
            return vec![self.say()];
        }
        Vec::new()
    }

    /// When [`tick`](Self::tick) has something to do; none = never again.
    pub fn deadline(&self) -> Option<Duration> {
        if self.outcome.is_some() {
            return None;
        }
        let mut next = self.said_at + self.pause();
        next = next.min(self.progress_at + self.step.patience());
        if self.step == Step::Header {
            next = next.min(self.progress_at + HEADER);
        }
        if self.step == Step::Restart {
            next = next.min(self.heard_at + QUIET);
        }
        Some(next)
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let step = match self.step {
            Step::Offer => "offering the packages".to_owned(),
            Step::Format | Step::Ready => "formatting the disk".to_owned(),
            Step::Header | Step::Chunk | Step::FileEnd => match self.files.get(self.file) {
                Some(file) => format!("sending {}", file.name),
                None => "sending".to_owned(),
            },
            Step::End => "finishing".to_owned(),
            Step::Restart => "restarting".to_owned(),
        };
        let total: u64 = self.files.iter().map(|file| length(file.content.len())).sum();
        Progress { step, sent: self.sent, total }
    }

    /// How it has ended; none = it has not.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome.clone()
    }

    fn pause(&self) -> Duration {
        let (first, most) = self.step.pauses();
        first.saturating_mul(1 << self.repeats.min(10)).min(most)
    }

    /// What is to come of the file that is sent, up to a frame's worth.
    fn chunk(&self) -> &[u8] {
        let rest = self.files.get(self.file).and_then(|file| file.content.get(self.offset..));
        let rest = rest.unwrap_or_default();
        &rest[..rest.len().min(CHUNK)]
    }

    fn say(&self) -> Vec<u8> {
        let payload = match self.step {
            Step::Offer => format!("{OFFER}\n{}\n\n\n\0", self.key).into_bytes(),
            Step::Format | Step::Ready | Step::FileEnd => Vec::new(),
            Step::Header => self.header(),
            Step::Chunk => self.chunk().to_vec(),
            Step::End => format!("{FILE}\n").into_bytes(),
            Step::Restart => format!("{RESTART}\n").into_bytes(),
        };
        Frame {
            from: self.server,
            to: self.device,
            counter: self.counter,
            peer: self.peer,
            payload,
        }
        .write()
    }

    fn header(&self) -> Vec<u8> {
        let Some(file) = self.files.get(self.file) else { return Vec::new() };
        // A name that does not end its line.
        let name: String = file.name.chars().filter(|c| !c.is_control()).collect();
        format!("{FILE}\n{name}\n{}\n", file.content.len()).into_bytes()
    }

    /// Why nothing is waited for any more.
    fn silence(&self) -> String {
        let seconds = self.step.patience().as_secs();
        if self.step == Step::Offer {
            return format!(
                "the board did not take the offer within {seconds} s; nothing was formatted. Switch it \
                 off and on, so that it announces itself again"
            );
        }
        if self.step == Step::Restart {
            return format!(
                "the board has all files, and did not restart within {seconds} s: it needs a power cycle"
            );
        }
        let step = self.progress().step;
        format!(
            "the board said nothing new for {seconds} s while {step}: it needs a power cycle, and then \
             another attempt"
        )
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("a usize fits a u64 wherever this runs")
}

#[cfg(test)]
mod tests;
