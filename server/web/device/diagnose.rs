//! Tests that the device itself runs: ordered here, with what came of the latest. The form of each is
//! that of many devices, too (`web::devices`).

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::card::{self, Card};
use super::value::ordered;
use super::{Fact, Head, Tab, look, shell};
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::jobs::spec::{DiagnosticTest, JobSpec};
use crate::service::jobs::JobFilter;
use crate::service::{devices, jobs};
use crate::web::failure::Failure;
use crate::web::form::{Complaints, Form};
use crate::web::format::size;
use crate::web::shell::Shell;
use crate::web::viewer::{Viewer, Visit};
use crate::web::views::{View, render};

/// Tests whose outcome is shown.
const LATEST: i64 = 5;
/// Bytes that are sent where nobody says how many.
const UPLOAD: u32 = 10_000_000;

/// Which test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::web) enum Kind {
    #[default]
    Ping,
    Traceroute,
    DownloadSpeed,
    UploadSpeed,
}

/// The fields of all tests: they are on one page, so each has a name of its own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Order {
    pub(in crate::web) test: Kind,
    ping_host: String,
    ping_count: Option<u32>,
    ping_size: Option<u32>,
    ping_timeout_ms: Option<u32>,
    route_host: String,
    down_url: String,
    up_url: String,
    up_bytes: Option<u32>,
}

/// What was typed, for the page to show again: `device_test.html` does.
#[derive(Debug, Clone, Serialize)]
pub(in crate::web) struct Typed {
    ping_host: String,
    ping_count: String,
    ping_size: String,
    ping_timeout_ms: String,
    route_host: String,
    down_url: String,
    up_url: String,
    up_bytes: String,
}

impl Typed {
    pub(in crate::web) fn of(order: Order) -> Self {
        let number = |n: Option<u32>, usual: u32| n.unwrap_or(usual).to_string();
        Self {
            ping_host: order.ping_host,
            ping_count: number(order.ping_count, 4),
            ping_size: number(order.ping_size, 64),
            ping_timeout_ms: number(order.ping_timeout_ms, 1_000),
            route_host: order.route_host,
            down_url: order.down_url,
            up_url: order.up_url,
            up_bytes: number(order.up_bytes, UPLOAD),
        }
    }
}

#[derive(Serialize)]
struct DiagnosePage {
    shell: Shell,
    head: Head,
    typed: Typed,
    errors: Complaints,
    cards: Vec<Card>,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Figures {
    facts: Vec<Fact>,
    /// Of a route.
    hops: Vec<Hop>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Hop {
    number: usize,
    host: String,
    address: String,
    times: String,
}

/// `GET /devices/{id}/diagnose`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, &id, Order::default(), Complaints::default()).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    id: &str,
    order: Order,
    errors: Complaints,
) -> Result<Response, Failure> {
    let (device, head) = look(app, viewer, id, Tab::Diagnose).await?;
    let filter = JobFilter {
        device: Some(device.device_id.to_string()),
        kind: Some("diagnose".to_owned()),
        limit: LATEST,
        ..JobFilter::default()
    };
    let latest = jobs::list(app, viewer.ctx(), &filter).await?;
    let detail = devices::detail(app, viewer.ctx(), id).await?;
    let mut cards = Vec::with_capacity(latest.len());
    for job in latest {
        cards.push(card::of(app, viewer, &detail, job).await?);
    }
    let wrong = errors != Complaints::default();
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let shell = shell(app, viewer, &head, "diagnostics");
    let page = DiagnosePage { shell, head, typed: Typed::of(order), errors, cards };
    Ok((status, render(View::DeviceDiagnose, &page)?).into_response())
}

/// `POST /devices/{id}/diagnose`
pub(super) async fn order(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Order>,
) -> Result<Response, Failure> {
    let spec = job(&sent);
    match jobs::create(&app, viewer.ctx(), &id, ordered(spec)).await {
        Ok((job, _)) => card::answer(&app, &viewer, &visit, job).await,
        // Said as a message, which leaves what was typed where it is.
        Err(error) if visit.htmx => Err(error.into()),
        Err(error) => {
            let errors = complaints(sent.test, error)?;
            shown(&app, &viewer, &id, sent, errors).await
        }
    }
}

/// The job that a form asks for.
pub(in crate::web) fn job(sent: &Order) -> JobSpec {
    JobSpec::Diagnose { test: test(sent) }
}

/// Its test; what is left out is the usual.
fn test(sent: &Order) -> DiagnosticTest {
    let trimmed = |text: &str| text.trim().to_owned();
    match sent.test {
        Kind::Ping => DiagnosticTest::Ping {
            host: trimmed(&sent.ping_host),
            count: sent.ping_count.unwrap_or(4),
            size: sent.ping_size.unwrap_or(64),
            timeout_ms: sent.ping_timeout_ms.unwrap_or(1_000),
        },
        Kind::Traceroute => DiagnosticTest::Traceroute {
            host: trimmed(&sent.route_host),
            tries: 3,
            size: 64,
            timeout_ms: 1_000,
            max_hops: 30,
        },
        Kind::DownloadSpeed => DiagnosticTest::DownloadSpeed { url: trimmed(&sent.down_url) },
        Kind::UploadSpeed => DiagnosticTest::UploadSpeed {
            url: trimmed(&sent.up_url),
            bytes: sent.up_bytes.unwrap_or(UPLOAD),
        },
    }
}

/// What is wrong, at the field of the form: a job's pointer is `/test/host`, its field `ping_host`.
pub(in crate::web) fn complaints(kind: Kind, error: Error) -> Result<Complaints, Error> {
    let prefix = match kind {
        Kind::Ping => "ping",
        Kind::Traceroute => "route",
        Kind::DownloadSpeed => "down",
        Kind::UploadSpeed => "up",
    };
    match error {
        Error::Invalid { pointer, message } => match pointer.strip_prefix("/test/") {
            Some(field) => Ok(Complaints::field(&format!("{prefix}_{field}"), message)),
            None => Ok(Complaints::whole(message)),
        },
        other => Complaints::of(other, &[]),
    }
}

/// What came of a test, of what its job keeps; `None` for any other job.
pub(super) fn figures(result: &Value) -> Option<Figures> {
    match result["test"].as_str()? {
        "ping" => Some(Figures { facts: ping(result), hops: Vec::new() }),
        "traceroute" => {
            let hops: Vec<Hop> = result["hops"].as_array()?.iter().enumerate().map(hop).collect();
            let whole = result["state"] != "Error_MaxHopCountExceeded";
            let end = if whole { "the host was reached" } else { "the host is further away" };
            let facts = vec![fact("Hops", hops.len().to_string()), fact("End", end.to_owned())];
            Some(Figures { facts, hops })
        }
        "download_speed" | "upload_speed" => {
            Some(Figures { facts: speed(result), hops: Vec::new() })
        }
        _ => None,
    }
}

fn fact(label: &'static str, value: String) -> Fact {
    Fact { label, value }
}

fn ping(result: &Value) -> Vec<Fact> {
    let count = |field: &str| result[field].as_u64();
    let answered = count("success").map(|success| {
        let sent = success.saturating_add(count("failure").unwrap_or(0));
        format!("{success} of {sent}")
    });
    let time = |field: &str| result[field].as_f64().map(milliseconds).unwrap_or_default();
    vec![
        fact("Answered", answered.unwrap_or_default()),
        fact("Average", time("average_ms")),
        fact("Fastest", time("minimum_ms")),
        fact("Slowest", time("maximum_ms")),
    ]
}

fn speed(result: &Value) -> Vec<Fact> {
    let rate = result["mbit_per_s"].as_f64().map(|rate| format!("{rate:.1} Mbit/s"));
    let bytes = result["bytes"].as_i64().map(size);
    let seconds = result["seconds"].as_f64().map(|seconds| format!("{seconds:.2} s"));
    vec![
        fact("Speed", rate.unwrap_or_else(|| "not told".to_owned())),
        fact("Transferred", bytes.unwrap_or_default()),
        fact("Took", seconds.unwrap_or_default()),
    ]
}

fn hop((index, hop): (usize, &Value)) -> Hop {
    let text = |field: &str| hop[field].as_str().unwrap_or_default().to_owned();
    let times = hop["rtt_ms"].as_array().into_iter().flatten();
    let times: Vec<String> = times.filter_map(Value::as_f64).map(milliseconds).collect();
    Hop {
        number: index + 1,
        host: text("host"),
        address: text("address"),
        times: if times.is_empty() { "no answer".to_owned() } else { times.join(", ") },
    }
}

/// With one digit where that says something.
fn milliseconds(ms: f64) -> String {
    if ms.fract() == 0.0 { format!("{ms:.0} ms") } else { format!("{ms:.1} ms") }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, Value)> {
    use super::samples::job;
    use crate::web::views::sample;
    use serde_json::json;

    let tested = |result: Value| {
        let test = json!({ "type": "ping", "host": "192.0.2.1" });
        let mut job = job("done", json!({ "kind": "diagnose", "test": test }));
        job.result = Some(result);
        card::sample(job)
    };
    let route = json!([{ "host": "<x-evil>", "address": "192.0.2.1", "rtt_ms": [1, 2] }]);
    let cards = vec![
        tested(json!({ "test": "ping", "success": 4, "failure": 0, "average_ms": 12.34 })),
        tested(json!({ "test": "traceroute", "state": "Complete", "hops": route })),
    ];
    let page = |errors: Complaints, cards: Vec<Card>| DiagnosePage {
        shell: Shell::sample(),
        head: Head::sample(),
        typed: Typed::of(Order { ping_host: "<x-evil>".to_owned(), ..Order::default() }),
        errors,
        cards,
    };
    vec![
        sample(View::DeviceDiagnose, &page(Complaints::default(), Vec::new())),
        sample(View::DeviceDiagnose, &page(Complaints::field("ping_host", "<x-evil>"), cards)),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn told(result: Value) -> Vec<String> {
        let figures = figures(&result).unwrap();
        figures.facts.iter().map(|fact| format!("{}: {}", fact.label, fact.value)).collect()
    }

    #[test]
    fn figures_are_told_as_people_read_them() {
        assert_eq!(
            told(json!({
                "test": "ping", "success": 3, "failure": 1, "average_ms": 12.345,
                "minimum_ms": 9.0, "maximum_ms": null,
            })),
            ["Answered: 3 of 4", "Average: 12.3 ms", "Fastest: 9 ms", "Slowest: "]
        );
        assert_eq!(
            told(json!({
                "test": "download_speed", "bytes": 1_048_576, "seconds": 0.5,
                "mbit_per_s": 16.777,
            })),
            ["Speed: 16.8 Mbit/s", "Transferred: 1.0 MiB", "Took: 0.50 s"]
        );
        assert_eq!(told(json!({ "test": "upload_speed" }))[0], "Speed: not told");
    }

    #[test]
    fn a_route_is_told_hop_by_hop() {
        let hops = json!([
            { "host": "gw", "address": "192.0.2.1", "error": 0, "rtt_ms": [1, 2, 1] },
            { "host": "", "address": "", "error": null, "rtt_ms": [] },
        ]);
        let route =
            json!({ "test": "traceroute", "state": "Error_MaxHopCountExceeded", "hops": hops });
        let told = figures(&route).unwrap();
        let times: Vec<&str> = told.hops.iter().map(|hop| hop.times.as_str()).collect();
        assert_eq!(times, ["1 ms, 2 ms, 1 ms", "no answer"]);
        assert_eq!(told.hops[1].number, 2);
        assert_eq!(told.facts[1].value, "the host is further away");
    }

    #[test]
    fn other_results_have_no_figures() {
        for other in [json!(null), json!({ "status": "applied" }), json!({ "test": "nslookup" })] {
            assert_eq!(figures(&other), None);
        }
    }

    #[test]
    fn what_is_wrong_stands_at_the_field_of_its_test() {
        let host = complaints(Kind::Traceroute, Error::invalid("/test/host", "bad")).unwrap();
        assert_eq!(host, Complaints::field("route_host", "bad"));
        let busy = complaints(Kind::Ping, Error::Conflict("busy".to_owned())).unwrap();
        assert_eq!(busy, Complaints::whole("busy"));
    }

    #[test]
    fn what_is_left_out_is_the_usual() {
        let sent = Order { ping_host: " 192.0.2.1 ".to_owned(), ..Order::default() };
        let host = "192.0.2.1".to_owned();
        let usual = DiagnosticTest::Ping { host, count: 4, size: 64, timeout_ms: 1_000 };
        assert_eq!(test(&sent), usual);
        assert!(JobSpec::Diagnose { test: usual }.validate().is_ok());
    }
}
