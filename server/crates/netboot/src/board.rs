//! What one board at one bench has come to, from its first request to the end of its delivery.
//!
//! Owns which of its requests belong together, when whoever decides is asked, when the board is
//! answered, and how long something may take. It never decides who is served: that is the verdict's. It
//! knows of a transfer and of an installation only what it is told.
//!
//! A boot loader repeats its request many times, RouterBOOT 13 times within 2.4 seconds. All of that is
//! one *coming* of the board, with one question and one offer. So is the second request of a board that
//! was sent into Etherboot mode: its time and its requests count on.

mod mode;
mod stage;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::bootp::Request;
use crate::mac::Mac;

pub use mode::{Kind, kind};
pub use stage::{Gives, Offer, Stage, Step, Verdict};

/// A pause of more than this between two requests begins a new coming.
pub const PAUSE: Duration = Duration::from_secs(10);
/// After this, one who was refused is asked about again: somebody may have armed meanwhile. Until then
/// all that it asks is one coming, whatever mode it asks in.
pub const ASK_AGAIN: Duration = Duration::from_secs(5);
/// A question that has no answer after this is asked again.
pub const VERDICT_DUE: Duration = Duration::from_secs(10);
/// How long an offered board may take to its first TFTP request.
pub const READ_DUE: Duration = Duration::from_secs(15);
/// How long one who read too late, or whose transfer broke, may still read what it was offered.
pub const OFFER_KEPT: Duration = Duration::from_secs(60);
/// How long a board that was sent into Etherboot mode may take to come back.
pub const REDIRECT_DUE: Duration = Duration::from_secs(15);
/// How long a boot image may take from its last byte to its first announcement.
pub const ANNOUNCE_DUE: Duration = Duration::from_secs(120);

/// What MikroTik's own server says of a board that was offered something and never fetched it.
pub const NO_TFTP_REQUEST: &str = "no TFTP request";
/// What is said of a board that may have its script all the same.
pub const UNACKNOWLEDGED: &str = "all of its script was sent, and it did not acknowledge the last block: \
                                  it may have it";

/// One board at one bench.
#[derive(Debug, Clone)]
pub struct Board {
    mac: Mac,
    kind: Kind,
    stage: Stage,
    /// Of this coming.
    began: Duration,
    /// Its last request.
    heard: Duration,
    /// When it last did anything.
    touched: Duration,
    /// When there was nothing more to come.
    ended: Option<Duration>,
    pending: Option<Request>,
    /// The open question: about which kind, since when.
    asked: Option<(Kind, Duration)>,
    /// When one who was refused is asked about again.
    again: Duration,
    offer: Option<Offer>,
    /// When this stage has taken too long.
    due: Option<Duration>,
    reason: Option<&'static str>,
    words: Option<String>,
    step: Option<String>,
    sent: u64,
    requests: u32,
    retries: u32,
}

impl Board {
    /// A board that nothing is known of but its address.
    pub fn new(mac: Mac, now: Duration) -> Self {
        Self {
            mac,
            kind: Kind::Other,
            stage: Stage::Seen,
            began: now,
            heard: now,
            touched: now,
            ended: None,
            pending: None,
            asked: None,
            again: now,
            offer: None,
            due: None,
            reason: None,
            words: None,
            step: None,
            sent: 0,
            requests: 0,
            retries: 0,
        }
    }

    /// A request in Etherboot mode of a board that reads the word for that, or has not acknowledged it: it
    /// has the word, and counts as redirected. Whether that is so; to be asked before [`Board::request`].
    pub fn came_back(&mut self, kind: Kind, now: Duration) -> bool {
        let gives = self.offer.as_ref().map(|offer| offer.gives);
        let came_back = gives == Some(Gives::Redirect)
            && matches!(kind, Kind::Etherboot { .. })
            && matches!(self.stage, Stage::Transferring | Stage::Failed);
        if came_back {
            self.go(Stage::Redirected, Some(now + REDIRECT_DUE));
        }
        came_back
    }

    /// A request of the board. [`Step::Ask`] of a board that was answered before means that it begins
    /// anew: a transfer or an installation of it that is still open is over.
    pub fn request(&mut self, request: Request, kind: Kind, now: Duration) -> Step {
        let begins = self.begins(kind, now);
        self.heard = now;
        self.touched = now;
        self.pending = Some(request);
        if begins {
            self.begin(kind, now);
        }
        self.requests = self.requests.saturating_add(1);
        match self.stage {
            Stage::Seen => self.ask(now),
            Stage::Refused if now >= self.again => self.ask(now),
            Stage::Offered | Stage::Transferring | Stage::TimedOut => Step::Answer,
            Stage::Refused
            | Stage::Failed
            | Stage::Delivered
            | Stage::Redirected
            | Stage::Installing
            | Stage::Installed => Step::Nothing,
        }
    }

    /// What was decided. Nothing where nobody asked.
    pub fn verdict(&mut self, verdict: Verdict, now: Duration) -> Step {
        let Some((kind, _)) = self.asked.take() else { return Step::Nothing };
        // It was about what the board is no more.
        if kind != self.kind {
            return self.ask(now);
        }
        match verdict {
            Verdict::Refuse { code, words } => {
                self.offer = None;
                self.again = now + ASK_AGAIN;
                self.go(Stage::Refused, None);
                self.reason = Some(code);
                self.words = Some(words);
                Step::Nothing
            }
            Verdict::Offer(offer) => {
                self.offer = Some(offer);
                self.offered(now)
            }
        }
    }

    /// Whether somebody is to decide about it.
    pub fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// Nobody could decide, whatever was said of that: its next request is a question again.
    pub fn undecided(&mut self, now: Duration) {
        self.asked = None;
        self.again = now;
    }

    /// The board reads its file.
    pub fn read_began(&mut self, now: Duration) {
        self.touched = now;
        if matches!(self.stage, Stage::Offered | Stage::TimedOut | Stage::Failed)
            && self.offer.is_some()
        {
            self.go(Stage::Transferring, None);
        }
    }

    /// The board has begun its read anew, or had to be sent something twice.
    pub fn read_repeated(&mut self) {
        self.retries = self.retries.saturating_add(1);
    }

    /// The board has acknowledged the last of so many bytes.
    pub fn delivered(&mut self, bytes: u64, now: Duration) {
        let reading = matches!(self.stage, Stage::Offered | Stage::Transferring | Stage::TimedOut);
        let Some(gives) = self.offer.as_ref().map(|offer| offer.gives).filter(|_| reading) else {
            return;
        };
        self.touched = now;
        self.sent = bytes;
        match gives {
            Gives::Script => self.end(Stage::Delivered, now),
            Gives::Redirect => self.go(Stage::Redirected, Some(now + REDIRECT_DUE)),
            Gives::Image => {
                self.go(Stage::Installing, Some(now + ANNOUNCE_DUE));
                self.step = Some("the boot image was read, and starts".to_owned());
            }
        }
    }

    /// The transfer is over before its end, in words.
    pub fn read_failed(&mut self, words: &str, now: Duration) {
        if self.stage == Stage::Transferring {
            self.fail(Stage::Failed, "transfer", words, now);
        }
    }

    /// The board was sent all of its file, and has not acknowledged the last block.
    pub fn unacknowledged(&mut self, now: Duration) {
        let is_script = self.offer.as_ref().is_some_and(|offer| offer.gives == Gives::Script);
        if self.stage == Stage::Transferring && is_script {
            self.fail(Stage::Failed, "unacknowledged", UNACKNOWLEDGED, now);
        } else {
            self.read_failed("all was sent, and the last block was not acknowledged", now);
        }
    }

    /// The board has announced itself, and its installation begins; whoever says so has decided that.
    pub fn install_began(&mut self, now: Duration) {
        self.touched = now;
        self.go(Stage::Installing, None);
    }

    /// What the installation is at, in words.
    pub fn install_step(&mut self, step: &str, now: Duration) {
        if self.stage == Stage::Installing {
            self.touched = now;
            self.step = Some(step.to_owned());
        }
    }

    /// The installation has ended well.
    pub fn installed(&mut self, now: Duration) {
        if self.stage == Stage::Installing {
            self.end(Stage::Installed, now);
        }
    }

    /// The installation is over before its end, in words.
    pub fn install_failed(&mut self, words: &str, now: Duration) {
        if self.stage == Stage::Installing {
            self.fail(Stage::Failed, "install", words, now);
        }
    }

    /// Time passes: whether something has taken too long. An offer that nobody may read any more is
    /// dropped, which is no news.
    pub fn tick(&mut self, now: Duration) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return false;
        }
        match self.stage {
            Stage::Redirected => {
                let words = "it was sent into Etherboot mode, and did not come back in it";
                self.fail(Stage::TimedOut, "no_etherboot", words, now);
            }
            Stage::Installing => {
                let words = "the boot image was read, and did not announce itself";
                self.fail(Stage::TimedOut, "no_announcement", words, now);
            }
            Stage::Offered => self.fail(Stage::TimedOut, "no_tftp", NO_TFTP_REQUEST, now),
            Stage::TimedOut | Stage::Failed => {
                (self.offer, self.due) = (None, None);
                return false;
            }
            Stage::Seen
            | Stage::Refused
            | Stage::Transferring
            | Stage::Delivered
            | Stage::Installed => return false,
        }
        true
    }

    /// When [`Board::tick`] has something to do, if nothing happens before.
    pub fn deadline(&self) -> Option<Duration> {
        self.due
    }

    /// Its address.
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// What mode it is in, by its last request.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Its last request: the one to answer.
    pub fn pending(&self) -> Option<&Request> {
        self.pending.as_ref()
    }

    /// What it is given.
    pub fn offer(&self) -> Option<&Offer> {
        self.offer.as_ref()
    }

    /// Why it was refused or failed, for programs.
    pub fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    /// Why it was refused or failed, for people.
    pub fn words(&self) -> Option<&str> {
        self.words.as_deref()
    }

    /// What its installation is at.
    pub fn step(&self) -> Option<&str> {
        self.step.as_deref()
    }

    /// Bytes of the last file that it has read whole.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Requests of this coming.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// How often something of this coming was sent or asked for once more.
    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// From the first request of this coming to its end, however that was.
    pub fn duration(&self) -> Option<Duration> {
        self.ended.map(|ended| ended.saturating_sub(self.began))
    }

    /// When it last did anything: whoever keeps boards lets go those that are quiet for long.
    pub fn touched(&self) -> Duration {
        self.touched
    }

    /// Whether a request is the first of a new coming.
    fn begins(&self, kind: Kind, now: Duration) -> bool {
        let pause = now.saturating_sub(self.heard);
        let turned_away = self.stage == Stage::Refused && now < self.again;
        let is_over = match self.stage {
            // Who asks again is not where its transfer broke any more.
            Stage::Failed => true,
            Stage::TimedOut => self.offer.is_none(),
            _ => false,
        };
        let turns = kind != self.kind && !turned_away;
        self.pending.is_none() || turns || is_over || pause > PAUSE
    }

    fn begin(&mut self, kind: Kind, now: Duration) {
        self.kind = kind;
        // A board that comes back in the mode it was sent into goes on.
        if self.stage != Stage::Redirected {
            self.began = now;
            self.requests = 0;
            self.retries = 0;
            self.sent = 0;
        }
        self.offer = None;
        self.step = None;
        self.go(Stage::Seen, None);
    }

    fn ask(&mut self, now: Duration) -> Step {
        if self.asked.is_some_and(|(_, at)| now.saturating_sub(at) < VERDICT_DUE) {
            return Step::Nothing;
        }
        self.asked = Some((self.kind, now));
        Step::Ask
    }

    fn offered(&mut self, now: Duration) -> Step {
        self.go(Stage::Offered, Some(now + READ_DUE));
        Step::Answer
    }

    /// A stage without a reason, which may last until `due`.
    fn go(&mut self, stage: Stage, due: Option<Duration>) {
        self.stage = stage;
        self.due = due;
        self.ended = None;
        self.reason = None;
        self.words = None;
    }

    fn end(&mut self, stage: Stage, now: Duration) {
        self.go(stage, None);
        self.ended = Some(now);
    }

    fn fail(&mut self, stage: Stage, reason: &'static str, words: &str, now: Duration) {
        self.end(stage, now);
        self.due = self.offer.as_ref().map(|_| now + OFFER_KEPT);
        self.reason = Some(reason);
        self.words = Some(words.to_owned());
    }
}
