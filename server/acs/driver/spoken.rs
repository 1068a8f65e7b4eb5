//! The record of what is said in a session: when it begins, what goes into it, where it ends.
//!
//! Owns that a periodic session in which nothing happens costs nothing: it has no record at all. A
//! session that turns out to be worth one later gets it then.

use muster_cwmp::acs::Event;
use muster_cwmp::rpc::{Envelope, Inform};

use super::Session;
use crate::acs::inform::{NotStored, Stored};
use crate::acs::transcript::{Ending, Identity, Transcript};
use crate::clock;
use crate::ctx::App;
use crate::error::Error;

impl Session {
    /// Its Inform is stored. What it says is written down only where something may come of it.
    pub fn informed(&mut self, inform: &Inform, stored: Stored) {
        self.has_work = stored.has_work;
        if stored.has_work {
            let transcript = Transcript::of(inform, stored.news, self.started_at);
            self.transcript = Some(Box::new(transcript));
        }
    }

    /// Its Inform could not be stored: it is over before it began.
    pub async fn not_informed(mut self, app: &App, inform: &Inform, error: &NotStored) {
        self.transcript = Some(Box::new(Transcript::of(inform, true, self.started_at)));
        let (ending, why) = match error {
            NotStored::Domain(Error::Conflict(why)) => (Ending::Superseded, why.as_str()),
            NotStored::Domain(_) | NotStored::Batch(_) => (
                Ending::Refused,
                "the Inform could not be stored: the device was told to come again",
            ),
        };
        self.end(app, ending, why).await;
    }

    /// A message of the device was not taken.
    pub fn rejected(&mut self, status: u16, why: &str) {
        self.transcript().rejected(status, why, clock::now());
    }

    pub(super) fn transcript(&mut self) -> &mut Transcript {
        let started_at = self.started_at;
        self.transcript.get_or_insert_with(|| Box::new(Transcript::of_quiet(started_at)))
    }

    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::Message(envelope) => self.transcript().heard(&envelope.body, clock::now()),
            Event::Empty => {
                if let Some(transcript) = &mut self.transcript {
                    transcript.heard_nothing(clock::now());
                }
            }
            Event::Recorded(_) | Event::Work(_) => {}
        }
    }

    pub(super) fn say(&mut self, envelope: &Envelope) {
        if let Some(transcript) = &mut self.transcript {
            transcript.said(&envelope.body, clock::now());
        }
    }

    /// The session is over: what it still ran is settled as lost, and what was said is kept.
    pub async fn end(mut self, app: &App, mut ending: Ending, why: &str) {
        if let Some(running) = self.running.take() {
            // Its machine has ended it amid a job: too many messages.
            if ending == Ending::Done {
                ending = Ending::Refused;
            }
            self.release(app, running, why).await;
        }
        if ending != Ending::Done {
            self.transcript().broke(ending, why);
        }
        let Some(transcript) = self.transcript.take() else { return };
        let (device_id, session_id) = (self.device_id, self.session_id);
        let session = Identity { device_id, session_id, remote_addr: self.remote_addr };
        if let Some(finished) = transcript.finish(session, clock::now()) {
            app.transcripts.keep(finished);
        }
    }
}
