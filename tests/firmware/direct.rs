//! Inspections over a direct connection: of a board that is played here, behind TLS.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use muster::net::tls::{self_made, server_config};
use muster::net::{ServeOptions, bind, serve};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::Muster;
use crate::harness::kit::{Api, device_path, raw_device};
use crate::harness::session::{ADMIN, Session};

const SERIAL: &str = "BOARD1";
const PASSWORD: &str = "heron-walks-home-22";

/// The REST service of a board; it ends with the test.
struct Board {
    port: u16,
    fingerprint: String,
    _stop: DropGuard,
}

impl Board {
    /// With these packages.
    async fn start(serial: &str, packages: Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = self_made(dir.path(), &["router.lan".to_owned()]).unwrap();
        let certificate = CertificateDer::from_pem_file(&files.certificate).unwrap();
        let tls = server_config(&files, None).unwrap();
        let tcp = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let port = tcp.local_addr().unwrap().port();
        let stop = CancellationToken::new();
        let router = router(serial, packages);
        tokio::spawn(serve(tcp, Some(tls), router, options(), stop.clone()));
        let fingerprint = hex::encode(Sha256::digest(certificate.as_ref()));
        Self { port, fingerprint, _stop: stop.drop_guard() }
    }

    /// The variables with which it is asked.
    fn login(&self) -> Value {
        json!({
            "rest_user": "muster",
            "rest_password": PASSWORD,
            "rest_fingerprint": self.fingerprint,
            "rest_port": self.port,
        })
    }
}

fn options() -> ServeOptions {
    let long = Duration::from_secs(600);
    ServeOptions {
        name: "test",
        max_connections: 10,
        max_connections_per_address: 10,
        header_read_timeout: long,
        idle_timeout: long,
        tls_handshake_timeout: long,
        title_case_headers: true,
        half_close: true,
        drain: Duration::ZERO,
    }
}

/// What a board answers to who knows its password; device-mode it does not have.
fn router(serial: &str, packages: Value) -> Router {
    let board = json!({
        "routerboard": "true", "model": "C52iG-5HaxD2HaxD", "serial-number": serial,
        "current-firmware": "7.15", "upgrade-firmware": "7.16.1",
    });
    let resource = json!({ "architecture-name": "arm64", "board-name": "hAP ax^2" });
    let said = [("package", packages), ("resource", resource), ("routerboard", board)];
    let good = format!("Basic {}", STANDARD.encode(format!("muster:{PASSWORD}")));
    let answer = move |menu: &str, headers: &HeaderMap| {
        if headers.get(AUTHORIZATION).is_none_or(|given| *given != *good) {
            return (StatusCode::UNAUTHORIZED, json!({ "error": 401 }).to_string());
        }
        let found = said.iter().find(|(name, _)| *name == menu);
        let none = json!({ "error": 400, "detail": "no such command or directory" });
        found.map_or((StatusCode::BAD_REQUEST, none.to_string()), |(_, said)| {
            (StatusCode::OK, said.to_string())
        })
    };
    let answer = Arc::new(answer);
    let handler = move |Path(menu): Path<String>, headers: HeaderMap| {
        let answer = Arc::clone(&answer);
        async move { answer(&menu, &headers) }
    };
    Router::new().route("/rest/system/{menu}", get(handler))
}

fn packages() -> Value {
    json!([
        { ".id": "*1", "name": "routeros", "version": "7.16.1", "disabled": "false" },
        { ".id": "*2", "name": "wifi-qcom", "version": "7.16.1", "disabled": "true" },
        { ".id": "*3", "name": "calea", "version": "", "available": "true" },
    ])
}

async fn wants(api: &Api, variables: Value) {
    let path = format!("{}/desired", device_path(SERIAL));
    api.send("PATCH", &path, json!({ "variables": variables })).await;
}

/// Asks the board, which must be in vain; gives the reason.
async fn refused(api: &Api) -> String {
    let path = format!("{}/inspect", device_path(SERIAL));
    let (status, _, why) = api.refused("POST", &path, Some(json!({ "via": "direct" }))).await;
    assert_eq!(status, 409, "{why}");
    assert!(!why.contains(PASSWORD), "{why}");
    why
}

async fn is_nowhere(muster: &Muster, secret: &str) {
    assert!(!muster.log().contains(secret), "in the log");
    assert!(!muster.whole_database().await.contains(secret), "in the database");
}

#[tokio::test]
async fn a_board_that_can_be_called_tells_what_is_installed() {
    let (muster, api) = raw_device(SERIAL).await;
    let why = refused(&api).await;
    for name in ["rest_user", "rest_password", "rest_fingerprint"] {
        assert!(why.contains(name), "{why}");
    }
    let board = Board::start(SERIAL, packages()).await;
    wants(&api, board.login()).await;
    let inspect = format!("{}/inspect", device_path(SERIAL));
    // Where it is called, nobody but the device says.
    let aimed = json!({ "via": "direct", "address": "127.0.0.1" });
    assert!(api.call("POST", &inspect, Some(aimed)).await.0 >= 400);
    let told = api.send("POST", &inspect, json!({ "via": "direct" })).await;
    assert!(told["script"].is_null() && told["log"].is_null(), "{told}");
    let known = api.get(&format!("{}/packages", device_path(SERIAL))).await;
    assert_eq!(told["packages"], known);
    assert!(known["source"] == "rest" && known["assumed"] == false, "{known}");
    let package = |name, enabled| json!({ "name": name, "version": "7.16.1", "enabled": enabled });
    let expected = json!([package("routeros", true), package("wifi-qcom", false)]);
    assert_eq!(known["packages"], expected);
    assert!(known["booter_current"] == "7.15" && known["booter_upgrade"] == "7.16.1", "{known}");
    assert!(known["device_mode"].is_null(), "{known}");
    assert!(api.events(SERIAL).await.contains(&"inspected".to_owned()));
    let kept = api.get("/api/v1/audit?action=device.inspect").await;
    assert_eq!(kept["items"][0]["after"]["via"], "direct", "{kept}");
    assert!(!told.to_string().contains(PASSWORD));
    // The page of the device has a button for it.
    let id = api.get(&device_path(SERIAL)).await["device_id"].as_str().unwrap().to_owned();
    let page = format!("/devices/{id}");
    let mut admin = Session::opened(&muster, ADMIN).await;
    let asked = admin.post(&format!("{page}/inspect/direct"), &[]).await;
    assert_eq!((asked.status, asked.location()), (303, page.as_str()), "{asked:?}");
    let told = admin.get(&page).await;
    assert!(told.body.contains("The device told what is installed."), "{}", told.body);
    is_nowhere(&muster, PASSWORD).await;
}

#[tokio::test]
async fn who_is_not_the_board_is_told_nothing_and_not_believed() {
    let (muster, api) = raw_device(SERIAL).await;
    let board = Board::start(SERIAL, packages()).await;
    let mut login = board.login();
    login["rest_fingerprint"] = json!("ab".repeat(32));
    wants(&api, login.clone()).await;
    let why = refused(&api).await;
    assert!(why.contains("rest_fingerprint") && why.contains(&board.fingerprint), "{why}");

    login = board.login();
    login["rest_password"] = json!("not-the-password");
    wants(&api, login).await;
    let why = refused(&api).await;
    assert!(why.contains("refuses `rest_user` or `rest_password`"), "{why}");

    let other = Board::start("BOARD2", packages()).await;
    wants(&api, other.login()).await;
    let why = refused(&api).await;
    assert!(why.contains("another device answers") && why.contains("BOARD2"), "{why}");

    let large = json!([{ "name": "x".repeat(1 << 20), "version": "7.16.1" }]);
    let endless = Board::start(SERIAL, large).await;
    wants(&api, endless.login()).await;
    let why = refused(&api).await;
    assert!(why.contains("more than 1048576 bytes"), "{why}");

    let known = api.get(&format!("{}/packages", device_path(SERIAL))).await;
    assert!(known["source"].is_null(), "{known}");
    for secret in [PASSWORD, "not-the-password"] {
        is_nowhere(&muster, secret).await;
    }
}
