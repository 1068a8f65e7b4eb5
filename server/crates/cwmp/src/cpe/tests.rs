//! Every transition of the CPE machine, and what holds for any order of events.

use proptest::prelude::*;

use super::*;
use crate::rpc::TransferComplete;
use crate::value::Timestamp;

const NAMESPACE: &str = "urn:dslforum-org:cwmp-1-0";

fn transfer(key: &str) -> Request {
    Request::TransferComplete(TransferComplete {
        command_key: key.to_owned(),
        fault: None,
        start_time: Timestamp::unknown(),
        complete_time: Timestamp::unknown(),
    })
}

fn reply(body: Body) -> CpeEvent {
    reply_with("7", None, body)
}

fn reply_with(id: &str, hold: Option<bool>, body: Body) -> CpeEvent {
    let mut envelope = Envelope::new(NAMESPACE, Some(id.to_owned()), body);
    envelope.hold_requests = hold;
    CpeEvent::Reply { status: 200, envelope: Some(Box::new(envelope)) }
}

fn status(status: u16) -> CpeEvent {
    CpeEvent::Reply { status, envelope: None }
}

fn inform_response() -> Body {
    Body::Response(Response::Inform { max_envelopes: 1 })
}

fn fault(code: FaultCode) -> Body {
    Body::Fault(Fault::new(code, "no"))
}

fn started(queue: Vec<Request>) -> CpeSession {
    let mut session = CpeSession::new(NAMESPACE);
    let action = session.step(CpeEvent::Start { inform: Box::default(), queue });
    assert!(matches!(sent(action).body, Body::Request(Request::Inform(_))));
    session
}

/// A session that has sent its empty POST.
fn listening() -> CpeSession {
    let mut session = started(Vec::new());
    assert_eq!(session.step(reply(inform_response())), CpeAction::SendEmpty);
    session
}

fn sent(action: CpeAction) -> Envelope {
    match action {
        CpeAction::Send(envelope) => *envelope,
        other => panic!("not a message: {other:?}"),
    }
}

#[test]
fn a_periodic_session_is_inform_empty_204() {
    for end in [204, 200] {
        let mut session = started(Vec::new());
        assert!(!session.informed());
        assert_eq!(session.step(reply(inform_response())), CpeAction::SendEmpty);
        assert!(session.informed());
        assert_eq!(session.step(status(end)), CpeAction::End(Outcome::Completed));
    }
}

#[test]
fn own_messages_carry_no_id() {
    let mut session = CpeSession::new(NAMESPACE);
    let inform = sent(session.step(CpeEvent::Start { inform: Box::default(), queue: Vec::new() }));
    assert_eq!((inform.id, inform.namespace.as_str()), (None, NAMESPACE));
}

#[test]
fn max_envelopes_above_one_changes_nothing() {
    let mut session = started(vec![transfer("a"), transfer("b")]);
    let many = Body::Response(Response::Inform { max_envelopes: 9 });
    assert_eq!(sent(session.step(reply(many))).body, Body::Request(transfer("a")));
}

#[test]
fn own_requests_go_one_by_one_before_the_empty_post() {
    let mut session = started(vec![transfer("a"), Request::GetRpcMethods]);
    let first = sent(session.step(reply(inform_response())));
    assert_eq!(first.body, Body::Request(transfer("a")));
    let second = sent(session.step(reply(Body::Response(Response::TransferComplete))));
    assert_eq!(second.body, Body::Request(Request::GetRpcMethods));
    let methods = Body::Response(Response::GetRpcMethods(Vec::new()));
    assert_eq!(session.step(reply(methods)), CpeAction::SendEmpty);
    assert!(session.into_undelivered().is_empty());
}

#[test]
fn a_response_to_another_method_ends_the_session_and_keeps_the_request() {
    let mut session = started(vec![transfer("a")]);
    session.step(reply(inform_response()));
    let stray = session.step(reply(Body::Response(Response::RequestDownload)));
    assert!(matches!(stray, CpeAction::End(Outcome::OutOfOrder(_))));
    assert_eq!(session.into_undelivered(), [transfer("a")]);
}

#[test]
fn a_refused_request_is_kept_for_the_next_session() {
    let mut session = started(vec![transfer("a"), transfer("b")]);
    session.step(reply(inform_response()));
    let next = sent(session.step(reply(fault(FaultCode::ACS_INTERNAL_ERROR))));
    assert_eq!(next.body, Body::Request(transfer("b")));
    assert_eq!(
        session.step(reply(Body::Response(Response::TransferComplete))),
        CpeAction::SendEmpty
    );
    assert_eq!(session.into_undelivered(), [transfer("a")]);
}

#[test]
fn hold_requests_keeps_own_requests_back_until_the_acs_is_done() {
    let mut session = started(vec![transfer("a")]);
    let held = session.step(reply_with("1", Some(true), inform_response()));
    assert_eq!(held, CpeAction::SendEmpty);
    let call = reply_with("2", Some(true), Body::Request(Request::FactoryReset));
    assert_eq!(session.step(call), CpeAction::Handle(Request::FactoryReset));
    sent(session.step(CpeEvent::Answer(Ok(Response::FactoryReset))));
    assert_eq!(sent(session.step(status(204))).body, Body::Request(transfer("a")));
    assert_eq!(
        session.step(reply(Body::Response(Response::TransferComplete))),
        CpeAction::SendEmpty
    );
    assert_eq!(session.step(status(204)), CpeAction::End(Outcome::Completed));
}

#[test]
fn answers_echo_the_id_of_the_request() {
    let mut session = listening();
    let call = reply_with("<&\u{b2}", None, Body::Request(Request::FactoryReset));
    assert_eq!(session.step(call), CpeAction::Handle(Request::FactoryReset));
    let answer = sent(session.step(CpeEvent::Answer(Ok(Response::FactoryReset))));
    assert_eq!(answer.id.as_deref(), Some("<&\u{b2}"));
    assert_eq!(answer.body, Body::Response(Response::FactoryReset));

    session.step(reply_with("9", None, Body::Request(Request::GetQueuedTransfers)));
    let refusal = Fault::new(FaultCode::REQUEST_DENIED, "no");
    let answer = sent(session.step(CpeEvent::Answer(Err(refusal.clone()))));
    assert_eq!((answer.id.as_deref(), answer.body), (Some("9"), Body::Fault(refusal)));
    assert_eq!(session.step(status(204)), CpeAction::End(Outcome::Completed));
}

#[test]
fn methods_that_are_none_of_a_cpe_get_9000() {
    let foreign = [Body::UnknownMethod("Frobnicate".to_owned()), Body::Request(transfer("a"))];
    let mut session = listening();
    for body in foreign {
        let answer = sent(session.step(reply(body)));
        assert_eq!(answer.id.as_deref(), Some("7"));
        assert!(matches!(answer.body, Body::Fault(f) if f.code.0 == 9000));
    }
    assert_eq!(session.step(status(204)), CpeAction::End(Outcome::Completed));
}

#[test]
fn fault_8005_repeats_the_same_request_a_few_times() {
    let mut session = started(vec![transfer("a")]);
    for _ in 0..MAX_RESENDS {
        let again = sent(session.step(reply(fault(FaultCode::ACS_RETRY_REQUEST))));
        assert!(matches!(again.body, Body::Request(Request::Inform(_))));
    }
    session.step(reply(inform_response()));
    let again = sent(session.step(reply(fault(FaultCode::ACS_RETRY_REQUEST))));
    assert_eq!(again.body, Body::Request(transfer("a")));

    let mut session = started(Vec::new());
    for _ in 0..MAX_RESENDS {
        session.step(reply(fault(FaultCode::ACS_RETRY_REQUEST)));
    }
    let last = session.step(reply(fault(FaultCode::ACS_RETRY_REQUEST)));
    assert!(matches!(last, CpeAction::End(Outcome::AcsFault(f)) if f.code.0 == 8005));
}

#[test]
fn a_fault_to_the_inform_ends_the_session() {
    let mut session = started(Vec::new());
    let action = session.step(reply(fault(FaultCode::ACS_REQUEST_DENIED)));
    assert!(matches!(action, CpeAction::End(Outcome::AcsFault(f)) if f.code.0 == 8001));
    assert!(!session.informed());
}

#[test]
fn a_fault_in_a_500_is_read() {
    let mut session = started(Vec::new());
    let envelope = Envelope::new(NAMESPACE, None, fault(FaultCode::ACS_RETRY_REQUEST));
    let event = CpeEvent::Reply { status: 500, envelope: Some(Box::new(envelope)) };
    assert!(matches!(session.step(event), CpeAction::Send(_)));
}

#[test]
fn challenges_are_answered_twice_per_message_then_refused() {
    let mut session = started(Vec::new());
    assert_eq!(session.step(status(401)), CpeAction::Authenticate);
    assert_eq!(session.step(reply(inform_response())), CpeAction::SendEmpty);
    assert_eq!(session.step(status(401)), CpeAction::Authenticate);
    assert_eq!(session.step(status(401)), CpeAction::Authenticate);
    assert_eq!(session.step(status(401)), CpeAction::End(Outcome::HttpStatus(401)));
}

#[test]
fn five_redirects_are_followed_and_no_sixth() {
    let mut session = started(Vec::new());
    for code in [302, 307, 301, 308, 302] {
        assert_eq!(session.step(status(code)), CpeAction::Redirect);
    }
    assert_eq!(session.step(status(307)), CpeAction::End(Outcome::HttpStatus(307)));
}

#[test]
fn what_is_no_answer_ends_the_session() {
    let cases = [
        (status(503), Outcome::HttpStatus(503)),
        (status(500), Outcome::HttpStatus(500)),
        (CpeEvent::Timeout, Outcome::Timeout),
        (CpeEvent::Unreadable, Outcome::Unreadable),
    ];
    for (event, outcome) in cases {
        assert_eq!(started(Vec::new()).step(event.clone()), CpeAction::End(outcome.clone()));
        assert_eq!(listening().step(event), CpeAction::End(outcome));
    }
    let empty = started(Vec::new()).step(status(204));
    assert!(matches!(empty, CpeAction::End(Outcome::OutOfOrder(_))));
}

#[test]
fn events_out_of_order_end_the_session() {
    let mut unstarted = CpeSession::new(NAMESPACE);
    assert!(matches!(unstarted.step(status(200)), CpeAction::End(Outcome::OutOfOrder(_))));
    let answer = CpeEvent::Answer(Ok(Response::FactoryReset));
    assert!(matches!(listening().step(answer), CpeAction::End(Outcome::OutOfOrder(_))));
    let mut handling = listening();
    handling.step(reply(Body::Request(Request::FactoryReset)));
    assert!(matches!(handling.step(status(204)), CpeAction::End(Outcome::OutOfOrder(_))));
}

#[test]
fn the_back_off_doubles_from_five_seconds_and_stops_at_the_tenth() {
    let table = [(1, 5), (2, 10), (3, 20), (4, 40), (9, 1280), (10, 2560), (11, 2560), (400, 2560)];
    for (attempt, low) in table {
        assert_eq!(retry_wait(attempt, 0.0), Duration::from_secs(low), "attempt {attempt}");
        assert_eq!(retry_wait(attempt, 1.0), Duration::from_secs(2 * low), "attempt {attempt}");
    }
    assert_eq!(retry_wait(0, f64::NAN), Duration::from_secs(5));
}

fn any_event() -> impl Strategy<Value = CpeEvent> {
    let body = prop_oneof![
        Just(inform_response()),
        Just(fault(FaultCode::ACS_RETRY_REQUEST)),
        Just(fault(FaultCode::ACS_INTERNAL_ERROR)),
        Just(Body::Request(Request::FactoryReset)),
        Just(Body::Request(transfer("x"))),
        Just(Body::Response(Response::TransferComplete)),
        Just(Body::UnknownMethod("X".to_owned())),
    ];
    prop_oneof![
        8 => (body, any::<Option<bool>>()).prop_map(|(body, hold)| reply_with("1", hold, body)),
        3 => prop_oneof![Just(200u16), Just(204), Just(401), Just(302), Just(503)].prop_map(status),
        3 => Just(CpeEvent::Answer(Ok(Response::FactoryReset))),
        1 => Just(CpeEvent::Start { inform: Box::default(), queue: vec![transfer("a")] }),
        1 => Just(CpeEvent::Timeout),
        1 => Just(CpeEvent::Unreadable),
    ]
}

proptest! {
    #[test]
    fn no_order_of_events_panics_and_an_ended_session_stays_ended(
        events in prop::collection::vec(any_event(), 0..40),
        queued in 0usize..4,
    ) {
        let mut session = started(vec![transfer("q"); queued]);
        let mut ended = None;
        for event in events {
            let action = session.step(event);
            if let Some(end) = &ended {
                prop_assert_eq!(&action, end);
            } else if matches!(action, CpeAction::End(_)) {
                ended = Some(action);
            }
        }
        prop_assert!(session.into_undelivered().len() <= queued);
    }

    #[test]
    fn empty_replies_end_a_session_from_any_state(
        events in prop::collection::vec(any_event(), 0..20),
    ) {
        let mut session = started(vec![transfer("q")]);
        for event in events {
            session.step(event);
        }
        // At worst one request that HoldRequests kept back goes out in between.
        let ended = (0..3).any(|_| matches!(session.step(status(204)), CpeAction::End(_)));
        prop_assert!(ended);
    }
}
