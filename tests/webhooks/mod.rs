//! Webhooks: what happens reaches who is to be told, signed, once it can, and never goes where it
//! must not.

mod attempts;
mod events;
mod people;
mod receiver;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::kit::{Api, device_path};
use crate::harness::{Muster, eventually};

/// Receivers of tests are on this host.
const SETTINGS: &[(&str, &str)] =
    &[("MUSTER_ACS__AUTH", "none"), ("MUSTER_NOTIFY__ALLOWED_NETWORKS", "127.0.0.0/8")];

async fn server() -> (Muster, Api) {
    let mut muster = Muster::start(SETTINGS).await;
    let api = Api::of(&mut muster);
    (muster, api)
}

/// Makes a webhook; gives its id and its secret.
async fn hook(
    api: &Api,
    name: &str,
    url: &str,
    kinds: &[&str],
    site: Option<&str>,
) -> (String, String) {
    let body = json!({ "name": name, "url": url, "kinds": kinds, "site": site });
    let (status, made) = api.call("POST", "/api/v1/webhooks", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    (text("webhook_id"), text("secret"))
}

/// What a webhook was told, newest first.
async fn told(api: &Api, webhook_id: &str) -> Vec<Value> {
    let page = api.get(&format!("/api/v1/webhooks/{webhook_id}/deliveries")).await;
    page["items"].as_array().unwrap().clone()
}

/// The newest delivery of a webhook, once that is so.
async fn newest(api: &Api, webhook_id: &str, what: &str, is_so: fn(&Value) -> bool) -> Value {
    eventually(what, || async { told(api, webhook_id).await.into_iter().next().filter(is_so) })
        .await
}

async fn device_id(api: &Api, serial: &str) -> Uuid {
    let device = api.get(&device_path(serial)).await;
    device["device_id"].as_str().unwrap().parse().unwrap()
}
