//! CWMP over TLS, and client certificates as identity (TR-069 3.4.4, facts H12, U7).

use std::net::SocketAddr;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use reqwest::{Client, Identity, RequestBuilder};
use serde_json::json;

use super::device;
use crate::harness::Muster;
use crate::harness::cpe::{Cpe, inform};
use crate::harness::kit::Api;

/// A client that believes any server, and shows this certificate.
fn client(identity: Option<String>) -> Client {
    let builder = Client::builder().tls_danger_accept_invalid_certs(true);
    match identity {
        None => builder.build().unwrap(),
        Some(pem) => builder.identity(Identity::from_pem(pem.as_bytes()).unwrap()).build().unwrap(),
    }
}

fn post(client: &Client, to: SocketAddr, serial: &str) -> RequestBuilder {
    let body = inform(serial, &["2 PERIODIC"]);
    client.post(format!("https://{to}/")).header("Content-Type", "text/xml").body(body)
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Device CA");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A device's certificate and key, as one PEM text.
fn certificate(authority: &Authority, common_name: &str) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    format!("{}{}", certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_self_made_certificate_serves_at_once_and_basic_is_offered_under_it() {
    let mut muster = Muster::start(&[("MUSTER_ACS__TLS", "self-made")]).await;
    let client = client(None);
    let asked = post(&client, muster.cwmp, "TLS1").send().await.unwrap();
    assert_eq!(asked.status(), 401);
    let offers: Vec<&str> = asked
        .headers()
        .get_all("www-authenticate")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert_eq!(offers.len(), 3, "{offers:?}");
    assert!(offers[0].contains("MD5") && offers[1].contains("SHA-256"), "{offers:?}");
    assert!(offers[2].starts_with("Basic "), "{offers:?}");

    let (user, password) = muster.enrolment();
    let wrong = post(&client, muster.cwmp, "TLS1").basic_auth(&user, Some("wrong"));
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    let right = post(&client, muster.cwmp, "TLS1").basic_auth(&user, Some(&password));
    let reply = right.send().await.unwrap();
    assert_eq!(reply.status(), 200);
    let cookie = reply.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("Secure") && cookie.contains("HttpOnly"), "{cookie}");
    assert!(reply.text().await.unwrap().contains("InformResponse"));

    let cookie = cookie.split(';').next().unwrap();
    let url = format!("https://{}/", muster.cwmp);
    let reply = client.post(url).header("Cookie", cookie).send().await.unwrap();
    assert_eq!(reply.status(), 200, "the session goes on");
    assert!(reply.text().await.unwrap().contains("SetParameterValues"));
    assert_eq!(device(&mut muster, "TLS1").await["auth"], "enrolment");

    let mut in_clear = Cpe::connect(muster.cwmp).await;
    in_clear.send(b"POST / HTTP/1.1\r\nHost: acs\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    assert!(in_clear.read().await.is_none(), "no HTTP where TLS is due");
}

#[tokio::test]
async fn a_client_certificate_is_the_device_that_it_names_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    let ours = authority();
    std::fs::write(&file, ours.pem()).unwrap();
    let settings =
        [("MUSTER_ACS__TLS", "self-made"), ("MUSTER_ACS__TLS_CLIENT_CA", file.to_str().unwrap())];
    let mut muster = Muster::start(&settings).await;
    let to = muster.cwmp;

    // OUI-Serial, and OUI-ProductClass-Serial with what is not plain as %XX.
    for common_name in ["E48D8C-CERT1", "E48D8C-hAP%20ac%C2%B2-CERT1"] {
        let client = client(Some(certificate(&ours, common_name)));
        let reply = post(&client, to, "CERT1").send().await.unwrap();
        assert_eq!(reply.status(), 200, "{common_name}");
        assert_eq!(device(&mut muster, "CERT1").await["auth"], "certificate");
    }
    // U7: another's certificate, though it is good, and though the credential would be.
    let (user, password) = muster.enrolment();
    for common_name in ["E48D8C-CERT1", "E48D8D-CERT2", "CERT2", "E48D8C-CERT2-CERT2"] {
        let client = client(Some(certificate(&ours, common_name)));
        let request = post(&client, to, "CERT2").basic_auth(&user, Some(&password));
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status(), 403, "{common_name}");
        assert!(reply.text().await.unwrap().contains("another device"));
    }
    assert!(muster.log().contains("the certificate names"), "it is in the log");
    let items = muster.get("/api/v1/devices").await["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 1, "nothing was stored of it");

    // A certificate of nobody we trust ends the handshake; none at all is asked for a password.
    let foreign = client(Some(certificate(&authority(), "E48D8C-CERT3")));
    assert!(post(&foreign, to, "CERT3").send().await.is_err());
    let reply = post(&client(None), to, "CERT3").send().await.unwrap();
    assert_eq!(reply.status(), 401);
}

#[tokio::test]
async fn a_client_certificate_takes_the_claim_that_wants_a_credential_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    let ours = authority();
    std::fs::write(&file, ours.pem()).unwrap();
    let settings = [
        ("MUSTER_ACS__TLS", "self-made"),
        ("MUSTER_ACS__TLS_CLIENT_CA", file.to_str().unwrap()),
        ("MUSTER_ZERO_TOUCH__UNKNOWN", "quarantine"),
    ];
    let mut muster = Muster::start(&settings).await;
    let api = Api::of(&mut muster);
    let body = json!({ "serial": "CERT1", "own_credential": true, "customer": "4711" });
    let (status, made) = api.call("POST", "/api/v1/claims", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    let client = client(Some(certificate(&ours, "E48D8C-CERT1")));
    let reply = post(&client, muster.cwmp, "CERT1").send().await.unwrap();
    assert_eq!(reply.status(), 200);
    let device = device(&mut muster, "CERT1").await;
    assert!(device["quarantined_at"].is_null(), "{device}");
    assert_eq!(device["customer"], "4711");
}
