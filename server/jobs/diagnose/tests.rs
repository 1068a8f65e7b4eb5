//! Orders and figures of both data models.

use muster_cwmp::acs::Answer;
use muster_cwmp::rpc::Status;

use super::*;
use crate::jobs::machine::Machine;
use crate::jobs::spec::JobSpec;

const PING: &str = "Device.IP.Diagnostics.IPPing.";

fn ping_of(host: &str) -> DiagnosticTest {
    DiagnosticTest::Ping { host: host.into(), count: 4, size: 64, timeout_ms: 1_000 }
}

fn traceroute() -> DiagnosticTest {
    let host = "a.example".to_owned();
    DiagnosticTest::Traceroute { host, tries: 3, size: 64, timeout_ms: 1_000, max_hops: 30 }
}

fn start(test: &DiagnosticTest, root: &str, reported: bool) -> (Machine, Step) {
    let context = Context { root: root.into(), reported, ..Context::default() };
    Machine::start(JobSpec::Diagnose { test: test.clone() }, context)
}

fn values(object: &str, list: &[(&str, &str)]) -> Answer {
    let value = |(n, v): &(&str, &str)| ParameterValue::string(format!("{object}{n}"), *v);
    Answer::Response(Response::GetParameterValues(list.iter().map(value).collect()))
}

/// What becomes of a job whose device answers the question for its figures like this.
fn read(test: &DiagnosticTest, list: &[(&str, &str)]) -> Step {
    let (mut machine, _) = start(test, "Device.", true);
    machine.answer(values(&object(test, "Device."), list))
}

fn done(test: &DiagnosticTest, list: &[(&str, &str)]) -> Value {
    match read(test, list) {
        Step::Finish(Outcome::Done(result)) => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_is_ordered_whole_and_begun_last() {
    let (mut machine, step) = start(&ping_of("192.0.2.1"), "Device.", false);
    let Step::Send(Request::SetParameterValues(set)) = step else { panic!("{step:?}") };
    let written: Vec<_> =
        set.parameters.iter().map(|p| (p.name.as_str(), p.value.as_str(), p.kind)).collect();
    let number = ValueType::UnsignedInt;
    assert_eq!(
        written,
        [
            ("Device.IP.Diagnostics.IPPing.Host", "192.0.2.1", ValueType::String),
            ("Device.IP.Diagnostics.IPPing.NumberOfRepetitions", "4", number),
            ("Device.IP.Diagnostics.IPPing.Timeout", "1000", number),
            ("Device.IP.Diagnostics.IPPing.DataBlockSize", "64", number),
            ("Device.IP.Diagnostics.IPPing.DiagnosticsState", "Requested", ValueType::String),
        ]
    );
    let end = machine.answer(Answer::Response(Response::SetParameterValues(Status::Applied)));
    assert_eq!(end, Step::Finish(Outcome::Accepted));
    assert_eq!(machine.learned.written, set.parameters);
    assert_eq!(machine.learned.complete_below, None);
}

#[test]
fn both_data_models_have_their_own_names() {
    let url = || "http://a/".to_owned();
    for (test, tr181, tr098) in [
        (ping_of("a"), "IPPing.", "IPPingDiagnostics."),
        (traceroute(), "TraceRoute.", "TraceRouteDiagnostics."),
        (
            DiagnosticTest::DownloadSpeed { url: url() },
            "DownloadDiagnostics.",
            "DownloadDiagnostics.",
        ),
        (
            DiagnosticTest::UploadSpeed { url: url(), bytes: 1 },
            "UploadDiagnostics.",
            "UploadDiagnostics.",
        ),
    ] {
        for (root, object) in [
            ("Device.", format!("Device.IP.Diagnostics.{tr181}")),
            ("InternetGatewayDevice.", format!("InternetGatewayDevice.{tr098}")),
        ] {
            let (_, step) = start(&test, root, true);
            assert_eq!(step, Step::Send(Request::GetParameterValues(vec![object.clone()])));
            let (_, step) = start(&test, root, false);
            let Step::Send(Request::SetParameterValues(set)) = step else { panic!("{step:?}") };
            assert!(set.parameters.iter().all(|p| p.name.starts_with(&object)), "{set:?}");
            let last = set.parameters.last().map(|p| (p.name.as_str(), p.value.as_str()));
            let state = format!("{object}DiagnosticsState");
            assert_eq!(last, Some((state.as_str(), "Requested")));
        }
    }
}

#[test]
fn the_state_decides_not_the_event() {
    let test = ping_of("a");
    let state = |state: &str| read(&test, &[("DiagnosticsState", state)]);
    for going_on in ["Requested", "X_VENDOR_Running"] {
        assert_eq!(state(going_on), Step::Finish(Outcome::Accepted));
    }
    for forgotten in ["None", "", " None "] {
        let Step::Send(Request::SetParameterValues(_)) = state(forgotten) else {
            panic!("a restarted device is told again")
        };
    }
    let Step::Send(_) = read(&test, &[]) else { panic!("what has no state has no test") };
    for (error, words) in [
        ("Error_CannotResolveHostName", "the device could not: cannot resolve the host name"),
        ("Error_X_VENDOR", "the device could not: Error_X_VENDOR"),
        ("Canceled", "the device could not: somebody cancelled the test on the device"),
    ] {
        assert_eq!(state(error), Step::Finish(Outcome::Failed(words.into())));
    }
}

#[test]
fn what_was_read_is_learned_and_old_hops_are_forgotten() {
    let (mut machine, _) = start(&ping_of("a"), "Device.", true);
    machine.answer(values(PING, &[("DiagnosticsState", "Complete"), ("Host", "a")]));
    assert_eq!(machine.learned.values.len(), 2);
    assert_eq!(machine.learned.complete_below.as_deref(), Some(PING));
}

#[test]
fn a_pings_figures_are_for_people() {
    let mut list = vec![
        ("DiagnosticsState", "Completed"),
        ("SuccessCount", "4"),
        ("FailureCount", "0"),
        ("AverageResponseTime", "2"),
        ("MinimumResponseTime", "1"),
        ("MaximumResponseTime", "3"),
    ];
    let expected = json!({
        "test": "ping", "state": "Complete", "success": 4, "failure": 0,
        "average_ms": 2.0, "minimum_ms": 1.0, "maximum_ms": 3.0,
    });
    assert_eq!(done(&ping_of("a"), &list), expected);
    list.push(("AverageResponseTimeDetailed", "2345"));
    assert_eq!(done(&ping_of("a"), &list)["average_ms"], 2.345);
    (list[1], list[2]) = (("SuccessCount", "0"), ("FailureCount", "4"));
    let silent = done(&ping_of("a"), &list);
    assert_eq!((&silent["failure"], &silent["average_ms"]), (&json!(4), &Value::Null));
}

#[test]
fn hops_are_in_order_in_either_model_and_bounded() {
    let expected = json!([
        { "host": "gw", "address": "10.0.0.1", "error": 0, "rtt_ms": [1, 2] },
        { "host": "", "address": "", "error": null, "rtt_ms": [] },
    ]);
    for prefix in ["", "Hop"] {
        let cell = |row: u32, name: &str| format!("RouteHops.{row}.{prefix}{name}");
        let names = [
            cell(10, "Host"),
            cell(2, "Host"),
            cell(2, "HostAddress"),
            cell(2, "ErrorCode"),
            cell(2, "RTTimes"),
        ];
        let mut list: Vec<(&str, &str)> =
            names.iter().map(String::as_str).zip(["", "gw", "10.0.0.1", "0", "1, 2,*"]).collect();
        list.push(("DiagnosticsState", "Error_MaxHopCountExceeded"));
        let result = done(&traceroute(), &list);
        assert_eq!(result["hops"], expected, "{prefix}");
        assert_eq!(result["state"], "Error_MaxHopCountExceeded");
    }
    let many: Vec<String> = (0..1_000).map(|row| format!("RouteHops.{row}.Host")).collect();
    let mut list: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "x")).collect();
    list.push(("DiagnosticsState", "Complete"));
    assert_eq!(done(&traceroute(), &list)["hops"].as_array().map(Vec::len), Some(MAX_HOPS));
}

#[test]
fn speed_is_bytes_over_time() {
    let url = || "http://a/".to_owned();
    let mut list = vec![
        ("DiagnosticsState", "Complete"),
        ("ROMTime", "2030-01-01T12:00:00.250000Z"),
        ("BOMTime", "2030-01-01T12:00:00.500000Z"),
        ("EOMTime", "2030-01-01T12:00:02.500000"),
        ("TestBytesReceived", "10000000"),
    ];
    let down = done(&DiagnosticTest::DownloadSpeed { url: url() }, &list);
    let expected = json!({
        "test": "download_speed", "state": "Complete", "bytes": 10_000_000, "seconds": 2.0,
        "mbit_per_s": 40.0, "rom_time": "2030-01-01T12:00:00.250Z",
        "bom_time": "2030-01-01T12:00:00.500Z", "eom_time": "2030-01-01T12:00:02.500Z",
    });
    assert_eq!(down, expected);
    let up = DiagnosticTest::UploadSpeed { url: url(), bytes: 1_000_000 };
    let sent = done(&up, &list);
    assert_eq!((&sent["bytes"], &sent["mbit_per_s"]), (&json!(1_000_000), &json!(4.0)));
    list[3] = ("EOMTime", "0001-01-01T00:00:00Z");
    let unknown = done(&up, &list);
    assert_eq!((&unknown["seconds"], &unknown["mbit_per_s"]), (&Value::Null, &Value::Null));
}
