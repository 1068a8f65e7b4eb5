//! No order of events wedges a session or makes the machine panic.

use muster_cwmp::acs::{AcsSession, Action, Call, Event};
use muster_cwmp::rpc::{Body, Request, Response};
use proptest::prelude::*;

use crate::methods::{acs_calls, cpe_calls};
use crate::{ends_in_silence, inform, message, request, response, store_failure};

fn any_event() -> impl Strategy<Value = Event> {
    let (requests, responses): (Vec<Request>, Vec<Response>) =
        acs_calls().into_iter().chain(cpe_calls()).unzip();
    let call = (prop::sample::select(requests.clone()), any::<bool>())
        .prop_map(|(request, hold)| Call { request, id: "acs".to_owned(), hold });
    prop_oneof![
        3 => Just(Event::Empty),
        3 => Just(inform()),
        2 => prop::sample::select(requests).prop_map(request),
        2 => prop::sample::select(responses).prop_map(|answer| response(None, answer)),
        1 => Just(message(None, Body::Fault(store_failure()))),
        1 => Just(message(None, Body::UnknownMethod("X_Hello".to_owned()))),
        4 => Just(Event::Recorded(Ok(Response::TransferComplete))),
        1 => Just(Event::Recorded(Err(store_failure()))),
        1 => Just(Event::Work(None)),
        4 => call.prop_map(|call| Event::Work(Some(call))),
    ]
}

/// All of a session that its driver can see.
fn seen(session: &AcsSession) -> (Option<Call>, String, bool) {
    (session.outstanding().cloned(), session.namespace().to_owned(), session.ended())
}

proptest! {
    #[test]
    fn no_order_of_events_wedges_a_session(
        events in prop::collection::vec(any_event(), 0..80),
    ) {
        let mut session = AcsSession::new();
        // What the driver still owes: a rejected event does not discharge it.
        let mut last = Action::End;
        for event in events {
            let before = seen(&session);
            let action = session.step(event);
            if let Action::Reject(_) = action {
                prop_assert_eq!(seen(&session), before);
                continue;
            }
            if let Action::Reply(envelope) = &action
                && let Body::Request(sent) = &envelope.body
            {
                prop_assert_eq!(session.outstanding().map(|call| &call.request), Some(sent));
            }
            last = action;
        }
        prop_assert!(ends_in_silence(&mut session, last));
    }
}
