//! Something of everything that the dashboard can show, and where that is.

use chrono::{TimeDelta, Utc};
use serde_json::json;

use super::{Net, SSID, made};
use crate::harness::kit::device_path;
use crate::harness::session::{ADMIN, Session};

pub(super) const DEVICES: u32 = 6;
/// The role `support` that comes with Muster.
const SUPPORT: &str = "00000000-0000-4000-8000-000000000005";

/// What a page's pictures are called, and where it is.
pub(super) type Stop = (&'static str, String);

/// The id of a device.
pub(super) async fn id(net: &Net, serial: &str) -> String {
    let device = net.api.get(&device_path(serial)).await;
    device["device_id"].as_str().unwrap().to_owned()
}

/// Makes something of everything; gives all pages that there are then, first that which needs no
/// log-in.
pub(super) async fn furnish(net: &Net) -> Vec<Stop> {
    let serial = net.with_wifi().serial;
    let mut stops = of_lists();
    stops.extend(places(net).await);
    stops.extend(work(net, &serial).await);
    stops.extend(groups(net, &serial).await);
    stops.extend(people(net).await);
    stops.extend(of_device(net, &serial).await);
    remember(net, &net.fleet.serial(DEVICES - 1)).await;
    stops
}

/// Pages without a thing of their own.
fn of_lists() -> Vec<Stop> {
    let stops = [
        ("login", "/login"),
        ("overview", "/"),
        ("devices", "/devices"),
        ("devices-found", "/devices?q=model+~+%22cAP*%22&cols=identity,online,site"),
        ("devices-none", "/devices?q=serial+%3D+nobody"),
        ("devices-mistake", "/devices?q=modle+%3D+hAP"),
        ("jobs", "/jobs"),
        ("jobs-failed", "/jobs?state=failed"),
        ("jobs-none", "/jobs?state=expired"),
        ("files", "/files"),
        ("sites", "/sites"),
        ("site-new", "/sites/new?in=eu.lv"),
        ("groups", "/groups"),
        ("group-new", "/groups/new"),
        ("users", "/users"),
        ("user-new", "/users/new"),
        ("roles", "/roles"),
        ("role-new", "/roles/new"),
        ("tokens", "/tokens"),
        ("token-new", "/tokens/new"),
        ("audit", "/audit"),
        ("audit-none", "/audit?text=never"),
        ("system", "/system"),
        ("account", "/account"),
        ("password", "/password"),
        ("search", "/search?q=MikroTik"),
        ("search-none", "/search?q=nobody"),
        ("support", "/support"),
        ("offline", "/offline"),
        ("nothing", "/nothing"),
    ];
    stops.into_iter().map(|(name, path)| (name, path.to_owned())).collect()
}

/// A tree of sites, and devices in it.
async fn places(net: &Net) -> Vec<Stop> {
    let mut site = String::new();
    for (path, name) in [("eu", "Europe"), ("eu.lv", "Latvia"), ("eu.lv.riga", "Riga")] {
        let windows = json!([{ "days": ["tue", "thu"], "from": "02:00", "minutes": 120 }]);
        let body = json!({
            "path": path, "name": name, "time_zone": "Europe/Riga", "windows": windows,
            "variables": { "vlan": 7 },
        });
        site = made(&net.api, "/api/v1/sites", body, "site_id").await;
    }
    for index in 0..DEVICES {
        let tags = if index < 2 { json!(["trial", "office"]) } else { json!([]) };
        let place = if index % 2 == 0 { "eu.lv.riga" } else { "eu.lv" };
        let body = Some(json!({ "site": place, "tags": tags }));
        let path = device_path(&net.fleet.serial(index));
        assert_eq!(net.api.call("PATCH", &path, body).await.0, 200);
    }
    vec![("site", format!("/sites/{site}"))]
}

/// Jobs in every state that lasts, a file that the device sent, and one for devices.
async fn work(net: &Net, serial: &str) -> Vec<Stop> {
    let api = &net.api;
    let version = json!([{ "name": "Device.DeviceInfo.SoftwareVersion", "value": "9.9" }]);
    let failed = api.order(serial, json!({ "kind": "set", "parameters": version })).await;
    api.job_in(&failed, &["failed"]).await;
    let ping = json!({ "type": "ping", "host": "192.168.88.254" });
    for job in [
        json!({ "kind": "diagnose", "test": ping }),
        json!({ "kind": "upload", "file": { "type": "configuration" } }),
        json!({ "kind": "reboot" }),
    ] {
        api.done(&api.order(serial, job).await).await;
    }
    let name = json!([{ "name": SSID, "value": "Rīga guests" }]);
    let done = api.order(serial, json!({ "kind": "set", "parameters": name })).await;
    api.done(&done).await;
    let tomorrow = Utc::now() + TimeDelta::days(1);
    let waits = api.queue(serial, json!({ "kind": "refresh", "not_before": tomorrow })).await;
    let file = api.store("guests.rsc", b"/system identity print\n").await;
    vec![
        ("job-failed", format!("/jobs/{failed}")),
        ("job-done", format!("/jobs/{done}")),
        ("job-waits", format!("/jobs/{waits}")),
        ("file", format!("/files/{file}")),
    ]
}

/// A group of either kind, and a view.
async fn groups(net: &Net, serial: &str) -> Vec<Stop> {
    let api = &net.api;
    let selector = json!({ "name": "old ones", "selector": "version < 7.16 and not tag = spare" });
    let found = made(api, "/api/v1/groups", selector, "group_id").await;
    let list = json!({ "name": "office", "description": "Those that nobody misses" });
    let listed = made(api, "/api/v1/groups", list, "group_id").await;
    let member = format!("/api/v1/groups/{listed}/devices/{}", id(net, serial).await);
    assert_eq!(api.call("PUT", &member, None).await.0, 204);
    let mut admin = Session::opened(&net.muster, ADMIN).await;
    let view = [("name", "Trial in Riga"), ("q", "site under eu.lv.riga and tag = trial")];
    assert_eq!(admin.post("/devices/views", &view).await.status, 303);
    vec![("group-found", format!("/groups/{found}")), ("group-listed", format!("/groups/{listed}"))]
}

/// A user with a role, and a program with a token.
async fn people(net: &Net) -> Vec<Stop> {
    let api = &net.api;
    let rights = json!(["read", "operate"]);
    let role = json!({ "name": "technician", "description": "On the road", "rights": rights });
    let role = made(api, "/api/v1/roles", role, "role_id").await;
    let grants = json!([{ "role_id": role }]);
    let user = json!({ "login": "ann", "display_name": "Ann A.", "grants": grants });
    let user = made(api, "/api/v1/users", user, "user_id").await;
    let token = json!({ "name": "billing", "scopes": ["read"] });
    made(api, "/api/v1/tokens", token, "token").await;
    vec![
        ("user", format!("/users/{user}")),
        ("role", format!("/roles/{role}")),
        ("role-support", format!("/roles/{SUPPORT}")),
    ]
}

/// Pages of one device.
async fn of_device(net: &Net, serial: &str) -> Vec<Stop> {
    let sessions = net.api.get(&format!("{}/sessions", device_path(serial))).await;
    let session = sessions["items"][0]["session_id"].as_str().unwrap();
    let id = id(net, serial).await;
    let servers = "Device.DNS.Client.Server.";
    let at = |end: &str| format!("/devices/{id}{end}");
    vec![
        ("device", at("")),
        ("device-timeline", at("/timeline")),
        ("device-parameters", at("/parameters")),
        ("device-parameters-found", at("/parameters?q=wifi+ssid")),
        ("device-parameters-branch", at("/parameters?at=Device.WiFi.SSID.1.")),
        ("device-parameter", at(&format!("/parameters/edit?name={SSID}"))),
        ("device-row-new", at(&format!("/parameters/add?object={servers}"))),
        ("device-row-delete", at("/parameters/delete?object=Device.WiFi.SSID.1.")),
        ("device-diagnose", at("/diagnose")),
        ("device-sessions", at("/sessions")),
        ("device-session", at(&format!("/sessions/{session}"))),
        ("device-jobs", at("/jobs")),
        ("device-files", at("/files")),
        ("device-script", at("/script")),
        ("device-placement", at("/placement")),
        ("support-device", format!("/support/{id}")),
        ("support-wifi", format!("/support/{id}?edit=1")),
        ("support-restart", format!("/support/{id}/reboot")),
    ]
}

/// The day before, which a test cannot wait for; and a device that has not been heard of since.
async fn remember(net: &Net, silent: &str) {
    sqlx::query(
        "insert into fleet_samples (at, devices, online, fresh, faulted, informs)
         select at, 6, 5 + (extract(hour from at)::int % 5 > 0)::int, 0, 1,
                12 + (9 * sin(extract(epoch from at) / 6000))::int
         from generate_series(date_trunc('minute', now()) - interval '1 day',
                              now() - interval '5 minutes', interval '1 minute') as minutes (at)
         on conflict (at) do nothing",
    )
    .execute(&net.muster.pool)
    .await
    .unwrap();
    sqlx::query(
        "update devices d set last_inform = now() - interval '3 days' from device_facts f
         where f.device_id = d.device_id and f.serial = $1",
    )
    .bind(silent)
    .execute(&net.muster.pool)
    .await
    .unwrap();
}
