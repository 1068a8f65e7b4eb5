//! The tests that a device runs itself (TR-181 `IP.Diagnostics`): ping, traceroute, download and
//! upload.
//!
//! Owns when one begins and ends, and what comes of it, which its target alone decides: names below
//! `invalid` do not resolve (RFC 6761), 192.0.2.0/24 never answers (RFC 5737), all others do. Nothing
//! is ever sent to them.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use muster_cwmp::rpc::SetParameterValues;
use tokio::time::Instant;
use url::Url;

use crate::device::Device;
use crate::model::Model;

/// How long each takes; scaled.
const TIME: Duration = Duration::from_secs(1);
/// Bytes of every file that is downloaded.
const FILE: u32 = 10_000_000;
const STATE: &str = "DiagnosticsState";
const HOPS: &str = "Device.IP.Diagnostics.TraceRoute.RouteHops.";
/// Hops that answer on the way to what does not.
const NEAR: u32 = 3;

/// One of the device's tests; each runs at most once at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    Ping,
    TraceRoute,
    Download,
    Upload,
}

impl Test {
    const ALL: [Self; 4] = [Self::Ping, Self::TraceRoute, Self::Download, Self::Upload];

    fn object(self) -> &'static str {
        match self {
            Self::Ping => "Device.IP.Diagnostics.IPPing.",
            Self::TraceRoute => "Device.IP.Diagnostics.TraceRoute.",
            Self::Download => "Device.IP.Diagnostics.DownloadDiagnostics.",
            Self::Upload => "Device.IP.Diagnostics.UploadDiagnostics.",
        }
    }

    fn name(self, parameter: &str) -> String {
        format!("{}{parameter}", self.object())
    }
}

impl Device {
    /// What the ACS has set: a test that is requested begins, any other change ends one.
    pub(crate) fn written(&mut self, call: &SetParameterValues) {
        for test in Test::ALL {
            if !call.parameters.iter().any(|p| p.name.starts_with(test.object())) {
                continue;
            }
            self.tests.retain(|(_, other)| *other != test);
            let state = test.name(STATE);
            if call.parameters.iter().any(|p| p.name == state && p.value == "Requested") {
                self.tests.push((Instant::now() + self.world.scaled(TIME), test));
            } else {
                self.model.preset(&state, "None");
            }
        }
    }

    /// Ends the tests whose time is over.
    pub(crate) fn end_tests(&mut self, now: Instant) {
        let (over, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.tests).into_iter().partition(|(at, _)| *at <= now);
        self.tests = later;
        let clock = self.now();
        for (_, test) in over {
            run(test, &mut self.model, clock);
            self.raise("8 DIAGNOSTICS COMPLETE", "");
        }
    }

    /// A device that restarts knows of no test.
    pub(crate) fn forget_tests(&mut self) {
        self.tests.clear();
        for test in Test::ALL {
            self.model.preset(&test.name(STATE), "None");
        }
    }
}

/// Why a test came to nothing: its DiagnosticsState.
type Failure = &'static str;

/// Writes what comes of a test that ends at this time.
fn run(test: Test, model: &mut Model, now: DateTime<Utc>) {
    let result = match test {
        Test::Ping => ping(model),
        Test::TraceRoute => trace_route(model),
        Test::Download => speed(model, test, "DownloadURL", FILE, now),
        Test::Upload => {
            let bytes = number(model, test, "TestFileLength");
            speed(model, test, "UploadURL", bytes, now)
        }
    };
    put(model, test, STATE, result.err().unwrap_or("Complete"));
}

fn ping(model: &mut Model) -> Result<(), Failure> {
    let test = Test::Ping;
    let far = distance(model.value(&test.name("Host")))?;
    let count = number(model, test, "NumberOfRepetitions");
    let success = if far.is_some() { count } else { 0 };
    put(model, test, "SuccessCount", &success.to_string());
    put(model, test, "FailureCount", &(count - success).to_string());
    let least = far.map_or(0, |millis| millis * 1_000);
    let most = far.map_or(0, |_| least + 700 * count.saturating_sub(1).min(2));
    for (name, micros) in [
        ("MinimumResponseTime", least),
        ("AverageResponseTime", least.midpoint(most)),
        ("MaximumResponseTime", most),
    ] {
        put(model, test, name, &(micros / 1_000).to_string());
        put(model, test, &format!("{name}Detailed"), &micros.to_string());
    }
    Ok(())
}

fn trace_route(model: &mut Model) -> Result<(), Failure> {
    let test = Test::TraceRoute;
    model.fill(HOPS, &[]);
    let host = model.value(&test.name("Host")).to_owned();
    let far = distance(&host)?;
    let (tries, most) = (number(model, test, "NumberOfTries"), number(model, test, "MaxHopCount"));
    let way = far.map(|millis| NEAR + millis % 4);
    let hops = way.unwrap_or(most).min(most);
    let rows: Vec<_> = (1..=hops).map(|hop| row(hop, way, tries, &host)).collect();
    model.fill(HOPS, &rows);
    put(model, test, "ResponseTime", &far.unwrap_or(0).to_string());
    match way {
        Some(way) if way <= most => Ok(()),
        Some(_) | None => Err("Error_MaxHopCountExceeded"),
    }
}

/// One hop on a way of so many to a host, or of none to one that does not answer.
fn row(hop: u32, way: Option<u32>, tries: u32, host: &str) -> Vec<(&'static str, String)> {
    let answers = way.is_some() || hop <= NEAR;
    let at_last = way == Some(hop);
    let address = match host.parse::<IpAddr>() {
        _ if !answers => String::new(),
        Ok(address) if at_last => address.to_string(),
        Err(_) if at_last => "203.0.113.7".to_owned(),
        Ok(_) | Err(_) if hop == 1 => "100.127.255.254".to_owned(),
        Ok(_) | Err(_) => format!("10.0.{hop}.1"),
    };
    let times: Vec<String> = (0..tries).map(|n| (2 * hop + n).to_string()).collect();
    vec![
        ("Host", if at_last { host.to_owned() } else { address.clone() }),
        ("HostAddress", address),
        ("RTTimes", if answers { times.join(",") } else { String::new() }),
    ]
}

/// A file of so many bytes to or from the host of the URL.
fn speed(
    model: &mut Model,
    test: Test,
    url: &str,
    bytes: u32,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let url = Url::parse(model.value(&test.name(url))).ok();
    let host = url.as_ref().and_then(Url::host_str).ok_or("Error_InitConnectionFailed")?;
    let millis = distance(host)?.ok_or("Error_InitConnectionFailed")?;
    // The further away, the slower: about 40 to 20 Mbit/s.
    let time = bytes / (5_000 - 50 * millis) + 1;
    let [time, far] = [time, millis].map(|millis| TimeDelta::milliseconds(i64::from(millis)));
    for (name, at) in [("ROMTime", now - time - far), ("BOMTime", now - time), ("EOMTime", now)] {
        put(model, test, name, &at.to_rfc3339_opts(SecondsFormat::Micros, true));
    }
    let verb = if test == Test::Upload { "Sent" } else { "Received" };
    for what in ["Test", "Total"] {
        put(model, test, &format!("{what}Bytes{verb}"), &bytes.to_string());
    }
    Ok(())
}

/// Milliseconds to a host and back, the same at all times; `None` = it never answers.
fn distance(host: &str) -> Result<Option<u32>, Failure> {
    let host = host.to_ascii_lowercase();
    if host.is_empty() || host == "invalid" || host.ends_with(".invalid") {
        return Err("Error_CannotResolveHostName");
    }
    if host.parse::<Ipv4Addr>().is_ok_and(|address| address.octets()[..3] == [192, 0, 2]) {
        return Ok(None);
    }
    Ok(Some(3 + host.bytes().map(u32::from).sum::<u32>() % 40))
}

fn number(model: &Model, test: Test, name: &str) -> u32 {
    model.value(&test.name(name)).parse().unwrap_or(0)
}

fn put(model: &mut Model, test: Test, name: &str, value: &str) {
    model.put(&test.name(name), value);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::profile::PROFILES;

    /// What comes of a test with these parameters.
    fn ran(test: Test, parameters: &[(&str, &str)]) -> Model {
        let mut model = Model::new(Arc::new(Catalogue::new(&PROFILES[0])));
        again(&mut model, test, parameters);
        model
    }

    fn again(model: &mut Model, test: Test, parameters: &[(&str, &str)]) {
        for (name, value) in parameters {
            put(model, test, name, value);
        }
        run(test, model, DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    }

    fn got<const N: usize>(model: &Model, test: Test, names: [&str; N]) -> [String; N] {
        names.map(|name| model.value(&test.name(name)).to_owned())
    }

    #[test]
    fn a_ping_is_answered_or_not_and_the_same_each_time() {
        let names = ["DiagnosticsState", "SuccessCount", "FailureCount"];
        let model = ran(Test::Ping, &[("Host", "192.168.88.254")]);
        assert_eq!(got(&model, Test::Ping, names), ["Complete", "4", "0"]);
        let times = [
            "MinimumResponseTimeDetailed",
            "AverageResponseTimeDetailed",
            "MaximumResponseTimeDetailed",
        ];
        let [least, average, most] = got(&model, Test::Ping, times).map(|t| t.parse::<u32>().ok());
        assert!(least < average && average < most);
        assert_eq!(most, least.map(|least| least + 1_400));
        assert_eq!(
            got(&model, Test::Ping, times),
            got(&ran(Test::Ping, &[("Host", "192.168.88.254")]), Test::Ping, times)
        );

        let model = ran(Test::Ping, &[("Host", "192.0.2.77"), ("NumberOfRepetitions", "2")]);
        assert_eq!(got(&model, Test::Ping, names), ["Complete", "0", "2"]);
        assert_eq!(got(&model, Test::Ping, times), ["0", "0", "0"]);

        let model = ran(Test::Ping, &[("Host", "nowhere.INVALID")]);
        assert_eq!(got(&model, Test::Ping, names), ["Error_CannotResolveHostName", "0", "0"]);
    }

    #[test]
    fn a_route_has_its_hops_and_no_older_ones() {
        let test = Test::TraceRoute;
        let mut model = ran(test, &[("Host", "192.0.2.1"), ("MaxHopCount", "9")]);
        let names = ["DiagnosticsState", "RouteHopsNumberOfEntries"];
        assert_eq!(got(&model, test, names), ["Error_MaxHopCountExceeded", "9"]);
        let hop = ["RouteHops.3.HostAddress", "RouteHops.3.RTTimes", "RouteHops.4.HostAddress"];
        assert_eq!(got(&model, test, hop), ["10.0.3.1", "6,7,8", ""]);

        again(&mut model, test, &[("Host", "www.example"), ("NumberOfTries", "1")]);
        let [state, hops] = got(&model, test, names);
        assert_eq!(
            (state.as_str(), model.rows(HOPS).len().to_string()),
            ("Complete", hops.clone())
        );
        let last = [format!("RouteHops.{hops}.Host"), format!("RouteHops.{hops}.HostAddress")];
        let last = got(&model, test, [last[0].as_str(), last[1].as_str()]);
        assert_eq!(last, ["www.example", "203.0.113.7"]);

        again(&mut model, test, &[("MaxHopCount", "2")]);
        assert_eq!(got(&model, test, names), ["Error_MaxHopCountExceeded", "2"]);
        again(&mut model, test, &[("Host", "x.invalid")]);
        assert_eq!(got(&model, test, names), ["Error_CannotResolveHostName", "0"]);
    }

    #[test]
    fn transfers_have_bytes_and_times_in_order() {
        let model = ran(Test::Download, &[("DownloadURL", "http://files.example/10MB")]);
        let names = ["DiagnosticsState", "TestBytesReceived", "TotalBytesReceived"];
        assert_eq!(got(&model, Test::Download, names), ["Complete", "10000000", "10000000"]);
        let times = got(&model, Test::Download, ["ROMTime", "BOMTime", "EOMTime"]);
        assert!(times.is_sorted(), "{times:?}");
        assert!(times[0] < times[1] && times[1] < times[2], "{times:?}");

        let upload = [("UploadURL", "http://files.example/put"), ("TestFileLength", "5000")];
        let names = ["DiagnosticsState", "TestBytesSent"];
        assert_eq!(got(&ran(Test::Upload, &upload), Test::Upload, names), ["Complete", "5000"]);

        for (url, state) in [
            ("http://192.0.2.1/x", "Error_InitConnectionFailed"),
            ("nonsense", "Error_InitConnectionFailed"),
            ("http://x.invalid/x", "Error_CannotResolveHostName"),
        ] {
            let model = ran(Test::Download, &[("DownloadURL", url)]);
            assert_eq!(got(&model, Test::Download, [STATE]), [state]);
        }
    }
}
