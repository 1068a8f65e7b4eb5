//! The CPE side of one CWMP session (TR-069 3.7) as a pure machine, and the retry back-off.
//!
//! Owns the order of messages as a device sees it: Inform, its own requests, the empty POST, then
//! one answer per ACS request until the ACS has nothing more to say. It never opens a socket, reads
//! a clock or knows a data model: its driver sends what [`CpeAction`] says and reports by
//! [`CpeEvent`]. One envelope per HTTP message, whatever MaxEnvelopes the ACS names (N2).

use std::collections::VecDeque;
use std::time::Duration;

use crate::fault::{Fault, FaultCode};
use crate::rpc::{Body, Envelope, Inform, Request, Response};

/// Challenges answered for one message before the credentials count as wrong: one for the first
/// request, one for a stale nonce.
const MAX_CHALLENGES: u32 = 2;
/// Redirects followed in one session (TR-069 3.4.6, H9).
const MAX_REDIRECTS: u32 = 5;
/// How often one request is sent again because the ACS answers fault 8005 (N10).
const MAX_RESENDS: u32 = 3;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CpeEvent {
    /// Begin: the Inform, and the requests of the CPE's own to deliver after it, in order.
    Start {
        /// Identity, events and parameters.
        inform: Box<Inform>,
        /// TransferComplete and the like (A.3.3).
        queue: Vec<Request>,
    },
    /// An HTTP reply: its status, and the envelope of its body unless that was empty.
    Reply {
        /// HTTP status code.
        status: u16,
        /// The decoded body.
        envelope: Option<Box<Envelope>>,
    },
    /// The device's answer to the request of [`CpeAction::Handle`].
    Answer(Result<Response, Fault>),
    /// An HTTP reply whose body is no envelope.
    Unreadable,
    /// No reply in time, or the connection is lost.
    Timeout,
}

/// What the driver must do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CpeAction {
    /// POST this envelope.
    Send(Box<Envelope>),
    /// POST an empty body.
    SendEmpty,
    /// Send the last message again with credentials for the challenge that came with the reply.
    Authenticate,
    /// Send the last message again to the reply's Location, and the rest of the session there too.
    Redirect,
    /// Carry out this request of the ACS, then say [`CpeEvent::Answer`].
    Handle(Request),
    /// The session is over; close the connection.
    End(Outcome),
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Both sides have nothing more to say.
    Completed,
    /// The ACS refused by this HTTP status: wrong credentials, too busy, too many redirects.
    HttpStatus(u16),
    /// The ACS answered a fault that ends the session (N11).
    AcsFault(Fault),
    /// No reply, or the connection was lost.
    Timeout,
    /// A reply that is no CWMP envelope.
    Unreadable,
    /// A message or event that does not fit the state; the text says which.
    OutOfOrder(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Idle,
    /// The Inform is out.
    Informing,
    /// The front of the queue is out.
    Asking,
    /// An empty POST or an answer is out: the ACS may send a request or end.
    Listening,
    /// The device works on a request whose `cwmp:ID` the answer echoes (S2).
    Handling {
        id: Option<String>,
    },
    Ended(Outcome),
}

/// One session, from the Inform to the last empty reply.
#[derive(Debug, Clone)]
pub struct CpeSession {
    state: State,
    namespace: String,
    inform: Box<Inform>,
    queue: VecDeque<Request>,
    refused: Vec<Request>,
    informed: bool,
    hold: bool,
    challenges: u32,
    redirects: u32,
    resends: u32,
}

impl CpeSession {
    /// A session in the given CWMP namespace URI (S5), not yet started.
    pub fn new(namespace: impl Into<String>) -> Self {
        Self {
            state: State::Idle,
            namespace: namespace.into(),
            inform: Box::default(),
            queue: VecDeque::new(),
            refused: Vec::new(),
            informed: false,
            hold: false,
            challenges: 0,
            redirects: 0,
            resends: 0,
        }
    }

    /// Whether the ACS has acknowledged the Inform, and with it the events (N14).
    pub fn informed(&self) -> bool {
        self.informed
    }

    /// The CPE requests that the ACS has not acknowledged; they are repeated in the next session
    /// (N14).
    pub fn into_undelivered(self) -> Vec<Request> {
        self.refused.into_iter().chain(self.queue).collect()
    }

    /// Takes one event to one action. An event that does not fit ends the session; an ended session
    /// answers everything by its [`CpeAction::End`].
    pub fn step(&mut self, event: CpeEvent) -> CpeAction {
        match (&self.state, event) {
            (State::Ended(outcome), _) => CpeAction::End(outcome.clone()),
            (_, CpeEvent::Timeout) => self.end(Outcome::Timeout),
            (State::Idle, CpeEvent::Start { inform, queue }) => {
                self.inform = inform;
                self.queue = queue.into();
                self.state = State::Informing;
                self.repeat()
            }
            (State::Handling { id }, CpeEvent::Answer(answer)) => {
                let id = id.clone();
                self.state = State::Listening;
                self.send(id, answer.map_or_else(Body::Fault, Body::Response))
            }
            (
                State::Informing | State::Asking | State::Listening,
                CpeEvent::Reply { status, envelope },
            ) => self.reply(status, envelope),
            (State::Informing | State::Asking | State::Listening, CpeEvent::Unreadable) => {
                self.end(Outcome::Unreadable)
            }
            (State::Idle | State::Informing | State::Asking | State::Listening, _)
            | (State::Handling { .. }, _) => self.end(Outcome::OutOfOrder("event out of order")),
        }
    }

    fn reply(&mut self, status: u16, envelope: Option<Box<Envelope>>) -> CpeAction {
        match (status, envelope) {
            (401, _) if self.challenges < MAX_CHALLENGES => {
                self.challenges += 1;
                CpeAction::Authenticate
            }
            (301 | 302 | 307 | 308, _) if self.redirects < MAX_REDIRECTS => {
                self.redirects += 1;
                CpeAction::Redirect
            }
            // SOAP 1.1 section 6.2 puts faults in a 500; TR-069 3.4.1 in a 200. Both are read.
            (200..=299 | 500, Some(envelope)) => {
                self.challenges = 0;
                // An absent header is the same as false (S4).
                self.hold = envelope.hold_requests.unwrap_or(false);
                self.envelope(*envelope)
            }
            (200..=299, None) => {
                self.challenges = 0;
                self.hold = false;
                self.nothing_more()
            }
            (status, _) => self.end(Outcome::HttpStatus(status)),
        }
    }

    /// 204, or 200 without a body (H3).
    fn nothing_more(&mut self) -> CpeAction {
        match self.state {
            // Requests that HoldRequests kept back are delivered before the session ends.
            State::Listening if self.queue.is_empty() => self.end(Outcome::Completed),
            State::Listening => self.next_own(),
            _ => self.end(Outcome::OutOfOrder("empty reply where a response was due")),
        }
    }

    fn envelope(&mut self, envelope: Envelope) -> CpeAction {
        match (&self.state, envelope.body) {
            (State::Informing, Body::Response(Response::Inform { .. })) => {
                self.informed = true;
                self.next_own()
            }
            (State::Informing | State::Asking, Body::Fault(fault))
                if fault.code == FaultCode::ACS_RETRY_REQUEST && self.resends < MAX_RESENDS =>
            {
                self.resends += 1;
                self.repeat()
            }
            (State::Asking, Body::Response(response)) if self.is_answer(&response) => {
                self.queue.pop_front();
                self.next_own()
            }
            (State::Asking, Body::Fault(_)) => {
                self.refused.extend(self.queue.pop_front());
                self.next_own()
            }
            (State::Listening, Body::Request(request)) if is_cpe_method(&request) => {
                self.state = State::Handling { id: envelope.id };
                CpeAction::Handle(request)
            }
            (State::Listening, Body::Request(_) | Body::UnknownMethod(_)) => {
                let fault = Fault::new(FaultCode::METHOD_NOT_SUPPORTED, "Method not supported");
                self.send(envelope.id, Body::Fault(fault))
            }
            (_, Body::Fault(fault)) => self.end(Outcome::AcsFault(fault)),
            (_, Body::Request(_) | Body::Response(_) | Body::UnknownMethod(_)) => {
                self.end(Outcome::OutOfOrder("envelope out of order"))
            }
        }
    }

    /// The next request of the CPE's own, or the empty POST that gives the ACS its turn (N3).
    fn next_own(&mut self) -> CpeAction {
        self.resends = 0;
        if self.hold || self.queue.is_empty() {
            self.state = State::Listening;
            return CpeAction::SendEmpty;
        }
        self.state = State::Asking;
        self.repeat()
    }

    /// The Inform or the request that is out, again.
    fn repeat(&self) -> CpeAction {
        let request = match self.queue.front() {
            Some(request) if self.state == State::Asking => request.clone(),
            _ => Request::Inform(self.inform.clone()),
        };
        // No ID: MikroTik sends no SOAP header at all (routeros.md section 2).
        self.send(None, Body::Request(request))
    }

    fn send(&self, id: Option<String>, body: Body) -> CpeAction {
        CpeAction::Send(Box::new(Envelope::new(self.namespace.clone(), id, body)))
    }

    fn end(&mut self, outcome: Outcome) -> CpeAction {
        self.state = State::Ended(outcome.clone());
        CpeAction::End(outcome)
    }

    fn is_answer(&self, response: &Response) -> bool {
        self.queue.front().is_some_and(|request| {
            matches!(
                (request, response),
                (Request::GetRpcMethods, Response::GetRpcMethods(_))
                    | (Request::TransferComplete(_), Response::TransferComplete)
                    | (
                        Request::AutonomousTransferComplete(_),
                        Response::AutonomousTransferComplete
                    )
                    | (Request::Kicked(_), Response::Kicked { .. })
                    | (Request::RequestDownload(_), Response::RequestDownload)
                    | (Request::DuStateChangeComplete(_), Response::DuStateChangeComplete)
                    | (
                        Request::AutonomousDuStateChangeComplete(_),
                        Response::AutonomousDuStateChangeComplete
                    )
            )
        })
    }
}

/// Whether the ACS may call this method on a CPE (A.3.2, A.4.1).
fn is_cpe_method(request: &Request) -> bool {
    !matches!(
        request,
        Request::Inform(_)
            | Request::TransferComplete(_)
            | Request::AutonomousTransferComplete(_)
            | Request::Kicked(_)
            | Request::RequestDownload(_)
            | Request::DuStateChangeComplete(_)
            | Request::AutonomousDuStateChangeComplete(_)
    )
}

/// How long a CPE waits before the next session after `attempt` failed ones (TR-069 3.2.1.1, N9):
/// between 5 s * 2^(n-1) and twice that, n capped at 10. `random` is in 0..=1; anything else is 0.
pub fn retry_wait(attempt: u32, random: f64) -> Duration {
    let minimum = Duration::from_secs(5 << (attempt.clamp(1, 10) - 1));
    let random = if (0.0..=1.0).contains(&random) { random } else { 0.0 };
    minimum + minimum.mul_f64(random)
}

#[cfg(test)]
mod tests;
