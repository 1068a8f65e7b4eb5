//! What may not be said now: it changes nothing; and what ends a session by force.

use muster_cwmp::acs::{AcsSession, Action, Event, MAX_MESSAGES};
use muster_cwmp::rpc::{Body, Request, Response};

use crate::methods::cpe_calls;
use crate::{
    assert_rejected, calling, fetching, inform, inform_stored, opened, reboot, reply, request,
    response, sent,
};

/// Stores the Inform: the driver is at work.
fn recording() -> AcsSession {
    let mut session = AcsSession::new();
    session.step(inform());
    session
}

/// What a CPE may send at the wrong time.
fn intruders() -> [Event; 4] {
    [
        Event::Empty,
        inform(),
        request(Request::GetRpcMethods),
        response(Some("acs-1"), Response::Reboot),
    ]
}

#[test]
fn a_message_while_the_inform_is_stored_changes_nothing() {
    let mut session = recording();
    for event in intruders() {
        assert_rejected(session.step(event));
    }
    assert_eq!(reply(session.step(inform_stored())).id.as_deref(), Some("cpe"));
    assert_eq!(session.step(Event::Empty), Action::FetchWork);
}

#[test]
fn a_message_while_a_cpe_request_is_stored_keeps_the_call() {
    let present = reboot("acs-1");
    let mut session = calling(&present);
    let (transfer, done) = cpe_calls().remove(0);
    session.step(request(transfer));
    for event in intruders() {
        assert_rejected(session.step(event));
        assert_eq!(session.outstanding(), Some(&present));
    }
    let answered = reply(session.step(Event::Recorded(Ok(done.clone()))));
    assert_eq!(answered.body, Body::Response(done));
    assert_eq!(session.outstanding(), Some(&present));
}

#[test]
fn a_message_while_work_is_fetched_changes_nothing() {
    let mut session = fetching();
    for event in intruders() {
        assert_rejected(session.step(event));
    }
    let call = reboot("acs-1");
    assert_eq!(session.step(Event::Work(Some(call.clone()))), sent(&call));
}

#[test]
fn a_driver_that_speaks_out_of_turn_changes_nothing() {
    let present = reboot("acs-1");
    for (mut session, event) in [
        (recording(), Event::Work(None)),
        (opened(), inform_stored()),
        (opened(), Event::Work(None)),
        (fetching(), inform_stored()),
        (calling(&present), inform_stored()),
        (calling(&present), Event::Work(Some(reboot("acs-2")))),
    ] {
        let before = session.outstanding().cloned();
        assert_rejected(session.step(event));
        assert_eq!(session.outstanding().cloned(), before);
        assert!(!session.ended());
    }
}

#[test]
fn an_ended_session_answers_everything_with_the_end() {
    let mut session = fetching();
    session.step(Event::Work(None));
    let driver = [inform_stored(), Event::Work(Some(reboot("acs-1")))];
    for event in intruders().into_iter().chain(driver) {
        assert_eq!(session.step(event), Action::End);
        assert!(session.ended());
        assert_eq!(session.outstanding(), None);
    }
}

#[test]
fn a_loop_of_messages_ends_at_the_cap() {
    let mut session = opened();
    // The Inform was the first.
    for _ in 1..MAX_MESSAGES {
        reply(session.step(request(Request::GetRpcMethods)));
    }
    assert!(!session.ended());
    assert_eq!(session.step(request(Request::GetRpcMethods)), Action::End);
    assert!(session.ended());
}
