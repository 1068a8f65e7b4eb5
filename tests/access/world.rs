//! A server, and things of every kind in it.

use std::sync::atomic::{AtomicU32, Ordering};

use muster::access::right::Right;
use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use muster_sim::packages;
use serde_json::{Value, json};
use uuid::Uuid;

use super::calls::{lab_profile, rollout};
use crate::harness::cpe::{inform, meet};
use crate::harness::kit::Api;
use crate::harness::session::{ADMIN, Session};
use crate::harness::{LAB, Muster};

/// A server, and things of every kind in it, made when they are wanted.
pub struct World {
    /// The server.
    pub muster: Muster,
    /// An admin's.
    pub api: Api,
    made: AtomicU32,
}

impl World {
    /// With one device, `STANDING`.
    pub async fn start() -> Self {
        let mut muster = Muster::start(LAB).await;
        let api = Api::of(&mut muster);
        let world = Self { muster, api, made: AtomicU32::new(0) };
        world.meet("STANDING").await;
        world
    }

    /// A word that was not used before.
    pub fn word(&self) -> String {
        format!("w{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// A version that was not used before.
    pub fn version(&self) -> RosVersion {
        let n = u16::try_from(self.made.fetch_add(1, Ordering::Relaxed)).unwrap();
        RosVersion::release(7, n / 250, n % 250)
    }

    /// A package of such a version.
    pub fn package(&self) -> Vec<u8> {
        packages::file("routeros", &self.version(), Arch::Arm, 10).1
    }

    /// Makes a device known; gives its id.
    pub async fn meet(&self, serial: &str) -> String {
        meet(self.muster.cwmp, &inform(serial, &["2 PERIODIC"])).await;
        let device = self.api.get(&format!("/api/v1/devices/serial:{serial}")).await;
        device["device_id"].as_str().unwrap().to_owned()
    }

    /// Makes a thing of the API; gives the field that names it.
    pub async fn make(&self, path: &str, body: Value, id: &str) -> String {
        self.api.made(path, body, id).await
    }

    /// Makes a site with this path; gives its id.
    pub async fn site(&self, path: &str) -> String {
        self.make("/api/v1/sites", json!({ "path": path }), "site_id").await
    }

    /// Makes a job on a device; gives its id.
    pub async fn job(&self, device: &str) -> String {
        let job = json!({ "kind": "reboot", "wake": false });
        self.make(&format!("/api/v1/devices/{device}/jobs"), job, "job_id").await
    }

    /// A token that may do this, at a site and below or everywhere.
    pub async fn token(&self, right: Right, site_id: Option<&str>) -> Api {
        let name = format!("only {right}");
        let body = json!({ "name": name, "scopes": [right], "site_id": site_id });
        self.api.with_token(&self.make("/api/v1/tokens", body, "token").await)
    }

    /// A user who may do this, at a site and below or everywhere; gives the login. They have no
    /// password.
    pub async fn user(&self, right: Right, site_id: Option<&str>) -> String {
        let role = json!({ "name": self.word(), "rights": [right] });
        let role_id = self.make("/api/v1/roles", role, "role_id").await;
        let login = format!("{right}.{}", self.word());
        let grants = json!([{ "role_id": role_id, "site_id": site_id }]);
        let user = json!({ "login": login, "grants": grants });
        self.make("/api/v1/users", user, "login").await
    }

    /// The path with something real in place of each parameter.
    pub async fn real(&self, path: &str) -> String {
        self.real_of(path, ADMIN).await
    }

    /// The same; what belongs to a person is this one's.
    pub async fn real_of(&self, path: &str, whose: &str) -> String {
        let mut whole = String::new();
        let mut kind = "";
        let mut within = ("", String::new());
        for part in path.split('/').skip(1) {
            whole.push('/');
            if part.starts_with('{') {
                let id = self.thing(kind, (within.0, &within.1), whose).await;
                whole.push_str(&id);
                within = (kind, id);
            } else {
                whole.push_str(part);
                // Profiles of the bench are others than those of devices.
                kind =
                    if kind == "bench" && part == "profiles" { "netboot-profiles" } else { part };
            }
        }
        whole
    }

    /// Makes a thing of the kind that a path calls so, below another thing or not.
    async fn thing(&self, kind: &str, within: (&str, &str), whose: &str) -> String {
        let word = self.word();
        match (kind, within) {
            ("static", _) => "muster.css".to_owned(),
            ("devices" | "support", _) => self.meet(&word).await,
            ("jobs", ("devices", device)) => self.job(device).await,
            ("jobs", _) => self.job(&self.meet(&word).await).await,
            ("sites", _) => self.site(&word).await,
            ("groups", _) => self.make("/api/v1/groups", json!({ "name": word }), "group_id").await,
            ("artifacts" | "files", ("", _)) => self.api.store(&word, b"x").await,
            ("releases", _) => {
                let release = json!({ "version": self.version().to_string() });
                self.make("/api/v1/releases", release, "version").await
            }
            ("packages", _) => {
                let request = self.api.request("POST", "/api/v1/releases/packages");
                let sent = request.body(self.package()).send().await.unwrap();
                let told: Value = sent.json().await.unwrap();
                told["items"][0]["package"]["package_id"].as_str().unwrap().to_owned()
            }
            ("users", _) => self.make("/api/v1/users", json!({ "login": word }), "user_id").await,
            ("roles", _) => {
                let role = json!({ "name": word, "rights": ["read"] });
                self.make("/api/v1/roles", role, "role_id").await
            }
            ("tokens", _) => {
                let token = json!({ "name": word, "scopes": ["read"] });
                self.make("/api/v1/tokens", token, "token_id").await
            }
            ("claims", _) => {
                self.make("/api/v1/claims", json!({ "serial": word }), "claim_id").await
            }
            ("accept-rules" | "rules", _) => {
                let rule = json!({ "name": word, "selector": "site" });
                self.make("/api/v1/accept-rules", rule, "rule_id").await
            }
            ("quarantine" | "unknown", _) => {
                let device = self.meet(&word).await;
                sqlx::query(
                    "update device_facts set quarantined_at = now() where device_id = $1::uuid",
                )
                .bind(&device)
                .execute(&self.muster.pool)
                .await
                .unwrap();
                device
            }
            ("profiles", _) => {
                self.make("/api/v1/profiles", json!({ "name": word }), "profile_id").await
            }
            ("sweeps", _) => self.sweep().await,
            ("templates", _) => {
                let template = json!({ "name": word, "body": ":log info x\n" });
                self.make("/api/v1/templates", template, "template_id").await
            }
            ("versions", ("templates", _)) => "1".to_owned(),
            ("webhooks", _) => self.webhook(&word).await,
            ("deliveries", _) => {
                let id = self.webhook(&word).await;
                let path = format!("/api/v1/webhooks/{id}/test");
                self.make(&path, json!({}), "delivery_id").await
            }
            ("views", _) => self.view(&word, whose).await,
            ("rollouts", _) => self.make("/api/v1/rollouts", rollout(&word), "rollout_id").await,
            ("sessions", ("users", user)) => self.session(user).await,
            // What a device did, or the caller: there is none.
            ("artifacts" | "backups" | "files" | "sessions", _) => Uuid::nil().to_string(),
            ("bench", _) => self.bench().await,
            ("boards", _) => self.board().await,
            ("allowed", _) => {
                let allowed = json!({ "kind": "board", "value": word });
                self.make("/api/v1/bench/allowed", allowed, "allowed_id").await
            }
            // Names that the wire gives: it is there when it is asked for, and may be gone before.
            ("images", _) => {
                self.put("/api/v1/bench/images/arm64", b"a boot image".to_vec()).await;
                "arm64".to_owned()
            }
            ("netboot-profiles", _) => {
                self.put("/api/v1/bench/profiles/lab", lab_profile()).await;
                "lab".to_owned()
            }
            _ => panic!("say here how one of /{kind}/ is made"),
        }
    }

    async fn webhook(&self, name: &str) -> String {
        let hook = json!({ "name": name, "url": "http://192.0.2.1/", "kinds": ["device.fault"] });
        self.make("/api/v1/webhooks", hook, "webhook_id").await
    }

    /// Puts bytes to a path of the API.
    async fn put(&self, path: &str, bytes: Vec<u8>) {
        let response = self.api.request("PUT", path).body(bytes).send().await.unwrap();
        assert_eq!(response.status(), 200, "PUT {path}");
    }

    /// A bench that only the database knows.
    pub async fn bench(&self) -> String {
        let bench_id = Uuid::now_v7();
        sqlx::query(
            "insert into benches (bench_id, host, interface, heard_at, updated_at)
             values ($1, 'lab', $2, now(), now())",
        )
        .bind(bench_id)
        .bind(self.word())
        .execute(&self.muster.pool)
        .await
        .unwrap();
        bench_id.to_string()
    }

    /// A board that was seen at one.
    async fn board(&self) -> String {
        let bench_id: Uuid = self.bench().await.parse().unwrap();
        let n = self.made.fetch_add(1, Ordering::Relaxed);
        let mac = format!("E4:8D:8C:00:{:02X}:{:02X}", n / 256, n % 256);
        sqlx::query(
            "insert into bench_boards (mac, bench_id, kind, state, first_seen_at, seen_at, updated_at)
             values ($1, $2, 'flashboot', 'seen', now(), now(), now())",
        )
        .bind(&mac)
        .bind(bench_id)
        .execute(&self.muster.pool)
        .await
        .unwrap();
        mac
    }

    /// A sweep that stays where it is.
    async fn sweep(&self) -> String {
        let sweep_id = Uuid::now_v7();
        sqlx::query(
            "insert into sweeps (sweep_id, reason, per_second, state, created_by, created_at)
             values ($1, 'to be seen', 1, 'paused', 'test', now())",
        )
        .bind(sweep_id)
        .execute(&self.muster.pool)
        .await
        .unwrap();
        sweep_id.to_string()
    }

    /// A view that everybody sees; no program's token could make one.
    async fn view(&self, name: &str, whose: &str) -> String {
        let view_id = Uuid::now_v7();
        sqlx::query(
            "insert into saved_views (view_id, user_id, name, selector, columns, shared, created_at)
             select $1, user_id, $2, 'online', '{serial}', true, now() from users
             where login = $3",
        )
        .bind(view_id)
        .bind(name)
        .bind(whose)
        .execute(&self.muster.pool)
        .await
        .unwrap();
        view_id.to_string()
    }

    async fn session(&self, user_id: &str) -> String {
        let user = self.api.get(&format!("/api/v1/users/{user_id}")).await;
        Session::opened(&self.muster, user["login"].as_str().unwrap()).await;
        let sessions = self.api.get(&format!("/api/v1/users/{user_id}/sessions")).await;
        sessions["items"][0]["session_id"].as_str().unwrap().to_owned()
    }
}
