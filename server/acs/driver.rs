//! Runs a session: feeds the pure machine, stores what it says to store, leases and settles jobs.
//!
//! Owns the rule that a result and the lease of the next job are one transaction, made only while
//! the session still owns the device (N8): a session that was superseded, here or on another node,
//! ends without storing anything.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use muster_cwmp::acs::{AcsSession, Action, Answer, Call, Event};
use muster_cwmp::fault::{Fault, FaultCode};
use muster_cwmp::rpc::{Envelope, Request};
use sqlx::PgConnection;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::transcript::{Ending, Transcript};
use super::{inform, transfer};
use crate::clock;
use crate::ctx::App;
use crate::desired::reconcile;
use crate::error::Error;
use crate::files::link::{self, Link, LinkKind};
use crate::fleet::{admission, credentials, learn};
use crate::jobs::download::TransferUrl;
use crate::jobs::machine::{Context, Machine, Outcome, Step};
use crate::jobs::spec::JobSpec;
use crate::jobs::{queue, release};
use crate::store::jobs::Job;
use crate::store::{
    artifacts, connection_requests, device_packages, devices, jobs as store, packages, parameters,
};

mod spoken;

/// Times that a device is compared with what is wanted of it in one session: a device that undoes what
/// it is told does not keep it open.
const MOST_COMPARED: u32 = 8;

/// What goes back to the device.
#[derive(Debug)]
pub enum Reply {
    /// 200 with this envelope.
    Envelope(Box<Envelope>),
    /// 204: over.
    End,
    /// 400 with this text.
    Reject(&'static str),
}

/// A job that this session runs.
struct Running {
    /// As it was when it was leased.
    job: Job,
    machine: Machine,
    span: Span,
}

/// One open session.
pub struct Session {
    /// The cookie's value, and what owns the device.
    pub session_id: Uuid,
    /// Whose.
    pub device_id: Uuid,
    /// `http(s)://host:port` as the device reaches us.
    pub base_url: String,
    /// A look for work is worth it.
    pub has_work: bool,
    /// The session's span; every message is worked on inside it.
    pub span: Span,
    machine: AcsSession,
    running: Option<Running>,
    calls: u32,
    /// Times that the device was compared with what is wanted of it.
    compared: u32,
    started_at: DateTime<Utc>,
    remote_addr: IpAddr,
    /// What was said. None while nothing happened: most sessions end that way.
    transcript: Option<Box<Transcript>>,
}

impl Session {
    /// A session whose machine has taken the Inform and waits for it to be stored.
    pub fn new(
        session_id: Uuid,
        device_id: Uuid,
        base_url: String,
        remote_addr: IpAddr,
        machine: AcsSession,
    ) -> Self {
        let span = tracing::info_span!(
            "cwmp.session",
            device.id = %device_id,
            session.id = %session_id,
        );
        Self {
            session_id,
            device_id,
            base_url,
            has_work: false,
            span,
            machine,
            running: None,
            calls: 0,
            compared: 0,
            started_at: clock::now(),
            remote_addr,
            transcript: None,
        }
    }

    /// The namespace in which everything is answered.
    pub fn namespace(&self) -> &str {
        self.machine.namespace()
    }

    /// Works on one message until there is something to send.
    pub async fn step(&mut self, app: &App, event: Event) -> Reply {
        let span = self.span.clone();
        self.run(app, event).instrument(span).await
    }

    async fn run(&mut self, app: &App, event: Event) -> Reply {
        self.hear(&event);
        let mut action = self.machine.step(event);
        loop {
            action = match action {
                Action::Reply(envelope) => {
                    self.say(&envelope);
                    return Reply::Envelope(envelope);
                }
                Action::End => return Reply::End,
                Action::Reject(why) => {
                    self.rejected(400, why);
                    return Reply::Reject(why);
                }
                Action::Record(request) => {
                    let result = self.record(app, request).await;
                    self.machine.step(Event::Recorded(result))
                }
                Action::FetchWork => match self.fetch(app).await {
                    Ok(call) => self.machine.step(Event::Work(call)),
                    Err(e) => return self.give_up(&e),
                },
                Action::Settle(answer) => match self.settle(app, answer).await {
                    Ok(call) => self.machine.step(Event::Work(call)),
                    Err(e) => return self.give_up(&e),
                },
            };
        }
    }

    /// Nothing was stored: the device is sent away, what it ran is found by its lease.
    fn give_up(&mut self, error: &Error) -> Reply {
        let ending = match error {
            Error::Conflict(why) => {
                tracing::info!("session ended: {why}");
                Ending::Superseded
            }
            other => {
                tracing::error!("session ended: {}", other.private());
                Ending::Refused
            }
        };
        self.transcript().broke(ending, &error.to_string());
        self.running = None;
        Reply::End
    }

    async fn record(
        &mut self,
        app: &App,
        request: Request,
    ) -> Result<muster_cwmp::rpc::Response, Fault> {
        self.has_work = true;
        match transfer::record(app, self.device_id, self.session_id, request).await {
            Ok(response) => Ok(response),
            Err(e) => {
                tracing::error!("a report of the device was not stored: {}", e.private());
                Err(Fault::new(FaultCode::ACS_RETRY_REQUEST, "Retry request"))
            }
        }
    }

    async fn fetch(&mut self, app: &App) -> Result<Option<Call>, Error> {
        if !self.has_work {
            return Ok(None);
        }
        let mut tx = app.pool.begin().await?;
        self.own(&mut tx).await?;
        connection_requests::clear(&mut tx, self.device_id, clock::now()).await?;
        let call = self.next(app, &mut tx).await?;
        tx.commit().await?;
        match call {
            Some(call) => Ok(Some(call)),
            None => self.what_is_wanted(app).await,
        }
    }

    /// When nothing more is to be done: whether the device is as it should be, and what to do if not.
    async fn what_is_wanted(&mut self, app: &App) -> Result<Option<Call>, Error> {
        while self.compared < MOST_COMPARED {
            self.compared += 1;
            match reconcile::in_session(app, self.device_id).await {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => {
                    // Nothing is lost: it is due still.
                    tracing::error!("not compared in its session: {}", error.private());
                    return Ok(None);
                }
            }
            let mut tx = app.pool.begin().await?;
            self.own(&mut tx).await?;
            let call = self.next(app, &mut tx).await?;
            tx.commit().await?;
            if call.is_some() {
                return Ok(call);
            }
        }
        Ok(None)
    }

    async fn settle(&mut self, app: &App, answer: Answer) -> Result<Option<Call>, Error> {
        let Some(mut running) = self.running.take() else { return self.fetch(app).await };
        let span = running.span.clone();
        match span.in_scope(|| running.machine.answer(answer)) {
            Step::Send(request) => {
                self.running = Some(running);
                Ok(Some(self.call(request)))
            }
            Step::Finish(outcome) => {
                let mut tx = app.pool.begin().await?;
                self.own(&mut tx).await?;
                self.finish(app, &mut tx, running, outcome).await?;
                let call = self.next(app, &mut tx).await?;
                tx.commit().await?;
                match call {
                    Some(call) => Ok(Some(call)),
                    None => self.what_is_wanted(app).await,
                }
            }
        }
    }

    async fn own(&self, tx: &mut PgConnection) -> Result<(), Error> {
        if devices::owned_by(tx, self.device_id, self.session_id).await? {
            return Ok(());
        }
        Err(Error::Conflict("a newer session of the device has begun".to_owned()))
    }

    async fn finish(
        &self,
        app: &App,
        tx: &mut PgConnection,
        running: Running,
        outcome: Outcome,
    ) -> Result<(), Error> {
        let now = clock::now();
        learn::store(tx, &app.keys, self.device_id, &running.machine.learned, now).await?;
        if !running.machine.learned.values.is_empty() {
            store::tell_rollouts(tx, self.device_id, now).await?;
        }
        // What was read may name the claim of a device that had none.
        if matches!(running.machine.spec(), JobSpec::Refresh { .. })
            && admission::by_mac(app, tx, self.device_id, now).await?
        {
            admission::welcome(app, tx, self.device_id, now).await?;
        }
        running.span.in_scope(|| log_outcome(&running.job, &outcome));
        let spec = running.machine.spec().clone();
        queue::settle(tx, &running.job, &spec, outcome, rand::random(), now).await
    }

    /// Leases jobs until one has something to send.
    async fn next(&mut self, app: &App, tx: &mut PgConnection) -> Result<Option<Call>, Error> {
        loop {
            let now = clock::now();
            let lease = app.config.acs.session_deadline_seconds + 60;
            let until = now + TimeDelta::seconds(i64::try_from(lease).unwrap_or(3_600));
            let (id, session) = (self.device_id, self.session_id);
            let Some((job, spec)) =
                queue::lease_next(tx, &app.keys, id, session, until, now).await?
            else {
                return Ok(None);
            };
            let span = tracing::info_span!(
                parent: &self.span,
                "job",
                device.id = %self.device_id,
                job.id = %job.job_id,
                job.kind = %job.kind,
                job.attempt = job.attempts + 1,
            );
            let context = self.context(app, tx, &job, &spec).await?;
            let (machine, step) = Machine::start(spec, context);
            let running = Running { job, machine, span };
            match step {
                Step::Send(request) => {
                    self.running = Some(running);
                    return Ok(Some(self.call(request)));
                }
                Step::Finish(outcome) => self.finish(app, tx, running, outcome).await?,
            }
        }
    }

    fn call(&mut self, request: Request) -> Call {
        self.calls += 1;
        Call { request, id: format!("m{}", self.calls), hold: false }
    }

    async fn context(
        &self,
        app: &App,
        tx: &mut PgConnection,
        job: &Job,
        spec: &JobSpec,
    ) -> Result<Context, Error> {
        let root = devices::root(tx, self.device_id).await?.unwrap_or_else(|| "Device.".into());
        let mut context = Context {
            job_id: job.job_id,
            earlier_attempts: u32::try_from(job.attempts).unwrap_or(0),
            reported: queue::is_reported(job),
            ..Context::default()
        };
        match spec {
            JobSpec::Set { parameters } => {
                let names: Vec<String> = parameters.iter().map(|p| p.name.clone()).collect();
                context.types = parameters::types(tx, self.device_id, &names).await?;
            }
            JobSpec::AddObject { object, parameters } => {
                let names: Vec<String> = parameters.iter().map(|p| p.name.clone()).collect();
                let id = self.device_id;
                context.types = parameters::sibling_types(tx, id, object, &names).await?;
            }
            JobSpec::Credentials => {
                let login = inform::login_wanted(app);
                let id = self.device_id;
                context.credentials =
                    credentials::to_write(tx, &app.keys, id, &root, login).await?;
            }
            JobSpec::Download(d) | JobSpec::ScheduleDownload { download: d, .. } => {
                context.transfer = self.download_url(app, tx, spec, d.artifact_id).await?;
                if let Some(url) = &mut context.transfer
                    && queue::around(tx, job).await?.is_some()
                {
                    // It is longer by what is put around it, which is made when it is fetched.
                    url.size = 0;
                }
            }
            JobSpec::Upgrade { version, packages: wanted, .. } => {
                let stored = packages::by_ids(&mut *tx, wanted).await?;
                let names = stored.iter().map(|package| package.file_name.clone());
                context.upgrade.longest = names.max_by_key(String::len).unwrap_or_default();
                let runs = device_packages::runs(tx, self.device_id).await?;
                let arch = runs.arch.as_deref();
                context.upgrade.obstacle = release::obstacle(version, wanted, &stored, arch);
                context.upgrade.runs = runs.version;
                let late = spec.confirm_seconds().unwrap_or(0);
                context.transfer = self.job_url(app, LinkKind::Download, job.job_id, late);
            }
            JobSpec::Configure { .. } => {
                let late = spec.confirm_seconds().unwrap_or(0);
                context.transfer = self.job_url(app, LinkKind::Download, job.job_id, late);
            }
            JobSpec::Upload { .. } => {
                context.transfer = self.job_url(app, LinkKind::Upload, job.job_id, 0);
            }
            _ => {}
        }
        context.root = root;
        Ok(context)
    }

    async fn download_url(
        &self,
        app: &App,
        // The transaction that is open: a session that held it and waited for another connection
        // could wait for sessions that do the same.
        tx: &mut PgConnection,
        spec: &JobSpec,
        artifact_id: Uuid,
    ) -> Result<Option<TransferUrl>, Error> {
        let (artifact_name, size) = match artifacts::get(&mut *tx, artifact_id).await? {
            Some(artifact) => (artifact.name, u64::try_from(artifact.size).unwrap_or(0)),
            // One that the device sent itself. What it gets is made of it: how long, nobody knows.
            None => match artifacts::get_of_device(tx, self.device_id, artifact_id).await? {
                Some(file) => (file.name, 0),
                None => return Ok(None),
            },
        };
        // The device may be told to fetch late.
        let late = spec.confirm_seconds().unwrap_or(0);
        Ok(Some(TransferUrl {
            base: format!(
                "{}{}",
                self.base_url,
                self.link(app, LinkKind::Download, artifact_id, late)
            ),
            artifact_name,
            size,
        }))
    }

    /// Of what no artifact is stored for: a file that is made for the job, or that is to come.
    fn job_url(&self, app: &App, kind: LinkKind, job_id: Uuid, late: i64) -> Option<TransferUrl> {
        let base = format!("{}{}", self.base_url, self.link(app, kind, job_id, late));
        Some(TransferUrl { base, artifact_name: String::new(), size: 0 })
    }

    fn link(&self, app: &App, kind: LinkKind, subject: Uuid, late: i64) -> String {
        let expires = link::expiry(&app.config, clock::now().timestamp()) + late;
        link::path(&app.keys, &Link { kind, device_id: self.device_id, subject, expires })
    }

    /// What it ran is settled as lost: the session is over before its machine was.
    async fn release(&self, app: &App, running: Running, why: &str) {
        running.span.in_scope(|| tracing::warn!("job interrupted: {why}"));
        let release = async {
            let mut tx = app.pool.begin().await?;
            if store::lock_device(&mut tx, self.device_id).await? {
                queue::release(&mut tx, &running.job, self.session_id, clock::now()).await?;
            }
            tx.commit().await?;
            Ok::<(), Error>(())
        };
        // If this fails too, the lease ends by itself.
        let limit = Duration::from_secs(10);
        match tokio::time::timeout(limit, release.instrument(self.span.clone())).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::error!("the job was not released: {}", e.private()),
            Err(_) => tracing::error!("the job was not released in time"),
        }
    }
}

fn log_outcome(job: &Job, outcome: &Outcome) {
    match outcome {
        Outcome::Done(_) => tracing::info!("job done"),
        Outcome::Accepted => tracing::info!("job accepted by the device"),
        Outcome::Fault(fault) | Outcome::Partial(fault) => {
            tracing::warn!(fault.code = fault.code.0, "job refused: {fault}")
        }
        Outcome::Silent => tracing::warn!("no answer to the job"),
        Outcome::Failed(why) => tracing::warn!("job failed: {why}"),
        Outcome::Overtaken(why) => tracing::warn!("job {why}"),
        Outcome::Impossible(why) => tracing::error!(job.kind = %job.kind, "job impossible: {why}"),
    }
}
