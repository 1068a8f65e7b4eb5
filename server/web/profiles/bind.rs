//! Where a profile is bound, as a form, and how many devices that reaches: told before it is done.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::words;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::group::selector_of;
use crate::fleet::site::SitePath;
use crate::service::devices;
use crate::service::profiles::{self as service, Binding, Impact};
use crate::web::failure::Failure;
use crate::web::form::Complaints;
use crate::web::manage::answer;
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Where it is to be bound, as the form says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct BindForm {
    /// `fleet`, `site` or `group`.
    to: String,
    /// The path of the site, or the name of the group.
    place: String,
    /// Empty = 0.
    rank: String,
}

impl BindForm {
    /// Nobody has chosen anything yet.
    pub(super) fn is_blank(&self) -> bool {
        self.to.is_empty()
    }

    /// # Errors
    /// [`Error::Invalid`] for what cannot be read.
    pub(super) fn binding(&self) -> Result<Binding, Error> {
        let rank = match self.rank.trim() {
            "" => 0,
            text => {
                let wrong = |_| Error::invalid("/rank", format!("`{text}` is no whole number."));
                text.parse::<i32>().map_err(wrong)?
            }
        };
        let name = || match self.place.trim() {
            "" => Err(Error::invalid("/place", "Which one?")),
            name => Ok(Some(name.to_owned())),
        };
        match self.to.as_str() {
            "fleet" => Ok(Binding { fleet: true, rank, ..Binding::default() }),
            "site" => Ok(Binding { site: name()?, rank, ..Binding::default() }),
            "group" => Ok(Binding { group: name()?, rank, ..Binding::default() }),
            _ => Err(Error::invalid("/to", "Choose the fleet, a site or a group.")),
        }
    }

    #[cfg(test)]
    pub(super) fn sample() -> Self {
        let evil = || "<x-evil>".to_owned();
        Self { to: "group".to_owned(), place: evil(), rank: evil() }
    }
}

/// How many devices something reaches, or why that cannot be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Reach {
    pub(super) words: String,
    wrong: String,
}

impl Reach {
    pub(super) fn told(words: String) -> Self {
        Self { words, wrong: String::new() }
    }

    pub(super) fn wrong(why: String) -> Self {
        Self { words: String::new(), wrong: why }
    }
}

#[derive(Serialize)]
struct ReachFragment {
    reach: Reach,
}

/// The selector of the devices at a site and below.
pub(super) fn under(site: &str) -> String {
    format!("site under {site}")
}

/// How many devices a profile reaches now.
pub(super) async fn reach_of(app: &App, ctx: &Ctx, id: Uuid) -> Result<Reach, Error> {
    match service::impact(app, ctx, id).await {
        Ok(impact) => Ok(Reach::told(reaches(impact))),
        Err(Error::Invalid { message, .. }) => Ok(Reach::wrong(message)),
        Err(error) => Err(error),
    }
}

fn reaches(impact: Impact) -> String {
    let Impact { devices, themselves } = impact;
    match themselves {
        0 => words::devices(devices),
        of if devices == 0 => format!("{} directly", words::devices(of)),
        of => format!("{}, and {} directly", words::devices(devices), words::devices(of)),
    }
}

/// How many devices there are at the place that the form names.
pub(super) async fn there(app: &App, ctx: &Ctx, bind: &BindForm) -> Result<Reach, Error> {
    let counted = match selector(bind) {
        Ok(selector) => devices::count(app, ctx, selector.as_deref()).await,
        Err(error) => Err(error),
    };
    match counted {
        Ok(count) => Ok(Reach::told(format!("This reaches {}.", words::devices(count)))),
        Err(Error::Invalid { message, .. }) => Ok(Reach::wrong(message)),
        Err(error) => Err(error),
    }
}

/// The selector of the devices there; none = all.
fn selector(bind: &BindForm) -> Result<Option<String>, Error> {
    let binding = bind.binding()?;
    match (&binding.site, &binding.group) {
        (Some(site), _) => {
            let path = site.parse::<SitePath>();
            let path = path.map_err(|why| Error::invalid("/place", why))?;
            Ok(Some(under(path.as_str())))
        }
        (None, Some(group)) => Ok(Some(selector_of(group))),
        (None, None) => Ok(None),
    }
}

/// `GET /profiles/{id}/reach`: for the list.
pub(super) async fn reach(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Response, Failure> {
    let reach = reach_of(&app, viewer.ctx(), id).await?;
    answer(View::ProfileReach, &ReachFragment { reach }, &Complaints::default())
}

/// `GET /profiles/reach`: while it is chosen where to bind one.
pub(super) async fn reach_at(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(bind): Query<BindForm>,
) -> Result<Response, Failure> {
    let typed = bind.to == "fleet" || !bind.place.trim().is_empty();
    let reach = match typed {
        true => there(&app, viewer.ctx(), &bind).await?,
        false => Reach::default(),
    };
    answer(View::ProfileReach, &ReachFragment { reach }, &Complaints::default())
}

/// What is wrong with a place, at its field.
pub(super) fn complaints(error: Error) -> Result<Complaints, Error> {
    match error {
        Error::Invalid { pointer, message } if pointer == "/rank" => {
            Ok(Complaints::field("rank", message))
        }
        Error::Invalid { message, .. } => Ok(Complaints::field("place", message)),
        other => Complaints::of(other, &[]),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    [Reach::told(evil()), Reach::wrong(evil()), Reach::default()]
        .map(|reach| sample(View::ProfileReach, &ReachFragment { reach }))
        .into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn form(to: &str, place: &str, rank: &str) -> BindForm {
        BindForm { to: to.to_owned(), place: place.to_owned(), rank: rank.to_owned() }
    }

    #[test]
    fn a_place_is_read_and_found_by_its_selector() {
        let site = form("site", " eu.lv ", "2");
        let expected = Binding { site: Some("eu.lv".to_owned()), rank: 2, ..Binding::default() };
        assert_eq!(site.binding().unwrap(), expected);
        assert_eq!(selector(&site).unwrap().unwrap(), "site under eu.lv");
        let group = form("group", "a \"b\"", "");
        assert_eq!(selector(&group).unwrap().unwrap(), r#"group = "a \"b\"""#);
        let fleet = form("fleet", "", "");
        assert!(fleet.binding().unwrap().fleet);
        assert_eq!(selector(&fleet).unwrap(), None);
    }

    #[test]
    fn what_is_no_place_is_told_at_its_field() {
        for (form, field) in [
            (form("", "", ""), "place"),
            (form("site", " ", ""), "place"),
            (form("fleet", "", "high"), "rank"),
        ] {
            let Err(Error::Invalid { pointer, message }) = form.binding() else { panic!("none") };
            let told = complaints(Error::invalid(pointer, message.clone())).unwrap();
            assert_eq!(told, Complaints::field(field, message));
        }
        assert!(selector(&form("site", "eu..lv", "")).is_err());
    }

    #[test]
    fn it_is_said_how_many_devices_are_reached() {
        let of = |devices, themselves| reaches(Impact { devices, themselves });
        assert_eq!(of(1, 0), "1 device");
        assert_eq!(of(0, 2), "2 devices directly");
        assert_eq!(of(3, 1), "3 devices, and 1 device directly");
    }
}
