//! People who log in: the list of them, and making one. `one` is the page of one of them.
//!
//! Owns that a password is made here and shown once, in the answer to the form: it is in no cookie,
//! no address and no log.

mod one;

use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::failure::Failure;
use super::flash::{self, Flash};
use super::form::{Complaints, Form};
use super::format::When;
use super::manage::{
    Bounds, address, answer, bounds, cut, everywhere, place_word, places, with_one_more,
};
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::View;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::access::user::{GrantFields, UserFields};
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::secret::new_password;
use crate::service::roles;
use crate::service::users::{self as service, Person};
use crate::store::roles::Role;
use crate::store::users::{Grant, User};

/// Where they are listed.
const HOME: &str = "/users";
/// People on a page.
const PAGE: usize = 100;
/// Rows for further roles in a form.
const BLANK: usize = 3;

/// The routes of people.
pub(super) fn routes(routes: Routes) -> Routes {
    let admin = Access::Needs(Right::Admin);
    routes
        .on(admin, Method::GET, "/users", get(page))
        .on(admin, Method::POST, "/users", post(create))
        .on(admin, Method::GET, "/users/new", get(new))
        .on(admin, Method::GET, "/users/{id}", get(one::page))
        .on(admin, Method::POST, "/users/{id}", post(one::change))
        .on(admin, Method::POST, "/users/{id}/disabled", post(one::set_disabled))
        .on(admin, Method::POST, "/users/{id}/password", post(one::reset_password))
        .on(admin, Method::POST, "/users/{id}/totp/remove", post(one::remove_totp))
        .on(admin, Method::POST, "/users/{id}/delete", post(one::delete))
        .on(admin, Method::POST, "/users/{id}/sessions/{session}/revoke", post(one::revoke))
}

fn path(user_id: Uuid) -> String {
    format!("{HOME}/{user_id}")
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    after: String,
}

#[derive(Serialize)]
struct UsersPage {
    shell: Shell,
    rows: Vec<Row>,
    may_change: bool,
    first: String,
    next: String,
}

#[derive(Serialize)]
struct Row {
    href: String,
    login: String,
    name: String,
    roles: Vec<String>,
    last_login: Option<When>,
    totp: bool,
    disabled: bool,
    must_change: bool,
    has_password: bool,
}

/// `GET /users`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let after = Some(query.after.as_str()).filter(|login| !login.is_empty());
    let found = service::list(&app, ctx, after, with_one_more(PAGE)).await?;
    let (people, more) = cut(found, PAGE);
    let last = people.last().filter(|_| more).map(|person| person.user.login.as_str());
    let page = UsersPage {
        shell: Shell::new(&viewer, &app.config, "Users", Section::Users),
        may_change: everywhere(&viewer, Right::Admin),
        first: after.map(|_| HOME.to_owned()).unwrap_or_default(),
        next: last.map(|login| address(HOME, &[("after", login)])).unwrap_or_default(),
        rows: people.iter().map(|person| row(person, ctx.now)).collect(),
    };
    answer(View::Users, &page, &Complaints::default())
}

fn row(person: &Person, now: DateTime<Utc>) -> Row {
    let user = &person.user;
    Row {
        href: path(user.user_id),
        login: user.login.clone(),
        name: user.display_name.clone(),
        roles: person.grants.iter().map(granted).collect(),
        last_login: user.last_login_at.map(|at| When::new(at, now)),
        totp: user.has_totp,
        disabled: user.disabled_at.is_some(),
        must_change: user.must_change,
        has_password: user.has_password,
    }
}

/// A role and where it holds, in words.
fn granted(grant: &Grant) -> String {
    match (&grant.site, &grant.group) {
        (Some(site), _) => format!("{} at {site}", grant.role),
        (None, Some(group)) => format!("{} for group {group}", grant.role),
        (None, None) => grant.role.clone(),
    }
}

/// A user to be made.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NewUser {
    login: String,
    display_name: String,
    /// They log in by single sign-on only.
    sign_on: bool,
    role: Vec<Option<Uuid>>,
    place: Vec<String>,
}

#[derive(Serialize)]
struct NewUserPage<'a> {
    shell: Shell,
    login: &'a str,
    name: &'a str,
    sign_on: bool,
    /// What single sign-on is called; empty where there is none.
    provider: &'a str,
    grants: Grants,
    errors: Complaints,
}

/// The rows of a form that gives roles, and what can be chosen in them.
#[derive(Debug, Serialize)]
struct Grants {
    rows: Vec<GrantRow>,
    roles: Vec<RoleChoice>,
    places: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct GrantRow {
    role: String,
    /// As [`place_word`] writes it.
    place: String,
}

impl GrantRow {
    fn of(grant: &Grant) -> Self {
        Self {
            role: grant.role_id.to_string(),
            place: place_word(grant.site.as_deref(), grant.group.as_deref()),
        }
    }
}

#[derive(Debug, Serialize)]
struct RoleChoice {
    id: Uuid,
    name: String,
}

impl Grants {
    /// With rows, and a few more for further roles.
    async fn of(app: &App, ctx: &Ctx, mut rows: Vec<GrantRow>) -> Result<Self, Error> {
        rows.extend((0..BLANK).map(|_| GrantRow::default()));
        let roles = roles::list(app, ctx).await?;
        let choice = |role: Role| RoleChoice { id: role.role_id, name: role.name };
        Ok(Self {
            rows,
            roles: roles.into_iter().map(choice).collect(),
            places: places(app, ctx).await?,
        })
    }
}

/// The rows that were sent, but those without a role and a place.
fn sent_rows(roles: &[Option<Uuid>], places: &[String]) -> Vec<GrantRow> {
    let rows = roles.iter().enumerate().map(|(i, role)| GrantRow {
        role: role.map(|id| id.to_string()).unwrap_or_default(),
        place: places.get(i).map(|place| place.trim().to_owned()).unwrap_or_default(),
    });
    rows.filter(|row| !row.role.is_empty() || !row.place.is_empty()).collect()
}

/// What the rows that were sent grant.
async fn granting(
    app: &App,
    ctx: &Ctx,
    roles: &[Option<Uuid>],
    places: &[String],
) -> Result<Vec<GrantFields>, Error> {
    let mut grants = Vec::new();
    for (i, role) in roles.iter().enumerate() {
        let place = places.get(i).map(String::as_str).unwrap_or_default();
        let Some(role_id) = *role else {
            if place.trim().is_empty() {
                continue;
            }
            return Err(Error::invalid("/grants", format!("Which role at {}?", place.trim())));
        };
        let Bounds { site_id, group_id } = bounds(app, ctx, place, "/grants").await?;
        grants.push(GrantFields { role_id, site_id, group_id });
    }
    Ok(grants)
}

/// `GET /users/new`
async fn new(viewer: Viewer, State(app): State<Shared>) -> Result<Response, Failure> {
    form(&app, &viewer, &NewUser::default(), Complaints::default()).await
}

async fn form(
    app: &App,
    viewer: &Viewer,
    sent: &NewUser,
    errors: Complaints,
) -> Result<Response, Failure> {
    let rows = sent_rows(&sent.role, &sent.place);
    let page = NewUserPage {
        shell: Shell::new(viewer, &app.config, "New user", Section::Users),
        login: &sent.login,
        name: &sent.display_name,
        sign_on: sent.sign_on,
        provider: match app.config.oidc.issuer {
            Some(_) => &app.config.oidc.label,
            None => "",
        },
        grants: Grants::of(app, viewer.ctx(), rows).await?,
        errors,
    };
    answer(View::UserNew, &page, &page.errors)
}

/// `POST /users`
async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(sent): Form<NewUser>,
) -> Result<Response, Failure> {
    match make(&app, viewer.ctx(), &sent).await {
        Ok((user, Some(password))) => given(&app, &viewer, &user, &password, true),
        Ok((user, None)) => {
            let done = format!("{} can log in by single sign-on.", user.login);
            Ok(flash::to(&path(user.user_id), Flash::done(done)))
        }
        Err(error) => {
            let errors = Complaints::of(error, &["login", "display_name", "grants"])?;
            form(&app, &viewer, &sent, errors).await
        }
    }
}

/// Makes the user, with a password unless they log in otherwise.
async fn make(app: &App, ctx: &Ctx, sent: &NewUser) -> Result<(User, Option<String>), Error> {
    let fields = UserFields {
        display_name: Some(sent.display_name.trim().to_owned()),
        disabled: None,
        grants: Some(granting(app, ctx, &sent.role, &sent.place).await?),
    };
    let password = (!sent.sign_on).then(new_password);
    let person = service::create(app, ctx, sent.login.trim(), password.clone(), fields).await?;
    Ok((person.user, password))
}

/// A password that is shown this once.
#[derive(Serialize)]
struct PasswordGiven<'a> {
    shell: Shell,
    href: String,
    login: &'a str,
    password: &'a str,
    new: bool,
}

fn given(
    app: &App,
    viewer: &Viewer,
    user: &User,
    password: &str,
    new: bool,
) -> Result<Response, Failure> {
    let page = PasswordGiven {
        shell: Shell::new(viewer, &app.config, "Password", Section::Users),
        href: path(user.user_id),
        login: &user.login,
        password,
        new,
    };
    answer(View::UserPassword, &page, &Complaints::default())
}

#[cfg(test)]
fn sample_grants() -> Grants {
    let id = Uuid::from_u128(1);
    let evil = || "<x-evil>".to_owned();
    Grants {
        rows: vec![GrantRow { role: id.to_string(), place: evil() }, GrantRow::default()],
        roles: vec![RoleChoice { id, name: evil() }],
        places: vec![evil()],
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::views::sample;

    let evil = || "<x-evil>".to_owned();
    let row = |plain: bool| Row {
        href: path(Uuid::nil()),
        login: evil(),
        name: if plain { String::new() } else { evil() },
        roles: if plain { Vec::new() } else { vec![evil()] },
        last_login: (!plain).then(|| When::new(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH)),
        totp: !plain,
        disabled: plain,
        must_change: !plain,
        has_password: !plain,
    };
    let list = |rows: Vec<Row>, may_change: bool| UsersPage {
        shell: Shell::sample(),
        rows,
        may_change,
        first: HOME.to_owned(),
        next: address(HOME, &[("after", "<x-evil>")]),
    };
    let new = |provider: &'static str, errors: Complaints| NewUserPage {
        shell: Shell::sample(),
        login: "<x-evil>",
        name: "<x-evil>",
        sign_on: true,
        provider,
        grants: sample_grants(),
        errors,
    };
    let given = |new: bool| PasswordGiven {
        shell: Shell::sample(),
        href: path(Uuid::nil()),
        login: "<x-evil>",
        password: "<x-evil>",
        new,
    };
    let mut samples = vec![
        sample(View::Users, &list(vec![row(true), row(false)], true)),
        sample(View::Users, &list(Vec::new(), false)),
        sample(View::UserNew, &new("", Complaints::field("grants", "<x-evil>"))),
        sample(View::UserNew, &new("<x-evil>", Complaints::field("login", "<x-evil>"))),
        sample(View::UserPassword, &given(true)),
        sample(View::UserPassword, &given(false)),
    ];
    samples.extend(one::samples());
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_told_with_its_place() {
        let grant = |site: Option<&str>, group: Option<&str>| Grant {
            user_id: Uuid::nil(),
            role_id: Uuid::nil(),
            role: "operator".to_owned(),
            site_id: None,
            site: site.map(str::to_owned),
            group_id: None,
            group: group.map(str::to_owned),
        };
        assert_eq!(granted(&grant(None, None)), "operator");
        assert_eq!(granted(&grant(Some("eu.lv"), None)), "operator at eu.lv");
        let vip = grant(None, Some("vip"));
        assert_eq!(granted(&vip), "operator for group vip");
        assert_eq!(GrantRow::of(&vip).place, "group:vip");
    }

    #[test]
    fn rows_that_say_nothing_are_left_out() {
        let id = Uuid::from_u128(7);
        let places = ["eu ".to_owned(), String::new(), "us".to_owned()];
        let rows = sent_rows(&[Some(id), None, None, Some(id)], &places);
        let expected = [(id.to_string(), "eu"), (String::new(), "us"), (id.to_string(), "")];
        let expected = expected.map(|(role, place)| GrantRow { role, place: place.to_owned() });
        assert_eq!(rows, expected);
        assert!(sent_rows(&[], &places).is_empty());
    }
}
