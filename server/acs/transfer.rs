//! What a CPE reports of its own accord: TransferComplete and its kin, and the proofs in an
//! Inform's events. Everything here may come twice, late, and with a wrong key (A1, A3, N14).

use chrono::{DateTime, Utc};
use muster_cwmp::fault::Fault;
use muster_cwmp::rpc::{
    DuStateChangeComplete, EventCode, EventStruct, Inform, OpResult, Request, Response,
    TransferComplete,
};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::clock;
use crate::ctx::App;
use crate::error::Error;
use crate::fleet::secret::{Keys, fault_without};
use crate::jobs::download::job_of_key;
use crate::jobs::queue;
use crate::jobs::upgrade::Report;
use crate::store::jobs::{self as store, Job};
use crate::store::{devices, events};

/// Stores a request of the CPE and gives the answer to it.
pub async fn record(
    app: &App,
    device_id: Uuid,
    session_id: Uuid,
    request: Request,
) -> Result<Response, Error> {
    let now = clock::now();
    let mut tx = app.pool.begin().await?;
    if !devices::owned_by(&mut tx, device_id, session_id).await? {
        return Err(Error::Conflict("a newer session of the device has begun".to_owned()));
    }
    let response = store_request(&mut tx, &app.keys, device_id, request, now).await?;
    queue::advance(&mut tx, device_id, now).await?;
    tx.commit().await?;
    Ok(response)
}

async fn store_request(
    tx: &mut PgConnection,
    keys: &Keys,
    id: Uuid,
    request: Request,
    now: DateTime<Utc>,
) -> Result<Response, Error> {
    match request {
        Request::TransferComplete(t) => {
            transfer_complete(tx, id, &t, now).await?;
            Ok(Response::TransferComplete)
        }
        Request::AutonomousTransferComplete(t) => {
            let detail = json!({
                "download": t.is_download, "file_type": t.file_type, "url": t.transfer_url,
                "announce_url": t.announce_url, "name": t.target_file_name, "size": t.file_size,
                "fault": t.fault, "complete_time": t.complete_time,
            });
            events::append(tx, id, "autonomous_transfer", None, &detail, now).await?;
            Ok(Response::AutonomousTransferComplete)
        }
        Request::Kicked(k) => {
            let detail = json!({ "command": k.command, "referer": k.referer, "arg": k.arg });
            events::append(tx, id, "kicked", None, &detail, now).await?;
            Ok(Response::Kicked { next_url: k.next })
        }
        Request::RequestDownload(r) => {
            let detail = json!({ "file_type": r.file_type, "args": r.args });
            events::append(tx, id, "request_download", None, &detail, now).await?;
            Ok(Response::RequestDownload)
        }
        Request::DuStateChangeComplete(d) => {
            du_results(tx, keys, id, d, now).await?;
            Ok(Response::DuStateChangeComplete)
        }
        Request::AutonomousDuStateChangeComplete(results) => {
            let detail = json!({ "results": results });
            events::append(tx, id, "autonomous_du_state_change", None, &detail, now).await?;
            Ok(Response::AutonomousDuStateChangeComplete)
        }
        other => Err(Error::Internal(format!("not a report of a CPE: {other:?}"))),
    }
}

/// A job that a device may report on: it has been sent and has not ended.
fn reportable(job: &Job, kinds: &[&str]) -> bool {
    kinds.contains(&job.kind.as_str()) && (job.state == "waiting" || job.attempts > 0)
}

const TRANSFERS: [&str; 5] = ["download", "upload", "schedule_download", "upgrade", "configure"];

async fn transfer_complete(
    tx: &mut PgConnection,
    id: Uuid,
    t: &TransferComplete,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let detail = json!({
        "command_key": t.command_key, "fault": t.fault,
        "start_time": t.start_time, "complete_time": t.complete_time,
    });
    let job = transfer_job(tx, id, &t.command_key).await?;
    let job_id = job.as_ref().map(|j| j.job_id);
    events::append(tx, id, "transfer_complete", job_id, &detail, now).await?;
    if let Some(job) = job {
        queue::proven(tx, &job, t.fault.as_ref(), detail, jitter(), now).await?;
    }
    Ok(())
}

/// The transfer that a key names; with an empty or foreign key the device's only open one (A1).
async fn transfer_job(tx: &mut PgConnection, id: Uuid, key: &str) -> Result<Option<Job>, Error> {
    if let Some(job_id) = job_of_key(key)
        && let Some(job) = store::of_device(tx, id, job_id).await?
        && TRANSFERS.contains(&job.kind.as_str())
    {
        return Ok(Some(job));
    }
    let mut open = store::open(tx, id).await?;
    open.retain(|j| reportable(j, &TRANSFERS));
    Ok((open.len() == 1).then(|| open.remove(0)))
}

async fn du_results(
    tx: &mut PgConnection,
    keys: &Keys,
    id: Uuid,
    d: DuStateChangeComplete,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let job = match job_of_key(&d.command_key) {
        Some(job_id) => store::of_device(tx, id, job_id).await?,
        None => None,
    };
    // Where it could not load a unit from it may say with what it logged in there. What cannot be
    // opened was not sent.
    let told = job.as_ref().and_then(|job| queue::opened(keys, job).ok());
    let told = told.map(|spec| spec.secrets()).unwrap_or_default();
    let masked = |r: OpResult| OpResult { fault: r.fault.map(|f| fault_without(f, &told)), ..r };
    let results: Vec<OpResult> = d.results.into_iter().map(masked).collect();
    let detail = json!({ "command_key": d.command_key, "results": results });
    let job_id = job.as_ref().map(|j| j.job_id);
    events::append(tx, id, "du_state_change", job_id, &detail, now).await?;
    if let Some(job) = job.filter(|j| j.kind == "change_du_state") {
        let fault: Option<&Fault> = results.iter().find_map(|r| r.fault.as_ref());
        queue::proven(tx, &job, fault, detail, jitter(), now).await?;
    }
    Ok(())
}

/// Closes what an Inform proves: reboots, resets, scheduled informs, and upgrades by the version that
/// it names. Other transfers are closed by their TransferComplete, which says whether they succeeded;
/// tests that are over are read.
pub async fn proofs_in_events(
    tx: &mut PgConnection,
    id: Uuid,
    inform: &Inform,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let version = inform.by_suffix(".DeviceInfo.SoftwareVersion").map(str::to_owned);
    for job in store::open(tx, id).await? {
        if inform.has(EventCode::DiagnosticsComplete) && queue::awaits_end_of_test(&job) {
            queue::reported(tx, &job, now).await?;
            continue;
        }
        if reportable(&job, &["upgrade"]) {
            let report = Report::Inform {
                version: version.as_deref(),
                booted: inform.has(EventCode::Boot),
                // One that waits for another attempt has not been accepted.
                transfer_ended: job.state != "queued" && ends_transfer(&inform.events, job.job_id),
            };
            queue::heard(tx, &job, report, now).await?;
            continue;
        }
        let by_key = |code: EventCode| {
            inform
                .events
                .iter()
                .any(|e| e.code() == code && job_of_key(&e.command_key) == Some(job.job_id))
        };
        let proof: Option<&str> = match job.kind.as_str() {
            "reboot" if by_key(EventCode::MReboot) => Some("M Reboot"),
            // Some devices boot without saying why.
            "reboot" if job.state == "waiting" && inform.has(EventCode::Boot) => Some("1 BOOT"),
            "factory_reset"
                if reportable(&job, &["factory_reset"]) && inform.has(EventCode::Bootstrap) =>
            {
                Some("0 BOOTSTRAP")
            }
            "schedule_inform" if by_key(EventCode::MScheduleInform) => Some("M ScheduleInform"),
            "schedule_inform" if job.state == "waiting" && inform.has(EventCode::Scheduled) => {
                Some("3 SCHEDULED")
            }
            _ => None,
        };
        if let Some(event) = proof {
            let result: Value = json!({ "event": event, "version": version });
            queue::proven(tx, &job, None, result, jitter(), now).await?;
        }
    }
    queue::advance(tx, id, now).await?;
    Ok(())
}

/// Whether an Inform says that the transfer of this job has ended. Where it names transfers by their
/// keys, those of others do not count.
fn ends_transfer(events: &[EventStruct], job_id: Uuid) -> bool {
    let keyed = events.iter().filter(|e| e.code() == EventCode::MDownload);
    let jobs: Vec<Uuid> = keyed.filter_map(|e| job_of_key(&e.command_key)).collect();
    match jobs.is_empty() {
        true => events.iter().any(|e| e.code() == EventCode::TransferComplete),
        false => jobs.contains(&job_id),
    }
}

fn jitter() -> f64 {
    rand::random()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::download::command_key;

    #[test]
    fn a_transfer_ends_by_its_own_key_or_by_no_key_at_all() {
        let (job, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let event =
            |code: &str, key: String| EventStruct { event_code: code.to_owned(), command_key: key };
        let plain = event("7 TRANSFER COMPLETE", String::new());
        let keyed = |job: Uuid| event("M Download", command_key(job));
        for (events, expected) in [
            (vec![event("1 BOOT", String::new())], false),
            (vec![plain.clone()], true),
            (vec![plain.clone(), keyed(job)], true),
            (vec![keyed(other), plain.clone(), keyed(job)], true),
            (vec![plain.clone(), keyed(other)], false),
            // Not one of ours: it says no more than that there was one.
            (vec![plain, event("M Download", "k".to_owned())], true),
        ] {
            assert_eq!(ends_transfer(&events, job), expected, "{events:?}");
        }
    }
}
