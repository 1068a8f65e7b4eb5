//! The ACS side of one CWMP session (TR-069 3.7) as a pure machine.
//!
//! Owns the order of messages: who may speak, what answers what, when the session is over. It never
//! stores anything and knows no jobs: it asks its driver by [`Action`] and is told by [`Event`].
//! Every call of [`AcsSession::step`] returns exactly one action, whatever the event, so no order
//! of messages can wedge it; [`MAX_MESSAGES`] bounds the session.

use std::collections::HashSet;

use crate::fault::{Fault, FaultCode};
use crate::rpc::{Body, Envelope, Request, Response};

/// HTTP messages that a CPE may send in one session; a full read of a large data model takes some
/// hundreds, so this only ends loops.
pub const MAX_MESSAGES: u32 = 5_000;
/// How often one request is sent again after an empty POST or a stray answer (N5); one that must not
/// happen twice never is.
const MAX_RESENDS: u32 = 1;

/// The methods this ACS answers (TR-069 A.3.3, A.4.2), as its GetRPCMethodsResponse lists them.
pub const ACS_METHODS: [&str; 8] = [
    "Inform",
    "GetRPCMethods",
    "TransferComplete",
    "AutonomousTransferComplete",
    "RequestDownload",
    "Kicked",
    "DUStateChangeComplete",
    "AutonomousDUStateChangeComplete",
];

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A POST with an envelope.
    Message(Box<Envelope>),
    /// A POST without one.
    Empty,
    /// The driver has stored what [`Action::Record`] named and gives the answer, or says why not.
    Recorded(Result<Response, Fault>),
    /// The driver's next call, or none; answers [`Action::FetchWork`] and [`Action::Settle`].
    Work(Option<Call>),
}

/// A call to the CPE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub request: Request,
    /// Our `cwmp:ID`, unique within the session.
    pub id: String,
    /// HoldRequests (S4): while true the CPE sends no request of its own.
    pub hold: bool,
}

/// What the driver must do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Store this request of the CPE durably, then say [`Event::Recorded`]. Nothing has been
    /// acknowledged yet.
    Record(Request),
    /// The outstanding call has ended like this; store it, then say [`Event::Work`].
    Settle(Answer),
    /// The CPE has nothing more to ask: say [`Event::Work`].
    FetchWork,
    /// Send this as HTTP 200.
    Reply(Box<Envelope>),
    /// Send 204: the session is over.
    End,
    /// Send HTTP 400 with this text; the session's state is unchanged.
    Reject(&'static str),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The matching response.
    Response(Response),
    /// The CPE's fault.
    Fault(Fault),
    /// Empty POSTs where an answer was due: some agents refuse unknown methods that way (N5).
    None,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    AwaitInform,
    /// The driver stores a CPE request whose ID is kept for the answer; then back to `next`.
    Recording {
        id: Option<String>,
        next: Box<State>,
    },
    /// The CPE may send requests of its own.
    CpeTurn,
    /// The driver looks for work.
    Fetching,
    /// One call is with the CPE.
    Outstanding {
        call: Box<Call>,
        resends: u32,
    },
    Ended,
}

/// One session, from its Inform to the last empty reply.
#[derive(Debug, Clone)]
pub struct AcsSession {
    state: State,
    namespace: String,
    use_version: Option<String>,
    /// The Inform has been answered.
    informed: bool,
    /// The last call sent holds the CPE's requests.
    holding: bool,
    /// HoldRequests has been said once: from then on every call says what holds (S4).
    hold_said: bool,
    /// IDs of the calls so far.
    sent: HashSet<String>,
    messages: u32,
}

impl Default for AcsSession {
    fn default() -> Self {
        Self::new()
    }
}

impl AcsSession {
    /// A session that awaits its Inform.
    pub fn new() -> Self {
        Self {
            state: State::AwaitInform,
            namespace: String::new(),
            use_version: None,
            informed: false,
            holding: false,
            hold_said: false,
            sent: HashSet::new(),
            messages: 0,
        }
    }

    /// Whether the session has ended; every further event is answered by [`Action::End`].
    pub fn ended(&self) -> bool {
        self.state == State::Ended
    }

    /// The call that is with the CPE, if any.
    pub fn outstanding(&self) -> Option<&Call> {
        let mut state = &self.state;
        loop {
            match state {
                State::Outstanding { call, .. } => return Some(call),
                State::Recording { next, .. } => state = next,
                State::AwaitInform | State::CpeTurn | State::Fetching | State::Ended => {
                    return None;
                }
            }
        }
    }

    /// The namespace of the device's Inform, in which everything is answered (S5).
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Takes one event and says the one thing to do next.
    pub fn step(&mut self, event: Event) -> Action {
        if matches!(event, Event::Message(_) | Event::Empty) {
            self.messages += 1;
            if self.messages > MAX_MESSAGES {
                self.state = State::Ended;
            }
        }
        match (std::mem::replace(&mut self.state, State::Ended), event) {
            (State::Ended, _) => Action::End,
            (State::AwaitInform, Event::Message(envelope)) => self.first(*envelope),
            (State::AwaitInform, Event::Empty) => {
                // N1: agents probe for a challenge with an empty POST before their Inform.
                self.state = State::AwaitInform;
                Action::End
            }
            (State::Recording { id, next }, Event::Recorded(result)) => {
                self.recorded(id, *next, result)
            }
            (State::CpeTurn, Event::Empty) => self.fetch(),
            (State::CpeTurn, Event::Message(envelope)) => self.in_cpe_turn(*envelope),
            (State::Outstanding { call, resends }, Event::Empty) => self.silence(call, resends),
            (State::Outstanding { call, resends }, Event::Message(envelope)) => {
                self.while_outstanding(call, resends, *envelope)
            }
            (State::Fetching, Event::Work(call)) => self.work(call),
            // An event that the driver may not send in this state, or a message that races the
            // driver's own work: nothing changes.
            (state, _) => {
                self.state = state;
                Action::Reject("out of order: the session is busy or awaits an Inform")
            }
        }
    }

    fn first(&mut self, envelope: Envelope) -> Action {
        match envelope.body {
            Body::Request(request @ Request::Inform(_)) => {
                self.namespace = envelope.namespace;
                self.use_version = envelope.supported_versions.as_deref().and_then(best_version);
                self.record(envelope.id, request, State::CpeTurn)
            }
            Body::Request(_) | Body::Response(_) | Body::Fault(_) | Body::UnknownMethod(_) => {
                self.state = State::AwaitInform;
                Action::Reject("a session starts with an Inform (TR-069 3.7.1.4)")
            }
        }
    }

    fn record(&mut self, id: Option<String>, request: Request, next: State) -> Action {
        self.state = State::Recording { id, next: Box::new(next) };
        Action::Record(request)
    }

    fn recorded(
        &mut self,
        id: Option<String>,
        next: State,
        result: Result<Response, Fault>,
    ) -> Action {
        match result {
            Ok(response) => {
                let inform = matches!(response, Response::Inform { .. });
                self.informed = true;
                self.state = next;
                let mut envelope = self.envelope(id, Body::Response(response));
                if inform {
                    envelope.use_version = self.use_version.clone();
                }
                Action::Reply(Box::new(envelope))
            }
            // A request that was not stored leaves the session as it was before it: the CPE sends
            // it again (N10), and after a refused Inform no session is open (N11).
            Err(fault) => {
                self.state = if self.informed { next } else { State::AwaitInform };
                Action::Reply(Box::new(self.envelope(id, Body::Fault(fault))))
            }
        }
    }

    fn in_cpe_turn(&mut self, envelope: Envelope) -> Action {
        match envelope.body {
            Body::Request(request) => self.cpe_request(envelope.id, request, State::CpeTurn),
            Body::UnknownMethod(_) => self.unknown(envelope.id, State::CpeTurn),
            // A late answer to a call that was given up (N5): the CPE waits for our turn.
            Body::Response(_) | Body::Fault(_) => self.fetch(),
        }
    }

    fn while_outstanding(&mut self, call: Box<Call>, resends: u32, envelope: Envelope) -> Action {
        match envelope.body {
            Body::Request(request) => {
                self.cpe_request(envelope.id, request, State::Outstanding { call, resends })
            }
            Body::UnknownMethod(_) => {
                self.unknown(envelope.id, State::Outstanding { call, resends })
            }
            // The answer to an earlier call, which has been settled: it says nothing of this one.
            Body::Response(_) | Body::Fault(_) if self.stale(envelope.id.as_deref(), &call) => {
                self.silence(call, resends)
            }
            Body::Fault(fault) => self.settle(Answer::Fault(fault)),
            // S2: the method decides, because devices send missing and wrong IDs.
            Body::Response(response) if answers(&call.request, &response) => {
                self.settle(Answer::Response(response))
            }
            // The late answer to an earlier call: ask again for the one that is due.
            Body::Response(_) => self.silence(call, resends),
        }
    }

    fn cpe_request(&mut self, id: Option<String>, request: Request, next: State) -> Action {
        match request {
            Request::GetRpcMethods => {
                self.state = next;
                let methods = ACS_METHODS.map(str::to_owned).to_vec();
                let body = Body::Response(Response::GetRpcMethods(methods));
                Action::Reply(Box::new(self.envelope(id, body)))
            }
            Request::TransferComplete(_)
            | Request::AutonomousTransferComplete(_)
            | Request::Kicked(_)
            | Request::RequestDownload(_)
            | Request::DuStateChangeComplete(_)
            | Request::AutonomousDuStateChangeComplete(_) => self.record(id, request, next),
            // An Inform opens a session of its own (the driver sees to that); the rest are calls
            // that only an ACS makes.
            Request::Inform(_)
            | Request::SetParameterValues(_)
            | Request::GetParameterValues(_)
            | Request::GetParameterNames(_)
            | Request::SetParameterAttributes(_)
            | Request::GetParameterAttributes(_)
            | Request::AddObject(_)
            | Request::DeleteObject(_)
            | Request::Download(_)
            | Request::Reboot(_)
            | Request::GetQueuedTransfers
            | Request::ScheduleInform(_)
            | Request::SetVouchers(_)
            | Request::GetOptions(_)
            | Request::Upload(_)
            | Request::FactoryReset
            | Request::GetAllQueuedTransfers
            | Request::ScheduleDownload(_)
            | Request::CancelTransfer(_)
            | Request::ChangeDuState(_) => self.unknown(id, next),
        }
    }

    fn unknown(&mut self, id: Option<String>, next: State) -> Action {
        self.state = next;
        let fault = Fault::new(FaultCode::ACS_METHOD_NOT_SUPPORTED, "Method not supported");
        Action::Reply(Box::new(self.envelope(id, Body::Fault(fault))))
    }

    fn fetch(&mut self) -> Action {
        self.state = State::Fetching;
        Action::FetchWork
    }

    /// Only an ID that is provably ours and of another call counts against an answer (S2).
    fn stale(&self, id: Option<&str>, call: &Call) -> bool {
        id.is_some_and(|id| id != call.id && self.sent.contains(id))
    }

    fn settle(&mut self, answer: Answer) -> Action {
        self.state = State::Fetching;
        Action::Settle(answer)
    }

    fn silence(&mut self, call: Box<Call>, resends: u32) -> Action {
        if resends >= MAX_RESENDS || !repeatable(&call.request) {
            return self.settle(Answer::None);
        }
        let envelope = self.call_envelope(&call);
        self.state = State::Outstanding { call, resends: resends + 1 };
        Action::Reply(Box::new(envelope))
    }

    fn work(&mut self, call: Option<Call>) -> Action {
        let call = match call {
            Some(call) => call,
            // S4, N4: HoldRequests must be cleared before the session may end, and it travels only
            // with a request; GetRPCMethods is the one without side effects.
            None if self.holding => Call {
                request: Request::GetRpcMethods,
                id: "muster-release".to_owned(),
                hold: false,
            },
            None => return Action::End,
        };
        self.sent.insert(call.id.clone());
        self.holding = call.hold;
        self.hold_said |= call.hold;
        let envelope = self.call_envelope(&call);
        self.state = State::Outstanding { call: Box::new(call), resends: 0 };
        Action::Reply(Box::new(envelope))
    }

    fn call_envelope(&self, call: &Call) -> Envelope {
        let mut envelope =
            self.envelope(Some(call.id.clone()), Body::Request(call.request.clone()));
        envelope.hold_requests = self.hold_said.then_some(call.hold);
        envelope
    }

    fn envelope(&self, id: Option<String>, body: Body) -> Envelope {
        Envelope::new(self.namespace.clone(), id, body)
    }
}

/// The highest version of a `SupportedCWMPVersions` list that Muster speaks (1.0 to 1.4).
fn best_version(list: &str) -> Option<String> {
    list.split(',')
        .filter_map(|v| v.trim().strip_prefix("1.")?.parse::<u32>().ok())
        .filter(|minor| *minor <= 4)
        .max()
        .map(|minor| format!("1.{minor}"))
}

/// Whether a request may be sent again to a device that may have taken it already.
fn repeatable(request: &Request) -> bool {
    matches!(
        request,
        Request::GetRpcMethods
            | Request::SetParameterValues(_)
            | Request::GetParameterValues(_)
            | Request::GetParameterNames(_)
            | Request::SetParameterAttributes(_)
            | Request::GetParameterAttributes(_)
            | Request::GetQueuedTransfers
            | Request::GetAllQueuedTransfers
            | Request::GetOptions(_)
            | Request::CancelTransfer(_)
    )
}

/// Whether `response` is the kind of answer that `request` asks for.
pub fn answers(request: &Request, response: &Response) -> bool {
    use {Request as Q, Response as R};
    matches!(
        (request, response),
        (Q::GetRpcMethods, R::GetRpcMethods(_))
            | (Q::SetParameterValues(_), R::SetParameterValues(_))
            | (Q::GetParameterValues(_), R::GetParameterValues(_))
            | (Q::GetParameterNames(_), R::GetParameterNames(_))
            | (Q::SetParameterAttributes(_), R::SetParameterAttributes)
            | (Q::GetParameterAttributes(_), R::GetParameterAttributes(_))
            | (Q::AddObject(_), R::AddObject { .. })
            | (Q::DeleteObject(_), R::DeleteObject(_))
            | (Q::Download(_), R::Download(_))
            | (Q::Reboot(_), R::Reboot)
            | (Q::GetQueuedTransfers, R::GetQueuedTransfers(_))
            | (Q::ScheduleInform(_), R::ScheduleInform)
            | (Q::SetVouchers(_), R::SetVouchers)
            | (Q::GetOptions(_), R::GetOptions(_))
            | (Q::Upload(_), R::Upload(_))
            | (Q::FactoryReset, R::FactoryReset)
            | (Q::GetAllQueuedTransfers, R::GetAllQueuedTransfers(_))
            | (Q::ScheduleDownload(_), R::ScheduleDownload)
            | (Q::CancelTransfer(_), R::CancelTransfer)
            | (Q::ChangeDuState(_), R::ChangeDuState)
            | (Q::Inform(_), R::Inform { .. })
            | (Q::TransferComplete(_), R::TransferComplete)
            | (Q::AutonomousTransferComplete(_), R::AutonomousTransferComplete)
            | (Q::Kicked(_), R::Kicked { .. })
            | (Q::RequestDownload(_), R::RequestDownload)
            | (Q::DuStateChangeComplete(_), R::DuStateChangeComplete)
            | (Q::AutonomousDuStateChangeComplete(_), R::AutonomousDuStateChangeComplete)
    )
}
