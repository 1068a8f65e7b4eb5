//! What zero touch shows: templates, profiles, backups, webhooks.

use serde_json::json;

use super::stops::{Stop, id};
use super::{Net, SSID};
use crate::harness::eventually;
use crate::harness::kit::device_path;

/// Something of each, with where it is.
pub(super) async fn furnish(net: &Net, serial: &str) -> Vec<Stop> {
    let mut stops = of_lists();
    stops.extend(templates(net, serial).await);
    stops.extend(backups(net, serial).await);
    stops.extend(profiles(net, serial).await);
    stops.extend(webhooks(net).await);
    stops.extend(claims(net).await);
    stops
}

/// Pages without a thing of their own.
fn of_lists() -> Vec<Stop> {
    let stops = [
        ("claims", "/claims"),
        ("claims-none", "/claims?q=nobody"),
        ("claims-mistake", "/claims?site=e-u"),
        ("claim-new", "/claims/new?serial=HGF09ABCDE1"),
        ("claims-import", "/claims/import"),
        ("claims-scan", "/claims/scan?site=eu"),
        ("claims-unknown", "/claims/unknown"),
        ("claims-rules", "/claims/rules"),
        ("claims-rule-new", "/claims/rules/new?selector=online"),
        ("templates", "/templates"),
        ("template-new", "/templates/new"),
        ("profiles", "/profiles"),
        ("profile-new", "/profiles/new"),
        ("sweeps", "/sweeps"),
        ("sweeps-of", "/sweeps?of=home"),
        ("drift", "/drift"),
        ("drift-none", "/drift?state=blocked&site=eu.lt"),
        ("changes", "/changes"),
        ("changes-none", "/changes?since=2099-01-01"),
        ("webhooks", "/webhooks"),
        ("webhook-new", "/webhooks/new"),
    ];
    stops.map(|(name, path)| (name, path.to_owned())).to_vec()
}

/// A webhook that nobody answers.
async fn webhooks(net: &Net) -> Vec<Stop> {
    let hook = json!({ "name": "noc", "url": "http://192.0.2.1/", "kinds": ["device.offline"] });
    let id = net.api.made("/api/v1/webhooks", hook, "webhook_id").await;
    let tried = net.api.call("POST", &format!("/api/v1/webhooks/{id}/test"), Some(json!({}))).await;
    assert!((200..300).contains(&tried.0), "{tried:?}");
    vec![("webhook", format!("/webhooks/{id}"))]
}

/// A template of two versions.
async fn templates(net: &Net, serial: &str) -> Vec<Stop> {
    let api = &net.api;
    let variables = json!([
        { "name": "dns", "type": "list", "of": { "type": "ip" }, "max": 2, "label": "Name servers",
          "section": "Internet", "default": ["9.9.9.9", "1.1.1.1"] },
        { "name": "guest_password", "type": "secret", "min": 8, "label": "Guests' password",
          "help": "Printed on the card at the door", "required": true },
    ]);
    let body = "# What every board of ours has\n/system identity set name={{ device.serial }}\n\
                /ip dns set servers={{ dns | join(sep=\",\") }}\n\
                /ppp secret set [find name=guests] password={{ guest_password }}\n";
    let fields = json!({
        "name": "our boards", "description": "Names, name servers and guests", "body": body,
        "variables": variables, "note": "The first",
    });
    let template = api.made("/api/v1/templates", fields, "template_id").await;
    let patch = json!({ "body": body.replace("name=guests", "name=visitors"), "note": "They are visitors now" });
    assert_eq!(
        api.call("PATCH", &format!("/api/v1/templates/{template}"), Some(patch)).await.0,
        200
    );
    let at = |end: &str| format!("/templates/{template}{end}");
    vec![
        ("template", at("")),
        ("template-tried", at(&format!("?device={serial}"))),
        ("template-edit", at("/edit")),
        ("template-version", at("/versions/2")),
        ("template-version-first", at("/versions/1")),
    ]
}

/// Two backups of a device that say something else, and a change that more devices have.
async fn backups(net: &Net, serial: &str) -> Vec<Stop> {
    let api = &net.api;
    let upload = json!({ "kind": "upload", "file": { "type": "configuration" } });
    for name in ["attic", "cellar"] {
        let script = format!("/system identity set name={name}\n");
        let artifact = api.store(&format!("{name}.rsc"), script.as_bytes()).await;
        let file = json!({ "type": "alter" });
        let script =
            json!({ "kind": "download", "artifact_id": artifact, "file": file, "backup": false });
        for job in [script, upload.clone()] {
            api.done(&api.order(serial, job).await).await;
        }
    }
    let list = api.get(&format!("{}/backups", device_path(serial))).await;
    let backup = |n: usize| list["items"][n]["backup_id"].as_str().unwrap().to_owned();
    let device = id(net, serial).await;
    let at = |end: &str| format!("/devices/{device}/backups{end}");
    vec![
        ("device-backups", at("")),
        ("device-backup", at(&format!("/{}", backup(0)))),
        ("device-backup-diff", at(&format!("/{}/diff", backup(0)))),
        ("device-backup-accepted", at(&format!("/{}/diff?with=accepted", backup(1)))),
    ]
}

/// A template and a profile with all that one can want, which only tells what differs; bound to a site
/// and to a group; and a device that differs, with variables of its own and something ignored.
async fn profiles(net: &Net, serial: &str) -> Vec<Stop> {
    let api = &net.api;
    let template = json!({
        "name": "home wifi",
        "body": "/interface/wifi/set [find default-name=wifi1] ssid={{ ssid }}\n",
        "variables": [
            { "name": "ssid", "type": "string", "max": 32, "required": true, "section": "Wi-Fi",
              "label": "Name of the network", "help": "What phones show" },
            { "name": "wifi_password", "type": "secret", "min": 8, "section": "Wi-Fi" },
            { "name": "vlan", "type": "int", "min": 1, "max": 4094, "default": 7 },
            { "name": "guests", "type": "bool" },
            { "name": "band", "type": "enum", "values": ["2.4 GHz", "5 GHz"] },
            { "name": "dns", "type": "list", "of": { "type": "ip" }, "max": 3 },
        ],
    });
    let template = api.made("/api/v1/templates", template, "template_id").await;
    let profile = json!({
        "name": "home", "description": "For homes in Latvia", "enforce": false,
        "desired": {
            "parameters": {
                SSID: { "value": "Lighthouse" },
                "Device.WiFi.AccessPoint.1.Security.KeyPassphrase": { "value": "hunter2222" },
                "Device.DeviceInfo.ProvisioningCode":
                    { "variable": "code", "tolerance": { "is": "any_case" } },
            },
            "template": { "template_id": template },
            "variables": { "ssid": "Lighthouse", "wifi_password": "hunter2222", "code": "gold" },
            "release": "7.16.1", "inform_interval_seconds": 36000,
            "backup": { "every_hours": 24, "before_changes": true },
            "rotate_credentials_days": 90, "check_every_hours": 24,
        },
    });
    let id_of = api.made("/api/v1/profiles", profile, "profile_id").await;
    let path = format!("/api/v1/profiles/{id_of}");
    for place in [json!({ "site": "eu.lv" }), json!({ "group": "office", "rank": 3 })] {
        let bound = api.call("PUT", &format!("{path}/bindings"), Some(place)).await;
        assert_eq!(bound.0, 200, "{}", bound.1);
    }
    let desired = format!("{}/desired", device_path(serial));
    let own = json!({ "variables": { "guests": true, "note": "by the stairs" },
                      "overrides": { "Device.DeviceInfo.Description": { "value": "attic" } } });
    assert_eq!(api.call("PATCH", &desired, Some(own)).await.0, 200);
    eventually("the device is compared", || async {
        let seen = api.found(&desired).await?;
        (seen["state"] == "drifted").then_some(())
    })
    .await;
    let ignored = Some(json!({ "names": ["release"] }));
    assert_eq!(api.call("POST", &format!("{desired}/ignore"), ignored).await.0, 200);
    let bare = json!({ "name": "nothing yet" });
    let bare = api.made("/api/v1/profiles", bare, "profile_id").await;
    vec![
        ("profile", format!("/profiles/{id_of}")),
        ("profile-edit", format!("/profiles/{id_of}/edit")),
        ("profile-bare", format!("/profiles/{bare}?to=site&place=eu.lv")),
        ("profile-template", format!("/profiles/new?template={template}")),
        ("device-desired", format!("/devices/{}/desired", id(net, serial).await)),
    ]
}

/// An open claim with a secret, one that a device has taken, and rules of admission.
async fn claims(net: &Net) -> Vec<Stop> {
    let api = &net.api;
    let open = json!({
        "serial": "HGF09ABCDE1", "mac": "E4:8D:8C:00:00:01", "model": "hAP ax^3",
        "site": "eu.lv.riga", "customer": "4711", "tags": ["trial"], "own_credential": true,
        "variables": { "pppoe_user": "anna", "pppoe_password": "hunter22" },
        "factory_password": "hunter33",
    });
    let open = api.made("/api/v1/claims", open, "claim_id").await;
    let other = json!({ "serial": "HGF09ABCDE2", "site": "eu.lv" });
    let other = api.made("/api/v1/claims", other, "claim_id").await;
    sqlx::query(
        "update claims set refused = 'another device has taken the claim for it', \
         refused_at = now() where claim_id = $1::text::uuid",
    )
    .bind(&other)
    .execute(&net.muster.pool)
    .await
    .unwrap();
    let mut rule = String::new();
    for (name, selector) in [("lab", "serial ~ LAB*"), ("rest", "manufacturer = MikroTik")] {
        let body = json!({ "name": name, "selector": selector, "site": "eu", "tags": ["found"] });
        rule = api.made("/api/v1/accept-rules", body, "rule_id").await;
    }
    vec![
        ("claim", format!("/claims/{open}")),
        ("claim-refused", format!("/claims/{other}")),
        ("claims-rule", format!("/claims/rules/{rule}")),
    ]
}
