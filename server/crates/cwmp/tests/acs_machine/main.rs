//! Every transition of the ACS session machine (TR-069 3.7.1.4, 3.7.2), and that no order of
//! events wedges it. Here are the words that the tests share: messages, sessions in each state.

mod calls;
mod cpe_turn;
mod methods;
mod opening;
mod order;
mod rejections;

use muster_cwmp::acs::{AcsSession, Action, Call, Event};
use muster_cwmp::fault::{Fault, FaultCode};
use muster_cwmp::rpc::{Body, Envelope, Request, Response};

const NS: &str = "urn:dslforum-org:cwmp-1-0";

fn envelope(id: Option<&str>, body: Body) -> Envelope {
    Envelope::new(NS, id.map(str::to_owned), body)
}

fn message(id: Option<&str>, body: Body) -> Event {
    Event::Message(Box::new(envelope(id, body)))
}

fn request(request: Request) -> Event {
    message(Some("cpe"), Body::Request(request))
}

fn response(id: Option<&str>, response: Response) -> Event {
    message(id, Body::Response(response))
}

fn inform() -> Event {
    request(Request::Inform(Box::default()))
}

fn inform_stored() -> Event {
    Event::Recorded(Ok(Response::Inform { max_envelopes: 1 }))
}

fn store_failure() -> Fault {
    Fault::new(FaultCode::ACS_RETRY_REQUEST, "the store is away")
}

fn unsupported(id: Option<&str>) -> Action {
    let fault = Fault::new(FaultCode::ACS_METHOD_NOT_SUPPORTED, "Method not supported");
    Action::Reply(Box::new(envelope(id, Body::Fault(fault))))
}

fn call(id: &str, request: Request) -> Call {
    Call { request, id: id.to_owned(), hold: false }
}

fn reboot(id: &str) -> Call {
    call(id, Request::Reboot("key".to_owned()))
}

/// The action that puts a call on the wire without HoldRequests.
fn sent(call: &Call) -> Action {
    Action::Reply(Box::new(envelope(Some(&call.id), Body::Request(call.request.clone()))))
}

/// The Inform is stored and answered: the CPE may send its own requests.
fn opened() -> AcsSession {
    let mut session = AcsSession::new();
    session.step(inform());
    session.step(inform_stored());
    session
}

/// The CPE has nothing more to ask: the driver looks for work.
fn fetching() -> AcsSession {
    let mut session = opened();
    assert_eq!(session.step(Event::Empty), Action::FetchWork);
    session
}

/// This call is with the CPE.
fn calling(call: &Call) -> AcsSession {
    let mut session = fetching();
    assert_eq!(session.step(Event::Work(Some(call.clone()))), sent(call));
    session
}

#[track_caller]
fn reply(action: Action) -> Envelope {
    match action {
        Action::Reply(envelope) => *envelope,
        other => panic!("expected a reply, got {other:?}"),
    }
}

#[track_caller]
fn assert_rejected(action: Action) {
    assert!(matches!(action, Action::Reject(_)), "expected a rejection, got {action:?}");
}

/// A driver that does what `last` and the later actions say, without work, and a CPE that only
/// sends empty POSTs: whether the session ends, or awaits an Inform, within 20 steps.
fn ends_in_silence(session: &mut AcsSession, mut last: Action) -> bool {
    (0..20).any(|_| {
        let event = match &last {
            Action::Record(_) => Event::Recorded(Ok(Response::TransferComplete)),
            Action::Settle(_) | Action::FetchWork => Event::Work(None),
            Action::Reply(_) | Action::End | Action::Reject(_) => Event::Empty,
        };
        last = session.step(event);
        session.ended() || last == Action::End
    })
}
