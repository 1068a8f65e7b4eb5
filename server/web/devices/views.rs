//! What people keep of the list: a selector and columns, under a name.

use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::query::{LIST, ListQuery};
use super::table::Column;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::service::views::{self as service, ViewFields};
use crate::store::views::SavedView;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::Form;
use crate::web::viewer::Viewer;

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
    let columns = view.columns.iter().filter_map(|word| Column::named(word)).collect();
    Kept {
        id: view.view_id.to_string(),
        name: view.name,
        owner: (view.user_id != user_id).then_some(view.owner),
        shared: view.shared,
        href: ListQuery::new(view.selector, columns, String::new()).address(LIST, ""),
    }
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

/// `POST /devices/views/{id}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(view_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let flash = match service::delete(&app, viewer.ctx(), view_id).await {
        // Whoever removed it first did what was wanted.
        Ok(()) | Err(Error::NotFound(_)) => Flash::done("The view is gone."),
        Err(other) => return Err(other.into()),
    };
    Ok(flash::to(LIST, flash))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_view_leads_to_its_list() {
        let view = SavedView {
            view_id: Uuid::from_u128(1),
            user_id: Uuid::from_u128(2),
            owner: "ann".to_owned(),
            name: "Pilots".to_owned(),
            selector: "tag = pilot".to_owned(),
            columns: vec!["serial".to_owned(), "site".to_owned(), "gone".to_owned()],
            shared: true,
            created_at: DateTime::UNIX_EPOCH,
        };
        let own = shown(view.clone(), Uuid::from_u128(2));
        assert_eq!(own.href, "/devices?q=tag+%3D+pilot&cols=serial%2Csite");
        assert_eq!(own.owner, None);
        assert_eq!(shown(view, Uuid::from_u128(3)).owner.as_deref(), Some("ann"));
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
