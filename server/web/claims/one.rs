//! Making a claim, the page of one, and what its device is prepared with.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use muster_routeros::quote::quote;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::form::{ClaimForm, FIELDS, VariableRow, rows};
use super::{HOME, Offered, Standing, name, path, state};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::claim::ClaimFields;
use crate::service::claims::{self as service, Credential};
use crate::store::claims::Claim;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Both, Complaints, Form};
use crate::web::format::{When, acs_url};
use crate::web::manage::{Confirmation, Fact, address, answer, everywhere, same};
use crate::web::profiles::values::{Given, Values};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// What may stand in the address of a new one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewQuery {
    serial: String,
    mac: String,
    site: String,
    profile: String,
    tags: String,
}

#[derive(Serialize)]
struct NewPage<'a> {
    shell: Shell,
    draft: &'a ClaimForm,
    values: Values,
    offered: Offered,
    errors: Complaints,
}

/// `GET /claims/new`
pub(super) async fn new(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<NewQuery>,
) -> Result<Response, Failure> {
    let mut draft = ClaimForm::blank(query.serial, query.site, query.profile);
    (draft.mac, draft.tags) = (query.mac, query.tags);
    draft.own_credential = app.config.zero_touch.claims_own_credential;
    blank(&app, &viewer, &draft, Complaints::default()).await
}

async fn blank(
    app: &App,
    viewer: &Viewer,
    draft: &ClaimForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let page = NewPage {
        shell: Shell::new(viewer, &app.config, "New claim", Section::Claims),
        draft,
        values: values(app, viewer.ctx(), draft).await?,
        offered: Offered::with(app, viewer.ctx(), &draft.profile).await?,
        errors,
    };
    answer(View::ClaimNew, &page, &page.errors)
}

/// A field for each variable that the template of the chosen profile declares.
async fn values(app: &App, ctx: &Ctx, draft: &ClaimForm) -> Result<Values, Error> {
    let declared = service::declared(app, ctx, draft.profile.trim()).await?;
    Ok(Values::again(&declared, &draft.given, &BTreeMap::new()))
}

/// `POST /claims/form`: the same form with the fields of the profile that was chosen, for who has no
/// script.
pub(super) async fn form(
    viewer: Viewer,
    State(app): State<Shared>,
    Both(mut sent, given): Both<ClaimForm, Given>,
) -> Result<Response, Failure> {
    sent.given = given;
    match sent.id {
        Some(id) => shown(&app, &viewer, id, Some(sent), Complaints::default()).await,
        None => blank(&app, &viewer, &sent, Complaints::default()).await,
    }
}

/// The variables of the profile that was just chosen.
#[derive(Serialize)]
struct VariablesFragment {
    values: Values,
    errors: Complaints,
}

/// `POST /claims/variables`: the fields of the profile that was just chosen.
pub(super) async fn variables(
    viewer: Viewer,
    State(app): State<Shared>,
    Both(mut sent, given): Both<ClaimForm, Given>,
) -> Result<Response, Failure> {
    sent.given = given;
    let values = values(&app, viewer.ctx(), &sent).await?;
    let fragment = VariablesFragment { values, errors: Complaints::default() };
    answer(View::ProfileVariables, &fragment, &fragment.errors)
}

/// `POST /claims`
pub(super) async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    Both(mut sent, given): Both<ClaimForm, Given>,
) -> Result<Response, Failure> {
    sent.given = given;
    let made = match sent.fields() {
        Ok(fields) => service::create(&app, viewer.ctx(), fields).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(claim) => {
            let done = format!("{} is claimed: it is let in when it comes.", name(&claim));
            Ok(flash::to(&path(claim.claim_id), Flash::done(done)))
        }
        Err(error) => blank(&app, &viewer, &sent, Complaints::of(error, &FIELDS)?).await,
    }
}

#[derive(Serialize)]
struct ClaimPage {
    shell: Shell,
    here: String,
    name: String,
    state: Standing,
    facts: Vec<Fact>,
    tags: Vec<String>,
    /// With their values, secrets masked.
    said: Vec<VariableRow>,
    taken: Option<Taken>,
    refused: Option<Refused>,
    may_change: bool,
    may_remove: bool,
    may_reveal: bool,
    history: String,
    draft: ClaimForm,
    values: Values,
    /// Only for who may change it.
    offered: Option<Offered>,
    errors: Complaints,
}

/// Who took it.
#[derive(Serialize)]
struct Taken {
    href: String,
    at: Option<When>,
}

/// Why the last device that wanted it did not get it.
#[derive(Serialize)]
struct Refused {
    why: String,
    at: Option<When>,
}

/// `GET /claims/{id}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(claim_id): Path<Uuid>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, claim_id, None, Complaints::default()).await
}

/// The page, with what was sent and is wrong.
async fn shown(
    app: &App,
    viewer: &Viewer,
    claim_id: Uuid,
    sent: Option<ClaimForm>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let claim = service::get(app, ctx, claim_id).await?;
    let may_remove = ctx.reach(Right::Operate).covers(claim.site.as_deref());
    let may_change = may_remove && claim.device_id.is_none();
    let mut draft = sent.unwrap_or_else(|| ClaimForm::of(&claim));
    draft.id = Some(claim_id);
    let object = claim_id.to_string();
    let page = ClaimPage {
        shell: Shell::new(viewer, &app.config, name(&claim), Section::Claims),
        here: path(claim_id),
        name: name(&claim),
        state: state(&claim),
        facts: facts(&claim, ctx.now),
        tags: claim.tags.clone(),
        said: rows(&ClaimFields::of(&claim).variables),
        taken: taken(&claim, ctx.now),
        refused: refused(&claim, ctx.now),
        may_change,
        may_remove,
        may_reveal: ctx.reach(Right::Secrets).covers(claim.site.as_deref()) && has_secret(&claim),
        history: match everywhere(viewer, Right::Audit) {
            true => address("/audit", &[("kind", "claim"), ("object", object.as_str())]),
            false => String::new(),
        },
        values: match may_change {
            true => values(app, ctx, &draft).await?,
            false => Values::default(),
        },
        offered: match may_change {
            true => Some(Offered::with(app, ctx, &draft.profile).await?),
            false => None,
        },
        draft,
        errors,
    };
    answer(View::Claim, &page, &page.errors)
}

/// Whether there is something of it that only who may see secrets sees.
fn has_secret(claim: &Claim) -> bool {
    claim.own_credential || claim.factory_sealed.is_some()
}

fn facts(claim: &Claim, now: DateTime<Utc>) -> Vec<Fact> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        Fact::new("Serial number", text(&claim.serial)),
        Fact::new("MAC address", text(&claim.mac)),
        Fact::new("Model", text(&claim.model)),
        Fact::new("Site", text(&claim.site)),
        Fact::new("Profile", text(&claim.profile)),
        Fact::new("Customer", text(&claim.customer)),
        Fact::new("Comes", if claim.own_credential { "with a credential of its own" } else { "" }),
        Fact::new("Password on its sticker", factory(claim)),
        Fact::new("Made by", claim.created_by.as_str()),
        Fact::new("Made", When::new(claim.created_at, now).both()),
        Fact::new("Changed", When::new(claim.updated_at, now).both()),
    ]
}

fn factory(claim: &Claim) -> &'static str {
    if claim.factory_sealed.is_some() { "known" } else { "" }
}

fn taken(claim: &Claim, now: DateTime<Utc>) -> Option<Taken> {
    let device_id = claim.device_id?;
    let at = claim.taken_at.map(|at| When::new(at, now));
    Some(Taken { href: format!("/devices/{device_id}"), at })
}

fn refused(claim: &Claim, now: DateTime<Utc>) -> Option<Refused> {
    let why = claim.refused.clone()?;
    Some(Refused { why, at: claim.refused_at.map(|at| When::new(at, now)) })
}

/// `POST /claims/{id}`
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(claim_id): Path<Uuid>,
    Both(mut sent, given): Both<ClaimForm, Given>,
) -> Result<Response, Failure> {
    sent.given = given;
    let patch = |_: ClaimFields| sent.fields();
    let changed = service::change(&app, viewer.ctx(), claim_id, same(&sent.version), patch).await;
    match changed {
        Ok(_) => Ok(flash::to(&path(claim_id), Flash::done("It is saved."))),
        Err(error) => {
            let errors = Complaints::of(error, &FIELDS)?;
            shown(&app, &viewer, claim_id, Some(sent), errors).await
        }
    }
}

/// `POST /claims/{id}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(claim_id): Path<Uuid>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let name = name(&service::get(&app, viewer.ctx(), claim_id).await?);
    let removed = match sent.check(&name) {
        Ok(()) => service::delete(&app, viewer.ctx(), claim_id, |_| Ok(())).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(flash::to(HOME, Flash::done(format!("The claim for {name} is removed.")))),
        Err(error) => shown(&app, &viewer, claim_id, None, Complaints::of(error, &[])?).await,
    }
}

#[derive(Serialize)]
struct CredentialPage {
    shell: Shell,
    here: String,
    name: String,
    /// Only who comes with it takes the claim.
    own: bool,
    username: String,
    password: String,
    /// What is typed on the device, so that it comes with it.
    command: String,
    /// Empty = it was not said.
    factory_password: String,
}

/// `POST /claims/{id}/credential`: shown in this answer, and nowhere else.
pub(super) async fn credential(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(claim_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let claim = service::get(&app, viewer.ctx(), claim_id).await?;
    let shown = service::credential(&app, viewer.ctx(), claim_id).await?;
    let shell = Shell::new(&viewer, &app.config, "Credential", Section::Claims);
    let page = credential_page(shell, &claim, shown, &acs_url(&app.config));
    answer(View::ClaimCredential, &page, &Complaints::default())
}

fn credential_page(
    shell: Shell,
    claim: &Claim,
    credential: Credential,
    acs_url: &str,
) -> CredentialPage {
    let login = &credential.login;
    let password = login.expose_password();
    CredentialPage {
        shell,
        here: path(claim.claim_id),
        name: name(claim),
        own: claim.own_credential,
        command: format!(
            "/tr069-client set enabled=yes acs-url={} username={} password={}",
            quote(acs_url),
            quote(&login.username),
            quote(password)
        ),
        username: login.username.clone(),
        password: password.to_owned(),
        factory_password: credential.factory_password.unwrap_or_default(),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::tests::{claim, offered};
    use crate::fleet::claim::Login;
    use crate::fleet::secret::Keys;
    use crate::web::profiles::values;
    use crate::web::views::sample;

    let now = DateTime::UNIX_EPOCH;
    let evil = || "<x-evil>".to_owned();
    let draft = ClaimForm::of(&claim(false));
    let new = |draft: &ClaimForm, errors: Complaints| {
        let page = NewPage {
            shell: Shell::sample(),
            draft,
            values: values::sample(),
            offered: offered(),
            errors,
        };
        sample(View::ClaimNew, &page)
    };
    let page = |claim: &Claim, may: bool, errors: Complaints| {
        let page = ClaimPage {
            shell: Shell::sample(),
            here: path(Uuid::nil()),
            name: evil(),
            state: state(claim),
            facts: facts(claim, now),
            tags: claim.tags.clone(),
            said: rows(&ClaimFields::of(claim).variables),
            taken: taken(claim, now),
            refused: refused(claim, now),
            may_change: may,
            may_remove: may,
            may_reveal: may,
            history: if may { "/audit".to_owned() } else { String::new() },
            draft: draft.clone(),
            values: values::sample(),
            offered: may.then(offered),
            errors,
        };
        sample(View::Claim, &page)
    };
    let credential = |own_credential: bool| {
        let claim = Claim { own_credential, ..claim(false) };
        let login = Login::of(&Keys::new([7; 32]), claim.claim_id);
        let factory_password = own_credential.then(evil);
        let shown = Credential { login, factory_password };
        let page = credential_page(Shell::sample(), &claim, shown, "http://<x-evil>");
        sample(View::ClaimCredential, &page)
    };
    let bare = Claim { tags: Vec::new(), variables: serde_json::json!({}), ..claim(true) };
    vec![
        new(&ClaimForm::default(), Complaints::default()),
        new(&draft, Complaints::field("variables", "<x-evil>")),
        page(&claim(false), true, Complaints::field("serial", "<x-evil>")),
        page(&claim(true), false, Complaints::whole("<x-evil>")),
        page(&bare, false, Complaints::default()),
        credential(true),
        credential(false),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tests::claim;
    use super::*;
    use crate::fleet::claim::Login;
    use crate::fleet::secret::Keys;

    #[test]
    fn what_is_typed_on_the_device_is_one_command_whatever_the_address_is() {
        let claim = claim(false);
        let login = Login::of(&Keys::new([7; 32]), claim.claim_id);
        let shown = Credential { login: login.clone(), factory_password: None };
        let page = credential_page(Shell::sample(), &claim, shown, "https://acs.example/a$b");
        let (name, password) = (&login.username, login.expose_password());
        let command = format!(
            "/tr069-client set enabled=yes acs-url=\"https://acs.example/a\\$b\" \
             username=\"{name}\" password=\"{password}\""
        );
        assert_eq!(page.command, command);
    }

    #[test]
    fn only_what_has_a_secret_offers_to_show_it() {
        let plain = Claim { own_credential: false, factory_sealed: None, ..claim(false) };
        assert!(!has_secret(&plain) && has_secret(&claim(false)));
        let known = Claim { factory_sealed: Some(vec![7]), ..plain };
        assert!(has_secret(&known));
        assert!(taken(&known, known.created_at).is_none());
        assert!(refused(&claim(true), known.created_at).is_none());
    }
}
