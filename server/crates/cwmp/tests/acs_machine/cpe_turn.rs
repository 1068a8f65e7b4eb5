//! The CPE's own requests, before and between the calls of the ACS (N3, N10).

use muster_cwmp::acs::{ACS_METHODS, Action, Answer, Event};
use muster_cwmp::rpc::{Body, Request, Response};

use crate::methods::{acs_calls, cpe_calls};
use crate::{
    calling, envelope, inform, message, opened, reboot, reply, request, response, store_failure,
    unsupported,
};

#[test]
fn cpe_requests_before_the_empty_post_are_recorded_then_answered() {
    let mut session = opened();
    for (n, (call, answer)) in cpe_calls().into_iter().enumerate() {
        let id = n.to_string();
        let asked = session.step(message(Some(&id), Body::Request(call.clone())));
        assert_eq!(asked, Action::Record(call));
        let answered = reply(session.step(Event::Recorded(Ok(answer.clone()))));
        assert_eq!(answered, envelope(Some(&id), Body::Response(answer)));
    }
    assert_eq!(session.step(Event::Empty), Action::FetchWork);
}

#[test]
fn a_store_failure_gives_the_fault_and_leaves_the_session_usable() {
    let mut session = opened();
    for (call, answer) in cpe_calls() {
        session.step(request(call.clone()));
        let answered = reply(session.step(Event::Recorded(Err(store_failure()))));
        assert_eq!(answered, envelope(Some("cpe"), Body::Fault(store_failure())));
        // N10: the CPE sends the same again.
        assert_eq!(session.step(request(call.clone())), Action::Record(call));
        let answered = reply(session.step(Event::Recorded(Ok(answer.clone()))));
        assert_eq!(answered.body, Body::Response(answer));
    }
    assert_eq!(session.step(Event::Empty), Action::FetchWork);
}

#[test]
fn get_rpc_methods_is_answered_with_the_eight_methods() {
    let mut session = opened();
    let answered = reply(session.step(request(Request::GetRpcMethods)));
    let methods = ACS_METHODS.map(str::to_owned).to_vec();
    assert_eq!(methods.len(), 8);
    let body = Body::Response(Response::GetRpcMethods(methods));
    assert_eq!(answered, envelope(Some("cpe"), body));
    assert_eq!(session.step(Event::Empty), Action::FetchWork);
}

#[test]
fn what_a_cpe_may_not_call_gets_8000_and_the_session_goes_on() {
    let mut session = opened();
    for (call, _) in acs_calls() {
        assert_eq!(session.step(request(call)), unsupported(Some("cpe")));
    }
    // A second Inform is a session of its own, never part of this one.
    assert_eq!(session.step(inform()), unsupported(Some("cpe")));
    let unknown = message(None, Body::UnknownMethod("X_Hello".to_owned()));
    assert_eq!(session.step(unknown), unsupported(None));
    assert_eq!(session.step(Event::Empty), Action::FetchWork);
}

#[test]
fn a_late_answer_in_the_turn_of_the_cpe_ends_its_turn() {
    for body in [Body::Response(Response::Reboot), Body::Fault(store_failure())] {
        assert_eq!(opened().step(message(Some("old"), body)), Action::FetchWork);
    }
}

#[test]
fn a_cpe_request_is_served_while_a_call_is_outstanding_and_the_call_stays() {
    let present = reboot("acs-1");
    let mut session = calling(&present);
    for (call, answer) in cpe_calls() {
        assert_eq!(session.step(request(call.clone())), Action::Record(call));
        assert_eq!(session.outstanding(), Some(&present));
        let answered = reply(session.step(Event::Recorded(Ok(answer.clone()))));
        assert_eq!(answered.body, Body::Response(answer));
        assert_eq!(session.outstanding(), Some(&present));
    }
    session.step(request(cpe_calls().remove(0).0));
    let answered = reply(session.step(Event::Recorded(Err(store_failure()))));
    assert_eq!(answered.body, Body::Fault(store_failure()));
    reply(session.step(request(Request::GetRpcMethods)));
    assert_eq!(session.step(inform()), unsupported(Some("cpe")));
    let unknown = message(None, Body::UnknownMethod("X_Hello".to_owned()));
    assert_eq!(session.step(unknown), unsupported(None));
    assert_eq!(session.outstanding(), Some(&present));
    let settled = session.step(response(Some("acs-1"), Response::Reboot));
    assert_eq!(settled, Action::Settle(Answer::Response(Response::Reboot)));
}
