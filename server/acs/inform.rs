//! What an Inform changes. A periodic one that says nothing new is one row of a batch; anything
//! else is one transaction more. Either way the commit comes before the answer.

use chrono::{DateTime, TimeDelta, Utc};
use muster_cwmp::rpc::{EventCode, Inform};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::auth::Proof;
use super::batch::BatchError;
use super::transfer;
use crate::clock;
use crate::config::AuthMode;
use crate::ctx::App;
use crate::error::Error;
use crate::fleet::admission::{self, Admitted};
use crate::fleet::facts::{Facts, inform_hash};
use crate::fleet::{credentials as fleet_credentials, learn};
use crate::jobs::machine::Learned;
use crate::jobs::queue::{self, Order};
use crate::jobs::spec::JobSpec;
use crate::store::informs::InformRow;
use crate::store::{
    claims, connection_requests, credentials, desired, devices, events, jobs, parameters,
};

/// How long a device that refused its credentials is not asked to take them again.
const REFUSED_FOR: TimeDelta = TimeDelta::days(1);

/// An Inform that has passed the gate.
pub struct Accepted<'a> {
    /// Who.
    pub device_id: Uuid,
    /// The session it opens.
    pub session_id: Uuid,
    /// Where it came from.
    pub remote_addr: std::net::IpAddr,
    /// Its namespace.
    pub namespace: &'a str,
    /// How it was proven.
    pub proof: Proof,
    /// What it says.
    pub inform: &'a Inform,
}

/// The Inform was not stored; the device must come again.
#[derive(Debug, thiserror::Error)]
pub enum NotStored {
    /// The writer.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The further transaction.
    #[error("{}", .0.private())]
    Domain(#[from] Error),
}

impl NotStored {
    /// Whether the device is sent away, and nothing of it is kept.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Domain(Error::Denied(_)))
    }
}

/// What is known of a session once its Inform is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// It may find work.
    pub has_work: bool,
    /// The Inform said something new.
    pub news: bool,
}

/// Stores it.
pub async fn store(app: &App, a: &Accepted<'_>) -> Result<Stored, NotStored> {
    metrics::counter!("muster_informs_total").increment(1);
    let row = InformRow {
        device_id: a.device_id,
        session_id: a.session_id,
        remote_addr: a.remote_addr,
        events: event_list(a.inform),
        retry_count: i32::try_from(a.inform.retry_count).unwrap_or(i32::MAX),
    };
    let known = app.informs.write(row).await?;
    let id = &a.inform.device_id;
    let identity = [
        id.manufacturer.as_str(),
        &id.oui,
        &id.product_class,
        &id.serial_number,
        a.namespace,
        a.proof.word(),
    ];
    let hash = inform_hash(&identity, &a.inform.parameters);
    let steady = known.inform_hash.as_deref() == Some(&hash[..]);
    let quiet = a.inform.events.iter().all(|e| e.code() == EventCode::Periodic);
    let proof_is_news = a.proof.enrols() || matches!(a.proof, Proof::Device { confirms: Some(_) });
    if steady && quiet && !proof_is_news {
        return Ok(Stored { has_work: known.has_work, news: false });
    }
    let first = known.inform_hash.is_none();
    news(app, a, first, steady, &hash).await?;
    Ok(Stored { has_work: true, news: true })
}

async fn news(
    app: &App,
    a: &Accepted<'_>,
    first: bool,
    steady: bool,
    hash: &[u8],
) -> Result<(), Error> {
    let now = clock::now();
    let mut tx = app.pool.begin().await?;
    if !devices::owned_by(&mut tx, a.device_id, a.session_id).await? {
        return Err(Error::Conflict("a newer session of the device has begun".to_owned()));
    }
    let bootstrapped = a.inform.has(EventCode::Bootstrap);
    let facts = Facts::from_parameters(&a.inform.parameters);
    let row = devices::FactsRow {
        device_id: a.device_id,
        id: &a.inform.device_id,
        namespace: a.namespace,
        facts: &facts,
        auth: a.proof.word(),
        booted: a.inform.has(EventCode::Boot),
        bootstrapped,
    };
    let waits = devices::merge_facts(&mut tx, &row, now).await?;
    if bootstrapped {
        // N13: what we believed of the device's model is unknown now.
        parameters::forget(&mut tx, a.device_id, now).await?;
    }
    if !steady || bootstrapped {
        let learned = Learned { values: a.inform.parameters.clone(), ..Learned::default() };
        learn::store(&mut tx, &app.keys, a.device_id, &learned, now).await?;
        devices::mark_merged(&mut tx, a.device_id, hash).await?;
    }
    record_events(&mut tx, a, first, now).await?;
    let admitted = match first || waits {
        true => admission::admit(app, &mut tx, a.device_id, a.proof.claim(), first, now).await?,
        false => Admitted::In,
    };
    if admitted == Admitted::Refused {
        tx.rollback().await?;
        claims::forget_stranger(&app.pool, a.device_id, a.session_id).await?;
        let why = "nobody claimed this device, and no rule of admission lets it in";
        return Err(Error::Denied(why.to_owned()));
    }
    if first {
        tracing::info!(
            device.id = %a.device_id,
            device.serial = %a.inform.device_id.serial_number,
            device.model = %a.inform.device_id.product_class,
            "a new device"
        );
    }
    transfer::proofs_in_events(&mut tx, a.device_id, a.inform, now).await?;
    jobs::tell_rollouts(&mut tx, a.device_id, now).await?;
    connection_requests::clear(&mut tx, a.device_id, now).await?;
    if let Proof::Device { confirms: Some(ha1) } = &a.proof
        && credentials::confirm(&mut tx, a.device_id, ha1, now).await?
    {
        let (kind, detail) = ("credentials.confirmed", json!({}));
        events::append(&mut tx, a.device_id, kind, None, &detail, now).await?;
    }
    let is_in = admitted == Admitted::In;
    let start_over = first || bootstrapped || (waits && is_in);
    if is_in {
        enqueue(app, &mut tx, a, start_over, now).await?;
    }
    read_anew(app, &mut tx, a, start_over, now).await?;
    if is_in {
        // RouterOS bootstraps, too, when its ACS has another name; a reset takes a boot. Either way
        // it gets its script again.
        if bootstrapped && a.inform.has(EventCode::Boot) && !first {
            desired::was_reset(&mut tx, a.device_id, now).await?;
        } else if bootstrapped {
            desired::forget_script(&mut tx, a.device_id).await?;
        }
        desired::touch(&mut tx, a.device_id, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The jobs that Muster itself wants after such an Inform.
async fn enqueue(
    app: &App,
    tx: &mut PgConnection,
    a: &Accepted<'_>,
    start_over: bool,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let id = a.device_id;
    let known = credentials::get(tx, id).await?;
    let own = |spec, key| Order::own(id, spec, key);
    // A new device, one that has to enrol again, and any whose first order was lost. Credentials
    // that the device may have taken already stay as they are until it has used them: with others in
    // their place it would be locked out.
    let unconfirmed = known.as_ref().is_some_and(|c| !c.confirmed);
    let enrols = a.proof.enrols();
    if enrols || known.is_none() || start_over {
        if known.is_none() || (enrols && !unconfirmed) {
            fleet_credentials::issue(tx, &app.keys, id, &a.inform.device_id, now).await?;
        }
        // A device that refuses them comes with every inform to be asked again: once a day will do.
        let lately = now - REFUSED_FOR;
        if start_over || !jobs::failed_since(tx, id, "muster:credentials", lately).await? {
            queue::create(tx, &app.keys, own(JobSpec::Credentials, "credentials"), now).await?;
        }
    }
    if start_over {
        let root = Facts::from_parameters(&a.inform.parameters).root;
        admission::welcome::settings(app, tx, id, root.as_deref(), now).await?;
    }
    Ok(())
}

/// The job that reads the device's data model; of one that waits, too, for a claim may be found by it.
async fn read_anew(
    app: &App,
    tx: &mut PgConnection,
    a: &Accepted<'_>,
    start_over: bool,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let refresh = start_over && app.config.acs.read_on_first_contact;
    if refresh || a.inform.has(EventCode::Boot) {
        // Instance numbers may be others after a boot (deviation 26): read again.
        let order = Order::own(a.device_id, JobSpec::Refresh { path: None }, "refresh");
        queue::create(tx, &app.keys, order, now).await?;
    }
    Ok(())
}

async fn record_events(
    tx: &mut PgConnection,
    a: &Accepted<'_>,
    first: bool,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if first {
        let detail = json!({ "address": a.remote_addr, "auth": a.proof.word() });
        events::append(tx, a.device_id, "first_contact", None, &detail, now).await?;
    }
    let list = event_list(a.inform);
    for (code, kind) in [
        (EventCode::Bootstrap, "bootstrap"),
        (EventCode::Boot, "boot"),
        (EventCode::ValueChange, "value_change"),
        (EventCode::DiagnosticsComplete, "diagnostics_complete"),
    ] {
        if a.inform.has(code) {
            let detail = json!({
                "events": list,
                "version": a.inform.by_suffix(".DeviceInfo.SoftwareVersion"),
                "retry_count": a.inform.retry_count,
            });
            events::append(tx, a.device_id, kind, None, &detail, now).await?;
        }
    }
    Ok(())
}

fn event_list(inform: &Inform) -> String {
    let mut out = String::new();
    for event in inform.events.iter().take(64) {
        if !out.is_empty() {
            out.push_str(", ");
        }
        // A schema limit of 64 characters that devices may ignore and rows may not.
        out.extend(event.event_code.chars().filter(|c| *c != ',').take(64));
    }
    out
}

/// Whether devices are told a login of their own.
pub fn login_wanted(app: &App) -> bool {
    app.config.acs.auth == AuthMode::Device
}
