//! The calls of the ACS: one after the other, each to its end (N4, N5, S2, S4).

use muster_cwmp::acs::{Action, Answer, Call, Event, answers};
use muster_cwmp::fault::{Fault, FaultCode};
use muster_cwmp::rpc::{Body, Request, Response};

use crate::methods::{acs_calls, cpe_calls};
use crate::{call, calling, ends_in_silence, fetching, message, reboot, reply, response, sent};

#[test]
fn calls_follow_one_another_until_there_is_no_work() {
    let mut session = fetching();
    for (n, (request, answer)) in acs_calls().into_iter().enumerate() {
        let call = call(&format!("acs-{n}"), request);
        assert_eq!(session.step(Event::Work(Some(call.clone()))), sent(&call));
        assert_eq!(session.outstanding(), Some(&call));
        let settled = session.step(response(Some(&call.id), answer.clone()));
        assert_eq!(settled, Action::Settle(Answer::Response(answer)));
        assert_eq!(session.outstanding(), None);
    }
    assert_eq!(session.step(Event::Work(None)), Action::End);
    assert!(session.ended());
}

#[test]
fn an_answer_with_a_missing_or_wrong_id_is_taken_by_its_method() {
    for id in [None, Some("wrong")] {
        for (request, answer) in acs_calls() {
            let mut session = calling(&call("acs-1", request));
            let settled = session.step(response(id, answer.clone()));
            assert_eq!(settled, Action::Settle(Answer::Response(answer)));
        }
    }
}

#[test]
fn each_response_answers_its_own_method_and_no_other() {
    let mut pairs = acs_calls();
    pairs.extend(cpe_calls());
    pairs.push((Request::GetRpcMethods, Response::GetRpcMethods(vec![])));
    pairs.push((Request::Inform(Box::default()), Response::Inform { max_envelopes: 1 }));
    for (i, (request, _)) in pairs.iter().enumerate() {
        for (j, (_, response)) in pairs.iter().enumerate() {
            assert_eq!(answers(request, response), i == j, "{request:?} {response:?}");
        }
    }
}

#[test]
fn a_fault_settles_the_call() {
    let mut session = calling(&reboot("acs-1"));
    let fault = Fault::new(FaultCode::REQUEST_DENIED, "no");
    let settled = session.step(message(None, Body::Fault(fault.clone())));
    assert_eq!(settled, Action::Settle(Answer::Fault(fault)));
    let next = reboot("acs-2");
    assert_eq!(session.step(Event::Work(Some(next.clone()))), sent(&next));
}

#[test]
fn silence_is_asked_once_more_then_taken_as_the_answer() {
    // N5
    let call = Call { request: Request::GetRpcMethods, ..reboot("acs-1") };
    let mut session = calling(&call);
    assert_eq!(session.step(Event::Empty), sent(&call));
    assert_eq!(session.step(Event::Empty), Action::Settle(Answer::None));
    assert_eq!(session.outstanding(), None);
    // The next call has all its attempts again.
    let next = Call { request: Request::GetRpcMethods, ..reboot("acs-2") };
    assert_eq!(session.step(Event::Work(Some(next.clone()))), sent(&next));
    assert_eq!(session.step(Event::Empty), sent(&next));
}

#[test]
fn what_must_not_happen_twice_is_not_asked_again() {
    let call = reboot("acs-1");
    let mut session = calling(&call);
    assert_eq!(session.step(Event::Empty), Action::Settle(Answer::None));
}

#[test]
fn a_late_answer_to_another_call_does_not_settle_the_present_one() {
    let call = Call { request: Request::GetRpcMethods, ..reboot("acs-2") };
    let mut session = calling(&call);
    assert_eq!(session.step(response(Some("acs-1"), Response::FactoryReset)), sent(&call));
    assert_eq!(session.outstanding(), Some(&call));
    let answer = Response::GetRpcMethods(Vec::new());
    let settled = session.clone().step(response(Some("acs-2"), answer.clone()));
    assert_eq!(settled, Action::Settle(Answer::Response(answer)));
    // A CPE that never answers the right question is as good as silent.
    let settled = session.step(response(Some("acs-1"), Response::FactoryReset));
    assert_eq!(settled, Action::Settle(Answer::None));
}

#[test]
fn an_answer_to_an_earlier_call_of_the_same_method_is_not_booked_on_this_one() {
    let earlier = Call { request: Request::GetRpcMethods, ..reboot("acs-1") };
    let mut session = calling(&earlier);
    session.step(response(Some("acs-1"), Response::GetRpcMethods(Vec::new())));
    let present = Call { request: Request::GetRpcMethods, ..reboot("acs-2") };
    session.step(Event::Work(Some(present.clone())));
    let again = response(Some("acs-1"), Response::GetRpcMethods(Vec::new()));
    assert_eq!(session.step(again), sent(&present));
    // An ID that is not ours says nothing (S2).
    let odd = response(Some("77"), Response::GetRpcMethods(Vec::new()));
    assert!(matches!(session.step(odd), Action::Settle(Answer::Response(_))));
}

#[test]
fn hold_requests_is_sent_and_cleared_before_the_end() {
    let mut session = fetching();
    let held = Call { hold: true, ..reboot("acs-1") };
    assert_eq!(reply(session.step(Event::Work(Some(held)))).hold_requests, Some(true));
    session.step(response(Some("acs-1"), Response::Reboot));

    let release = reply(session.step(Event::Work(None)));
    assert_eq!(release.hold_requests, Some(false));
    assert_eq!(release.body, Body::Request(Request::GetRpcMethods));
    assert!(!session.ended());
    let methods = Response::GetRpcMethods(vec!["Reboot".to_owned()]);
    let settled = session.step(response(release.id.as_deref(), methods.clone()));
    assert_eq!(settled, Action::Settle(Answer::Response(methods)));
    assert_eq!(session.step(Event::Work(None)), Action::End);
    assert!(session.ended());
}

#[test]
fn a_call_that_does_not_hold_clears_an_earlier_hold() {
    // S4: a CPE holds until it sees 0, so leaving the header out is not enough.
    let mut session = fetching();
    session.step(Event::Work(Some(Call { hold: true, ..reboot("acs-1") })));
    session.step(response(Some("acs-1"), Response::Reboot));
    let free = reply(session.step(Event::Work(Some(reboot("acs-2")))));
    assert_eq!(free.hold_requests, Some(false));
    session.step(response(Some("acs-2"), Response::Reboot));
    assert_eq!(session.step(Event::Work(None)), Action::End);
}

#[test]
fn a_release_that_is_not_answered_still_ends() {
    let mut session = fetching();
    let held = session.step(Event::Work(Some(Call { hold: true, ..reboot("acs-1") })));
    assert!(ends_in_silence(&mut session, held));
    assert!(session.ended());
}
