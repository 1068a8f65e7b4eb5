//! What the pages have in common that keep people, places and groups in order: facts, rights to
//! choose from, sites by their paths and places of grants by one word, which version of a thing a form was filled in for, and the name
//! that is typed before a thing is removed.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use uuid::Uuid;

use super::failure::Failure;
use super::form::Complaints;
use super::viewer::Viewer;
use super::views::{self, View};
use crate::access::grant::{GROUP, Reach};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::label::check_name;
use crate::fleet::site::SitePath;
use crate::service::{groups, sites};

/// Sites, and groups, that are offered where one is typed; any other can be typed too.
const OFFERED: i64 = 1_000;

/// Label and value, as `ui.facts` shows them.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fact {
    label: &'static str,
    value: String,
}

impl Fact {
    /// One of them; without a value it is not shown.
    pub(super) fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self { label, value: value.into() }
    }
}

/// A right in a form.
#[derive(Debug, Serialize)]
pub(super) struct RightBox {
    word: &'static str,
    meaning: &'static str,
    checked: bool,
}

/// All rights, with those that are chosen.
pub(super) fn rights(chosen: &[Right]) -> Vec<RightBox> {
    rights_of(&Right::ALL, chosen)
}

/// These rights, with those that are chosen.
pub(super) fn rights_of(offered: &[Right], chosen: &[Right]) -> Vec<RightBox> {
    let right_box = |right: &Right| RightBox {
        word: right.word(),
        meaning: right.meaning(),
        checked: chosen.contains(right),
    };
    offered.iter().map(right_box).collect()
}

/// Whether somebody may do this everywhere: for what belongs to no site.
pub(super) fn everywhere(viewer: &Viewer, right: Right) -> bool {
    viewer.ctx().reach(right) == Reach::Everywhere
}

/// A page with a form, and with what is wrong with what was sent.
pub(super) fn answer<T: Serialize>(
    view: View,
    page: &T,
    errors: &Complaints,
) -> Result<Response, Failure> {
    let status = match *errors == Complaints::default() {
        true => StatusCode::OK,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Ok((status, views::render(view, page)?).into_response())
}

/// The version of a thing, as its form carries it.
pub(super) fn version(updated_at: DateTime<Utc>) -> String {
    updated_at.timestamp_micros().to_string()
}

/// Refuses a form that was filled in for another version.
pub(super) fn same(seen: &str) -> impl FnOnce(DateTime<Utc>) -> Result<(), Error> {
    move |updated_at| unchanged(seen, &version(updated_at))
}

/// Refuses a form that was filled in for something else than there is now.
pub(super) fn unchanged(seen: &str, now: &str) -> Result<(), Error> {
    match seen == now {
        true => Ok(()),
        false => Err(Error::Conflict(
            "Somebody changed it meanwhile, so nothing was done: look at it again.".to_owned(),
        )),
    }
}

/// What is typed before a thing is removed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Confirmation {
    confirm: String,
}

impl Confirmation {
    /// Refuses where it is not the name of the thing.
    pub(super) fn check(&self, name: &str) -> Result<(), Error> {
        confirmed(&self.confirm, name)
    }
}

/// Refuses where what was typed is not the name of the thing.
pub(super) fn confirmed(typed: &str, name: &str) -> Result<(), Error> {
    match typed.trim() == name {
        true => Ok(()),
        false => {
            Err(Error::invalid("/confirm", format!("Nothing was removed: type {name} first.")))
        }
    }
}

/// The rows of a page, of which one more was asked for, and whether there is a next page.
pub(super) fn cut<T>(mut rows: Vec<T>, page: usize) -> (Vec<T>, bool) {
    let more = rows.len() > page;
    rows.truncate(page);
    (rows, more)
}

/// The query of a list that goes by name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ByName {
    after: String,
}

impl ByName {
    /// The name after which the page begins; `None` = the first page.
    ///
    /// # Errors
    /// [`Error::Invalid`] where nothing can be called so.
    pub(super) fn after(&self) -> Result<Option<&str>, Error> {
        match self.after.as_str() {
            "" => Ok(None),
            name if check_name(name).is_ok() => Ok(Some(name)),
            _ => Err(no_page()),
        }
    }
}

/// A page of a list, and the addresses of the first and of the next one, empty where there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed<T> {
    pub(super) rows: Vec<T>,
    pub(super) first: String,
    pub(super) next: String,
}

/// The page after `after` of the list at `home`, of so many rows and one more; `name` is by what they
/// are in order.
pub(super) fn listed<T>(
    home: &str,
    after: Option<&str>,
    found: Vec<T>,
    page: usize,
    name: impl Fn(&T) -> &str,
) -> Listed<T> {
    let (rows, more) = cut(found, page);
    let last = rows.last().filter(|_| more).map(name);
    let next = last.map(|last| address(home, &[("after", last)])).unwrap_or_default();
    Listed { rows, first: after.map(|_| home.to_owned()).unwrap_or_default(), next }
}

/// What a filter found; nothing, and what is wrong with it, where that is so.
///
/// # Errors
/// All others than [`Error::Invalid`].
pub(super) fn or_complaint<T: Default>(found: Result<T, Error>) -> Result<(T, String), Error> {
    match found {
        Ok(found) => Ok((found, String::new())),
        Err(Error::Invalid { message, .. }) => Ok((T::default(), message)),
        Err(error) => Err(error),
    }
}

/// What stands in a field; `None` = nothing.
pub(super) fn said(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The row at which a page begins, by its id; `None` = the first page.
///
/// # Errors
/// [`Error::Invalid`]
pub(super) fn row_id(text: &str) -> Result<Option<Uuid>, Error> {
    said(text).map(|id| Uuid::try_parse(&id).map_err(|_| no_page())).transpose()
}

/// That a list has no such page: its address says so.
pub(super) fn no_page() -> Error {
    Error::invalid("", "this page does not exist: start from the first")
}

/// How many rows are asked for, for a page of so many.
pub(super) fn with_one_more(page: usize) -> i64 {
    i64::try_from(page).expect("a small number") + 1
}

/// An address with a query of what is not empty.
pub(super) fn address(path: &str, fields: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
    match query.finish().as_str() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// The list of the devices that a selector finds.
pub(super) fn devices(selector: &str) -> String {
    address("/devices", &[("q", selector)])
}

/// Paths of sites to choose from, in order.
pub(super) async fn site_paths(app: &App, ctx: &Ctx) -> Result<Vec<String>, Error> {
    let sites = sites::list(app, ctx, None, None, OFFERED).await?;
    Ok(sites.into_iter().map(|site| site.path).collect())
}

/// The site with this path; none for no path. What is wrong with it stands at `pointer`.
async fn site_id(app: &App, ctx: &Ctx, path: &str, pointer: &str) -> Result<Option<Uuid>, Error> {
    let path = path.trim();
    if path.is_empty() {
        return Ok(None);
    }
    if let Err(why) = path.parse::<SitePath>() {
        return Err(Error::invalid(pointer, why));
    }
    // A site stands before those in it.
    let found = sites::list(app, ctx, Some(path), None, 1).await?;
    match found.first() {
        Some(site) if site.path == path => Ok(Some(site.site_id)),
        _ => Err(Error::invalid(pointer, format!("There is no site {path}."))),
    }
}

/// Where somebody may be granted something, as a form says it in one word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) site_id: Option<Uuid>,
    pub(super) group_id: Option<Uuid>,
}

/// Words to choose from for [`bounds`]: paths of sites, and the groups that can bound a grant.
pub(super) async fn places(app: &App, ctx: &Ctx) -> Result<Vec<String>, Error> {
    let mut places = site_paths(app, ctx).await?;
    let mut groups = groups::list(app, ctx, None, OFFERED).await?;
    groups.retain(|group| group.selector.is_none());
    places.extend(groups.iter().map(|group| format!("{GROUP}{}", group.name)));
    Ok(places)
}

/// The site with this path, or the group named after `group:`; neither for no word. What is wrong with
/// it stands at `pointer`.
pub(super) async fn bounds(
    app: &App,
    ctx: &Ctx,
    word: &str,
    pointer: &str,
) -> Result<Bounds, Error> {
    let Some(name) = word.trim().strip_prefix(GROUP) else {
        return Ok(Bounds { site_id: site_id(app, ctx, word, pointer).await?, group_id: None });
    };
    match groups::named(app, ctx, name.trim()).await {
        Ok(group) => Ok(Bounds { site_id: None, group_id: Some(group.group_id) }),
        Err(Error::NotFound(_)) => {
            Err(Error::invalid(pointer, format!("There is no group {}.", name.trim())))
        }
        Err(other) => Err(other),
    }
}

/// The word for a stored place; empty = everywhere.
pub(super) fn place_word(site: Option<&str>, group: Option<&str>) -> String {
    match (site, group) {
        (Some(site), _) => site.to_owned(),
        (None, Some(group)) => format!("{GROUP}{group}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_place_is_one_word() {
        assert_eq!(place_word(None, None), "");
        assert_eq!(place_word(Some("eu.lv"), None), "eu.lv");
        assert_eq!(place_word(None, Some("vip line")), "group:vip line");
        assert!("group:vip".parse::<SitePath>().is_err(), "no site can be called so");
    }

    #[test]
    fn a_form_is_for_the_version_that_it_was_filled_in_for() {
        let at = DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap();
        assert!(same(&version(at))(at).is_ok());
        for other in ["", "1", "1700000000000000"] {
            assert!(matches!(same(other)(at), Err(Error::Conflict(_))), "{other}");
        }
    }

    #[test]
    fn what_is_removed_was_named() {
        assert!(confirmed(" eu.lv ", "eu.lv").is_ok());
        for typed in ["", "eu", "EU.LV", "eu.lv.riga"] {
            assert!(confirmed(typed, "eu.lv").is_err(), "{typed}");
        }
    }

    #[test]
    fn a_page_is_cut_where_the_next_one_begins() {
        assert_eq!(cut(vec![1, 2, 3], 2), (vec![1, 2], true));
        assert_eq!(cut(vec![1, 2], 2), (vec![1, 2], false));
        assert_eq!(with_one_more(2), 3);
    }

    #[test]
    fn a_list_by_name_goes_on_after_the_last_one() {
        let found = || vec!["a", "b", "c"];
        let first = listed("/groups", None, found(), 2, |name| name);
        let next = "/groups?after=b".to_owned();
        assert_eq!(first, Listed { rows: vec!["a", "b"], first: String::new(), next });
        let last = listed("/groups", Some("0"), found(), 3, |name| name);
        assert_eq!((last.first.as_str(), last.next.as_str()), ("/groups", ""));
        let after = |name: &str| ByName { after: name.to_owned() };
        assert_eq!(after("").after().unwrap(), None);
        assert_eq!(after("pilot").after().unwrap(), Some("pilot"));
        assert!(after("a\nb").after().is_err());
    }

    #[test]
    fn a_page_begins_at_a_row() {
        let id = Uuid::from_u128(7);
        assert_eq!(row_id(&id.to_string()).unwrap(), Some(id));
        assert_eq!(row_id(" ").unwrap(), None);
        assert!(row_id("7").is_err());
    }

    #[test]
    fn only_what_is_wrong_with_a_filter_is_a_complaint() {
        assert_eq!(or_complaint(Ok(7)).unwrap(), (7, String::new()));
        let wrong = or_complaint::<i32>(Err(Error::invalid("/q", "no"))).unwrap();
        assert_eq!(wrong, (0, "no".to_owned()));
        assert!(or_complaint::<i32>(Err(Error::NotFound(String::new()))).is_err());
    }

    #[test]
    fn an_address_says_only_what_there_is() {
        assert_eq!(address("/audit", &[("actor", ""), ("text", "a&b")]), "/audit?text=a%26b");
        assert_eq!(address("/audit", &[]), "/audit");
        assert_eq!(devices("site under eu.lv"), "/devices?q=site+under+eu.lv");
    }

    #[test]
    fn each_right_is_offered_with_its_meaning() {
        let boxes = rights(&[Right::Audit]);
        assert_eq!(boxes.len(), Right::ALL.len());
        let checked: Vec<&str> = boxes.iter().filter(|b| b.checked).map(|b| b.word).collect();
        assert_eq!(checked, ["audit"]);
        assert!(boxes.iter().all(|right| !right.meaning.is_empty()));
    }
}
