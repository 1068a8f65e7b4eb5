//! Zero touch from end to end: claims are imported, boards are powered on for the first time, and each
//! comes to its own configuration and release with no hand on it; then one value is changed for a
//! site, and one board by hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::kit::{Api, Fleet, device_path};
use crate::harness::{Muster, eventually};
use crate::rollout::lab::upload;

/// Boards; in the story of the README there are more of them.
const DEVICES: u32 = 12;
const SITES: [&str; 3] = ["north", "south", "west"];
const IDENTITY: &str = "Device.DeviceInfo.X_MIKROTIK_SystemIdentity";
const TARGET: &str = "7.16.1";

/// Unknown devices wait, and devices may be called as often as it takes.
const SETTINGS: &[(&str, &str)] =
    &[("MUSTER_ZERO_TOUCH__UNKNOWN", "quarantine"), ("MUSTER_WAKE__MINIMUM_GAP_SECONDS", "1")];

const TEMPLATE: &str = "/system identity set name={{ \"cpe-\" ~ customer }}\n\
    /ip dns set servers={{ dns }}\n\
    /interface pppoe-client\n\
    :if ([:len [find name=\"pppoe-out1\"]]=0) do={ add name=\"pppoe-out1\" interface=ether1 user={{ pppoe_user }} password={{ pppoe_password }} disabled=no } else={ set [find name=\"pppoe-out1\"] user={{ pppoe_user }} password={{ pppoe_password }} }\n";

struct World {
    api: Api,
    _muster: Muster,
    fleet: Fleet,
}

async fn made(api: &Api, path: &str, body: Value) -> Value {
    let (status, answer) = api.call("POST", path, Some(body)).await;
    assert!((200..300).contains(&status), "POST {path}: {status} {answer}");
    answer
}

/// A server with three sites, a template and a profile for all of them, and releases.
async fn furnish(api: &Api) {
    for version in ["6.48.4", "6.49.10", "7.12.1", TARGET] {
        upload(api, version).await;
    }
    for (at, site) in SITES.iter().enumerate() {
        let variables = json!({ "dns": format!("192.0.2.{}", at + 1) });
        made(api, "/api/v1/sites", json!({ "path": site, "variables": variables })).await;
    }
    let text = |name: &str| json!({ "name": name, "type": "string", "required": true });
    let template = json!({
        "name": "home", "body": TEMPLATE,
        "variables": [
            { "name": "dns", "type": "ip", "required": true },
            text("pppoe_user"),
            { "name": "pppoe_password", "type": "secret", "required": true },
        ],
    });
    let template = made(api, "/api/v1/templates", template).await;
    let desired = json!({
        "template": { "template_id": template["template_id"] },
        "release": TARGET,
        "inform_interval_seconds": 60,
        "backup": { "every_hours": 24 },
    });
    let profile =
        made(api, "/api/v1/profiles", json!({ "name": "home", "desired": desired })).await;
    let bindings = format!("/api/v1/profiles/{}/bindings", profile["profile_id"].as_str().unwrap());
    let (status, answer) = api.call("PUT", &bindings, Some(json!({ "fleet": true }))).await;
    assert_eq!(status, 200, "{answer}");
}

/// The claims of all boards but the last, as an order list says them.
fn claims(serial: impl Fn(u32) -> String) -> String {
    let mut csv = "serial;site;customer;var.pppoe_user;var.pppoe_password\r\n".to_owned();
    for index in 0..DEVICES - 1 {
        let site = SITES[index as usize % SITES.len()];
        let serial = serial(index);
        write!(csv, "{serial};{site};C{index};user{index};hunter{index:04}\r\n").unwrap();
    }
    csv
}

impl World {
    async fn start() -> Self {
        let mut muster = Muster::start(SETTINGS).await;
        let api = Api::of(&mut muster);
        furnish(&api).await;
        // Nobody powers them on before they are claimed: the ramp is longer than the import takes.
        let csv = claims(|index| muster_sim::profile::Identity::derive(1, index).serial);
        import(&api, &csv).await;
        let fleet = Fleet::start(&muster, DEVICES, |options| {
            options.periodic_interval = Duration::from_secs(3);
            options.seed = 1;
        })
        .await;
        Self { api, _muster: muster, fleet }
    }

    async fn desired(&self, index: u32) -> Option<Value> {
        let path = format!("{}/desired", device_path(&self.fleet.serial(index)));
        self.api.found(&path).await
    }

    /// Waits until a device is as it should be; gives what is wanted of it.
    async fn in_sync(&self, index: u32) -> Value {
        let serial = self.fleet.serial(index);
        let end = std::time::Instant::now() + Duration::from_secs(150);
        loop {
            let desired = self.desired(index).await.unwrap_or_default();
            if desired["state"] == "in_sync" {
                return desired;
            }
            assert!(std::time::Instant::now() < end, "{serial} is not in sync: {desired:#}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The newest configuration that is kept of a device.
    async fn configuration(&self, index: u32) -> Option<String> {
        let path = format!("{}/backups", device_path(&self.fleet.serial(index)));
        let list = self.api.found(&path).await?;
        let newest = list["items"][0]["backup_id"].as_str()?.to_owned();
        let one = self.api.found(&format!("{path}/{newest}")).await?;
        one["text"].as_str().map(str::to_owned)
    }

    /// Whether a device asks this name server, and no other.
    async fn asks(&self, index: u32, server: &str) -> bool {
        let rows = self.api.known(&self.fleet.serial(index), "Device.DNS.Client.Server.").await;
        let mut servers = rows.iter().filter(|(name, _)| name.ends_with(".DNSServer"));
        servers.clone().count() == 1 && servers.all(|(_, asked)| asked == server)
    }

    /// What a device was sent so far: its jobs of this kind.
    async fn sent(&self, index: u32, kind: &str) -> usize {
        let device = self.api.get(&device_path(&self.fleet.serial(index))).await;
        let id = device["device_id"].as_str().unwrap();
        let page =
            self.api.get(&format!("/api/v1/jobs?device_id={id}&kind={kind}&limit=1000")).await;
        page["items"].as_array().unwrap().len()
    }
}

async fn import(api: &Api, csv: &str) {
    let send = |path: &'static str| {
        api.request("POST", path).header("content-type", "text/csv").body(csv.to_owned()).send()
    };
    let preview = send("/api/v1/claims/preview").await.unwrap();
    assert_eq!(preview.status(), 200);
    let preview: Value = preview.json().await.unwrap();
    assert_eq!(preview["counts"]["new"], DEVICES - 1, "{preview}");
    let imported = send("/api/v1/claims/import").await.unwrap();
    assert!(imported.status().is_success(), "{}", imported.text().await.unwrap());
}

#[tokio::test]
async fn boards_come_to_their_own_configuration_with_no_hand_on_them() {
    let world = World::start().await;
    for index in 0..DEVICES - 1 {
        world.in_sync(index).await;
        let device = world.api.get(&device_path(&world.fleet.serial(index))).await;
        assert_eq!(device["site"], SITES[index as usize % SITES.len()], "{device}");
        assert_eq!(device["customer"], format!("C{index}"));
        assert!(device["software_version"].as_str().unwrap().starts_with(TARGET), "{device}");
        let identity = world.api.known(&world.fleet.serial(index), IDENTITY).await;
        assert_eq!(identity[0].1, format!("cpe-C{index}"));
    }
    // The one that nobody claimed waits, and was sent nothing.
    let stranger = world.api.get(&device_path(&world.fleet.serial(DEVICES - 1))).await;
    assert!(!stranger["quarantined_at"].is_null(), "{stranger}");
    assert_eq!(world.sent(DEVICES - 1, "configure").await, 0);

    one_site_gets_other_name_servers(&world).await;
    a_board_is_changed_by_hand(&world).await;
    world.fleet.finish().await;
}

/// Exactly the devices of that site change.
async fn one_site_gets_other_name_servers(world: &World) {
    let mut before = BTreeMap::new();
    for index in 0..DEVICES - 1 {
        before.insert(index, world.sent(index, "configure").await);
    }
    let sites = world.api.get("/api/v1/sites").await;
    let south = sites["items"].as_array().unwrap().iter().find(|s| s["path"] == "south").unwrap();
    let path = format!("/api/v1/sites/{}", south["site_id"].as_str().unwrap());
    let change = json!({ "variables": { "dns": "198.51.100.53" } });
    assert_eq!(world.api.call("PATCH", &path, Some(change)).await.0, 200);
    for index in (1..DEVICES - 1).step_by(SITES.len()) {
        eventually("the site has its name servers", || async {
            world.asks(index, "198.51.100.53").await.then_some(())
        })
        .await;
        world.in_sync(index).await;
    }
    eventually("the change has gone through the fleet", || async {
        let sweeps = world.api.found("/api/v1/sweeps").await?;
        let all = sweeps["items"].as_array()?.iter().all(|sweep| sweep["state"] == "done");
        all.then_some(())
    })
    .await;
    for (index, sent) in before {
        let is_south = index as usize % SITES.len() == 1;
        let now = world.sent(index, "configure").await;
        assert_eq!(now, sent + usize::from(is_south), "device {index}");
    }
}

/// Its drift is shown with the difference, and it is brought back.
async fn a_board_is_changed_by_hand(world: &World) {
    let (serial, path) = (world.fleet.serial(0), device_path(&world.fleet.serial(0)));
    eventually("its configuration is kept", || async {
        let list = world.api.found(&format!("{path}/backups")).await?;
        list["items"].as_array()?.iter().any(|b| b["accepted"] == true).then_some(())
    })
    .await;
    let typed = "/ip dns set servers=203.0.113.99\n/ip firewall nat add chain=srcnat action=accept comment=\"by hand\"\n";
    let typed = world.fleet.handle().run(0, typed).await.unwrap();
    assert_eq!(typed.error, None, "{typed:?}");
    let taken = world.api.call("POST", &format!("{path}/backups"), None).await;
    assert!((200..300).contains(&taken.0), "{taken:?}");
    let drifted = eventually("the drift is seen", || async {
        let desired = world.desired(0).await?;
        (desired["state"] == "drifted").then_some(desired)
    })
    .await;
    let differences = drifted["differences"].as_array().unwrap();
    assert!(differences.iter().any(|d| d["name"] == "configuration"), "{drifted}");
    let list = world.api.get(&format!("{path}/backups")).await;
    let newest = list["items"][0]["backup_id"].as_str().unwrap().to_owned();
    let diff = world.api.get(&format!("{path}/backups/{newest}/diff?with=accepted")).await;
    let diff = diff.to_string();
    assert!(diff.contains("203.0.113.99") && diff.contains("by hand"), "{diff}");
    // No secret is in it.
    let kept = world.configuration(0).await.unwrap();
    assert!(!kept.contains("hunter"), "{kept}");

    assert_eq!(world.api.call("POST", &format!("{path}/desired/reapply"), None).await.0, 200);
    eventually("its name servers are what they should be", || async {
        world.asks(0, "192.0.2.1").await.then_some(())
    })
    .await;
    let events = world.api.events(&serial).await;
    assert!(events.iter().any(|kind| kind == "drifted"), "{events:?}");
}
