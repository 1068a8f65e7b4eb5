//! Doing what was decided, in one transaction.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::hear::changes;
use super::{CHECK, CREDENTIALS, Decision};
use crate::ctx::App;
use crate::desired::reconcile::Subject;
use crate::error::Error;
use crate::fleet::credentials;
use crate::jobs::queue::{self, Order};
use crate::jobs::spec::JobSpec;
use crate::store::desired as store;
use crate::store::{backups, events, jobs};

/// Does it, in one transaction with the device's row locked; true = there are jobs. `None` = the device
/// took a job meanwhile that was to be called back, or has another one of the kind: nothing is to be
/// kept of this transaction.
pub(in crate::desired) async fn carry_out(
    conn: &mut PgConnection,
    app: &App,
    subject: &Subject,
    mut decision: Decision,
    wake: bool,
    now: DateTime<Utc>,
) -> Result<Option<bool>, Error> {
    let id = subject.facts.device_id;
    if !decision.drifted.is_empty() {
        // Before it is mended.
        let detail = json!({ "differences": decision.drifted });
        events::append(conn, id, "drifted", None, &detail, now).await?;
    }
    for job in &decision.cancel {
        match queue::cancel(conn, id, *job, "muster", now).await {
            Ok(_) => {}
            Err(Error::Conflict(_)) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    if subject.row.state == "unmanaged" && decision.row.state != "unmanaged" {
        // What it had while nothing was wanted of it was nobody's intent.
        backups::accept(conn, id, None).await?;
    }
    rotate(conn, app, subject, &mut decision, wake, now).await?;
    let wake = wake && !decision.rotate;
    let backup = subject.effective.backup.as_ref();
    let unkept = backup.is_some_and(|backup| !backup.value.before_changes);
    let ordered = !decision.jobs.is_empty();
    let last = decision.jobs.len().saturating_sub(1);
    for (at, (spec, key)) in std::mem::take(&mut decision.jobs).into_iter().enumerate() {
        let configures = matches!(spec, JobSpec::Configure { .. });
        let alone = changes(&key);
        let upgrades = matches!(spec, JobSpec::Upgrade { .. });
        let order = Order {
            expires_at: decision.until.filter(|_| upgrades),
            idempotency_key: Some(key),
            wake: wake && at == last,
            unkept,
            ..Order::own(id, spec, "")
        };
        let (job, made) = queue::create(conn, &app.keys, order, now).await?;
        if !made && alone {
            return Ok(None);
        }
        if configures {
            decision.row.script_job = Some(job.job_id);
        }
    }
    // What was called back has it compared; that is what happens here.
    store::put(conn, &decision.row, subject.row.due_at, !decision.cancel.is_empty()).await?;
    Ok(Some(ordered))
}

/// Gives the device other credentials, or tells it once more those that it has not used yet: only while
/// it is here and has nothing else to do, for it could not be woken for them. Until it comes by itself
/// it has something to be asked for: a session in which nothing was done is not looked at.
async fn rotate(
    conn: &mut PgConnection,
    app: &App,
    subject: &Subject,
    decision: &mut Decision,
    wake: bool,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let id = subject.facts.device_id;
    if !decision.rotate || jobs::count_open(conn, id).await? > 0 {
        return Ok(());
    }
    if wake {
        let root = subject.facts.root.as_deref().unwrap_or("Device.");
        let names = vec![format!("{root}ManagementServer.PeriodicInformInterval")];
        decision.order(JobSpec::Get { names }, CHECK);
        return Ok(());
    }
    let waits = subject.facts.rotating == Some(true);
    if waits || credentials::rotate(conn, &app.keys, id, now).await? {
        decision.order(JobSpec::Credentials, CREDENTIALS);
    }
    Ok(())
}
