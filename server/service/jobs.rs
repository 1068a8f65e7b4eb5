//! Jobs: what people and programs order on devices, see, and take back.
//!
//! Owns who may do so, and that nobody orders what is Muster's own. A job is seen by whoever sees
//! its device, and ordered and cancelled by whoever may operate there. What a job is, and its life,
//! is of `crate::jobs`.
//!
//! - `care`: what orders by hand wait for. `list`: what narrows a list of them.

mod care;
mod list;

pub use list::{JobFilter, JobTime, list};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::devices;
use super::devices::many::{self, Bulk, Which};
use crate::access::audit::{self, Object, masked};
use crate::access::right::Right;
use crate::clock;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::jobs::before;
use crate::jobs::bulk::{self, Made, Stopped};
use crate::jobs::queue::{self, Order, masked_args};
use crate::jobs::spec::JobSpec;
use crate::store::devices::Device;
use crate::store::events::{self, Event};
use crate::store::jobs::{self as store, Job};

/// All states of a job: the open ones, then those in which it stays.
pub const STATES: [&str; 7] =
    ["queued", "running", "waiting", "done", "failed", "cancelled", "expired"];

/// Keys that Muster gives to jobs of its own begin with this.
const RESERVED: &str = "muster:";
/// Bytes in an idempotency key.
const MAX_KEY: usize = 200;
/// Steps of a job that are told.
const STEPS: i64 = 200;
/// A job's first step may be of a node whose clock is that much behind.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// A job to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// What.
    pub spec: JobSpec,
    /// Not before this time; now when absent.
    pub not_before: Option<DateTime<Utc>>,
    /// Given up at this time if it never ran; after [`queue::DEFAULT_EXPIRY`] when absent.
    pub expires_at: Option<DateTime<Utc>>,
    /// While a job of the device with this key is open, asking again gives that one.
    pub idempotency_key: Option<String>,
    /// Whether the device is woken for it; true when absent.
    pub wake: Option<bool>,
    /// Whether the device's configuration is kept before it is changed; as its profiles say when absent,
    /// and where they say nothing it is.
    pub backup: Option<bool>,
}

impl NewOrder {
    /// What is wrong with it on any device.
    fn check(&self) -> Result<(), Error> {
        if self.spec == JobSpec::Credentials {
            let why = "credentials are written by Muster itself, at enrolment";
            return Err(Error::invalid("/kind", why));
        }
        if matches!(self.spec, JobSpec::Configure { .. }) {
            let why = "Muster makes it of a template: bind a profile that names one to the device";
            return Err(Error::invalid("/kind", why));
        }
        let wrong = match self.idempotency_key.as_deref() {
            Some(k) if k.is_empty() || k.len() > MAX_KEY => Some(format!("1 to {MAX_KEY} bytes")),
            Some(k) if k.starts_with(RESERVED) => Some(format!("`{RESERVED}` is reserved")),
            Some(_) | None => None,
        };
        if let Some(why) = wrong {
            return Err(Error::invalid("/idempotency_key", why));
        }
        if self.backup.is_some() && !before::changes(self.spec.kind()) {
            let why = "only before a change of the configuration is anything kept";
            return Err(Error::invalid("/backup", why));
        }
        self.spec.validate()
    }

    fn by(self, created_by: &str, device_id: Uuid) -> Order {
        Order {
            device_id,
            spec: self.spec,
            not_before: self.not_before,
            expires_at: self.expires_at,
            idempotency_key: self.idempotency_key,
            created_by: created_by.to_owned(),
            wake: self.wake.unwrap_or(true),
            own: false,
            rollout: None,
            unkept: false,
        }
    }
}

/// Makes a job on a device, or finds the open one with the same idempotency key; gives it, and
/// whether it is new.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Invalid`] with pointers into the order;
/// [`Error::Conflict`] for a key of another kind of job, for a device with too many jobs, and for a
/// factory configuration that another device is to prove first.
pub async fn create(
    app: &App,
    ctx: &Ctx,
    device: &str,
    order: NewOrder,
) -> Result<(Job, bool), Error> {
    ctx.require(Right::Operate)?;
    order.check()?;
    let device = devices::find(app, ctx, device, Right::Operate).await?;
    let keep = care::keep(app, &order.spec, order.backup, &[device.device_id]).await?;
    let keeps = keep.of(device.device_id);
    let order = order.by(&ctx.actor.name, device.device_id);
    let (spec, kind) = (order.spec.clone(), order.spec.kind());
    let mut tx = app.pool.begin().await?;
    devices::hold(&mut tx, ctx, device.device_id, Right::Operate).await?;
    let (job, made) = before::create(&mut tx, &app.keys, order, keeps, ctx.now).await?;
    if job.kind != kind {
        let why = format!("the idempotency key is that of an open job of the kind {}", job.kind);
        return Err(Error::Conflict(why));
    }
    if made {
        care::admit(&mut tx, ctx, &spec, &job).await?;
        let name = told_name(&job, &device);
        let object = Object::new("job", job.job_id, &name);
        let mut after = told(&job);
        if before::changes(kind) {
            after["backup"] = json!(keeps);
        }
        audit::record(&mut tx, ctx, "job.create", object, (), after).await?;
    }
    tx.commit().await?;
    app.wake_hint.notify_one();
    Ok((job, made))
}

/// Cancels a job that no session runs.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Conflict`] for one that is with the device at
/// this moment, or has ended.
pub async fn cancel(app: &App, ctx: &Ctx, job_id: Uuid) -> Result<Job, Error> {
    let (before, device) = find(app, ctx, job_id, Right::Operate).await?;
    let mut tx = app.pool.begin().await?;
    let held = devices::hold(&mut tx, ctx, device.device_id, Right::Operate).await;
    held.map_err(|error| of_job(error, job_id))?;
    let by = &ctx.actor.name;
    let job = queue::cancel(&mut tx, device.device_id, job_id, by, ctx.now).await?;
    let name = told_name(&job, &device);
    let object = Object::new("job", job_id, &name);
    let (before, after) = (json!({ "state": before.state }), json!({ "state": job.state }));
    audit::record(&mut tx, ctx, "job.cancel", object, before, after).await?;
    tx.commit().await?;
    app.wake_hint.notify_one();
    Ok(job)
}

/// Orders once more what a job was to do that has ended, with the secrets that it was given.
///
/// # Errors
/// As [`create`]; [`Error::Conflict`] while the job is open.
pub async fn again(app: &App, ctx: &Ctx, job_id: Uuid) -> Result<Job, Error> {
    let (job, device) = find(app, ctx, job_id, Right::Operate).await?;
    if job.finished_at.is_none() {
        return Err(Error::Conflict("the job has not ended yet".to_owned()));
    }
    let order = NewOrder {
        spec: queue::opened(&app.keys, &job)?,
        not_before: None,
        expires_at: None,
        idempotency_key: None,
        wake: None,
        backup: None,
    };
    Ok(create(app, ctx, &device.device_id.to_string(), order).await?.0)
}

/// What happened to a job, oldest first; secrets masked.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`].
pub async fn history(app: &App, ctx: &Ctx, job_id: Uuid) -> Result<Vec<Event>, Error> {
    let (job, device) = find(app, ctx, job_id, Right::Read).await?;
    let since = job.created_at - SKEW;
    let steps = events::of_job(&app.pool, device.device_id, job_id, since, STEPS).await?;
    let shown = |event: Event| Event { detail: masked(event.detail), ..event };
    Ok(steps.into_iter().map(shown).collect())
}

/// One job.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`].
pub async fn get(app: &App, ctx: &Ctx, job_id: Uuid) -> Result<Job, Error> {
    Ok(find(app, ctx, job_id, Right::Read).await?.0)
}

/// A job and its device, at which the caller must have the right.
async fn find(app: &App, ctx: &Ctx, job_id: Uuid, right: Right) -> Result<(Job, Device), Error> {
    ctx.require(right)?;
    let job = store::get(&app.pool, job_id).await?.ok_or_else(|| unknown(job_id))?;
    let device = devices::find(app, ctx, &job.device_id.to_string(), right).await;
    Ok((job, device.map_err(|error| of_job(error, job_id))?))
}

fn unknown(job_id: Uuid) -> Error {
    Error::NotFound(format!("no job {job_id}"))
}

/// The error of a job's device: what names the device would tell that the job is there.
fn of_job(error: Error, job_id: Uuid) -> Error {
    match error {
        Error::NotFound(_) => unknown(job_id),
        other => other,
    }
}

/// Makes a job on each device that is meant where the caller may operate, if and only if they are
/// `expected`. It goes on to its end also when the call is dropped.
///
/// # Errors
/// [`Stopped`] with how far it came. Pointers of [`Error::Invalid`] are into
/// `{"selector", "device_ids", "expected", "job"}`; [`Error::Conflict`] names the real number of
/// devices, or says that a factory configuration is to be tried on one device first.
pub async fn bulk(
    app: &Shared,
    ctx: &Ctx,
    which: &Which,
    order: NewOrder,
    expected: usize,
) -> Result<Made, Stopped> {
    let nothing = |error: Error| Stopped { made: Made::default(), error };
    let begun = begin(app, ctx, which, &order, expected).await;
    let (bulk, devices) = begun.map_err(nothing)?;
    let backup = order.backup;
    let order = order.by(&ctx.actor.name, Uuid::nil());
    let reach = ctx.reach(Right::Operate);
    let work = {
        let app = app.clone();
        async move {
            let result = match care::keep(&app, &order.spec, backup, &devices).await {
                Ok(keep) => {
                    let (pool, keys) = (&app.pool, &app.keys);
                    bulk::create(pool, keys, &devices, &order, &keep, &reach, clock::now).await
                }
                Err(error) => Err(nothing(error)),
            };
            let result =
                result.map_err(|stopped| Stopped { error: in_job(stopped.error), ..stopped });
            let told = came_of(&result);
            (result, told)
        }
    };
    let done = many::carry_out(app, ctx, (bulk, "job.bulk_end"), work).await;
    done.unwrap_or_else(|error| Err(nothing(error)))
}

/// The devices of an order for many, once it is on record: no job of it is made before.
async fn begin(
    app: &App,
    ctx: &Ctx,
    which: &Which,
    order: &NewOrder,
    expected: usize,
) -> Result<(Bulk, Vec<Uuid>), Error> {
    ctx.require(Right::Operate)?;
    order.check().map_err(in_job)?;
    let mut conn = app.pool.acquire().await?;
    queue::check_artifact(&mut conn, &order.spec).await.map_err(in_job)?;
    drop(conn);
    let devices = many::found(app, ctx, which, expected).await?;
    let kind = order.spec.kind();
    let bulk = Bulk::new(kind);
    tracing::info!(bulk.id = %bulk.id, devices = expected, kind, by = ctx.actor.name, "bulk job");
    let spec = serde_json::to_value(&order.spec).map_err(|e| Error::Internal(e.to_string()))?;
    let after = json!({
        "selector": which.selector(),
        "device_ids": which.ids(),
        "devices": expected,
        "kind": kind,
        "args": masked_args(&spec),
        "not_before": order.not_before,
        "expires_at": order.expires_at,
        "backup": order.backup,
    });
    let mut tx = app.pool.begin().await?;
    care::admit_many(&mut tx, ctx, &order.spec).await?;
    audit::record(&mut tx, ctx, "job.bulk", bulk.object(), (), after).await?;
    tx.commit().await?;
    Ok((bulk, devices))
}

/// How far an order for many came, for the audit log.
fn came_of(result: &Result<Made, Stopped>) -> Value {
    let (made, stopped) = match result {
        Ok(made) => (made, None),
        Err(stopped) => (&stopped.made, Some(stopped.error.to_string())),
    };
    json!({ "created": made.created, "skipped": made.skipped, "stopped": stopped })
}

/// The error of an order that is the `job` of a greater one.
pub fn in_job(error: Error) -> Error {
    match error {
        Error::Invalid { pointer, message } => Error::invalid(format!("/job{pointer}"), message),
        other => other,
    }
}

/// What the audit log calls it.
fn told_name(job: &Job, device: &Device) -> String {
    format!("{} on {}", job.kind, device.serial)
}

/// What the audit log keeps of a new job.
fn told(job: &Job) -> Value {
    json!({
        "device_id": job.device_id,
        "kind": job.kind,
        "args": masked_args(&job.args),
        "not_before": job.not_before,
        "expires_at": job.expires_at,
        "idempotency_key": job.idempotency_key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(spec: JobSpec, key: Option<&str>) -> Result<(), String> {
        let order = NewOrder {
            spec,
            not_before: None,
            expires_at: None,
            idempotency_key: key.map(str::to_owned),
            wake: None,
            backup: None,
        };
        order.check().map_err(|error| match in_job(error) {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn nobody_orders_what_is_musters_own() {
        let wrong = |at: &str| -> Result<(), String> { Err(at.to_owned()) };
        assert_eq!(place(JobSpec::Reboot, Some("m-17")), Ok(()));
        assert_eq!(place(JobSpec::Credentials, None), wrong("/job/kind"));
        for key in ["", "muster:refresh", &"x".repeat(MAX_KEY + 1)] {
            assert_eq!(place(JobSpec::Reboot, Some(key)), wrong("/job/idempotency_key"), "{key}");
        }
        assert_eq!(place(JobSpec::Get { names: Vec::new() }, None), wrong("/job/names"));
    }

    #[test]
    fn a_backup_is_spoken_of_only_before_a_change() {
        let check = |spec| {
            let order = NewOrder {
                spec,
                not_before: None,
                expires_at: None,
                idempotency_key: None,
                wake: None,
                backup: Some(false),
            };
            order.check().is_ok()
        };
        assert!(check(JobSpec::FactoryReset) && !check(JobSpec::Reboot));
    }
}
