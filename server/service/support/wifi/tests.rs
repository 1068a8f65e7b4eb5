#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::service::support::seen::sample;

fn read(parameters: &[(&str, &str)]) -> Vec<Network> {
    let (document, counters) = sample(parameters);
    networks(&Seen::new(document, counters, &[]))
}

const ROUTEROS: &[(&str, &str)] = &[
    ("Device.WiFi.Radio.1.OperatingFrequencyBand", "5GHz"),
    ("Device.WiFi.Radio.1.Channel", "36"),
    ("Device.WiFi.SSID.3.SSID", "Attic"),
    ("Device.WiFi.SSID.3.Enable", "1"),
    ("Device.WiFi.SSID.3.LowerLayers", "Device.WiFi.Radio.1"),
    ("Device.WiFi.SSID.7.SSID", "uplink to tower 7"),
    ("Device.WiFi.AccessPoint.12.SSIDReference", "Device.WiFi.SSID.3."),
    ("Device.WiFi.AccessPoint.12.Enable", "1"),
    ("Device.WiFi.AccessPoint.12.Security.ModeEnabled", "WPA2-Personal"),
    ("Device.WiFi.AccessPoint.12.Security.KeyPassphrase", ""),
];

#[test]
fn an_access_point_gives_a_network_and_an_uplink_does_not() {
    let networks = read(ROUTEROS);
    assert_eq!(networks.len(), 1, "{networks:?}");
    let attic = &networks[0];
    assert_eq!((attic.network.as_str(), attic.name.as_str()), ("3", "Attic"));
    assert_eq!((attic.band.as_deref(), attic.channel), (Some("5 GHz"), Some(36)));
    assert!(attic.enabled && attic.may_rename && attic.may_set_password);
    let password = "Device.WiFi.AccessPoint.12.Security.KeyPassphrase";
    assert_eq!(attic.password_parameter.as_deref(), Some(password));
    assert!(attic.holds(password) && attic.holds("Device.WiFi.SSID.3.SSID"));
    assert!(!attic.holds("Device.WiFi.SSID.3.Enable"));
}

#[test]
fn a_network_without_one_password_for_all_offers_none() {
    for (mode, protection) in [
        ("None", Protection::Open),
        ("WPA2-Enterprise", Protection::Other),
        ("WEP-128", Protection::Other),
        ("WPA-WPA2-Personal", Protection::Password),
        ("X_MIKROTIK_Specific", Protection::Password),
    ] {
        let mut parameters = ROUTEROS.to_vec();
        parameters.push(("Device.WiFi.AccessPoint.12.Security.ModeEnabled", mode));
        let network = read(&parameters).remove(0);
        assert_eq!(network.protection, protection, "{mode}");
        let password = protection == Protection::Password;
        assert_eq!(network.password_parameter.is_some(), password, "{mode}");
        assert_eq!(network.may_set_password, password, "{mode}");
    }
}

#[test]
fn tr098_has_its_networks_elsewhere() {
    let wlan = |row: u32, name: &str| {
        format!("InternetGatewayDevice.LANDevice.1.WLANConfiguration.{row}.{name}")
    };
    let names = [
        (wlan(1, "SSID"), "Cellar"),
        (wlan(1, "Channel"), "6"),
        (wlan(1, "Enable"), "1"),
        (wlan(1, "BeaconType"), "WPAand11i"),
        (wlan(1, "KeyPassphrase"), ""),
        (wlan(1, "PreSharedKey.1.KeyPassphrase"), ""),
        (wlan(5, "SSID"), "Guests"),
        (wlan(5, "Channel"), "44"),
        (wlan(5, "Enable"), "0"),
        (wlan(5, "BeaconType"), "Basic"),
        (wlan(5, "BasicEncryptionModes"), "None"),
        (wlan(5, "KeyPassphrase"), ""),
    ];
    let parameters: Vec<(&str, &str)> =
        names.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let networks = read(&parameters);
    let [cellar, guests] = &networks[..] else { panic!("{networks:?}") };
    assert_eq!((cellar.network.as_str(), cellar.name.as_str()), ("1-1", "Cellar"));
    assert_eq!(cellar.band.as_deref(), Some("2.4 GHz"));
    assert_eq!(cellar.password_parameter, Some(wlan(1, "PreSharedKey.1.KeyPassphrase")));
    assert_eq!((guests.network.as_str(), guests.enabled), ("1-5", false));
    assert_eq!(guests.protection, Protection::Open);
    assert_eq!(guests.band.as_deref(), Some("5 GHz"));
    assert_eq!(guests.password_parameter, None);
}

fn written(change: &Change) -> Result<Vec<(String, String)>, String> {
    let network = read(ROUTEROS).remove(0);
    match parameters(&network, change) {
        Ok(list) => Ok(list.into_iter().map(|p| (p.name, p.value)).collect()),
        Err(Error::Invalid { pointer, .. }) => Err(pointer),
        Err(other) => Err(other.to_string()),
    }
}

fn name(name: &str) -> Change {
    Change { name: Some(name.to_owned()), password: None }
}

fn password(password: &str) -> Change {
    Change { name: None, password: Some(password.to_owned()) }
}

#[test]
fn only_the_name_and_the_password_are_written() {
    let both = Change { password: Some("kamo-tiru".to_owned()), ..name("Bērziņi") };
    let expected = [
        ("Device.WiFi.SSID.3.SSID", "Bērziņi"),
        ("Device.WiFi.AccessPoint.12.Security.KeyPassphrase", "kamo-tiru"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(written(&both).unwrap(), expected);
    let unchanged = Change { password: Some("kamo-tiru".to_owned()), ..name("Attic") };
    assert_eq!(written(&unchanged).unwrap(), expected[1..]);
    assert_eq!(written(&name("Attic")), Err(String::new()));
    assert_eq!(written(&Change::default()), Err(String::new()));
}

#[test]
fn names_and_passwords_have_their_limits() {
    let ok = |change: Change| written(&change).is_ok();
    assert!(ok(name("x")) && ok(name(&"x".repeat(32))) && ok(name("Zvaigzne 7 \u{2605}")));
    for bad in ["", " x", "x ", "x\n", "x\0y", &"x".repeat(33), &"ā".repeat(17)] {
        assert_eq!(written(&name(bad)), Err("/name".to_owned()), "{bad:?}");
    }
    assert!(ok(password("12345678")) && ok(password(&"x".repeat(63))) && ok(password("a b ~ c!")));
    let key = "0".repeat(64);
    for bad in ["", "1234567", " 12345678", "12345678 ", "parole\u{101}parole", "12345\t678", &key]
    {
        assert_eq!(written(&password(bad)), Err("/password".to_owned()), "{bad:?}");
    }
}

#[test]
fn what_may_not_be_changed_is_not() {
    let network =
        Network { may_rename: false, may_set_password: false, ..read(ROUTEROS).remove(0) };
    for change in [name("Other"), password("kamo-tiru")] {
        assert!(matches!(parameters(&network, &change), Err(Error::Denied(_))));
    }
}

#[test]
fn a_role_allows_some_names_and_long_passwords() {
    let allowed_names = vec!["Home*".to_owned(), "Guest".to_owned()];
    let network = Network { allowed_names, min_password: 12, ..read(ROUTEROS).remove(0) };
    let said = |change: Change| match parameters(&network, &change) {
        Ok(list) => list.len().to_string(),
        Err(Error::Invalid { pointer, message }) => format!("{pointer} {message}"),
        Err(other) => other.to_string(),
    };
    for good in [name("Home 7"), name("Guest"), password("twelve chars")] {
        assert_eq!(said(good), "1");
    }
    let why = "/name your role allows: Home*, Guest (* stands for any text)";
    assert_eq!(said(name("My Home")), why);
    assert!(said(password("eleven char")).starts_with("/password 12 to 63 letters"));
    // It is no change, so it needs no leave.
    let kept = Change { password: Some("twelve chars".to_owned()), ..name("Attic") };
    assert_eq!(said(kept), "1");
}

#[test]
fn a_password_that_is_made_up_can_be_told_and_taken() {
    assert_eq!(readable(&[0; 64], 8), "baba-baba-baba-baba");
    let mut random = [0; 64];
    random[..16].copy_from_slice(&[1, 4, 15, 3, 0, 0, 7, 9, 255, 254, 31, 100, 8, 8, 2, 1]);
    assert_eq!(readable(&random, 19), "duzo-bamu-zuza-nofe");
    assert_eq!(readable(&random, 20), "duzo-bamu-zuza-nofe-baba");
    for least in LEAST_WIFI_PASSWORD..=MOST_WIFI_PASSWORD {
        assert!(check_password(&readable(&random, least), least).is_ok(), "{least}");
    }
}
