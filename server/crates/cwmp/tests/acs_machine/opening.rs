//! From nothing to the answered Inform (TR-069 3.7.1.4).

use muster_cwmp::acs::{AcsSession, Action, Event};
use muster_cwmp::rpc::{Body, Envelope, Request, Response};

use crate::methods::{acs_calls, cpe_calls};
use crate::{
    NS, assert_rejected, ends_in_silence, envelope, inform, inform_stored, message, reboot, reply,
    request, response, store_failure,
};

#[test]
fn a_periodic_session_is_inform_empty_204() {
    let mut session = AcsSession::new();
    assert_eq!(session.step(inform()), Action::Record(Request::Inform(Box::default())));
    let answer = Body::Response(Response::Inform { max_envelopes: 1 });
    assert_eq!(reply(session.step(inform_stored())), envelope(Some("cpe"), answer));
    assert_eq!(session.step(Event::Empty), Action::FetchWork);
    assert!(!session.ended());
    assert_eq!(session.step(Event::Work(None)), Action::End);
    assert!(session.ended());
}

#[test]
fn id_and_namespace_are_echoed_for_the_whole_session() {
    // S5: no schema has cwmp-1-3 as its namespace, and devices send it.
    for namespace in [NS, "urn:dslforum-org:cwmp-1-2", "urn:dslforum-org:cwmp-1-3"] {
        let mut session = AcsSession::new();
        let id = "  7f<\u{e9}>-42 ".to_owned();
        let body = Body::Request(Request::Inform(Box::default()));
        let inform = Envelope::new(namespace, Some(id.clone()), body);
        session.step(Event::Message(Box::new(inform)));
        assert_eq!(session.namespace(), namespace);

        let answered = reply(session.step(inform_stored()));
        assert_eq!(answered.id, Some(id));
        assert_eq!(answered.namespace, namespace);
        session.step(Event::Empty);
        let called = reply(session.step(Event::Work(Some(reboot("acs-1")))));
        assert_eq!(called.namespace, namespace);
        // A device that changes its namespace in mid-session is answered in that of its Inform.
        assert_eq!(reply(session.step(request(Request::GetRpcMethods))).namespace, namespace);
    }
}

#[test]
fn an_inform_without_id_is_answered_without_id() {
    let mut session = AcsSession::new();
    session.step(message(None, Body::Request(Request::Inform(Box::default()))));
    assert_eq!(reply(session.step(inform_stored())).id, None);
}

#[test]
fn a_version_is_negotiated_only_when_asked() {
    for (supported, expected) in [
        (None, None),
        (Some("1.0, 1.2,1.4,1.9"), Some("1.4")),
        (Some("1.2,1.0"), Some("1.2")),
        (Some("2.0,1.9,nonsense,"), None),
    ] {
        let mut session = AcsSession::new();
        let mut inform = envelope(None, Body::Request(Request::Inform(Box::default())));
        inform.supported_versions = supported.map(str::to_owned);
        session.step(Event::Message(Box::new(inform)));
        let answered = reply(session.step(inform_stored()));
        assert_eq!(answered.use_version.as_deref(), expected, "{supported:?}");
        // The header belongs to the InformResponse alone.
        assert_eq!(reply(session.step(request(Request::GetRpcMethods))).use_version, None);
    }
}

#[test]
fn only_an_inform_opens_a_session() {
    let mut session = AcsSession::new();
    let requests = cpe_calls().into_iter().chain(acs_calls()).map(|(call, _)| request(call));
    let others = [
        response(Some("acs-1"), Response::Reboot),
        message(None, Body::Fault(store_failure())),
        message(None, Body::UnknownMethod("X_Hello".to_owned())),
        request(Request::GetRpcMethods),
        Event::Work(None),
        inform_stored(),
    ];
    for event in requests.chain(others) {
        assert_rejected(session.step(event));
        assert!(!session.ended());
    }
    assert_eq!(session.step(inform()), Action::Record(Request::Inform(Box::default())));
}

#[test]
fn an_empty_post_before_the_inform_ends_without_changing_state() {
    let mut session = AcsSession::new();
    assert_eq!(session.step(Event::Empty), Action::End);
    assert!(!session.ended());
    assert_eq!(session.step(inform()), Action::Record(Request::Inform(Box::default())));
}

#[test]
fn an_inform_that_cannot_be_stored_gets_the_fault() {
    let mut session = AcsSession::new();
    session.step(inform());
    let answered = reply(session.step(Event::Recorded(Err(store_failure()))));
    assert_eq!(answered, envelope(Some("cpe"), Body::Fault(store_failure())));
    assert!(ends_in_silence(&mut session, Action::Reply(Box::new(answered))));
}
