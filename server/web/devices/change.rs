//! What a confirmed change does, device by device, and how far it came.
//!
//! Owns that it is done to the end, whether or not somebody waits for it: a browser that goes away
//! takes its request with it, and would cut the change in half.

use serde::Serialize;
use tracing::Instrument;
use uuid::Uuid;

use super::action::Action;
use super::bulk::Sent;
use super::target::Target;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::label::checked_tags;
use crate::fleet::placement::Placement;
use crate::fleet::site::SitePath;
use crate::jobs::bulk::{Made, Stopped};
use crate::jobs::spec::{JobSpec, SetParameter};
use crate::service::jobs::{self, NewOrder};
use crate::service::{devices, groups, sites};

/// Devices that were skipped and of which it is said why.
const REASONS: usize = 20;

/// A change, as its form says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Work for each device.
    Job(JobSpec),
    /// What Muster notes of each.
    Place(Place),
}

/// What Muster is to note of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// It has this tag.
    Tag(String),
    /// It does not.
    Untag(String),
    /// It stands at this site, or at none.
    Site(Option<String>),
    /// It is in this group.
    Group(Uuid),
}

impl Change {
    /// # Errors
    /// [`Error::Invalid`] for fields that cannot be taken.
    pub(super) fn of(action: Action, sent: &Sent) -> Result<Self, Error> {
        Ok(match action {
            Action::Reboot => Self::Job(JobSpec::Reboot),
            Action::Refresh => Self::Job(JobSpec::Refresh { path: None }),
            Action::ConnectionRequest => Self::Job(JobSpec::ConnectionRequest),
            Action::Set => {
                let (name, value) = (sent.name.trim().to_owned(), sent.value.clone());
                Self::Job(JobSpec::Set {
                    parameters: vec![SetParameter { name, value, kind: None }],
                })
            }
            Action::Tag => Self::Place(Place::Tag(tag(&sent.tag)?)),
            Action::Untag => Self::Place(Place::Untag(tag(&sent.tag)?)),
            Action::Move => Self::Place(Place::Site(site(&sent.site)?)),
            Action::Group => {
                let unknown = || Error::invalid("/group", "Choose a group.");
                Self::Place(Place::Group(sent.group.ok_or_else(unknown)?))
            }
        })
    }
}

fn tag(text: &str) -> Result<String, Error> {
    let tag = text.trim().to_owned();
    checked_tags(vec![tag.clone()])?;
    Ok(tag)
}

fn site(text: &str) -> Result<Option<String>, Error> {
    let path = text.trim();
    if path.is_empty() {
        return Ok(None);
    }
    let path: SitePath = path.parse().map_err(|why: String| Error::invalid("/site", why))?;
    Ok(Some(path.to_string()))
}

impl Place {
    /// What is wrong with it for all devices.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a site that is not there.
    pub(super) async fn check(&self, app: &App, ctx: &Ctx) -> Result<(), Error> {
        let Self::Site(Some(path)) = self else { return Ok(()) };
        let found = sites::list(app, ctx, Some(path), None, 1).await?;
        if found.first().is_none_or(|site| site.path != *path) {
            return Err(Error::invalid("/site", format!("there is no site {path}")));
        }
        Ok(())
    }

    async fn apply(&self, app: &App, ctx: &Ctx, device_id: Uuid) -> Result<(), Error> {
        let name = device_id.to_string();
        if let Self::Group(group_id) = self {
            return groups::set_member(app, ctx, *group_id, &name, true).await;
        }
        devices::place(app, ctx, &name, |placement| Ok(self.of(placement))).await?;
        Ok(())
    }

    /// Where a device stands then.
    fn of(&self, mut placement: Placement) -> Placement {
        match self {
            Self::Tag(tag) => placement.tags.push(tag.clone()),
            Self::Untag(tag) => placement.tags.retain(|other| other != tag),
            Self::Site(site) => placement.site.clone_from(site),
            Self::Group(_) => {}
        }
        placement
    }
}

/// How far it came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Devices to which it was done.
    pub(super) done: u64,
    /// Devices to which it could not be done.
    pub(super) skipped: u64,
    /// Why not, of the first of them.
    pub(super) reasons: Vec<Reason>,
    /// Why it went no further.
    pub(super) stopped: Option<String>,
}

/// Why a device was skipped.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Reason {
    pub(super) id: Uuid,
    pub(super) why: String,
}

impl Outcome {
    /// Takes what became of one device.
    ///
    /// # Errors
    /// The failure of the first device where it is one of all.
    fn take(&mut self, id: Uuid, result: Result<bool, Error>) -> Result<(), Error> {
        match result {
            Ok(true) => self.done += 1,
            Ok(false) => self.skip(id, "it has this job already".to_owned()),
            Err(
                error @ (Error::NotFound(_)
                | Error::Conflict(_)
                | Error::Denied(_)
                | Error::TooLarge(_)),
            ) => self.skip(id, error.to_string()),
            Err(error) if *self == Self::default() => return Err(error),
            Err(error) => self.stop(&error),
        }
        Ok(())
    }

    fn skip(&mut self, id: Uuid, why: String) {
        self.skipped += 1;
        if self.reasons.len() < REASONS {
            self.reasons.push(Reason { id, why });
        }
    }

    fn stop(&mut self, error: &Error) {
        tracing::error!(error = %error.private(), "a change of many devices stopped half-way");
        self.stopped = Some(error.to_string());
    }
}

/// Orders the job on each device.
///
/// # Errors
/// Those for which nothing was done.
pub(super) async fn order(
    app: &Shared,
    ctx: &Ctx,
    target: &Target,
    spec: JobSpec,
    expected: usize,
    key: Uuid,
) -> Result<Outcome, Error> {
    let order = NewOrder {
        spec,
        not_before: None,
        expires_at: None,
        idempotency_key: Some(format!("page:{}", key.simple())),
        wake: None,
    };
    let selector = match target {
        Target::Chosen(ids) => {
            let (app, ctx, ids) = (app.clone(), ctx.clone(), ids.clone());
            return to_the_end(async move { ordered(&app, &ctx, &ids, &order).await }).await;
        }
        Target::Found(selector) => selector,
    };
    let mut outcome = Outcome::default();
    let made = match jobs::bulk(app, ctx, selector, order, expected).await {
        Ok(made) => made,
        Err(Stopped { made, error }) if made == Made::default() => return Err(error),
        Err(Stopped { made, error }) => {
            outcome.stop(&error);
            made
        }
    };
    Ok(Outcome { done: made.created, skipped: made.skipped, ..outcome })
}

async fn ordered(app: &App, ctx: &Ctx, ids: &[Uuid], order: &NewOrder) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    for id in ids {
        let result = jobs::create(app, ctx, &id.to_string(), order.clone()).await;
        outcome.take(*id, result.map(|(_, made)| made))?;
        if outcome.stopped.is_some() {
            break;
        }
    }
    Ok(outcome)
}

/// Notes it of each device.
///
/// # Errors
/// Those for which nothing was done.
pub(super) async fn place(
    app: &Shared,
    ctx: &Ctx,
    devices: Vec<Uuid>,
    place: Place,
) -> Result<Outcome, Error> {
    let (app, ctx) = (app.clone(), ctx.clone());
    to_the_end(async move { placed(&app, &ctx, &devices, &place).await }).await
}

async fn placed(app: &App, ctx: &Ctx, devices: &[Uuid], place: &Place) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    for id in devices {
        let result = place.apply(app, ctx, *id).await.map_err(|error| match error {
            // What could be wrong for all was looked at before: too many tags are this device's.
            Error::Invalid { message, .. } => Error::Conflict(message),
            other => other,
        });
        outcome.take(*id, result.map(|()| true))?;
        if outcome.stopped.is_some() {
            break;
        }
    }
    Ok(outcome)
}

/// Does it in a task of its own, which goes on where nobody waits any more.
async fn to_the_end(
    work: impl Future<Output = Result<Outcome, Error>> + Send + 'static,
) -> Result<Outcome, Error> {
    let done = tokio::spawn(work.in_current_span()).await;
    done.map_err(|e| Error::Internal(format!("a change of many devices: {e}")))?
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use super::*;

    fn at(site: Option<&str>, tags: &[&str]) -> Placement {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Placement { site: site.map(str::to_owned), tags }
    }

    #[test]
    fn a_form_is_a_change() {
        let sent = Sent {
            name: " Device.X ".to_owned(),
            value: " v ".to_owned(),
            tag: " pilot".to_owned(),
            site: " eu.lv ".to_owned(),
            ..Sent::default()
        };
        let parameter = SetParameter { name: "Device.X".into(), value: " v ".into(), kind: None };
        let set = Change::Job(JobSpec::Set { parameters: vec![parameter] });
        assert_eq!(Change::of(Action::Set, &sent).unwrap(), set);
        let tag = Change::Place(Place::Tag("pilot".to_owned()));
        assert_eq!(Change::of(Action::Tag, &sent).unwrap(), tag);
        let site = Change::Place(Place::Site(Some("eu.lv".to_owned())));
        assert_eq!(Change::of(Action::Move, &sent).unwrap(), site);
        let empty = Sent::default();
        assert_eq!(Change::of(Action::Move, &empty).unwrap(), Change::Place(Place::Site(None)));
        for (action, place) in [(Action::Tag, "/tags/0"), (Action::Group, "/group")] {
            let Err(Error::Invalid { pointer, .. }) = Change::of(action, &empty) else {
                panic!("{action:?} was taken")
            };
            assert_eq!(pointer, place);
        }
        let wrong = Sent { site: "a b".to_owned(), ..Sent::default() };
        assert!(Change::of(Action::Move, &wrong).is_err());
    }

    #[test]
    fn a_place_changes_only_what_it_says() {
        let before = || at(Some("eu"), &["a", "b"]);
        let after = |place: Place| place.of(before());
        assert_eq!(after(Place::Tag("c".into())), at(Some("eu"), &["a", "b", "c"]));
        assert_eq!(after(Place::Untag("a".into())), at(Some("eu"), &["b"]));
        assert_eq!(after(Place::Site(None)), at(None, &["a", "b"]));
    }

    #[test]
    fn what_fails_on_one_device_does_not_stop_the_others() {
        let id = Uuid::from_u128(7);
        let mut outcome = Outcome::default();
        outcome.take(id, Ok(true)).unwrap();
        outcome.take(id, Ok(false)).unwrap();
        outcome.take(id, Err(Error::Denied("not there".to_owned()))).unwrap();
        assert_eq!((outcome.done, outcome.skipped, outcome.reasons.len()), (1, 2, 2));
        assert_eq!(outcome.reasons[1].why, "not there");
        assert_eq!(outcome.stopped, None);
        outcome.take(id, Err(Error::Database(sqlx::Error::PoolTimedOut))).unwrap();
        assert_eq!(outcome.stopped.as_deref(), Some("the database is not available"));
        for _ in 0..REASONS {
            outcome.take(id, Ok(false)).unwrap();
        }
        assert_eq!((outcome.skipped, outcome.reasons.len()), (22, REASONS));
    }

    #[tokio::test]
    async fn who_goes_away_cuts_nothing_in_half() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let work = to_the_end(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            tell.send(()).unwrap();
            Ok(Outcome::default())
        });
        let gone = tokio::time::timeout(Duration::from_millis(1), work).await;
        assert!(gone.is_err(), "nobody waits any more");
        told.await.unwrap();
    }

    #[test]
    fn what_fails_on_the_first_device_for_all_is_told_at_once() {
        let mut outcome = Outcome::default();
        let wrong = outcome.take(Uuid::nil(), Err(Error::invalid("/parameters/0/name", "bad")));
        assert!(matches!(wrong, Err(Error::Invalid { .. })));
        assert_eq!(outcome, Outcome::default());
    }
}
