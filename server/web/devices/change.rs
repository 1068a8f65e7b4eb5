//! What the form of an action orders, and what became of it.
//!
//! Who may do it, and that it is done to the end, is for `service` to say. Nothing that replaces a
//! configuration can be said here: a file is a script, run on top of what is there, or no script.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::action::Action;
use super::bulk::{Order, Sent};
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::jobs::bulk::{Made, Stopped};
use crate::jobs::spec::{DownloadFile, DownloadSpec, JobSpec, SetParameter, UploadFile};
use crate::service::artifacts;
use crate::service::devices::{self, Change, Changed, Skipped};
use crate::service::inspect;
use crate::service::jobs::{self, NewOrder};
use crate::store::artifacts::Artifact;
use crate::web::device::{actions, diagnose};

/// What the devices do with a file that is no script.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Content {
    #[default]
    Firmware,
    WebContent,
}

/// What is done to each device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    /// It gets this job.
    Job(JobSpec),
    /// It tells what is installed on it: two jobs, which belong together.
    Inspect,
    /// This is noted of it.
    Note(Change),
}

impl Work {
    /// What a form orders.
    ///
    /// # Errors
    /// [`Error::Invalid`] for fields that cannot be taken, [`Error::NotFound`] for a file that is
    /// gone.
    pub(super) async fn read(
        app: &App,
        ctx: &Ctx,
        action: Action,
        sent: &Sent,
        test: &diagnose::Order,
    ) -> Result<Self, Error> {
        let file = match sent.artifact_id {
            Some(artifact_id) if action.sends_file() => {
                Some(artifacts::get(app, ctx, artifact_id).await?)
            }
            _ => None,
        };
        Self::of(action, sent, test, file.as_ref())
    }

    fn of(
        action: Action,
        sent: &Sent,
        test: &diagnose::Order,
        file: Option<&Artifact>,
    ) -> Result<Self, Error> {
        let file = || file.ok_or_else(|| Error::invalid("/artifact_id", "Choose a file."));
        let upload = |file: UploadFile| Self::Job(JobSpec::Upload { file });
        Ok(match action {
            Action::Reboot => Self::Job(JobSpec::Reboot),
            Action::Refresh => Self::Job(JobSpec::Refresh { path: None }),
            Action::Inspect => Self::Inspect,
            Action::ConnectionRequest => Self::Job(JobSpec::ConnectionRequest),
            Action::Set => {
                let (name, value) = (sent.name.trim().to_owned(), sent.value.clone());
                let parameters = vec![SetParameter { name, value, kind: None }];
                Self::Job(JobSpec::Set { parameters })
            }
            Action::Script => Self::Job(actions::run(file()?)?),
            Action::Download => Self::Job(download(file()?, sent.content)?),
            Action::Configuration => upload(UploadFile::Configuration),
            Action::Log => upload(UploadFile::Log),
            Action::Ping | Action::Traceroute | Action::DownloadSpeed | Action::UploadSpeed => {
                Self::Job(diagnose::job(test))
            }
            Action::Tag => Self::Note(Change::AddTags { tags: vec![sent.tag.trim().to_owned()] }),
            Action::Untag => {
                Self::Note(Change::RemoveTags { tags: vec![sent.tag.trim().to_owned()] })
            }
            Action::Move => Self::Note(match sent.site.trim() {
                "" => Change::MoveOut {},
                site => Change::Move { site: site.to_owned() },
            }),
            Action::Group => Self::Note(Change::AddToGroup { group_id: group(sent)? }),
            Action::Ungroup => Self::Note(Change::RemoveFromGroup { group_id: group(sent)? }),
        })
    }
}

fn download(file: &Artifact, content: Content) -> Result<JobSpec, Error> {
    if actions::is_script(&file.name) {
        let why = format!("{} is a script: run it as one.", file.name);
        return Err(Error::invalid("/artifact_id", why));
    }
    let artifact_id = file.artifact_id;
    let file = match content {
        Content::Firmware => DownloadFile::Firmware,
        Content::WebContent => DownloadFile::WebContent,
    };
    Ok(JobSpec::Download(DownloadSpec { artifact_id, file, delay_seconds: 0 }))
}

fn group(sent: &Sent) -> Result<Uuid, Error> {
    sent.group.ok_or_else(|| Error::invalid("/group_id", "Choose a group."))
}

/// How far it came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Devices to which it was done.
    pub(super) done: u64,
    /// Devices that were so already.
    pub(super) unchanged: u64,
    /// Devices to which it could not be done.
    pub(super) skipped: u64,
    /// Why not, of the first of them.
    pub(super) reasons: Vec<Skipped>,
    /// Why it went no further.
    pub(super) stopped: Option<String>,
}

/// Does it; `no_backup` = also where a device's configuration cannot be kept first.
///
/// # Errors
/// Those for which nothing was done.
pub(super) async fn done(
    app: &Shared,
    ctx: &Ctx,
    work: Work,
    order: &Order,
    no_backup: bool,
) -> Result<Outcome, Error> {
    let Order { which, expected, key, .. } = order;
    let spec = match work {
        Work::Job(spec) => spec,
        Work::Inspect => return made(inspect::order_many(app, ctx, which, *expected).await),
        Work::Note(change) => {
            let done = devices::change_many(app, ctx, which, change, *expected).await?;
            return Ok(changed(done));
        }
    };
    let job = NewOrder {
        spec,
        not_before: None,
        expires_at: None,
        idempotency_key: Some(format!("page:{}", key.simple())),
        wake: None,
        backup: no_backup.then_some(false),
    };
    made(jobs::bulk(app, ctx, which, job, *expected).await)
}

fn changed(done: Changed) -> Outcome {
    Outcome {
        done: done.changed,
        unchanged: done.unchanged,
        skipped: done.skipped,
        reasons: done.reasons,
        stopped: done.stopped.map(|error| error.to_string()),
    }
}

fn made(result: Result<Made, Stopped>) -> Result<Outcome, Error> {
    let (made, stopped) = match result {
        Ok(made) => (made, None),
        Err(Stopped { made, error }) if made == Made::default() => return Err(error),
        Err(Stopped { made, error }) => {
            tracing::error!(error = %error.private(), "an order for many devices stopped");
            (made, Some(error.to_string()))
        }
    };
    Ok(Outcome { done: made.created, skipped: made.skipped, stopped, ..Outcome::default() })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use chrono::DateTime;

    use super::*;

    fn file(name: &str) -> Artifact {
        Artifact {
            artifact_id: Uuid::from_u128(7),
            name: name.to_owned(),
            size: 1,
            sha256: Vec::new(),
            content_type: "text/plain".to_owned(),
            created_by: "ann".to_owned(),
            maker_id: None,
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    fn work(action: Action, sent: &Sent, stored: Option<&str>) -> Result<Work, Error> {
        let stored = stored.map(file);
        Work::of(action, sent, &diagnose::Order::default(), stored.as_ref())
    }

    /// Where it is wrong.
    fn place(result: Result<Work, Error>) -> String {
        match result.unwrap_err() {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_form_is_work() {
        let sent = Sent {
            name: " Device.X ".to_owned(),
            value: " v ".to_owned(),
            tag: " pilot".to_owned(),
            site: " eu.lv ".to_owned(),
            group: Some(Uuid::from_u128(8)),
            ..Sent::default()
        };
        let parameter = SetParameter { name: "Device.X".into(), value: " v ".into(), kind: None };
        let tags = || vec!["pilot".to_owned()];
        let group_id = Uuid::from_u128(8);
        for (action, expected) in [
            (Action::Set, Work::Job(JobSpec::Set { parameters: vec![parameter] })),
            (Action::Log, Work::Job(JobSpec::Upload { file: UploadFile::Log })),
            (Action::Inspect, Work::Inspect),
            (Action::Tag, Work::Note(Change::AddTags { tags: tags() })),
            (Action::Untag, Work::Note(Change::RemoveTags { tags: tags() })),
            (Action::Move, Work::Note(Change::Move { site: "eu.lv".to_owned() })),
            (Action::Group, Work::Note(Change::AddToGroup { group_id })),
            (Action::Ungroup, Work::Note(Change::RemoveFromGroup { group_id })),
        ] {
            assert_eq!(work(action, &sent, None).unwrap(), expected);
        }
        let empty = Sent::default();
        assert_eq!(work(Action::Move, &empty, None).unwrap(), Work::Note(Change::MoveOut {}));
        assert_eq!(place(work(Action::Group, &empty, None)), "/group_id");
    }

    #[test]
    fn each_action_orders_the_job_that_it_names() {
        let sent = Sent { group: Some(Uuid::nil()), ..Sent::default() };
        for action in Action::ALL {
            let stored = if action == Action::Script { "a.rsc" } else { "a.xml" };
            let kind = match work(action, &sent, Some(stored)).unwrap() {
                Work::Job(spec) => Some(spec.kind()),
                Work::Inspect => Some("upload"),
                Work::Note(_) => None,
            };
            assert_eq!(action.job(), kind, "{action:?}");
        }
    }

    #[test]
    fn a_script_is_run_on_top_and_never_taken_for_something_else() {
        let sent = Sent::default();
        let sends = |action, name| match work(action, &sent, Some(name)).unwrap() {
            Work::Job(JobSpec::Download(download)) => download.file,
            other => panic!("{other:?}"),
        };
        assert_eq!(sends(Action::Script, "a.rsc"), DownloadFile::Alter);
        assert_eq!(sends(Action::Download, "upgrade.xml"), DownloadFile::Firmware);
        for (action, name) in [
            (Action::Script, Some("upgrade.xml")),
            (Action::Download, Some("a.RSC")),
            (Action::Script, None),
            (Action::Download, None),
        ] {
            assert_eq!(place(work(action, &sent, name)), "/artifact_id", "{action:?} {name:?}");
        }
        assert!(serde_json::from_value::<Content>(serde_json::json!("overwrite")).is_err());
    }

    #[test]
    fn an_order_that_stopped_half_way_says_so_and_one_that_did_nothing_is_an_error() {
        let stopped = |created| Stopped {
            made: Made { created, skipped: 0 },
            error: Error::Database(sqlx::Error::PoolClosed),
        };
        let outcome = made(Err(stopped(3))).unwrap();
        assert_eq!(outcome.done, 3);
        assert_eq!(outcome.stopped.as_deref(), Some("the database is not available"));
        assert!(matches!(made(Err(stopped(0))), Err(Error::Database(_))));
        let outcome = made(Ok(Made { created: 2, skipped: 1 })).unwrap();
        assert_eq!((outcome.done, outcome.skipped, outcome.stopped), (2, 1, None));
    }
}
