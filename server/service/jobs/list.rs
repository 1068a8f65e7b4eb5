//! Lists of jobs: what narrows them.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::STATES;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::service::devices;
use crate::store::jobs::{self as store, Job};

/// Which time of a job is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobTime {
    /// When it was made.
    #[default]
    Created,
    /// When it ended; a job that is open has none.
    Finished,
}

/// What narrows a list of jobs; empty fields do not.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Id of a device, or `serial:` and its serial number.
    pub device: Option<String>,
    /// Some of [`STATES`], with commas between.
    pub state: Option<String>,
    /// Word of a kind.
    pub kind: Option<String>,
    /// Which time the next two mean.
    pub time: JobTime,
    /// At or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Before this time.
    pub until: Option<DateTime<Utc>>,
    /// Of each device only the newest of those.
    pub newest: bool,
    /// Only those made before this one.
    pub before: Option<Uuid>,
    /// How many rows at most.
    pub limit: i64,
}

/// Jobs, newest first.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`] for the device, [`Error::Invalid`] for the state.
pub async fn list(app: &App, ctx: &Ctx, filter: &JobFilter) -> Result<Vec<Job>, Error> {
    let within = ctx.require(Right::Read)?.within();
    let states = states(filter.state.as_deref())?;
    let device_id = match &filter.device {
        Some(name) => Some(devices::find(app, ctx, name, Right::Read).await?.device_id),
        None => None,
    };
    let (span, whole) = ((filter.since, filter.until), (None, None));
    let (created, finished) = match filter.time {
        JobTime::Created => (span, whole),
        JobTime::Finished => (whole, span),
    };
    let narrow = store::Filter {
        device_id,
        states,
        kind: filter.kind.clone(),
        created,
        finished,
        within,
        newest: filter.newest,
        before: filter.before,
    };
    Ok(store::list(&app.pool, &narrow, filter.limit).await?)
}

/// The states of a text that has commas between them.
fn states(text: Option<&str>) -> Result<Vec<String>, Error> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let states: Vec<String> = text.split(',').map(str::to_owned).collect();
    if states.iter().any(|state| !STATES.contains(&state.as_str())) {
        return Err(Error::invalid("", format!("state is one of {}", STATES.join(", "))));
    }
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_states_stand_with_commas_between() {
        assert_eq!(states(None).ok(), Some(Vec::new()));
        let two = vec!["failed".to_owned(), "expired".to_owned()];
        assert_eq!(states(Some("failed,expired")).ok(), Some(two));
        for bad in ["", "failed,", "failed, expired", "broken"] {
            assert!(matches!(states(Some(bad)), Err(Error::Invalid { .. })), "{bad}");
        }
    }
}
