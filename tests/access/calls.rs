//! The operations of the API, and what each wants to be sent.

use muster::access::right::Right;
use reqwest::Response;
use serde_json::{Value, json};

use super::world::World;
use crate::harness::kit::Api;

/// An operation of the API.
pub struct Operation {
    /// In small letters.
    pub method: String,
    /// With parameters in braces.
    pub path: String,
    /// The right that it names; `None` = any good token will do.
    pub right: Option<Right>,
}

/// What goes along with a request.
enum Sent {
    Nothing,
    Json(Value),
    File,
    Package(Vec<u8>),
}

impl World {
    /// All operations of the API, as it describes itself.
    pub async fn operations(&self) -> Vec<Operation> {
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
    pub async fn call(&self, api: &Api, operation: &Operation, path: &str) -> Response {
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
            ("post", "/inspections") => {
                json!({ "selector": "serial = STANDING", "expected": 1 })
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
pub fn lab_profile() -> Vec<u8> {
    let [profile, ..] = muster_netboot::profile::builtin() else { panic!("one comes with Muster") };
    let mut profile = profile.clone();
    profile.name = "lab".to_owned();
    profile.write().into_bytes()
}

/// A rollout for nobody.
pub fn rollout(name: &str) -> Value {
    let parameter = json!({ "name": "Device.DeviceInfo.ProvisioningCode", "value": name });
    json!({ "name": name, "change": { "kind": "parameters", "parameters": [parameter] },
            "audience": { "selector": "serial = NOBODY" } })
}
