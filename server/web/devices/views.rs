//! What people keep of the list: a selector and columns, under a name; and the page where they change
//! it.

use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::query::{LIST, ListQuery};
use super::table::Column;
use super::{Tick, ticks};
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::service::views::{self as service, ViewFields};
use crate::store::views::SavedView;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::manage::{answer, same, version};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Views in the menu.
const MOST: i64 = 200;

/// A view in the menu.
#[derive(Debug, Serialize)]
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) name: String,
    /// Whose it is, where it is somebody else's.
    pub(super) owner: Option<String>,
    /// Everybody sees it.
    pub(super) shared: bool,
    pub(super) href: String,
}

/// The views that somebody sees.
pub(super) async fn kept(app: &App, viewer: &Viewer) -> Result<Vec<Kept>, Error> {
    let views = service::list(app, viewer.ctx(), None, MOST).await?;
    Ok(views.into_iter().map(|view| shown(view, viewer.session.user_id)).collect())
}

fn shown(view: SavedView, user_id: Uuid) -> Kept {
    Kept {
        href: list_of(&view.selector, &view.columns),
        id: view.view_id.to_string(),
        name: view.name,
        owner: (view.user_id != user_id).then_some(view.owner),
        shared: view.shared,
    }
}

/// The list that a view shows.
fn list_of(selector: &str, columns: &[String]) -> String {
    let columns = columns.iter().filter_map(|word| Column::named(word)).collect();
    ListQuery::new(selector.to_owned(), columns, String::new()).address(LIST, "")
}

/// A list that is to be kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Keep {
    name: String,
    q: String,
    cols: String,
    shared: bool,
}

/// `POST /devices/views`
pub(super) async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(keep): Form<Keep>,
) -> Result<Response, Failure> {
    let columns = keep.cols.split(',').filter_map(Column::named).collect();
    let list = ListQuery::new(keep.q.trim().to_owned(), columns, String::new());
    let fields = ViewFields {
        name: keep.name.trim().to_owned(),
        selector: list.q.clone(),
        columns: list.words(),
        shared: keep.shared,
    };
    let flash = match service::create(&app, viewer.ctx(), fields).await {
        Ok(view) => Flash::done(format!("The view “{}” is kept.", view.name)),
        Err(Error::Invalid { pointer, message }) if pointer == "/name" => {
            Flash::failed(format!("The view needs another name: {message}."))
        }
        Err(Error::Invalid { message, .. } | Error::Conflict(message)) => Flash::failed(message),
        Err(other) => return Err(other.into()),
    };
    Ok(flash::to(&list.address(LIST, ""), flash))
}

/// A view in a form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct ViewForm {
    /// The version for which it was filled in.
    version: String,
    name: String,
    selector: String,
    /// Those beside the serial number, in the order in which they are offered.
    columns: Vec<String>,
    shared: bool,
}

impl ViewForm {
    fn of(view: &SavedView) -> Self {
        Self {
            version: version(view.updated_at),
            name: view.name.clone(),
            selector: view.selector.clone(),
            columns: view.columns.clone(),
            shared: view.shared,
        }
    }

    /// What it makes of a view with these columns, those of which that stay keep their order.
    fn fields(&self, had: &[String]) -> ViewFields {
        let wanted =
            |word: &&String| *word == Column::Serial.word() || self.columns.contains(*word);
        let mut columns: Vec<String> = had.iter().filter(wanted).cloned().collect();
        columns.extend(self.columns.iter().filter(|word| !had.contains(*word)).cloned());
        ViewFields {
            name: self.name.trim().to_owned(),
            selector: self.selector.trim().to_owned(),
            columns,
            shared: self.shared,
        }
    }
}

#[derive(Serialize)]
struct ViewPage {
    shell: Shell,
    id: Uuid,
    version: String,
    name: String,
    selector: String,
    columns: Vec<Tick>,
    shared: bool,
    /// The list that it shows now.
    list: String,
    errors: Complaints,
}

/// `GET /devices/views/{id}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(view_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let view = service::get(&app, viewer.ctx(), view_id).await?;
    if view.user_id != viewer.session.user_id {
        let why = format!("The view is {}'s, who alone changes it.", view.owner);
        return Ok(flash::to(&list_of(&view.selector, &view.columns), Flash::failed(why)));
    }
    let form = ViewForm::of(&view);
    form_of(&app, &viewer, &view, form, Complaints::default())
}

fn form_of(
    app: &App,
    viewer: &Viewer,
    view: &SavedView,
    form: ViewForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let chosen: Vec<Column> = form.columns.iter().filter_map(|word| Column::named(word)).collect();
    let page = ViewPage {
        shell: Shell::new(viewer, &app.config, view.name.as_str(), Section::Devices),
        id: view.view_id,
        version: form.version,
        name: form.name,
        selector: form.selector,
        columns: ticks(&chosen),
        shared: form.shared,
        list: list_of(&view.selector, &view.columns),
        errors,
    };
    answer(View::DevicesKept, &page, &page.errors)
}

/// `POST /devices/views/{id}`
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(view_id): Path<Uuid>,
    Form(sent): Form<ViewForm>,
) -> Result<Response, Failure> {
    let check = same(&sent.version);
    let patch = |before: ViewFields| Ok(sent.fields(&before.columns));
    let changed = service::change(&app, viewer.ctx(), view_id, check, patch).await;
    match changed {
        Ok(view) => {
            let there = list_of(&view.selector, &view.columns);
            Ok(flash::to(&there, Flash::done(format!("The view “{}” is changed.", view.name))))
        }
        Err(error) => {
            let errors = Complaints::of(error, &["name", "selector", "columns"])?;
            let view = service::get(&app, viewer.ctx(), view_id).await?;
            form_of(&app, &viewer, &view, sent, errors)
        }
    }
}

/// `POST /devices/views/{id}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(view_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let flash = match service::delete(&app, viewer.ctx(), view_id, |_| Ok(())).await {
        // Whoever removed it first did what was wanted.
        Ok(()) | Err(Error::NotFound(_)) => Flash::done("The view is gone."),
        Err(other) => return Err(other.into()),
    };
    Ok(flash::to(LIST, flash))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    let evil = || "<x-evil>".to_owned();
    let page = ViewPage {
        shell: Shell::sample(),
        id: Uuid::nil(),
        version: "1".to_owned(),
        name: evil(),
        selector: evil(),
        columns: ticks(&[Column::Site]),
        shared: true,
        list: LIST.to_owned(),
        errors: Complaints::field("selector", "<x-evil>"),
    };
    vec![crate::web::views::sample(View::DevicesKept, &page)]
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn pilots() -> SavedView {
        SavedView {
            view_id: Uuid::from_u128(1),
            user_id: Uuid::from_u128(2),
            owner: "ann".to_owned(),
            name: "Pilots".to_owned(),
            selector: "tag = pilot".to_owned(),
            columns: vec!["serial".to_owned(), "site".to_owned(), "gone".to_owned()],
            shared: true,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_view_leads_to_its_list() {
        let own = shown(pilots(), Uuid::from_u128(2));
        assert_eq!(own.href, "/devices?q=tag+%3D+pilot&cols=serial%2Csite");
        assert_eq!(own.owner, None);
        assert_eq!(shown(pilots(), Uuid::from_u128(3)).owner.as_deref(), Some("ann"));
    }

    #[test]
    fn columns_that_stay_keep_their_order_and_new_ones_come_last() {
        let form = |columns: &[&str]| ViewForm {
            columns: columns.iter().map(|word| (*word).to_owned()).collect(),
            ..ViewForm::of(&pilots())
        };
        let had = ["serial", "tags", "site"].map(str::to_owned);
        let columns = |form: ViewForm| form.fields(&had).columns;
        assert_eq!(columns(form(&["model", "site", "tags"])), ["serial", "tags", "site", "model"]);
        assert_eq!(columns(form(&[])), ["serial"]);
        let same = form(&["serial", "site"]).fields(&pilots().columns);
        assert_eq!((same.name.as_str(), same.selector.as_str()), ("Pilots", "tag = pilot"));
        assert_eq!(same.columns, ["serial", "site"], "what this version does not know is left out");
    }

    #[test]
    fn every_column_can_be_kept() {
        for column in Column::ALL {
            assert!(service::COLUMNS.contains(&column.word()), "{}", column.word());
        }
        for word in service::COLUMNS {
            assert!(Column::named(word).is_some(), "{word}");
        }
    }
}
