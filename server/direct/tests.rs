//! The rules without a device; `tests/firmware/direct.rs` has one.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use ipnet::IpNet;
use muster_routeros::inspect::Installed;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::said::{inspection, serial};
use super::{Asked, Login, address, inspect};
use crate::acs::wake_client::WakePolicy;
use crate::fleet::secret::is_secret;
use crate::fleet::variables::Variables;

const PATIENCE: Duration = Duration::from_millis(50);

fn login(port: &Value) -> Result<Login, String> {
    let variables = json!({
        "rest_user": "muster",
        "rest_password": "hunter22",
        "rest_fingerprint": "AB:".repeat(31) + "ab",
        "rest_port": port,
    });
    Login::of(&serde_json::from_value(variables).unwrap())
}

/// Loopback may be called.
fn lab() -> WakePolicy {
    let loopback: IpNet = "127.0.0.0/8".parse().unwrap();
    WakePolicy { allowed: vec![loopback], ..WakePolicy::default() }
}

#[test]
fn a_login_says_which_variables_are_missing_and_shows_no_secret() {
    let why = Login::of(&Variables::default()).unwrap_err();
    for name in ["rest_user", "rest_password", "rest_fingerprint"] {
        assert!(why.contains(name), "{why}");
    }
    assert!(is_secret("rest_password"), "it is sealed and masked");
    let good = login(&json!(8443)).unwrap();
    assert_eq!((good.port, good.fingerprint), (8443, [0xab; 32]));
    assert!(!format!("{good:?}").contains("hunter22"));
    assert_eq!(login(&json!("444")).unwrap().port, 444);
    for port in [json!(0), json!(65_536), json!("x"), json!(-1)] {
        assert!(login(&port).unwrap_err().contains("rest_port"), "{port}");
    }
    let short = json!({ "rest_user": "a", "rest_password": "b", "rest_fingerprint": "abcd" });
    let why = Login::of(&serde_json::from_value(short).unwrap()).unwrap_err();
    assert!(why.contains("64 hex digits"), "{why}");
}

#[tokio::test]
async fn only_where_devices_may_be_is_called() {
    let of = async |url| address::of(url, &WakePolicy::default()).await;
    assert_eq!(of(Some("http://192.0.2.7:7547/x")).await.unwrap().to_string(), "192.0.2.7");
    assert_eq!(of(Some("http://10.1.2.3/")).await.unwrap().to_string(), "10.1.2.3");
    for url in [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest",
        "http://localhost/",
        "http://0.0.0.0/",
    ] {
        let why = of(Some(url)).await.unwrap_err();
        assert!(why.contains("wake.allowed_networks"), "{url}: {why}");
    }
    for url in [None, Some(""), Some("here")] {
        assert!(of(url).await.is_err(), "{url:?}");
    }
    assert!(address::of(Some("http://127.0.0.1/"), &lab()).await.is_ok());
}

#[tokio::test]
async fn a_silent_device_is_told_in_words() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let login = login(&json!(silent.local_addr().unwrap().port())).unwrap();
    let asked = Asked { url: Some("http://127.0.0.1:7547/x"), serial: "S1" };
    let why = inspect(asked, &login, &lab(), PATIENCE).await.unwrap_err();
    assert!(why.contains("did not answer within 0.05 s"), "{why}");
}

#[test]
fn what_a_board_answers_is_what_the_script_would_have_told() {
    let packages = json!([
        { ".id": "*1", "name": "routeros", "version": "7.18", "disabled": "false" },
        { ".id": "*2", "name": "zerotier", "version": "7.18", "disabled": "true" },
        { ".id": "*3", "name": "calea", "version": "", "available": "true", "disabled": "true" },
    ]);
    let resource = json!({ "architecture-name": "arm64", "board-name": "hAP ax^2" });
    let board = json!({ "model": "C52iG-5HaxD2HaxD", "serial-number": "HE1", "current-firmware":
        "7.16", "upgrade-firmware": "7.18" });
    let mode = json!({ "mode": "home", "allowed-versions": "7.13+,6.49.8+" });
    let said = inspection(&packages, &resource, Some(&board), Some(&mode)).unwrap();
    let package = |name: &str, enabled| Installed {
        name: name.to_owned(),
        version: "7.18".to_owned(),
        enabled,
    };
    assert_eq!(said.packages, [package("routeros", true), package("zerotier", false)]);
    assert_eq!(said.board.as_deref(), Some("C52iG-5HaxD2HaxD"));
    assert_eq!(said.arch.as_deref(), Some("arm64"));
    assert_eq!(said.booter_current.as_deref(), Some("7.16"));
    assert_eq!(said.booter_upgrade.as_deref(), Some("7.18"));
    assert_eq!(said.device_mode.as_deref(), Some("home"));
    assert_eq!(said.allowed_versions.as_deref(), Some("7.13+,6.49.8+"));
    assert_eq!(serial(&board).as_deref(), Some("HE1"));

    let any = json!({ "mode": "home", "allowed-versions": "7.13+", "install-any-version": "yes" });
    let said = inspection(&packages, &resource, None, Some(&any)).unwrap();
    assert_eq!(said.allowed_versions.as_deref(), Some("any"));
    assert_eq!((said.board.as_deref(), said.booter_current), (Some("hAP ax^2"), None));
    let said = inspection(&packages, &resource, None, None).unwrap();
    assert_eq!((said.device_mode, said.allowed_versions), (None, None));
}

#[test]
fn a_list_that_cannot_be_right_is_none() {
    let row = |name: &str| json!({ "name": name, "version": "7.18" });
    let of = |packages: Value| inspection(&packages, &json!({}), None, None);
    let many = |count: usize| Value::from_iter((0..count).map(|n| row(&format!("p{n}"))));
    assert!(of(json!([row("routeros")])).is_some() && of(many(200)).is_some());
    for bad in [
        json!({}),
        json!("x"),
        json!([]),
        json!([row("routeros"), row("routeros")]),
        json!([row("")]),
        json!([row("a\u{7}")]),
        json!([row(&"x".repeat(257))]),
        json!([{ "version": "7.18" }]),
        many(201),
    ] {
        assert!(of(bad.clone()).is_none(), "{bad}");
    }
}
