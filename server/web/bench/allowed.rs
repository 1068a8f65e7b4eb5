//! Boards that are served without a claim: one, all of a range of addresses, or all of a model.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ALLOWED, Choice, Tab, choice, may_change, tabs};
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::service::bench::allowed::{self as service, AllowedKind, NewAllowed};
use crate::store::bench::Allowed;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::manage::answer;
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Fields of the form, for what is wrong with them.
const FIELDS: [&str; 3] = ["kind", "value", "note"];
/// What can be allowed, and how people call it.
static KINDS: [(AllowedKind, &str); 3] = [
    (AllowedKind::Mac, "One board, by its MAC address"),
    (AllowedKind::Board, "All boards of a model, by the name that they give themselves"),
    (AllowedKind::Oui, "All boards whose MAC addresses begin so"),
];

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AllowForm {
    kind: String,
    value: String,
    note: String,
}

impl AllowForm {
    fn read(&self) -> Result<NewAllowed, Error> {
        let kind = KINDS.iter().find(|(kind, _)| kind.word() == self.kind);
        let (kind, _) = kind.ok_or_else(|| Error::invalid("/kind", "Choose one of them."))?;
        Ok(NewAllowed { kind: *kind, value: self.value.clone(), note: self.note.clone() })
    }
}

#[derive(Serialize)]
struct AllowedPage<'a> {
    shell: Shell,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    kinds: Vec<Choice>,
    may_change: bool,
    draft: &'a AllowForm,
    errors: Complaints,
}

#[derive(Serialize)]
struct Row {
    id: Uuid,
    kind: String,
    value: String,
    note: String,
    at: When,
    by: String,
}

/// `GET /bench/allowed`; what is to be allowed may stand in the address.
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(draft): Query<AllowForm>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, &draft, Complaints::default()).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    draft: &AllowForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let all = service::list(app, ctx).await?;
    let page = AllowedPage {
        shell: Shell::new(viewer, &app.config, "Allowed boards", Section::Bench),
        tabs: tabs(ALLOWED),
        rows: all.iter().map(|allowed| row(allowed, ctx.now)).collect(),
        kinds: kinds(),
        may_change: may_change(viewer),
        draft,
        errors,
    };
    answer(View::BenchAllowed, &page, &page.errors)
}

fn kinds() -> Vec<Choice> {
    KINDS.iter().map(|(kind, label)| choice(kind.word(), *label)).collect()
}

fn row(allowed: &Allowed, now: DateTime<Utc>) -> Row {
    let known = KINDS.iter().find(|(kind, _)| kind.word() == allowed.kind);
    Row {
        id: allowed.allowed_id,
        kind: known.map_or_else(|| allowed.kind.clone(), |(_, label)| (*label).to_owned()),
        value: allowed.value.clone(),
        note: allowed.note.clone(),
        at: When::new(allowed.created_at, now),
        by: allowed.created_by.clone(),
    }
}

/// `POST /bench/allowed`
pub(super) async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(sent): Form<AllowForm>,
) -> Result<Response, Failure> {
    let made = match sent.read() {
        Ok(new) => service::create(&app, viewer.ctx(), new).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(allowed) => {
            let done = format!("{} is served without a claim, once.", allowed.value);
            Ok(flash::to(ALLOWED, Flash::done(done)))
        }
        Err(error) => shown(&app, &viewer, &sent, Complaints::of(error, &FIELDS)?).await,
    }
}

/// `POST /bench/allowed/{id}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(allowed_id): Path<Uuid>,
) -> Result<Response, Failure> {
    service::delete(&app, viewer.ctx(), allowed_id).await?;
    Ok(flash::to(ALLOWED, Flash::done("It is allowed no longer.")))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let draft = tests::draft();
    let page = |all: &[Allowed], may_change: bool, errors: Complaints| {
        let page = AllowedPage {
            shell: Shell::sample(),
            tabs: tabs(ALLOWED),
            rows: all.iter().map(|allowed| row(allowed, DateTime::UNIX_EPOCH)).collect(),
            kinds: kinds(),
            may_change,
            draft: &draft,
            errors,
        };
        sample(View::BenchAllowed, &page)
    };
    let all = [tests::allowed("mac"), tests::allowed("<x-evil>")];
    vec![
        page(&all, true, Complaints::field("value", "<x-evil>")),
        page(&all, false, Complaints::whole("<x-evil>")),
        page(&[], true, Complaints::default()),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    pub(super) fn draft() -> AllowForm {
        let evil = || "<x-evil>".to_owned();
        AllowForm { kind: evil(), value: evil(), note: evil() }
    }

    pub(super) fn allowed(kind: &str) -> Allowed {
        let evil = || "<x-evil>".to_owned();
        Allowed {
            allowed_id: Uuid::nil(),
            kind: kind.to_owned(),
            value: evil(),
            note: evil(),
            created_by: evil(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_form_is_read_by_its_words() {
        for (kind, _) in &KINDS {
            let form = AllowForm { kind: kind.word().to_owned(), ..draft() };
            assert_eq!(form.read().unwrap().kind, *kind);
            assert_ne!(row(&allowed(kind.word()), DateTime::UNIX_EPOCH).kind, kind.word());
        }
        assert!(matches!(draft().read(), Err(Error::Invalid { .. })));
        assert_eq!(row(&allowed("odd"), DateTime::UNIX_EPOCH).kind, "odd");
    }
}
