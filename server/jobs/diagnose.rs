//! A test that the device runs itself: how it is ordered, and what comes of it, for people. Pure.
//!
//! Owns both stages of such a job. First the test is ordered, and the device accepts. When it says
//! that a test is over (`8 DIAGNOSTICS COMPLETE`, TR-069 3.7.1.5), or a session is there to look, the
//! job runs again to read the figures (`queue::reported`). What the device then says of the state of
//! its test decides, and not the event: it may come twice, and be that of another test.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDateTime, Utc};
use muster_cwmp::rpc::{Request, Response, SetParameterValues};
use muster_cwmp::value::{ParameterValue, Timestamp, ValueType};
use serde_json::{Value, json};

use super::download::command_key;
use super::machine::{Context, Learned, Outcome, Step};
use super::spec::DiagnosticTest;

/// Hops of a result; no test may ask for more.
const MAX_HOPS: usize = 64;
/// Characters of a host in a result.
const MAX_TEXT: usize = 256;

/// The attempt's first call: the order, or the question what came of it.
pub fn first(test: &DiagnosticTest, context: &Context) -> Request {
    match context.reported {
        true => Request::GetParameterValues(vec![object(test, &context.root)]),
        false => order(test, context),
    }
}

/// Takes the answer to the call that was sent last.
pub fn answer(
    test: &DiagnosticTest,
    context: &Context,
    response: Response,
    learned: &mut Learned,
) -> Step {
    let Response::GetParameterValues(values) = response else {
        // The order's: the session machine matches answers to calls.
        learned.written = parameters(test, &context.root);
        return Step::Finish(Outcome::Accepted);
    };
    let object = object(test, &context.root);
    let step = match judge(test, &Figures::of(&object, &values)) {
        Some(outcome) => Step::Finish(outcome),
        None => Step::Send(order(test, context)),
    };
    learned.values = values;
    learned.complete_below = Some(object);
    step
}

fn order(test: &DiagnosticTest, context: &Context) -> Request {
    Request::SetParameterValues(SetParameterValues {
        parameters: parameters(test, &context.root),
        parameter_key: command_key(context.job_id),
    })
}

/// Where the device's data model has the test.
fn object(test: &DiagnosticTest, root: &str) -> String {
    let (tr181, tr098) = match test {
        DiagnosticTest::Ping { .. } => ("IPPing.", "IPPingDiagnostics."),
        DiagnosticTest::Traceroute { .. } => ("TraceRoute.", "TraceRouteDiagnostics."),
        DiagnosticTest::DownloadSpeed { .. } => ("DownloadDiagnostics.", "DownloadDiagnostics."),
        DiagnosticTest::UploadSpeed { .. } => ("UploadDiagnostics.", "UploadDiagnostics."),
    };
    match root {
        "InternetGatewayDevice." => format!("{root}{tr098}"),
        root => format!("{root}IP.Diagnostics.{tr181}"),
    }
}

fn parameters(test: &DiagnosticTest, root: &str) -> Vec<ParameterValue> {
    let object = object(test, root);
    let text = |name: &str, value: &str| ParameterValue::string(format!("{object}{name}"), value);
    let number = |name: &str, value: u32| {
        let kind = ValueType::UnsignedInt;
        ParameterValue::new(format!("{object}{name}"), value.to_string(), kind)
    };
    let mut list = match test {
        DiagnosticTest::Ping { host, count, size, timeout_ms } => vec![
            text("Host", host),
            number("NumberOfRepetitions", *count),
            number("Timeout", *timeout_ms),
            number("DataBlockSize", *size),
        ],
        DiagnosticTest::Traceroute { host, tries, size, timeout_ms, max_hops } => vec![
            text("Host", host),
            number("NumberOfTries", *tries),
            number("Timeout", *timeout_ms),
            number("DataBlockSize", *size),
            number("MaxHopCount", *max_hops),
        ],
        DiagnosticTest::DownloadSpeed { url } => vec![text("DownloadURL", url)],
        DiagnosticTest::UploadSpeed { url, bytes } => {
            vec![text("UploadURL", url), number("TestFileLength", *bytes)]
        }
    };
    // Last: a device that takes them one by one begins here.
    list.push(text("DiagnosticsState", "Requested"));
    list
}

/// How it ended; `None` = the device knows of no test: it was restarted meanwhile, and is told again.
fn judge(test: &DiagnosticTest, figures: &Figures<'_>) -> Option<Outcome> {
    match figures.text("DiagnosticsState") {
        // TR-181 has the one word, TR-143 the other.
        "Complete" | "Completed" => Some(Outcome::Done(result(test, "Complete", figures))),
        // The way as far as it was followed is an answer.
        state @ "Error_MaxHopCountExceeded" => Some(Outcome::Done(result(test, state, figures))),
        "" | "None" => None,
        state if state == "Canceled" || state.starts_with("Error") => {
            Some(Outcome::Failed(format!("the device could not: {}", why(state))))
        }
        // `Requested`, or a vendor's own word for it: it goes on.
        _ => Some(Outcome::Accepted),
    }
}

/// The states of TR-181 and TR-143 in words; a vendor's own stays as it is.
fn why(state: &str) -> String {
    let words = match state {
        "Canceled" => "somebody cancelled the test on the device",
        "Error_CannotResolveHostName" => "cannot resolve the host name",
        "Error_NoRouteToHost" => "there is no route to the host",
        "Error_InitConnectionFailed" => "cannot connect to the server",
        "Error_NoResponse" => "the server does not answer",
        "Error_TransferFailed" => "the transfer failed",
        "Error_PasswordRequestFailed" => "the server did not ask for a password as it should",
        "Error_LoginFailed" => "the server refused the login",
        "Error_NoTransferMode" => "the server has no mode of transfer that the device has",
        "Error_NoPASV" => "the server has no passive mode",
        "Error_NoCWD" => "the server does not let the device into the directory",
        "Error_NoSTOR" => "the server does not let the device store the file",
        "Error_NoTransferComplete" => "the server did not confirm the end of the transfer",
        "Error_IncorrectSize" => "the size of the file is wrong",
        "Error_Timeout" => "it took too long",
        "Error_Internal" => "it had an internal error",
        "Error_Other" | "Error" => "it does not say why",
        other => return cut(other),
    };
    words.to_owned()
}

/// What the device says is shown, but not at any length.
fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// What was read below the object of a test, by name.
struct Figures<'a>(HashMap<&'a str, &'a str>);

impl<'a> Figures<'a> {
    fn of(object: &str, values: &'a [ParameterValue]) -> Self {
        let below = |v: &'a ParameterValue| Some((v.name.strip_prefix(object)?, v.value.trim()));
        Self(values.iter().filter_map(below).collect())
    }

    /// Empty where the device gave none.
    fn text(&self, name: &str) -> &'a str {
        self.0.get(name).copied().unwrap_or_default()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.text(name).parse().ok()
    }

    /// Whole milliseconds are coarse in a LAN: RouterOS has microseconds beside them.
    fn milliseconds(&self, name: &str) -> Option<f64> {
        let fine = self.number(&format!("{name}Detailed")).filter(|micros| *micros > 0);
        let coarse = || self.number(name).map(|millis| millis as f64);
        fine.map(|micros| micros as f64 / 1_000.0).or_else(coarse)
    }

    /// `None` for the Unknown Time, and for what is none at all.
    fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        let text = self.text(name);
        if Timestamp(text.to_owned()).is_unknown() {
            return None;
        }
        match DateTime::parse_from_rfc3339(text) {
            Ok(time) => Some(time.with_timezone(&Utc)),
            // Some leave out the zone.
            Err(_) => {
                let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
                Some(time.and_utc())
            }
        }
    }
}

fn result(test: &DiagnosticTest, state: &str, figures: &Figures<'_>) -> Value {
    match test {
        DiagnosticTest::Ping { .. } => ping(state, figures),
        DiagnosticTest::Traceroute { .. } => {
            json!({ "test": "traceroute", "state": state, "hops": hops(figures) })
        }
        DiagnosticTest::DownloadSpeed { .. } => {
            speed("download_speed", state, figures.number("TestBytesReceived"), figures)
        }
        DiagnosticTest::UploadSpeed { bytes, .. } => {
            // TR-143 counts the file, and has no figure of its own for it.
            let sent = figures.number("TestBytesSent").filter(|sent| *sent > 0);
            speed("upload_speed", state, sent.or(Some(u64::from(*bytes))), figures)
        }
    }
}

fn ping(state: &str, figures: &Figures<'_>) -> Value {
    let success = figures.number("SuccessCount");
    // Without an answer the times are those of an earlier test, or 0.
    let time = |name: &str| figures.milliseconds(name).filter(|_| success != Some(0));
    json!({
        "test": "ping",
        "state": state,
        "success": success,
        "failure": figures.number("FailureCount"),
        "average_ms": time("AverageResponseTime"),
        "minimum_ms": time("MinimumResponseTime"),
        "maximum_ms": time("MaximumResponseTime"),
    })
}

fn hops(figures: &Figures<'_>) -> Vec<Value> {
    let number =
        |name: &str| name.strip_prefix("RouteHops.")?.split_once('.')?.0.parse::<u32>().ok();
    let rows: BTreeSet<u32> = figures.0.keys().filter_map(|name| number(name)).collect();
    let hop = |row: u32| {
        // TR-098 says HopHost where TR-181 says Host.
        let cell = |name: &str| match figures.text(&format!("RouteHops.{row}.{name}")) {
            "" => figures.text(&format!("RouteHops.{row}.Hop{name}")),
            text => text,
        };
        let times = cell("RTTimes").split(',').filter_map(|time| time.trim().parse().ok());
        json!({
            "host": cut(cell("Host")),
            "address": cut(cell("HostAddress")),
            "error": cell("ErrorCode").parse::<u32>().ok(),
            "rtt_ms": times.take(MAX_HOPS).collect::<Vec<u32>>(),
        })
    };
    rows.into_iter().take(MAX_HOPS).map(hop).collect()
}

/// TR-143 4.3: the bytes over the time from the first to the last of them.
fn speed(test: &str, state: &str, bytes: Option<u64>, figures: &Figures<'_>) -> Value {
    let [rom, bom, eom] = ["ROMTime", "BOMTime", "EOMTime"].map(|name| figures.time(name));
    let micros = bom.zip(eom).and_then(|(bom, eom)| (eom - bom).num_microseconds());
    let seconds = micros.filter(|micros| *micros > 0).map(|micros| micros as f64 / 1e6);
    let rate = |(bytes, seconds): (u64, f64)| bytes as f64 * 8.0 / seconds / 1e6;
    json!({
        "test": test,
        "state": state,
        "bytes": bytes,
        "seconds": seconds,
        "mbit_per_s": bytes.zip(seconds).map(rate).map(|rate| (rate * 1e3).round() / 1e3),
        "rom_time": rom,
        "bom_time": bom,
        "eom_time": eom,
    })
}

#[cfg(test)]
mod tests;
