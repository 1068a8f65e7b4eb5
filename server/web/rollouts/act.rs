//! What is ordered of a rollout: the asks on its page, each in a dialog, and what becomes of them.
//!
//! Owns the words: each says what it does before it is done. Why it is done is asked for by those
//! that stand in the audit log with a reason.

use axum::extract::{Path, State};
use axum::response::Response;
use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{HOME, path};
use crate::ctx::Shared;
use crate::error::Error;
use crate::service::rollouts::offer::Offer;
use crate::service::rollouts::{self as service, act, write};
use crate::web::days;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::Form;
use crate::web::manage::{Confirmation, address};
use crate::web::viewer::Viewer;

/// How a time is written in a form.
const TIME: &str = "%Y-%m-%dT%H:%M";

/// What is asked before something is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Ask {
    /// Of its dialog, and the end of its address.
    pub(super) id: &'static str,
    label: &'static str,
    title: &'static str,
    text: &'static str,
    button: &'static str,
    /// It asks why.
    reason: bool,
    /// It asks when.
    at: bool,
    /// It is what one most likely came for.
    main: bool,
    /// It cannot be taken back.
    danger: bool,
}

/// An order that takes a reason.
const fn with_reason(
    id: &'static str,
    label: &'static str,
    title: &'static str,
    text: &'static str,
) -> Ask {
    Ask {
        id,
        label,
        title,
        text,
        button: label,
        reason: true,
        at: false,
        main: false,
        danger: false,
    }
}

const START: Ask = Ask {
    reason: false,
    at: true,
    main: true,
    ..with_reason(
        "start",
        "Start",
        "Start it?",
        "Its devices are found, and those of the first wave are begun, as its pace and the maintenance \
         windows let them. From then on it cannot be changed.",
    )
};
const APPROVE: Ask = Ask {
    reason: false,
    main: true,
    ..with_reason(
        "approve",
        "Approve",
        "Approve it?",
        "It begins then, or at the time for which it was started.",
    )
};
const APPROVE_WAVE: Ask = Ask {
    reason: false,
    main: true,
    ..with_reason(
        "approve-wave",
        "Let the wave begin",
        "Let the wave begin?",
        "The waves before it were good. Its devices are begun as its pace and the maintenance windows \
         let them.",
    )
};
const RESUME: Ask = Ask {
    main: true,
    ..with_reason(
        "resume",
        "Resume",
        "Go on?",
        "What failed so far is forgiven: the error condition of the wave counts from here on.",
    )
};
const PAUSE: Ask = with_reason(
    "pause",
    "Pause",
    "Pause it?",
    "Nothing new begins until somebody resumes it. Devices in flight finish.",
);
const RETRY: Ask = with_reason(
    "retry",
    "Retry the failed",
    "Try the failed ones again?",
    "Those that failed or did not come in time wait for another turn, in the wave under way.",
);
const EXCLUDE: Ask = with_reason(
    "exclude",
    "Exclude the failed",
    "Leave the failed ones out?",
    "Those that failed or did not come in time count no more. They stay on what they run.",
);
const ROLL_BACK: Ask = Ask {
    danger: true,
    ..with_reason(
        "roll-back",
        "Roll back",
        "Take back what it has changed?",
        "Nothing new begins. Once the devices in flight have finished, another rollout, with gates of \
         its own, brings back all that this one has changed.",
    )
};
const ABORT: Ask = Ask {
    danger: true,
    ..with_reason(
        "abort",
        "Abort",
        "End it for good?",
        "Nothing new begins, and it cannot be resumed. Devices in flight finish; what was changed stays \
         changed.",
    )
};

/// The asks of what is offered; what cannot be taken back comes last.
pub(super) fn asks(offer: &Offer) -> Vec<Ask> {
    let all = [
        (offer.start, START),
        (offer.approve, APPROVE),
        (offer.approve_wave, APPROVE_WAVE),
        (offer.resume, RESUME),
        (offer.pause, PAUSE),
        (offer.failed, RETRY),
        (offer.failed, EXCLUDE),
        (offer.roll_back, ROLL_BACK),
        (offer.abort, ABORT),
    ];
    all.into_iter().filter(|(offered, _)| *offered).map(|(_, ask)| ask).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Starting {
    at: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Because {
    reason: String,
}

/// Who is left out, and why.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Without {
    reason: String,
    /// One device, asked for in the list of devices; none = all that failed.
    device: Option<Uuid>,
    /// What that list showed.
    state: String,
    wave: String,
    after: String,
}

impl Without {
    /// Where it was asked for.
    fn back(&self, id: Uuid) -> String {
        if self.device.is_none() {
            return path(id);
        }
        let shown = [
            ("state", self.state.as_str()),
            ("wave", self.wave.as_str()),
            ("after", self.after.as_str()),
        ];
        address(&format!("{}/devices", path(id)), &shown)
    }
}

/// Back to the rollout, with what was done, or why nothing was.
fn answered(id: Uuid, done: Result<String, Error>) -> Result<Response, Failure> {
    told(&path(id), done)
}

fn told(back: &str, done: Result<String, Error>) -> Result<Response, Failure> {
    match done {
        Ok(words) => Ok(flash::to(back, Flash::done(words))),
        Err(
            Error::Conflict(why)
            | Error::Denied(why)
            | Error::Busy(why)
            | Error::Invalid { message: why, .. },
        ) => {
            let why = format!("Nothing was done: {}.", why.trim_end_matches('.'));
            Ok(flash::to(back, Flash::failed(why)))
        }
        Err(error) => Err(error.into()),
    }
}

/// A time by the clock of a zone; none where none is named.
fn time(text: &str, zone: Tz, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |why: &str| Error::invalid("/at", why);
    let local = NaiveDateTime::parse_from_str(text, TIME);
    let local = local.map_err(|_| wrong("a time is written as 2026-11-22T02:00"))?;
    let at = zone.from_local_datetime(&local).earliest();
    let at = at.ok_or_else(|| wrong("the clock skips that time: name another one"))?;
    if at <= now {
        return Err(wrong("that time is past: name none to start now"));
    }
    Ok(Some(at.with_timezone(&Utc)))
}

/// `POST /rollouts/{id}/start`
pub(super) async fn start(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<Starting>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let done = match time(&sent.at, days::zone(&viewer), ctx.now) {
        Ok(at) => act::start(&app, ctx, id, at).await,
        Err(error) => Err(error),
    };
    let words = |view: service::View| format!("It is started, and is {} now.", view.state.words());
    answered(id, done.map(words))
}

/// `POST /rollouts/{id}/approve`
pub(super) async fn approve(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Response, Failure> {
    let done = act::approve(&app, viewer.ctx(), id).await;
    answered(id, done.map(|_| "It is approved.".to_owned()))
}

/// `POST /rollouts/{id}/approve-wave`
pub(super) async fn approve_wave(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Response, Failure> {
    let done = act::approve_wave(&app, viewer.ctx(), id).await;
    answered(id, done.map(|_| "The wave begins.".to_owned()))
}

/// `POST /rollouts/{id}/pause`
pub(super) async fn pause(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<Because>,
) -> Result<Response, Failure> {
    let done = act::pause(&app, viewer.ctx(), id, &sent.reason).await;
    answered(id, done.map(|_| "It is paused: nothing new begins.".to_owned()))
}

/// `POST /rollouts/{id}/resume`
pub(super) async fn resume(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<Because>,
) -> Result<Response, Failure> {
    let done = act::resume(&app, viewer.ctx(), id, &sent.reason).await;
    answered(id, done.map(|_| "It goes on.".to_owned()))
}

/// `POST /rollouts/{id}/abort`
pub(super) async fn abort(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<Because>,
) -> Result<Response, Failure> {
    let done = act::abort(&app, viewer.ctx(), id, &sent.reason).await;
    answered(id, done.map(|_| "It is aborted: devices in flight finish.".to_owned()))
}

/// `POST /rollouts/{id}/roll-back`
pub(super) async fn roll_back(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<Because>,
) -> Result<Response, Failure> {
    let done = act::roll_back(&app, viewer.ctx(), id, &sent.reason).await;
    answered(id, done.map(|_| "It is being taken back.".to_owned()))
}

/// `POST /rollouts/{id}/retry`
pub(super) async fn retry(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<Because>,
) -> Result<Response, Failure> {
    let done = act::retry_failed(&app, viewer.ctx(), id, &sent.reason).await;
    answered(id, done.map(|count| format!("Devices that are tried again: {count}.")))
}

/// `POST /rollouts/{id}/exclude`: one device, or all that failed.
pub(super) async fn exclude(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<Without>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let done = match sent.device {
        Some(device) => {
            service::get(&app, ctx, id).await?;
            match act::exclude(&app, ctx, id, device, &sent.reason).await {
                Ok(()) => Ok("The device is left out.".to_owned()),
                // Whoever sees the rollout asked for it in a list in which it stood a moment ago.
                Err(Error::NotFound(why)) => Err(Error::Conflict(why)),
                Err(error) => Err(error),
            }
        }
        None => act::exclude_failed(&app, ctx, id, &sent.reason)
            .await
            .map(|count| format!("Devices that are left out: {count}.")),
    };
    told(&sent.back(id), done)
}

/// `POST /rollouts/{id}/delete`: of a draft.
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let name = service::get(&app, viewer.ctx(), id).await?.row.name;
    if let Err(error) = sent.check(&name) {
        return Ok(flash::to(&path(id), Flash::failed(error.to_string())));
    }
    match write::delete(&app, viewer.ctx(), id, |_| Ok(())).await {
        Ok(()) => Ok(flash::to(HOME, Flash::done(format!("The draft {name} is removed.")))),
        Err(error) => answered(id, Err(error)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use chrono::TimeDelta;

    use super::*;
    use crate::ctx::Ctx;
    use crate::rollout::state::State as Stage;
    use crate::service::rollouts::offer;

    #[test]
    fn what_is_asked_is_what_can_be_done_and_the_worst_comes_last() {
        let ctx = Ctx::console(DateTime::UNIX_EPOCH);
        let ids = |state: Stage| -> Vec<&'static str> {
            asks(&offer::of(&ctx, &offer::tests::view(state))).iter().map(|ask| ask.id).collect()
        };
        assert_eq!(ids(Stage::Draft), ["start"]);
        assert_eq!(ids(Stage::AwaitingApproval), ["approve", "abort"]);
        assert_eq!(ids(Stage::Running), ["pause", "retry", "exclude", "roll-back", "abort"]);
        assert_eq!(ids(Stage::Paused), ["resume", "retry", "exclude", "roll-back", "abort"]);
        assert_eq!(ids(Stage::Completed), ["roll-back"]);
        assert!(ids(Stage::RolledBack).is_empty());
    }

    #[test]
    fn who_leaves_a_device_out_comes_back_to_the_list_as_it_was() {
        let (id, device) = (Uuid::nil(), Some(Uuid::nil()));
        let sent = Without {
            device,
            state: "failed,timed_out".to_owned(),
            after: "7_1".to_owned(),
            ..Without::default()
        };
        let list = format!("{}/devices", path(id));
        assert_eq!(sent.back(id), format!("{list}?state=failed%2Ctimed_out&after=7_1"));
        assert_eq!(Without { device, ..Without::default() }.back(id), list);
        assert_eq!(Without::default().back(id), path(id));
    }

    #[test]
    fn a_time_is_that_of_the_readers_clock_and_yet_to_come() {
        let now = DateTime::UNIX_EPOCH;
        let at = |text: &str| time(text, Tz::Europe__Riga, now);
        assert_eq!(at("  ").unwrap(), None);
        let next = at("1970-01-02T03:00").unwrap().unwrap();
        assert!(next - now >= TimeDelta::hours(24) && next - now < TimeDelta::hours(27));
        for wrong in ["tomorrow", "1970-01-01T00:00", "2026-03-29T03:30"] {
            assert!(matches!(at(wrong), Err(Error::Invalid { .. })), "{wrong}");
        }
    }
}
