//! Something of everything that the dashboard can show, and where that is.

use chrono::{TimeDelta, Utc};
use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use muster_sim::packages;
use serde_json::json;

use super::{Net, SSID, wanted};
use crate::harness::eventually;
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
    stops.extend(wanted::furnish(net, &serial).await);
    stops.extend(bench(net).await);
    stops.extend(releases(net).await);
    stops.extend(people(net).await);
    stops.extend(rollouts(net).await);
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
        (
            "jobs-ended",
            "/jobs?state=failed%2Cexpired&time=finished&since=2026-01-01T00%3A00%3A00Z&newest=yes",
        ),
        ("files", "/files"),
        ("rollouts", "/rollouts"),
        ("rollouts-none", "/rollouts?state=rolled_back"),
        ("rollout-new", "/rollouts/new?selector=online"),
        ("rollout-new-script", "/rollouts/new?what=script"),
        ("rollout-new-parameters", "/rollouts/new?what=parameters"),
        ("rollout-new-template", "/rollouts/new?what=template"),
        ("releases", "/releases"),
        ("releases-older", "/releases?before=5.1"),
        ("releases-year", "/releases?over=year"),
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
        ("account-token-new", "/account/tokens/new"),
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
        site = net.api.made("/api/v1/sites", body, "site_id").await;
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
    let found = api.made("/api/v1/groups", selector, "group_id").await;
    let list = json!({ "name": "office", "description": "Those that nobody misses" });
    let listed = api.made("/api/v1/groups", list, "group_id").await;
    let member = format!("/api/v1/groups/{listed}/devices/{}", id(net, serial).await);
    assert_eq!(api.call("PUT", &member, None).await.0, 204);
    let mut admin = Session::opened(&net.muster, ADMIN).await;
    let view = [("name", "Trial in Riga"), ("q", "site under eu.lv.riga and tag = trial")];
    assert_eq!(admin.post("/devices/views", &view).await.status, 303);
    let views = api.get("/api/v1/views").await;
    assert_eq!(views["items"], json!([]), "it is not shared");
    let view: String = sqlx::query_scalar("select view_id::text from saved_views")
        .fetch_one(&net.muster.pool)
        .await
        .unwrap();
    vec![
        ("group-found", format!("/groups/{found}")),
        ("group-listed", format!("/groups/{listed}")),
        ("view", format!("/devices/views/{view}")),
    ]
}

/// A release that devices run, and one that was withdrawn.
async fn releases(net: &Net) -> Vec<Stop> {
    for (version, names) in [
        (RosVersion::release(7, 16, 1), &["routeros", "tr069-client", "wifi-qcom"][..]),
        (RosVersion::release(7, 15, 3), &["routeros"][..]),
    ] {
        for (name, arch) in names.iter().flat_map(|n| [(n, Arch::Arm), (n, Arch::Arm64)]) {
            let (file, content) = packages::file(name, &version, arch, 1_000);
            let path = format!("/api/v1/releases/packages?name={file}");
            let sent = net.api.request("POST", &path).body(content).send().await.unwrap();
            assert_eq!(sent.status(), 201);
        }
    }
    let withdrawn = json!({ "withdrawn": "hAP ac2 reboots", "notes": "Not before June" });
    let path = "/api/v1/releases/7.15.3";
    assert_eq!(net.api.call("PATCH", path, Some(withdrawn)).await.0, 200);
    vec![
        ("release", "/releases/7.16.1".to_owned()),
        ("release-withdrawn", "/releases/7.15.3".to_owned()),
    ]
}

/// A user with a role, and a program with a token.
async fn people(net: &Net) -> Vec<Stop> {
    let api = &net.api;
    let rights = json!(["read", "operate"]);
    let role = json!({ "name": "technician", "description": "On the road", "rights": rights });
    let role = api.made("/api/v1/roles", role, "role_id").await;
    let grants = json!([{ "role_id": role }]);
    let user = json!({ "login": "ann", "display_name": "Ann A.", "grants": grants });
    let user = api.made("/api/v1/users", user, "user_id").await;
    let token = json!({ "name": "billing", "scopes": ["read"] });
    api.made("/api/v1/tokens", token, "token").await;
    vec![
        ("user", format!("/users/{user}")),
        ("role", format!("/roles/{role}")),
        ("role-support", format!("/roles/{SUPPORT}")),
    ]
}

/// A rollout that has stopped by itself, and a draft.
async fn rollouts(net: &Net) -> Vec<Stop> {
    let api = &net.api;
    // What no device lets be set.
    let version = json!([{ "name": "Device.DeviceInfo.SoftwareVersion", "value": "9.9" }]);
    let mut fields = json!({
        "name": "version in trial", "description": "To see what becomes of it",
        "change": { "kind": "parameters", "parameters": version },
        "audience": { "selector": "tag = trial" },
        "plan": { "error": { "percent": null, "count": 1 }, "heed_windows": false },
    });
    let paused = api.made("/api/v1/rollouts", fields.clone(), "rollout_id").await;
    let path = format!("/api/v1/rollouts/{paused}");
    let (status, started) = api.call("POST", &format!("{path}/start"), None).await;
    assert_eq!(status, 200, "{started}");
    eventually("the rollout has stopped", || async {
        let rollout = api.found(&path).await?;
        (rollout["state"] == "paused").then_some(())
    })
    .await;
    fields["name"] = json!("version of all");
    fields["audience"]["selector"] = json!("online");
    let draft = api.made("/api/v1/rollouts", fields, "rollout_id").await;
    let of = |id: &str, end: &str| format!("/rollouts/{id}{end}");
    vec![
        ("rollout", of(&paused, "")),
        ("rollout-devices", of(&paused, "/devices")),
        ("rollout-devices-none", of(&paused, "/devices?state=healthy")),
        ("rollout-story", of(&paused, "/story")),
        ("rollout-draft", of(&draft, "")),
        ("rollout-dry-run", of(&draft, "/dry-run")),
        ("rollout-edit", of(&draft, "/edit")),
    ]
}

/// Pages of one device.
async fn of_device(net: &Net, serial: &str) -> Vec<Stop> {
    let sessions = net.api.get(&format!("{}/sessions", device_path(serial))).await;
    let session = sessions["items"][0]["session_id"].as_str().unwrap();
    let id = id(net, serial).await;
    cannot_undo(net, serial).await;
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
        ("device-rollouts", at("/rollouts")),
        ("device-script", at("/script")),
        ("device-placement", at("/placement")),
        ("support-device", format!("/support/{id}")),
        ("support-wifi", format!("/support/{id}?edit=1")),
        ("support-restart", format!("/support/{id}/reboot")),
    ]
}

/// One that undoes no script, and a script that none undoes.
async fn cannot_undo(net: &Net, serial: &str) {
    sqlx::query(
        "insert into device_packages (device_id, packages, device_mode, source, learned_at)
         select device_id, '[]', 'home', 'script', now() from device_facts where serial = $1
         on conflict (device_id) do update set device_mode = excluded.device_mode",
    )
    .bind(serial)
    .execute(&net.muster.pool)
    .await
    .unwrap();
    net.api.store("everything.rsc", "# all of it\n".repeat(6_000).as_bytes()).await;
}

/// The day before, which a test cannot wait for; and a device that has not been heard of since.
async fn remember(net: &Net, silent: &str) {
    sqlx::query(
        "insert into fleet_samples (at, devices, online, fresh, faulted, informs, versions)
         select at, 6, 5 + (extract(hour from at)::int % 5 > 0)::int, 0, 1,
                12 + (9 * sin(extract(epoch from at) / 6000))::int,
                case when extract(minute from at) = 0
                     then jsonb_build_object('7.12.1', 5 - extract(hour from at)::int % 5, '7.16.1',
                                             extract(hour from at)::int % 5, 'other', 1) end
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

/// A bench that is armed, boards in most of their states, and what goes with it.
async fn bench(net: &Net) -> Vec<Stop> {
    let (api, pool) = (&net.api, &net.muster.pool);
    let bench_id = super::bench::bench(pool).await;
    let arm = json!({ "minutes": 60, "template": "bench-bootstrap", "any": true,
                      "accept_unverified": true, "confirm": "eth1", "accept_others": true });
    let armed = api.call("POST", &format!("/api/v1/bench/{bench_id}/arm"), Some(arm)).await;
    assert_eq!(armed.0, 200, "{}", armed.1);
    let big = ("too_big", "Not enough flash space, ignoring: 4,100 of 4,000 bytes");
    for (n, state, why) in [
        // That of a claim.
        (1, "offered", None),
        (2, "refused", Some(big)),
        (3, "timed_out", Some(("no_tftp", "no TFTP request"))),
        (4, "installing", None),
        (5, "confirmed", None),
        (6, "seen", None),
    ] {
        let mac = format!("E4:8D:8C:00:00:0{n}");
        super::bench::comes(pool, bench_id, &mac, state, why).await;
    }
    super::bench::gets_its_script(pool, "E4:8D:8C:00:00:01").await;
    sqlx::query(
        "update bench_boards set step = 'formats its disk', sent_bytes = 100, total_bytes = 400,
             install = '{\"release\": \"7.16.1\"}', install_until = now() + interval '1 hour'
         where state = 'installing'",
    )
    .execute(pool)
    .await
    .unwrap();
    let allowed = json!({ "kind": "oui", "value": "E4:8D:8C", "note": "Those of the delivery" });
    api.made("/api/v1/bench/allowed", allowed, "allowed_id").await;
    let stops = [
        ("bench", "/bench".to_owned()),
        ("bench-found", "/bench?state=refused".to_owned()),
        ("bench-none", "/bench?q=nobody".to_owned()),
        ("bench-mistake", "/bench?bench=eth1".to_owned()),
        ("bench-arm", format!("/bench/{bench_id}/arm")),
        ("bench-board", "/bench/boards/E4:8D:8C:00:00:01".to_owned()),
        ("bench-board-refused", "/bench/boards/E4:8D:8C:00:00:02".to_owned()),
        ("bench-board-installing", "/bench/boards/E4:8D:8C:00:00:04".to_owned()),
        ("bench-batch", "/bench/batch".to_owned()),
        ("bench-batch-none", "/bench/batch?customer=nobody".to_owned()),
        ("bench-labels", "/bench/labels".to_owned()),
        ("bench-labels-none", "/bench/labels?customer=nobody".to_owned()),
        ("bench-allowed", "/bench/allowed".to_owned()),
        ("bench-images", "/bench/images".to_owned()),
        ("bench-profiles", "/bench/profiles".to_owned()),
        ("bench-profile", "/bench/profiles/mikrotik-flashboot".to_owned()),
        ("bench-profile-new", "/bench/profiles/new?of=mikrotik-flashboot".to_owned()),
    ];
    stops.to_vec()
}
