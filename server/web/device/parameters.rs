//! A device's data model: the tree, a branch of it, and what words find in it.

use std::collections::HashSet;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::tree::{self, Branch, Item, Known, Rows};
use super::{Head, Link, May, Tab, address, look, shell, with_query};
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::secret::is_secret;
use crate::service::{devices, secrets};
use crate::store::devices::Device;
use crate::web::failure::Failure;
use crate::web::format::When;
use crate::web::shell::Shell;
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// Parameters that a search shows.
const FOUND: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TreeQuery {
    /// What is looked for.
    q: String,
    /// The path that is opened, ending in a dot.
    at: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct BranchQuery {
    path: String,
}

#[derive(Serialize)]
struct ParametersPage {
    shell: Shell,
    head: Head,
    q: String,
    /// The way to the path that is opened.
    steps: Vec<Link>,
    /// The opened path itself, unless it is the root.
    here: Option<BranchView>,
    items: Vec<Shown>,
    /// How many are found.
    found: usize,
    /// How many are known.
    all: usize,
    refreshed: Option<When>,
}

#[derive(Serialize)]
struct BranchFragment {
    items: Vec<Shown>,
}

/// [`Item`] for the template.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Shown {
    Open { branch: BranchView },
    Close,
    Lazy { branch: BranchView },
    Leaf { leaf: Box<Leaf> },
}

/// A branch, and what can be done with it.
#[derive(Debug, Clone, Serialize)]
struct BranchView {
    path: String,
    step: String,
    label: String,
    count: usize,
    /// Where it is asked for.
    load: String,
    /// Its page.
    href: String,
    /// Orders that it is read again; empty = not for the viewer.
    refresh: String,
    /// Adds a row; empty = it is no table.
    add: String,
    /// Deletes it; empty = it is no row.
    delete: String,
}

/// A parameter, and what can be done with it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Leaf {
    name: String,
    /// The object that it stands in, which is shown where it cannot be seen.
    object: String,
    /// The rest of its name.
    step: String,
    value: String,
    kind: &'static str,
    note: &'static str,
    at: Option<When>,
    /// The form to change it; empty = it cannot be.
    edit: String,
    /// Shows it in clear; empty = it is no secret, not known, or not for the viewer.
    reveal: String,
    /// A secret in clear.
    pub(super) clear: Option<String>,
    /// Itself again.
    pub(super) row: String,
    /// The job that sets it.
    pub(super) change: Option<super::value::Change>,
}

/// On whose page, and for whom, parameters are shown.
pub(super) struct Place {
    pub(super) id: Uuid,
    may: May,
    /// Secrets whose values are known.
    known: HashSet<String>,
    now: DateTime<Utc>,
}

impl Place {
    pub(super) async fn of(app: &App, viewer: &Viewer, device: &Device) -> Result<Self, Error> {
        let ctx = viewer.ctx();
        let may = May::with(app, ctx, device).await?;
        let known = match may.secrets {
            true => secrets::names(app, ctx, &device.device_id.to_string()).await?,
            false => Vec::new(),
        };
        let known = known.into_iter().map(|secret| secret.name).collect();
        Ok(Self { id: device.device_id, may, known, now: ctx.now })
    }

    pub(super) fn leaf(&self, known: &Known<'_>) -> Leaf {
        let name = known.name;
        let object = tree::object_of(name);
        let at = |end: &str| with_query(&address(self.id, end), &[("name", name)]);
        let only = |is: bool, what: String| if is { what } else { String::new() };
        let editable = self.may.operate && !known.counter && known.writable != Some(false);
        let revealable = self.may.secrets && is_secret(name) && self.known.contains(name);
        Leaf {
            name: name.to_owned(),
            object: object.to_owned(),
            step: name[object.len()..].to_owned(),
            value: known.value.to_owned(),
            kind: known.kind,
            note: match (known.counter, known.writable) {
                (true, _) => "counter",
                (false, Some(false)) => "read-only",
                (false, _) => "",
            },
            at: known.at.map(|at| When::new(at, self.now)),
            edit: only(editable, at("/parameters/edit")),
            reveal: only(revealable, address(self.id, "/parameters/reveal")),
            clear: None,
            row: at("/parameters/row"),
            change: None,
        }
    }

    fn branch(&self, branch: Branch) -> BranchView {
        let at = |end: &str, field: &str| {
            with_query(&address(self.id, end), &[(field, branch.path.as_str())])
        };
        let only = |is: bool, what: String| if is { what } else { String::new() };
        let operate = self.may.operate;
        BranchView {
            load: at("/parameters/branch", "path"),
            href: at("/parameters", "at"),
            refresh: only(operate, address(self.id, "/refresh")),
            add: only(operate && branch.table, at("/parameters/add", "object")),
            delete: only(operate && branch.row, at("/parameters/delete", "object")),
            path: branch.path,
            step: branch.step,
            label: branch.label,
            count: branch.count,
        }
    }

    fn shown(&self, item: Item<'_>) -> Shown {
        match item {
            Item::Open(branch) => Shown::Open { branch: self.branch(branch) },
            Item::Close => Shown::Close,
            Item::Lazy(branch) => Shown::Lazy { branch: self.branch(branch) },
            Item::Leaf(known) => Shown::Leaf { leaf: Box::new(self.leaf(&known)) },
        }
    }

    fn below(&self, rows: &Rows<'_>, path: &str) -> Vec<Shown> {
        tree::below(rows, path).into_iter().map(|item| self.shown(item)).collect()
    }

    fn steps(&self, path: &str) -> Vec<Link> {
        let step = |path: &str| Link {
            label: last_step(path).to_owned(),
            href: with_query(&address(self.id, "/parameters"), &[("at", path)]),
        };
        tree::objects(path).into_iter().map(step).collect()
    }
}

/// The last step of a path that ends in a dot.
fn last_step(path: &str) -> &str {
    let path = path.trim_end_matches('.');
    path.rsplit('.').next().unwrap_or(path)
}

/// `GET /devices/{id}/parameters`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<TreeQuery>,
) -> Result<Response, Failure> {
    let (device, head) = look(&app, &viewer, &id, Tab::Parameters).await?;
    let place = Place::of(&app, &viewer, &device).await?;
    let known = devices::parameters(&app, viewer.ctx(), &id).await?;
    let rows = tree::rows(&known);
    let q = query.q.trim();
    let at = match query.at.as_str() {
        "" => root(&rows),
        at => at.to_owned(),
    };
    let (items, found) = match q {
        "" => (place.below(&rows, &at), 0),
        q => found(&place, &rows, q),
    };
    let page = ParametersPage {
        shell: shell(&app, &viewer, &head, "parameters"),
        steps: if q.is_empty() { place.steps(&at) } else { Vec::new() },
        here: opened(&rows, &at).filter(|_| q.is_empty()).map(|branch| place.branch(branch)),
        items,
        found,
        all: rows.len(),
        refreshed: known.refreshed_at.map(|at| When::new(at, viewer.ctx().now)),
        q: q.to_owned(),
        head,
    };
    Ok(render(View::DeviceParameters, &page)?.into_response())
}

/// `GET /devices/{id}/parameters/branch`
pub(super) async fn branch(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<BranchQuery>,
) -> Result<Response, Failure> {
    let (device, _) = look(&app, &viewer, &id, Tab::Parameters).await?;
    let place = Place::of(&app, &viewer, &device).await?;
    let known = devices::parameters(&app, viewer.ctx(), &id).await?;
    let items = place.below(&tree::rows(&known), &query.path);
    Ok(render(View::DeviceBranch, &BranchFragment { items })?.into_response())
}

/// Where the tree is opened where nobody says: below its one root, if it has one.
fn root(rows: &Rows<'_>) -> String {
    let top = |name: &&str| name.split_once('.').map(|(step, _)| format!("{step}."));
    let first = rows.keys().next().and_then(top);
    let last = rows.keys().next_back().and_then(top);
    first.filter(|first| last.as_ref() == Some(first)).unwrap_or_default()
}

/// The path that is opened, as a branch of what it stands in; `None` at the top.
fn opened(rows: &Rows<'_>, path: &str) -> Option<Branch> {
    let steps = tree::objects(path);
    let [.., around, _] = steps.as_slice() else { return None };
    tree::below(rows, around).into_iter().find_map(|item| match item {
        Item::Open(branch) | Item::Lazy(branch) if branch.path == path => Some(branch),
        Item::Open(_) | Item::Lazy(_) | Item::Close | Item::Leaf(_) => None,
    })
}

fn found(place: &Place, rows: &Rows<'_>, q: &str) -> (Vec<Shown>, usize) {
    let (found, count) = tree::search(rows, q, FOUND);
    let leaf = |known: &Known<'_>| Box::new(place.leaf(known));
    let items = found.iter().map(|known| Shown::Leaf { leaf: leaf(known) });
    (items.collect(), count)
}

#[cfg(test)]
pub(super) fn sample_place() -> Place {
    let known = HashSet::from(["Device.WiFi.AccessPoint.1.Security.KeyPassphrase".to_owned()]);
    let may = May { operate: true, secrets: true, admin: true };
    Place { id: Uuid::nil(), may, known, now: DateTime::UNIX_EPOCH }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::samples::parameters;
    use crate::web::views::sample;

    let place = sample_place();
    let known = parameters();
    let rows = tree::rows(&known);
    let page = |q: &str, at: &str, items: Vec<Shown>| ParametersPage {
        shell: Shell::sample(),
        head: Head::sample(),
        q: q.to_owned(),
        steps: place.steps(at),
        here: opened(&rows, at).map(|branch| place.branch(branch)),
        found: items.len(),
        all: rows.len(),
        refreshed: (!at.is_empty()).then(|| When::new(place.now, place.now)),
        items,
    };
    let empty = ParametersPage { all: 0, ..page("", "", Vec::new()) };
    let at = "Device.WiFi.";
    let items = place.below(&rows, at);
    vec![
        sample(View::DeviceParameters, &page("", at, items.clone())),
        sample(View::DeviceParameters, &page("<x-evil>", "", found(&place, &rows, "evil").0)),
        sample(View::DeviceParameters, &page("nothing", "", Vec::new())),
        sample(View::DeviceParameters, &empty),
        sample(View::DeviceBranch, &BranchFragment { items }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::secret::MASK;
    use crate::web::device::samples::parameters;

    const SECRET: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";

    fn leaf(place: &Place, name: &str) -> Leaf {
        let known = parameters();
        let rows = tree::rows(&known);
        place.leaf(&rows[name])
    }

    #[test]
    fn only_what_can_be_changed_by_the_viewer_is_offered() {
        let place = sample_place();
        assert!(leaf(&place, "Device.WiFi.SSID.1.SSID").edit.contains("name=Device.WiFi.SSID.1"));
        let read_only = leaf(&place, "Device.DeviceInfo.SerialNumber");
        assert_eq!((read_only.edit.as_str(), read_only.note), ("", "read-only"));
        let counter = leaf(&place, "Device.DeviceInfo.UpTime");
        assert_eq!((counter.edit.as_str(), counter.note), ("", "counter"));
        let may = May { operate: false, secrets: false, admin: false };
        let reader = Place { may, ..sample_place() };
        assert_eq!(leaf(&reader, "Device.WiFi.SSID.1.SSID").edit, "");
        assert_eq!(leaf(&reader, SECRET).reveal, "");
        let rows = parameters();
        let items = reader.below(&tree::rows(&rows), "Device.WiFi.");
        let acts = |branch: &BranchView| {
            !branch.add.is_empty() || !branch.delete.is_empty() || !branch.refresh.is_empty()
        };
        assert!(!items.iter().any(|item| match item {
            Shown::Open { branch } | Shown::Lazy { branch } => acts(branch),
            Shown::Close | Shown::Leaf { .. } => false,
        }));
    }

    #[test]
    fn a_secret_is_masked_and_can_be_shown_only_where_it_is_known() {
        let place = sample_place();
        let secret = leaf(&place, SECRET);
        assert_eq!(secret.value, MASK);
        assert!(!secret.reveal.is_empty());
        let unknown = Place { known: HashSet::new(), ..sample_place() };
        assert_eq!(leaf(&unknown, SECRET).reveal, "");
    }

    #[test]
    fn the_tree_opens_below_its_root() {
        let known = parameters();
        let rows = tree::rows(&known);
        assert_eq!(root(&rows), "Device.");
        assert_eq!(root(&Rows::new()), "");
        assert!(opened(&rows, "Device.").is_none());
        let table = opened(&rows, "Device.WiFi.SSID.").expect("it is there");
        assert!(table.table && !table.row);
        assert!(opened(&rows, "Device.WiFi.SSID.1.").is_some_and(|branch| branch.row));
        assert!(opened(&rows, "Device.Nothing.Here.").is_none());
    }
}
