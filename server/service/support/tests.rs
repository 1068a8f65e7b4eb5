#![expect(clippy::unwrap_used, reason = "tests")]

use uuid::Uuid;

use super::*;
use crate::service::support::seen::sample;

const SSID: &str = "Device.WiFi.SSID.1.SSID";
const KEY: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

fn device() -> Device {
    Device {
        device_id: Uuid::from_u128(7),
        manufacturer: "MikroTik".to_owned(),
        oui: "E48D8C".to_owned(),
        product_class: "hAP ac²".to_owned(),
        serial: "S1".to_owned(),
        root: Some("Device.".to_owned()),
        namespace: "urn:dslforum-org:cwmp-1-0".to_owned(),
        model: Some("RBD52G".to_owned()),
        arch: None,
        identity: Some("attic".to_owned()),
        hardware_version: None,
        software_version: Some("7.16.1".to_owned()),
        provisioning_code: None,
        parameter_key: None,
        connection_request_url: Some("http://192.0.2.9:7547/abc".to_owned()),
        methods: None,
        auth: "device".to_owned(),
        site: None,
        tags: Vec::new(),
        first_inform: at(0),
        last_inform: at(95),
        last_boot: None,
        last_bootstrap: None,
        events: "2 PERIODIC".to_owned(),
        remote_addr: "203.0.113.5/32".parse().unwrap(),
        retry_count: 0,
        next_due: None,
        refreshed_at: Some(at(50)),
        reenrol_asked_at: None,
        customer: None,
        quarantined_at: None,
        quarantine_reason: None,
    }
}

fn stored() -> Stored {
    let (document, counters) = sample(&[
        (SSID, "Attic"),
        ("Device.WiFi.AccessPoint.1.SSIDReference", "Device.WiFi.SSID.1."),
        (KEY, ""),
        ("Device.WiFi.AccessPoint.1.AssociatedDevice.7.MACAddress", "00:00:5E:00:53:01"),
        ("Device.WiFi.AccessPoint.1.AssociatedDevice.7.SignalStrength", "-50"),
        ("Device.DeviceInfo.UpTime", "1200"),
    ]);
    let secrets = vec![Named { name: KEY.to_owned(), learned_at: at(10) }];
    Stored { document, counters: Some((counters, at(60))), secrets, jobs: Vec::new() }
}

fn view_with(policy: SupportPolicy) -> View {
    view_by([policy])
}

fn view_by(policies: impl IntoIterator<Item = SupportPolicy>) -> View {
    View::of(device(), &Policies::from_iter(policies), stored(), at(85), at(100))
}

#[test]
fn an_agent_sees_what_is_known() {
    let view = view_with(SupportPolicy::default());
    assert_eq!((view.name.as_str(), view.model.as_str()), ("attic", "hAP ac² (RBD52G)"));
    assert_eq!(view.version.as_deref(), Some("7.16.1"));
    assert!(view.online);
    assert_eq!((view.started_at, view.read_at), (Some(at(40)), Some(at(50))));
    assert_eq!(view.internet.address.as_deref(), Some("192.0.2.9"));
    let network = view.network("1").unwrap();
    assert_eq!(network.password_known_since, Some(at(10)));
    assert!(network.may_rename && network.may_set_password);
    assert_eq!(view.clients.len(), 1);
    assert!(matches!(view.network("2"), Err(Error::Invalid { .. })));
}

#[test]
fn what_is_hidden_is_neither_seen_nor_changed() {
    let hidden = [
        "Device.DeviceInfo.",
        "Device.ManagementServer.ConnectionRequestURL",
        "Device.WiFi.AccessPoint.{i}.Security.KeyPassphrase",
        "Device.WiFi.AccessPoint.{i}.AssociatedDevice.",
    ];
    let hidden = hidden.map(str::to_owned).to_vec();
    let view = view_with(SupportPolicy { hidden, ..SupportPolicy::default() });
    assert_eq!((view.name.as_str(), view.model.as_str()), ("S1", "hAP ac²"));
    assert_eq!((view.version.as_ref(), view.started_at), (None, None));
    assert_eq!(view.internet, Internet::default());
    assert!(view.clients.is_empty());
    let network = view.network("1").unwrap();
    assert_eq!(network.password_parameter, None);
    assert!(network.password_known_since.is_none() && !network.may_set_password);
    assert!(network.may_rename);
}

#[test]
fn a_role_may_show_without_letting_change() {
    let read_only = vec![SSID.to_owned()];
    let view = view_with(SupportPolicy { read_only, ..SupportPolicy::default() });
    let network = view.network("1").unwrap();
    assert!(!network.may_rename && network.may_set_password && network.name == "Attic");
    let view = view_with(SupportPolicy { allow_wifi: false, ..SupportPolicy::default() });
    let network = view.network("1").unwrap();
    assert!(!network.may_rename && !network.may_set_password);
    assert!(network.password_known_since.is_some(), "it may still be told");
}

#[test]
fn a_second_role_adds_what_it_lets_and_no_more() {
    let shipped = SupportPolicy::default;
    let homes =
        SupportPolicy { wifi_names: vec!["Home*".to_owned()], min_wifi_password: 12, ..shipped() };
    let alone = view_with(homes.clone());
    let network = alone.network("1").unwrap();
    assert_eq!(
        (network.allowed_names.as_slice(), network.min_password),
        (&homes.wifi_names[..], 12)
    );
    // What lets no name be changed says nothing of names, and so with passwords.
    for (other, password) in [
        (SupportPolicy { allow_wifi: false, ..shipped() }, 12),
        (SupportPolicy { hidden: vec![SSID.to_owned()], ..shipped() }, 8),
        (SupportPolicy { read_only: vec![SSID.to_owned()], ..shipped() }, 8),
    ] {
        let both = view_by([other, homes.clone()]);
        let network = both.network("1").unwrap();
        assert!(network.may_rename && network.may_set_password);
        assert_eq!(network.allowed_names, homes.wifi_names);
        assert_eq!(network.min_password, password);
    }
    let both = view_by([homes, shipped()]);
    assert!(both.network("1").unwrap().allowed_names.is_empty(), "any");
}

#[test]
fn addresses_are_taken_from_urls() {
    assert_eq!(host_of("http://192.0.2.9:7547/x"), Some(IpAddr::from([192, 0, 2, 9])));
    assert_eq!(host_of("http://[2001:db8::9]:7547/x"), "2001:db8::9".parse().ok());
    assert_eq!(host_of("http://router.example/"), None);
    assert_eq!(host_of("nonsense"), None);
}
