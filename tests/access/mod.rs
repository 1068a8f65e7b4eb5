//! Who may do what: every route with every right, people at the log-in, the borders of a region,
//! and the rules that each call of the API keeps.

mod api_rules;
mod events;
mod factor;
mod group_scope;
mod login;
mod matrix;
mod own;
mod scoped;
mod support;

use std::sync::atomic::{AtomicU32, Ordering};

use muster::access::right::Right;
use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use muster_sim::packages;
use reqwest::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::cpe::{Cpe, inform};
use crate::harness::kit::Api;
use crate::harness::session::{ADMIN, Session};
use crate::harness::{LAB, Muster};

/// An operation of the API.
struct Operation {
    /// In small letters.
    method: String,
    /// With parameters in braces.
    path: String,
    /// The right that it names; `None` = any good token will do.
    right: Option<Right>,
}

/// What goes along with a request.
enum Sent {
    Nothing,
    Json(Value),
    File,
    Package(Vec<u8>),
}

/// A server, and things of every kind in it, made when they are wanted.
struct World {
    muster: Muster,
    /// An admin's.
    api: Api,
    made: AtomicU32,
}

impl World {
    async fn start() -> Self {
        let mut muster = Muster::start(LAB).await;
        let api = Api::of(&mut muster);
        let world = Self { muster, api, made: AtomicU32::new(0) };
        world.meet("STANDING").await;
        world
    }

    /// A word that was not used before.
    fn word(&self) -> String {
        format!("w{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// A version that was not used before.
    fn version(&self) -> RosVersion {
        let n = u16::try_from(self.made.fetch_add(1, Ordering::Relaxed)).unwrap();
        RosVersion::release(7, n / 250, n % 250)
    }

    /// A package of such a version.
    fn package(&self) -> Vec<u8> {
        packages::file("routeros", &self.version(), Arch::Arm, 10).1
    }

    /// Makes a device known; gives its id.
    async fn meet(&self, serial: &str) -> String {
        let body = inform(serial, &["2 PERIODIC"]);
        let reply = Cpe::connect(self.muster.cwmp).await.post(&body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let device = self.api.get(&format!("/api/v1/devices/serial:{serial}")).await;
        device["device_id"].as_str().unwrap().to_owned()
    }

    /// Makes a thing of the API; gives the field that names it.
    async fn make(&self, path: &str, body: Value, id: &str) -> String {
        let (status, made) = self.api.call("POST", path, Some(body)).await;
        assert_eq!(status, 201, "POST {path}: {made}");
        made[id].as_str().unwrap().to_owned()
    }

    /// Makes a site with this path; gives its id.
    async fn site(&self, path: &str) -> String {
        self.make("/api/v1/sites", json!({ "path": path }), "site_id").await
    }

    /// Makes a job on a device; gives its id.
    async fn job(&self, device: &str) -> String {
        let job = json!({ "kind": "reboot", "wake": false });
        self.make(&format!("/api/v1/devices/{device}/jobs"), job, "job_id").await
    }

    /// A token that may do this, at a site and below or everywhere.
    async fn token(&self, right: Right, site_id: Option<&str>) -> Api {
        let name = format!("only {right}");
        let body = json!({ "name": name, "scopes": [right], "site_id": site_id });
        self.api.with_token(&self.make("/api/v1/tokens", body, "token").await)
    }

    /// A user who may do this, at a site and below or everywhere; gives the login. They have no
    /// password.
    async fn user(&self, right: Right, site_id: Option<&str>) -> String {
        let role = json!({ "name": self.word(), "rights": [right] });
        let role_id = self.make("/api/v1/roles", role, "role_id").await;
        let login = format!("{right}.{}", self.word());
        let grants = json!([{ "role_id": role_id, "site_id": site_id }]);
        let user = json!({ "login": login, "grants": grants });
        self.make("/api/v1/users", user, "login").await
    }

    /// The path with something real in place of each parameter.
    async fn real(&self, path: &str) -> String {
        self.real_of(path, ADMIN).await
    }

    /// The same; what belongs to a person is this one's.
    async fn real_of(&self, path: &str, whose: &str) -> String {
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
    async fn bench(&self) -> String {
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

    /// All operations of the API, as it describes itself.
    async fn operations(&self) -> Vec<Operation> {
        let description = self.api.get("/api/openapi.json").await;
        let mut operations = Vec::new();
        for (path, item) in description["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if operation["operationId"].is_null() {
                    continue;
                }
                let security = operation["security"].as_array().unwrap();
                let words = security[0]["token"].as_array().unwrap();
                assert!(security.len() == 1 && words.len() <= 1, "{method} {path}: {security:?}");
                let right = words.first().map(|word| word.as_str().unwrap().parse().unwrap());
                operations.push(Operation { method: method.clone(), path: path.clone(), right });
            }
        }
        operations
    }

    /// Calls an operation with all that it wants, at a path of its form.
    async fn call(&self, api: &Api, operation: &Operation, path: &str) -> Response {
        let sent = self.sent(operation);
        let query = if matches!(sent, Sent::File) { "?name=m.txt" } else { "" };
        let method = operation.method.to_uppercase();
        let request = api.request(&method, &format!("{path}{query}"));
        let request = match sent {
            Sent::Nothing => request,
            Sent::Json(body) => request.json(&body),
            Sent::File => request.body("x"),
            Sent::Package(bytes) => request.body(bytes),
        };
        request.send().await.unwrap()
    }

    /// What an operation wants to be sent.
    fn sent(&self, operation: &Operation) -> Sent {
        let word = self.word();
        let (method, path) = (operation.method.as_str(), operation.path.as_str());
        let reboot = json!({ "kind": "reboot" });
        let body = match (method, path.strip_prefix("/api/v1").unwrap()) {
            ("get" | "delete", _)
            | ("put", "/groups/{group_id}/devices/{device_id}")
            | (
                "post",
                "/account/totp"
                | "/devices/{device_id}/wake"
                | "/devices/{device_id}/inspect"
                | "/devices/{device_id}/backups"
                | "/devices/{device_id}/desired/compare"
                | "/devices/{device_id}/desired/reapply"
                | "/claims/{claim_id}/credential"
                | "/bench/{bench_id}/disarm"
                | "/bench/boards/{mac}/rearm"
                | "/webhooks/{webhook_id}/test"
                | "/webhooks/{webhook_id}/again"
                | "/deliveries/{delivery_id}/again"
                | "/devices/{device_id}/backups/{backup_id}/accept"
                | "/rollouts/{rollout_id}/dry-run"
                | "/rollouts/{rollout_id}/start"
                | "/rollouts/{rollout_id}/approve"
                | "/rollouts/{rollout_id}/approve-wave"
                | "/devices/{device_id}/support/look"
                | "/devices/{device_id}/support/reboot"
                | "/jobs/{job_id}/cancel"
                | "/jobs/{job_id}/again",
            ) => return Sent::Nothing,
            ("put", "/account/password") => {
                json!({ "old_password": word, "password": "heron walks home late" })
            }
            ("post", "/account/totp/confirm") => {
                json!({ "offer": word, "password": word, "code": "000000" })
            }
            ("post", "/account/totp/remove") => json!({ "password": word }),
            ("post", "/account/tokens") => {
                json!({ "name": word, "scopes": ["read"], "password": word })
            }
            ("patch", "/account/preferences") => json!({ "theme": "dark" }),
            ("post", "/devices/{device_id}/support/wifi") => {
                json!({ "network": "1", "name": word })
            }
            ("post", "/devices/{device_id}/support/reveal") => json!({ "network": "1" }),
            ("post", "/devices/{device_id}/support/ping") => json!({ "host": "192.0.2.1" }),
            ("post", "/artifacts") => return Sent::File,
            ("post", "/devices/{device_id}/backups/{backup_id}/adopt") => {
                json!({ "variable": word })
            }
            ("post", "/devices/{device_id}/backups/{backup_id}/restore") => {
                json!({ "confirm": "overwrite the whole configuration" })
            }
            ("post", "/releases/packages") => return Sent::Package(self.package()),
            ("post", "/releases") => json!({ "version": self.version().to_string() }),
            ("patch", "/releases/{version}") => json!({ "notes": word }),
            ("post", "/devices/{device_id}/allow-enrolment") => json!({ "hours": 1 }),
            ("post", "/devices/{device_id}/jobs") => json!({ "kind": "reboot", "wake": false }),
            ("post", "/devices/{device_id}/reveal") => json!({ "name": "Device.X_Password" }),
            ("post", "/devices/bulk") => {
                let change = json!({ "kind": "add_tags", "tags": [word] });
                json!({ "selector": "serial = STANDING", "change": change, "expected": 1 })
            }
            ("post", "/jobs/bulk") => {
                json!({ "selector": "serial = STANDING", "job": reboot, "expected": 1,
                        "wake": false })
            }
            ("post", "/rollouts" | "/rollouts/dry-run") => rollout(&word),
            ("post", "/devices/{device_id}/upgrade") => json!({ "version": "7.16.1" }),
            ("post", path) if path.starts_with("/rollouts/") => json!({ "reason": word }),
            (
                "post",
                "/devices/{device_id}/desired/accept" | "/devices/{device_id}/desired/ignore",
            ) => {
                json!({ "names": ["Device.X"] })
            }
            ("post", "/claims") => json!({ "serial": word }),
            ("patch", "/claims/{claim_id}") => json!({ "customer": word }),
            ("post", "/claims/preview" | "/claims/import") => {
                return Sent::Package(format!("serial\n{word}\n").into_bytes());
            }
            ("post", "/devices/{device_id}/accept") => json!({}),
            ("post", "/accept-rules") => json!({ "name": word, "selector": "site" }),
            ("patch", "/accept-rules/{rule_id}") => json!({ "tags": ["x"] }),
            ("put", "/profiles/{profile_id}/bindings") => json!({ "fleet": true }),
            ("patch", "/devices/{device_id}/desired") => json!({ "ignored": [word] }),
            ("patch", "/sweeps/{sweep_id}") => json!({ "per_second": 5 }),
            ("post", "/templates") => json!({ "name": word, "body": ":log info x\n" }),
            ("post", "/templates/lint" | "/templates/preview") => {
                json!({ "body": ":log info x\n" })
            }
            ("post", "/templates/{template_id}/preview") => json!({}),
            ("post", "/bench/{bench_id}/arm") => {
                json!({ "minutes": 1, "template": "bench-bootstrap", "accept_unverified": true })
            }
            ("post", "/bench/boards/{mac}/install") => {
                json!({ "release": "7.16.1", "confirm": "E4:8D:8C:FF:FF:FF" })
            }
            ("post", "/bench/allowed") => json!({ "kind": "board", "value": word }),
            ("put", "/bench/images/{arch}") => return Sent::Package(b"a boot image".to_vec()),
            ("put", "/bench/profiles/{name}") => return Sent::Package(lab_profile()),
            ("post", "/webhooks") => {
                json!({ "name": word, "url": "http://192.0.2.1/", "kinds": ["device.fault"] })
            }
            ("post", "/sites") => json!({ "path": word }),
            ("post", "/groups" | "/views" | "/profiles" | "/templates/{template_id}/copy") => {
                json!({ "name": word })
            }
            ("post", "/tokens") => json!({ "name": word, "scopes": ["read"] }),
            ("post", "/users") => json!({ "login": word }),
            ("post", "/roles") => json!({ "name": word, "rights": ["read"] }),
            ("put", "/users/{user_id}/password") => json!({ "password": "heron walks home late" }),
            ("patch", "/devices/{device_id}") => json!({ "tags": [word] }),
            ("patch", "/users/{user_id}") => json!({ "display_name": word }),
            ("patch", _) => json!({ "name": word }),
            _ => panic!("say here what {method} {path} wants to be sent"),
        };
        Sent::Json(body)
    }
}

/// A profile of the bench, as an operator writes one.
fn lab_profile() -> Vec<u8> {
    let [profile, ..] = muster_netboot::profile::builtin() else { panic!("one comes with Muster") };
    let mut profile = profile.clone();
    profile.name = "lab".to_owned();
    profile.write().into_bytes()
}

/// A rollout for nobody.
fn rollout(name: &str) -> Value {
    let parameter = json!({ "name": "Device.DeviceInfo.ProvisioningCode", "value": name });
    json!({ "name": name, "change": { "kind": "parameters", "parameters": [parameter] },
            "audience": { "selector": "serial = NOBODY" } })
}

/// Status, media type and text of an answer, in which an id is like any other.
async fn told(response: Response, id: &str) -> (u16, String, String) {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map_or("", |kind| kind.to_str().unwrap());
    let kind = kind.to_owned();
    (status, kind, response.text().await.unwrap().replace(id, "ID"))
}

/// A header field of an answer.
fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Sends what must be refused; gives the status and why.
async fn refused(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(header(&response, "content-type"), Some("application/problem+json"), "{status}");
    let problem: Value = response.json().await.unwrap();
    (status, problem["detail"].as_str().unwrap().to_owned())
}
