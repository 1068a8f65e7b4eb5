//! `muster rollouts`, and `muster devices upgrade`. People name a rollout by its name, too: it is the
//! newest one of that name.

mod dry_run;
mod follow;
mod new;
mod view;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use muster::rollout::words::count_of;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::audit;
use super::devices::named;
use super::http::{Answer, Api, List, Span};
use super::order::Before;
use super::output::{clean, done, list, maybe, show, time};
use new::New;
use view::{Event, Ordered, Rollout, RolloutDevice, change, report, view};

/// `muster rollouts`. ROLLOUT is an id, or the name of the newest rollout that has it.
#[derive(Debug, Subcommand)]
pub enum Rollouts {
    /// List rollouts, newest first.
    List {
        /// Only those in this state, such as running or paused.
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        span: Span,
    },
    /// Show a rollout with its waves.
    Get {
        /// Id or name.
        rollout: String,
    },
    /// Write a rollout: a draft, unless it is started.
    Create(Box<Create>),
    /// Remove a draft.
    Delete {
        /// Id or name.
        rollout: String,
    },
    /// Say what a rollout would do if it began now.
    DryRun {
        /// Id or name.
        rollout: String,
    },
    /// Start a draft.
    Start {
        /// Id or name.
        rollout: String,
        /// Not before this time, such as 2030-01-31T02:00:00Z.
        #[arg(long, value_name = "TIME")]
        at: Option<DateTime<Utc>>,
        #[command(flatten)]
        following: Following,
    },
    /// Follow a rollout to its end: exit code 0 if it is completed, 1 otherwise.
    Follow {
        /// Id or name.
        rollout: String,
        /// Go on while it waits for somebody.
        #[arg(long)]
        stay: bool,
    },
    /// Approve a rollout that somebody else has started.
    Approve {
        /// Id or name.
        rollout: String,
    },
    /// Let the wave begin that waits for an approval.
    ApproveWave {
        /// Id or name.
        rollout: String,
    },
    /// Begin nothing new until somebody resumes it.
    Pause(Because),
    /// Go on with what is paused.
    Resume(Because),
    /// End it: devices in flight finish.
    Abort(Because),
    /// Take back what it has changed.
    RollBack(Because),
    /// Try the devices again that failed or did not come in time.
    Retry(Because),
    /// Leave devices out.
    Exclude {
        #[command(flatten)]
        because: Because,
        /// Serial number or id.
        #[arg(long, value_name = "DEVICE", required_unless_present = "failed")]
        device: Option<String>,
        /// All that failed or did not come in time.
        #[arg(long, conflicts_with = "device")]
        failed: bool,
    },
    /// List a rollout's devices in their order.
    Devices {
        /// Id or name.
        rollout: String,
        /// Only those in this state, such as failed or healthy.
        #[arg(long)]
        state: Option<String>,
        /// Only those of this wave; the first is 1.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        wave: Option<u32>,
        #[command(flatten)]
        span: Span,
    },
    /// List what happened in a rollout, newest first.
    Events {
        /// Id or name.
        rollout: String,
        #[command(flatten)]
        span: Span,
    },
    /// Report on a rollout: as a whole, or with a format on each of its devices.
    Report {
        /// Id or name.
        rollout: String,
        /// Each device, in this form.
        #[arg(long, value_enum)]
        format: Option<audit::Format>,
    },
}

/// A new rollout, and what becomes of it.
#[derive(Debug, Args)]
pub struct Create {
    #[command(flatten)]
    new: New,
    /// Only say what it would do; nothing is stored.
    #[arg(long, conflicts_with_all = ["start", "follow"])]
    dry_run: bool,
    /// Start it.
    #[arg(long)]
    start: bool,
    /// Start it and follow it to its end.
    #[arg(long)]
    follow: bool,
}

/// Whether a rollout is followed.
#[derive(Debug, Args)]
pub struct Following {
    /// Follow it to its end.
    #[arg(long)]
    follow: bool,
}

/// A rollout, and why something is ordered of it.
#[derive(Debug, Args)]
pub struct Because {
    /// Id or name.
    rollout: String,
    /// Why: it stands in the rollout's story and in the audit log.
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: String,
}

/// What one device is brought to.
#[derive(Debug, Args)]
#[group(skip)]
pub struct Upgrade {
    /// RouterOS release, such as 7.16.1.
    release: String,
    /// Also where it runs a newer one.
    #[arg(long)]
    downgrade: bool,
    /// Then RouterBOOT too.
    #[arg(long)]
    routerboot: bool,
    #[command(flatten)]
    before: Before,
    #[command(flatten)]
    following: Following,
}

pub(super) async fn run(api: &Api, command: Rollouts) -> anyhow::Result<()> {
    match command {
        Rollouts::List { state, span } => list_rollouts(api, state.as_deref(), &span).await,
        Rollouts::Get { rollout } => {
            let id = id_of(api, &rollout).await?;
            show(api, &api.get(&["rollouts", &id], &[]).await?, view)
        }
        Rollouts::Create(create) => create_rollout(api, *create).await,
        Rollouts::Delete { rollout } => {
            let id = id_of(api, &rollout).await?;
            api.delete(&["rollouts", &id], &[]).await?;
            done(api, &format!("{rollout} is removed"))
        }
        Rollouts::DryRun { rollout } => {
            let answer = order(api, &rollout, "dry-run", None).await?;
            show(api, &answer, dry_run::view)
        }
        Rollouts::Start { rollout, at, following } => {
            let answer = order(api, &rollout, "start", Some(&json!({ "at": at }))).await?;
            started(api, &answer, following.follow).await
        }
        Rollouts::Follow { rollout, stay } => {
            follow::follow(api, &id_of(api, &rollout).await?, stay).await
        }
        Rollouts::Approve { rollout } => {
            show(api, &order(api, &rollout, "approve", None).await?, view)
        }
        Rollouts::ApproveWave { rollout } => {
            show(api, &order(api, &rollout, "approve-wave", None).await?, view)
        }
        Rollouts::Pause(because) => because.order(api, "pause").await,
        Rollouts::Resume(because) => because.order(api, "resume").await,
        Rollouts::Abort(because) => because.order(api, "abort").await,
        Rollouts::RollBack(because) => because.order(api, "roll-back").await,
        Rollouts::Retry(Because { rollout, reason }) => {
            let body = json!({ "reason": reason });
            let answer = order(api, &rollout, "retry", Some(&body)).await?;
            show(api, &answer, |o: Ordered| {
                format!("tried again: {}", count_of(o.devices, "device"))
            })
        }
        Rollouts::Exclude { because: Because { rollout, reason }, device, .. } => {
            let body = json!({ "device": device.as_deref().map(named), "reason": reason });
            let answer = order(api, &rollout, "exclude", Some(&body)).await?;
            show(api, &answer, |o: Ordered| format!("left out: {}", count_of(o.devices, "device")))
        }
        Rollouts::Devices { rollout, state, wave, span } => {
            list_devices(api, &rollout, state.as_deref(), wave, &span).await
        }
        Rollouts::Events { rollout, span } => list_events(api, &rollout, &span).await,
        Rollouts::Report { rollout, format } => {
            let id = id_of(api, &rollout).await?;
            let path = vec!["rollouts", id.as_str(), "report"];
            match format {
                Some(format) => {
                    let all = List { path, query: Vec::new(), cursor: "after" };
                    audit::export(api, &all, format).await
                }
                None => show(api, &api.get(&path, &[]).await?, report),
            }
        }
    }
}

/// Brings one device to a release.
pub(super) async fn upgrade(api: &Api, name: &str, upgrade: Upgrade) -> anyhow::Result<()> {
    let Upgrade { release, downgrade, routerboot, before, following } = upgrade;
    let mut body = json!({ "version": release, "downgrade": downgrade, "routerboot": routerboot });
    before.say(&mut body);
    let path = ["devices", &named(name), "upgrade"];
    let answer = api.call(Method::POST, &path, Some(&body)).await?;
    started(api, &answer, following.follow).await
}

async fn create_rollout(api: &Api, create: Create) -> anyhow::Result<()> {
    let body = create.new.body(api).await?;
    if create.dry_run {
        let answer = api.call(Method::POST, &["rollouts", "dry-run"], Some(&body)).await?;
        return show(api, &answer, dry_run::view);
    }
    let answer = api.call(Method::POST, &["rollouts"], Some(&body)).await?;
    if !create.start && !create.follow {
        return show(api, &answer, view);
    }
    let id = answer.read::<Rollout>()?.rollout_id.to_string();
    let answer = order(api, &id, "start", None).await?;
    started(api, &answer, create.follow).await
}

/// Shows a rollout that was started, or follows it.
async fn started(api: &Api, answer: &Answer, follow: bool) -> anyhow::Result<()> {
    if !follow {
        return show(api, answer, view);
    }
    let id = answer.read::<Rollout>()?.rollout_id.to_string();
    follow::follow(api, &id, false).await
}

impl Because {
    async fn order(self, api: &Api, what: &str) -> anyhow::Result<()> {
        let body = json!({ "reason": self.reason });
        show(api, &order(api, &self.rollout, what, Some(&body)).await?, view)
    }
}

async fn order(
    api: &Api,
    rollout: &str,
    what: &str,
    body: Option<&Value>,
) -> anyhow::Result<Answer> {
    let id = id_of(api, rollout).await?;
    api.call(Method::POST, &["rollouts", &id, what], body).await
}

fn all(state: Option<&str>) -> List<'_> {
    let query = state.map(|state| ("state", state)).into_iter().collect();
    List { path: vec!["rollouts"], query, cursor: "before" }
}

/// The id of a rollout: of the newest one, where several have the name.
async fn id_of(api: &Api, name: &str) -> anyhow::Result<String> {
    if name.len() == 36 && Uuid::try_parse(name).is_ok() {
        return Ok(name.to_owned());
    }
    let found: Option<Rollout> = api.find(&all(None), |r: &Rollout| r.name == name).await?;
    let rollout = found.with_context(|| format!("no rollout {}", clean(name)))?;
    Ok(rollout.rollout_id.to_string())
}

async fn list_rollouts(api: &Api, state: Option<&str>, span: &Span) -> anyhow::Result<()> {
    let header = ["rollout_id", "name", "change", "state", "since", "reason"];
    list(api, &all(state), span, &header, |r: Rollout| {
        let (id, what) = (r.rollout_id.to_string(), change(&r.change));
        vec![id, r.name, what, r.state, time(r.state_at), maybe(r.reason)]
    })
    .await
}

async fn list_devices(
    api: &Api,
    rollout: &str,
    state: Option<&str>,
    wave: Option<u32>,
    span: &Span,
) -> anyhow::Result<()> {
    let id = id_of(api, rollout).await?;
    let wave = wave.map(|wave| (wave - 1).to_string());
    let narrow = [("state", state), ("wave", wave.as_deref())];
    let query = narrow.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let devices = List { path: vec!["rollouts", id.as_str(), "devices"], query, cursor: "after" };
    let header = ["serial", "wave", "state", "from", "to", "version", "reason"];
    list(api, &devices, span, &header, |d: RolloutDevice| {
        let wave = maybe(d.wave.map(|wave| (wave + 1).to_string()));
        let versions = [d.from_version, d.to_version, d.version].map(maybe);
        let [from, to, version] = versions;
        vec![d.serial, wave, d.state, from, to, version, maybe(d.reason)]
    })
    .await
}

async fn list_events(api: &Api, rollout: &str, span: &Span) -> anyhow::Result<()> {
    let id = id_of(api, rollout).await?;
    let path = vec!["rollouts", id.as_str(), "events"];
    let events = List { path, query: Vec::new(), cursor: "before" };
    list(api, &events, span, &["at", "actor", "kind", "text"], |e: Event| {
        vec![time(e.at), e.actor, e.kind, e.text]
    })
    .await
}
