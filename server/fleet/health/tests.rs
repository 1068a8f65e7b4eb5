#![expect(clippy::unwrap_used, reason = "tests")]
use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::fleet::reading;
use crate::rollout::plan::Checks;
use crate::store::parameters::Document;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(100_000 + minutes)
}

fn read(parameters: &[(&str, &str)]) -> Sample {
    let (document, counters) = reading::sample(parameters);
    Sample::read(&document, Some(&counters), Some("7.16.1"), at(0))
}

const ROUTEROS: &[(&str, &str)] = &[
    ("Device.DeviceInfo.X_MIKROTIK_AutosupoutTime", "0001-01-01T00:00:00Z"),
    ("Device.DeviceInfo.UpTime", "3600"),
    ("Device.DeviceInfo.MemoryStatus.Total", "262144"),
    ("Device.DeviceInfo.MemoryStatus.Free", "131072"),
    ("Device.DeviceInfo.ProcessStatus.CPUUsage", "7"),
    ("Device.DHCPv4.Client.1.DHCPStatus", "Bound"),
    ("Device.DHCPv4.Client.1.IPAddress", "100.64.0.1"),
    ("Device.IP.Interface.1.Status", "Up"),
    ("Device.IP.Interface.1.IPv4Address.3.IPAddress", "100.64.0.1"),
    ("Device.Ethernet.Interface.1.X_MIKROTIK_LinkDowns", "2"),
    ("Device.Ethernet.Interface.2.X_MIKROTIK_LinkDowns", "1"),
    ("Device.Cellular.Interface.1.X_MIKROTIK_LinkDowns", "4"),
    ("Device.WiFi.Radio.1.Status", "Up"),
    ("Device.WiFi.Radio.2.Status", "Up"),
    ("Device.WiFi.AccessPoint.1.AssociatedDevice.167.MACAddress", "5C:1D:D9:00:00:A7"),
    ("Device.WiFi.AccessPoint.1.AssociatedDevice.167.SignalStrength", "-60"),
    ("Device.WiFi.AccessPoint.2.AssociatedDevice.168.MACAddress", "5C:1D:D9:00:00:A8"),
    ("Device.WiFi.AccessPoint.2.AssociatedDevice.168.SignalStrength", "-71"),
    // Of a client that is gone there is a counter still.
    ("Device.WiFi.AccessPoint.2.AssociatedDevice.172.SignalStrength", "-90"),
];

#[test]
fn a_sample_is_what_routeros_tells() {
    let sample = read(ROUTEROS);
    assert_eq!(sample.version.as_deref(), Some("7.16.1"));
    assert_eq!(sample.crash.as_deref(), Some("0001-01-01T00:00:00Z"));
    assert_eq!((sample.uptime, sample.cpu), (Some(3_600), Some(7)));
    assert_eq!(sample.memory_free_percent, Some(50.0));
    assert_eq!((sample.wan_up, sample.link_downs), (Some(true), Some(7)));
    assert_eq!((sample.radios, sample.clients), (Some(2), Some(2)));
    assert_eq!(sample.signal, Some(-65.5));
    let stored = serde_json::to_value(&sample).unwrap();
    assert_eq!(serde_json::from_value::<Sample>(stored).unwrap(), sample);
}

#[test]
fn a_sample_of_tr098_and_one_of_nothing() {
    let lan = "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1";
    let client = format!("{lan}.AssociatedDevice.1.AssociatedDeviceMACAddress");
    let ssid = format!("{lan}.SSID");
    let wan = "InternetGatewayDevice.WANDevice.1.WANConnectionDevice.1.WANIPConnection.1";
    let (status, address) = (format!("{wan}.ConnectionStatus"), format!("{wan}.ExternalIPAddress"));
    let sample = read(&[
        ("InternetGatewayDevice.DeviceInfo.UpTime", "5"),
        (ssid.as_str(), "Attic"),
        (client.as_str(), "00:00:5E:00:53:01"),
        (status.as_str(), "Connected"),
        (address.as_str(), "203.0.113.7"),
    ]);
    assert_eq!((sample.uptime, sample.wan_up), (Some(5), Some(true)));
    assert_eq!((sample.radios, sample.clients, sample.signal), (Some(1), Some(1), None));
    let nothing = Sample::read(&Document::new(), None, None, at(0));
    assert_eq!(nothing, Sample { at: at(0), ..Sample::default() });
}

/// A device of before, well, with clients.
fn before() -> Sample {
    Sample { link_downs: Some(3), clients: Some(10), ..read(ROUTEROS) }
}

fn looked(sample: Option<&Sample>) -> Looked<'_> {
    Looked {
        now: at(20),
        changed_at: at(10),
        expected: Some("7.16.1"),
        version: Some("7.16.1 (stable)"),
        last_inform: at(19),
        inform_interval: Some(300),
        listening_since: at(-1_000),
        last_boot: Some(at(9)),
        sample: sample.map(|sample| (sample, at(15))),
    }
}

fn verdict(now: &Sample) -> Verdict {
    judge(&Checks::default(), Some(&before()), &looked(Some(now)))
}

#[test]
fn a_device_that_is_as_before_is_well_and_each_check_says_what_it_saw() {
    let verdict = verdict(&Sample { uptime: Some(360), ..before() });
    assert!(verdict.healthy && verdict.words().is_empty(), "{verdict:?}");
    assert_eq!(verdict.checks.len(), 11);
    assert!(verdict.checks.iter().all(|seen| seen.ok == Some(true) && !seen.words.is_empty()));
}

#[test]
fn each_check_finds_what_it_looks_for_and_says_the_numbers() {
    let base = || Sample { uptime: Some(360), ..before() };
    for (check, now, words) in [
        (
            Check::Crash,
            Sample { crash: Some("2026-11-22T10:00:00Z".to_owned()), ..base() },
            "crashed: wrote a crash file at 2026-11-22T10:00:00Z",
        ),
        (
            Check::Wan,
            Sample { wan_up: Some(false), ..base() },
            "its way to the Internet is down, and was up",
        ),
        (
            Check::Cpu,
            Sample { cpu: Some(48), ..base() },
            "processor load: 48 %, was 7 %; at most 47 % would be fine",
        ),
        (
            Check::Memory,
            Sample { memory_free_percent: Some(24.9), ..base() },
            "free memory: 24.9 %, was 50 %; at least 25 % would be fine",
        ),
        (
            Check::LinkDowns,
            Sample { link_downs: Some(7), ..base() },
            "links lost since: 4; 3 would be fine",
        ),
        (
            Check::Radios,
            Sample { radios: Some(0), ..base() },
            "radios: 0, was 2; at least 2 would be fine",
        ),
        (
            Check::Signal,
            Sample { signal: Some(-75.6), ..base() },
            "signal of its Wi-Fi clients: -75.6 dBm, was -65.5 dBm; at least -75.5 dBm would be fine",
        ),
        (
            Check::Clients,
            Sample { clients: Some(3), ..base() },
            "Wi-Fi clients: 3, was 10; at least 4 would be fine",
        ),
    ] {
        let verdict = verdict(&now);
        assert!(!verdict.healthy && verdict.fails(check), "{check:?}");
        assert_eq!(verdict.words(), words);
        // Whoever looks for nothing finds nothing.
        let off = Checks {
            missed_informs: None,
            crash: false,
            uptime: false,
            wan: false,
            cpu_points: None,
            memory_percent: None,
            link_downs: None,
            radios: false,
            signal_db: None,
            clients_percent: None,
        };
        let nothing = Looked { expected: None, ..looked(Some(&now)) };
        assert!(judge(&off, Some(&before()), &nothing).checks.is_empty());
    }
}

#[test]
fn limits_are_within_what_is_fine() {
    for now in [
        Sample { cpu: Some(47), ..before() },
        Sample { memory_free_percent: Some(25.0), ..before() },
        Sample { link_downs: Some(6), ..before() },
        // The ports count anew since the start.
        Sample { link_downs: Some(1), ..before() },
        Sample { signal: Some(-75.5), ..before() },
        Sample { clients: Some(4), ..before() },
        Sample { radios: Some(3), ..before() },
    ] {
        assert!(verdict(&now).healthy, "{now:?}");
    }
    let count = Sample { link_downs: Some(4), ..before() };
    let more = Sample { link_downs: Some(9), ..before() };
    assert!(judge(&Checks::default(), Some(&more), &looked(Some(&count))).fails(Check::LinkDowns));
}

#[test]
fn what_is_not_known_is_said_and_not_held_against_it() {
    let bare = Sample { at: at(15), ..Sample::default() };
    for (before, now) in [
        (None, Some(before())),
        (None, None),
        (Some(before()), None),
        (Some(before()), Some(bare.clone())),
        (Some(bare), Some(before())),
        (
            Some(Sample { wan_up: Some(false), clients: Some(4), ..before() }),
            Some(Sample { wan_up: Some(false), clients: Some(0), ..before() }),
        ),
    ] {
        let verdict = judge(&Checks::default(), before.as_ref(), &looked(now.as_ref()));
        assert!(verdict.healthy, "{before:?} {now:?}: {}", verdict.words());
        assert!(verdict.checks.iter().all(|seen| !seen.words.is_empty()));
    }
    let unread = judge(&Checks::default(), Some(&before()), &looked(None));
    let wan = unread.checks.iter().find(|seen| seen.check == Check::Wan).unwrap();
    assert_eq!(
        (wan.ok, wan.words.as_str()),
        (None, "its way to the Internet: not read since the change")
    );
}

#[test]
fn the_old_version_and_silence_are_seen_without_a_reading() {
    let back = Looked { version: Some("7.12.1"), ..looked(None) };
    let verdict = judge(&Checks::default(), None, &back);
    assert_eq!(verdict.words(), "runs 7.12.1 instead of 7.16.1");
    let mut silent = Looked { last_inform: at(3), ..looked(None) };
    let verdict = judge(&Checks::default(), None, &silent);
    assert_eq!(verdict.words(), "has not informed for 17 min; 16 min would be fine");
    silent.inform_interval = Some(3_600);
    assert!(judge(&Checks::default(), None, &silent).healthy);
    // Muster itself was away.
    let deaf = Looked { last_inform: at(-600), listening_since: at(18), ..looked(None) };
    assert!(judge(&Checks::default(), None, &deaf).healthy);
}

#[test]
fn a_start_that_is_told_again_is_no_restart() {
    let sample = |uptime| Sample { uptime: Some(uptime), ..before() };
    let told_again = |now: &Sample, read_at: i64| {
        let looked =
            Looked { last_boot: Some(at(14)), sample: Some((now, at(read_at))), ..looked(None) };
        judge(&Checks::default(), Some(&before()), &looked)
    };
    // Up since six minutes before it was read: it started before the change was noted.
    assert!(told_again(&sample(360), 15).healthy);
    assert_eq!(told_again(&sample(60), 15).words(), "restarted by itself 4 min after the change");
    // What was read before says nothing of it, nor does a device without the time.
    assert!(told_again(&sample(360), 13).fails(Check::Uptime));
    assert!(told_again(&Sample { uptime: None, ..before() }, 15).fails(Check::Uptime));
}

#[test]
fn times_are_said_as_people_say_them() {
    for (seconds, words) in [
        (-5, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "119 min"),
        (7_260, "2 h 1 min"),
        (180_000, "2 d 2 h"),
    ] {
        assert_eq!(span(TimeDelta::seconds(seconds)), words);
    }
}
