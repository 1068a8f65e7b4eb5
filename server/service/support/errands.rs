//! What was ordered of a device by way of the support view, and how far it is. Pure.
//!
//! An errand is a job in other words: an agent is told nothing of other jobs, and of these only what
//! they can make use of.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::wifi::Network;
use crate::store::jobs::Job;

/// What has ended is told for so long.
const TOLD: TimeDelta = TimeDelta::hours(1);

/// Something that a device is to do, or has done.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Errand {
    /// The job that it is.
    pub job_id: Uuid,
    /// What is to be done.
    pub what: What,
    /// Of `wifi`: which network.
    pub network: Option<String>,
    /// queued, running, waiting (accepted by the device, its report is due), done, failed, cancelled
    /// or expired.
    pub state: String,
    /// Why it is in this state, in words.
    pub note: Option<String>,
    /// Who ordered it.
    pub by: String,
    /// When it was ordered.
    pub created_at: DateTime<Utc>,
    /// Given up at this time if the device has not come.
    pub expires_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Of `ping`: to where.
    pub host: Option<String>,
    /// Of `ping` that is done: its figures.
    pub result: Option<Value>,
}

/// What a device is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Take another name or password for a Wi-Fi network.
    Wifi,
    /// Restart.
    Reboot,
    /// See how long a host takes to answer.
    Ping,
    /// Tell once more how it is.
    Look,
}

impl Errand {
    /// What this job is to an agent; `None` = nothing of theirs.
    pub(super) fn of(job: &Job, networks: &[Network]) -> Option<Self> {
        let (what, network) = match job.kind.as_str() {
            "set" => (What::Wifi, Some(network_of(job, networks)?)),
            "reboot" => (What::Reboot, None),
            "refresh" => (What::Look, None),
            "diagnose" if job.args["test"]["type"] == "ping" => (What::Ping, None),
            _ => return None,
        };
        let ping = what == What::Ping;
        let host = job.args["test"]["host"].as_str().filter(|_| ping).map(str::to_owned);
        Some(Self {
            job_id: job.job_id,
            what,
            network,
            state: job.state.clone(),
            note: job.note.clone(),
            by: job.created_by.clone(),
            created_at: job.created_at,
            expires_at: job.expires_at,
            finished_at: job.finished_at,
            host,
            result: job.result.clone().filter(|_| ping && job.state == "done"),
        })
    }
}

/// The network whose name or password a job writes.
fn network_of(job: &Job, networks: &[Network]) -> Option<String> {
    let names: Vec<&str> =
        job.args["parameters"].as_array()?.iter().filter_map(|p| p["name"].as_str()).collect();
    let network = networks.iter().find(|network| names.iter().any(|name| network.holds(name)))?;
    Some(network.network.clone())
}

/// The newest of each kind that is open or ended a short time ago, of jobs with the newest first.
pub(super) fn errands(jobs: &[Job], networks: &[Network], now: DateTime<Utc>) -> Vec<Errand> {
    let mut list: Vec<Errand> = Vec::new();
    for errand in jobs.iter().filter_map(|job| Errand::of(job, networks)) {
        let same = |other: &Errand| (other.what, &other.network) == (errand.what, &errand.network);
        if !list.iter().any(same) {
            list.push(errand);
        }
    }
    list.retain(|errand| errand.finished_at.is_none_or(|at| now - at < TOLD));
    list
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::service::support::seen::{Seen, sample};
    use crate::service::support::wifi::networks;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn job(id: u128, args: Value, finished: Option<i64>) -> Job {
        Job {
            device_id: Uuid::nil(),
            job_id: Uuid::from_u128(id),
            kind: args["kind"].as_str().unwrap_or_default().to_owned(),
            args,
            state: if finished.is_some() { "done" } else { "queued" }.to_owned(),
            not_before: at(0),
            expires_at: at(0),
            confirm_by: None,
            attempts: 0,
            max_attempts: 5,
            lease: None,
            leased_until: None,
            idempotency_key: None,
            created_by: "ann".to_owned(),
            created_at: at(0),
            finished_at: finished.map(at),
            result: Some(json!({ "parameters": [] })),
            fault: None,
            note: None,
            rollout_id: None,
            unkept: false,
        }
    }

    fn set(id: u128, name: &str, finished: Option<i64>) -> Job {
        let parameters = json!([{ "name": name, "value": "x" }]);
        job(id, json!({ "kind": "set", "parameters": parameters }), finished)
    }

    #[test]
    fn the_newest_of_each_kind_is_told_and_other_jobs_are_not() {
        let (document, counters) = sample(&[
            ("Device.WiFi.SSID.1.SSID", "Attic"),
            ("Device.WiFi.SSID.2.SSID", "Cellar"),
            ("Device.WiFi.AccessPoint.1.SSIDReference", "Device.WiFi.SSID.1."),
            ("Device.WiFi.AccessPoint.2.SSIDReference", "Device.WiFi.SSID.2."),
            ("Device.WiFi.AccessPoint.2.Security.KeyPassphrase", ""),
        ]);
        let networks = networks(&Seen::new(document, counters, &[]));
        let test = json!({ "type": "ping", "host": "192.0.2.1" });
        let trace = json!({ "type": "traceroute", "host": "192.0.2.1" });
        let jobs = [
            set(9, "Device.WiFi.SSID.1.SSID", None),
            set(8, "Device.ManagementServer.PeriodicInformInterval", None),
            job(7, json!({ "kind": "diagnose", "test": trace }), None),
            job(6, json!({ "kind": "diagnose", "test": test }), Some(90)),
            set(5, "Device.WiFi.AccessPoint.2.Security.KeyPassphrase", Some(80)),
            set(4, "Device.WiFi.SSID.1.SSID", Some(70)),
            job(3, json!({ "kind": "reboot" }), Some(30)),
            job(2, json!({ "kind": "download" }), None),
        ];
        let list = errands(&jobs, &networks, at(100));
        let told: Vec<(u128, What, Option<&str>)> =
            list.iter().map(|e| (e.job_id.as_u128(), e.what, e.network.as_deref())).collect();
        // The reboot was too long ago.
        let expected =
            [(9, What::Wifi, Some("1")), (6, What::Ping, None), (5, What::Wifi, Some("2"))];
        assert_eq!(told, expected);
        assert_eq!((list[0].finished_at, list[1].finished_at), (None, Some(at(90))));
        assert_eq!(list[1].host.as_deref(), Some("192.0.2.1"));
        assert!(list[1].result.is_some() && list[2].result.is_none());
    }
}
