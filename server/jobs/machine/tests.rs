//! The calls of jobs, and what their answers end with.

use muster_cwmp::fault::FaultCode;
use muster_cwmp::rpc::TransferResponse;
use muster_cwmp::value::Timestamp;

use super::*;

fn start(spec: JobSpec) -> (Machine, Step) {
    let context = Context { root: "Device.".into(), ..Context::default() };
    Machine::start(spec, context)
}

fn parameter(name: &str) -> SetParameter {
    SetParameter { name: name.into(), value: "1".into(), kind: None }
}

#[test]
fn a_set_uses_the_type_the_device_gave() {
    let mut context = Context::default();
    context.types.insert("Device.X".into(), ValueType::Boolean);
    let spec = JobSpec::Set { parameters: vec![parameter("Device.X"), parameter("Device.Y")] };
    let (mut machine, step) = Machine::start(spec, context);
    let Step::Send(Request::SetParameterValues(set)) = step else { panic!("{step:?}") };
    assert_eq!(set.parameters[0].kind, ValueType::Boolean);
    assert_eq!(set.parameters[1].kind, ValueType::String);
    assert_eq!(set.parameter_key.len(), 32);
    let done = machine.answer(Answer::Response(Response::SetParameterValues(Status::Applied)));
    assert!(matches!(done, Step::Finish(Outcome::Done(_))));
    assert_eq!(machine.learned.written, set.parameters);
}

#[test]
fn an_added_object_is_filled_by_its_own_number() {
    let object = "Device.Routing.Router.1.IPv4Forwarding.".to_owned();
    let spec = JobSpec::AddObject { object, parameters: vec![parameter("Enable")] };
    let (mut machine, _) = start(spec);
    let answer = Response::AddObject { instance_number: 153, status: Status::Applied };
    let Step::Send(Request::SetParameterValues(set)) = machine.answer(Answer::Response(answer))
    else {
        panic!("no set")
    };
    assert_eq!(set.parameters[0].name, "Device.Routing.Router.1.IPv4Forwarding.153.Enable");
    let fault = Fault::new(FaultCode(9007), "bad value");
    let Step::Finish(Outcome::Partial(fault)) = machine.answer(Answer::Fault(fault)) else {
        panic!()
    };
    assert!(fault.text.contains("IPv4Forwarding.153."), "{fault}");
}

#[test]
fn a_fault_does_not_repeat_the_secret_that_was_refused() {
    let name = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase".to_owned();
    let secret = SetParameter { name, value: "hunter2".into(), kind: None };
    let (mut machine, _) = start(JobSpec::Set { parameters: vec![secret] });
    let fault = Fault::new(FaultCode(9007), "hunter2 is too short");
    let end = machine.answer(Answer::Fault(fault));
    let masked = Fault::new(FaultCode(9007), format!("{MASK} is too short"));
    assert_eq!(end, Step::Finish(Outcome::Fault(masked)));
}

#[test]
fn what_needs_proof_is_accepted_not_done() {
    for (spec, response) in [
        (JobSpec::Reboot, Response::Reboot),
        (JobSpec::FactoryReset, Response::FactoryReset),
        (JobSpec::ScheduleInform { delay_seconds: 5 }, Response::ScheduleInform),
    ] {
        assert!(spec.confirm_seconds().is_some());
        let (mut machine, _) = start(spec);
        let end = machine.answer(Answer::Response(response));
        assert_eq!(end, Step::Finish(Outcome::Accepted));
    }
}

#[test]
fn a_transfer_without_its_file_is_impossible_not_sent() {
    let (_, step) = start(JobSpec::Upload { file: crate::jobs::spec::UploadFile::Log });
    assert!(matches!(step, Step::Finish(Outcome::Impossible(_))));
}

fn upgrade(runs: &str, obstacle: Option<&str>) -> (Machine, Step) {
    let transfer = TransferUrl {
        base: "https://acs.example/f/t/".to_owned(),
        artifact_name: String::new(),
        size: 0,
    };
    let context = Context {
        transfer: Some(transfer),
        upgrade: Upgrade {
            runs: Some(runs.to_owned()),
            obstacle: obstacle.map(str::to_owned),
            longest: "routeros-7.16.1-arm.npk".to_owned(),
        },
        ..Context::default()
    };
    let (packages, from) = (vec![Uuid::nil()], Some("7.12.1".to_owned()));
    Machine::start(JobSpec::Upgrade { version: "7.16.1".to_owned(), packages, from }, context)
}

#[test]
fn an_upgrade_is_accepted_at_most_and_never_done_by_its_answer() {
    for status in [Status::Applied, Status::Pending] {
        let (mut machine, step) = upgrade("7.12.1", None);
        let Step::Send(Request::Download(sent)) = step else { panic!("{step:?}") };
        assert_eq!(sent.url, "https://acs.example/f/t/upgrade.xml");
        let (start_time, complete_time) = (Timestamp::unknown(), Timestamp::unknown());
        let transfer = TransferResponse { status, start_time, complete_time };
        let end = machine.answer(Answer::Response(Response::Download(transfer)));
        assert_eq!(end, Step::Finish(Outcome::Accepted));
    }
}

#[test]
fn an_upgrade_that_is_not_needed_or_must_not_be_is_not_sent() {
    let (_, step) = upgrade("7.16.1 (stable)", None);
    assert!(matches!(step, Step::Finish(Outcome::Done(_))), "{step:?}");
    let (_, step) = upgrade("7.12.1", Some("7.16.1 was withdrawn"));
    assert!(matches!(step, Step::Finish(Outcome::Impossible(_))), "{step:?}");
    // Up or down from elsewhere: nobody asked for that.
    for runs in ["7.17 (stable)", "6.49.10", "7.13.5"] {
        let (_, step) = upgrade(runs, None);
        assert!(matches!(step, Step::Finish(Outcome::Overtaken(_))), "{runs}: {step:?}");
    }
    let (_, step) = upgrade("7.12.1 (stable)", None);
    assert!(matches!(step, Step::Send(_)), "{step:?}");
}

#[test]
fn what_could_not_be_sent_says_so_in_its_result() {
    assert!(is_impossible(Some(&impossible())));
    for other in [json!({ "version": "7.12.1" }), json!({ "impossible": "odd" }), json!("odd")] {
        assert!(!is_impossible(Some(&other)), "{other}");
    }
    assert!(!is_impossible(None));
    assert!(is_overtaken(Some(&overtaken())) && !is_impossible(Some(&overtaken())));
    assert!(!is_overtaken(Some(&impossible())));
}

#[test]
fn silence_is_told() {
    let (mut machine, _) = start(JobSpec::Methods);
    assert_eq!(machine.answer(Answer::None), Step::Finish(Outcome::Silent));
}
