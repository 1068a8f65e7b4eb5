//! Tokens of the API: the list, making one and revoking it.
//!
//! Owns that a token's secret is shown once, in the answer to the form: it is in no cookie, no
//! address and no log.

use axum::extract::{Path, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::failure::Failure;
use super::flash::{self, Flash};
use super::form::{Complaints, Form};
use super::format::When;
use super::manage::{Bounds, RightBox, answer, bounds, everywhere, places, rights};
use super::shell::{Section, Shell};
use super::viewer::{Viewer, Visit, text};
use super::views::View;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::config::Config;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::tokens::{self as service, NewToken};
use crate::store::tokens::Token;

/// Where they are listed.
const HOME: &str = "/tokens";
/// Tokens that are shown of those that are good no more.
const PAST: usize = 50;
/// For how many days a token can be made, and in words.
const LIVES: [(&str, &str); 5] =
    [("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "for ever")];
/// What is chosen at first.
pub(super) const USUAL: u16 = 365;

/// The routes of tokens.
pub(super) fn routes(routes: Routes) -> Routes {
    let admin = Access::Needs(Right::Admin);
    routes
        .on(admin, Method::GET, "/tokens", get(page))
        .on(admin, Method::POST, "/tokens", post(create))
        .on(admin, Method::GET, "/tokens/new", get(new))
        .on(admin, Method::POST, "/tokens/{id}/revoke", post(revoke))
}

#[derive(Serialize)]
struct TokensPage {
    shell: Shell,
    may_change: bool,
    good: Vec<Row>,
    past: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    id: Uuid,
    name: String,
    /// It is a person's, who may by it what they may themselves at most.
    personal: bool,
    rights: Vec<String>,
    /// Path of a site; empty = none.
    site: String,
    /// Name of a group; empty = none.
    group: String,
    by: String,
    made: When,
    used: Option<When>,
    /// When it ends, or ended.
    ends: Option<When>,
    revoked: bool,
}

/// `GET /tokens`
async fn page(viewer: Viewer, State(app): State<Shared>) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let tokens = service::list(&app, ctx).await?;
    let (good, past): (Vec<Token>, Vec<Token>) =
        tokens.into_iter().partition(|token| is_good(token, ctx.now));
    let page = TokensPage {
        shell: Shell::new(&viewer, &app.config, "API tokens", Section::Tokens),
        may_change: everywhere(&viewer, Right::Admin),
        good: good.into_iter().map(|token| row(token, ctx.now)).collect(),
        past: past.into_iter().take(PAST).map(|token| row(token, ctx.now)).collect(),
    };
    answer(View::Tokens, &page, &Complaints::default())
}

pub(super) fn is_good(token: &Token, now: DateTime<Utc>) -> bool {
    token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end)
}

fn row(token: Token, now: DateTime<Utc>) -> Row {
    Row {
        id: token.token_id,
        name: token.name,
        personal: token.user_id.is_some(),
        rights: token.scopes,
        site: token.site.unwrap_or_default(),
        group: token.group.unwrap_or_default(),
        by: token.created_by,
        made: When::new(token.created_at, now),
        used: token.last_used_at.map(|at| When::new(at, now)),
        ends: token.revoked_at.or(token.expires_at).map(|at| When::new(at, now)),
        revoked: token.revoked_at.is_some(),
    }
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct TokenForm {
    name: String,
    scopes: Vec<Right>,
    /// Path of a site, or `group:` and a name; empty = everywhere.
    place: String,
    /// For so many days; none = for ever.
    days: Option<u16>,
}

impl Default for TokenForm {
    fn default() -> Self {
        Self { name: String::new(), scopes: Vec::new(), place: String::new(), days: Some(USUAL) }
    }
}

#[derive(Serialize)]
struct NewTokenPage<'a> {
    shell: Shell,
    name: &'a str,
    rights: Vec<RightBox>,
    place: &'a str,
    places: Vec<String>,
    lives: Vec<Choice>,
    days: String,
    errors: Complaints,
}

#[derive(Serialize)]
pub(super) struct Choice {
    value: &'static str,
    label: &'static str,
}

/// `GET /tokens/new`
async fn new(viewer: Viewer, State(app): State<Shared>) -> Result<Response, Failure> {
    form(&app, &viewer, &TokenForm::default(), Complaints::default()).await
}

async fn form(
    app: &App,
    viewer: &Viewer,
    sent: &TokenForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let page = NewTokenPage {
        shell: Shell::new(viewer, &app.config, "New API token", Section::Tokens),
        name: &sent.name,
        rights: rights(&sent.scopes),
        place: &sent.place,
        places: places(app, viewer.ctx()).await?,
        lives: lives(),
        days: sent.days.map(|days| days.to_string()).unwrap_or_default(),
        errors,
    };
    answer(View::TokenNew, &page, &page.errors)
}

pub(super) fn lives() -> Vec<Choice> {
    LIVES.map(|(value, label)| Choice { value, label }).into()
}

/// A token that is shown this once.
#[derive(Serialize)]
pub(super) struct TokenMade<'a> {
    shell: Shell,
    name: &'a str,
    token: &'a str,
    curl: String,
}

impl<'a> TokenMade<'a> {
    /// The page of one with these rights, which is good at `server`.
    pub(super) fn new(
        shell: Shell,
        name: &'a str,
        token: &'a str,
        server: &str,
        scopes: &[Right],
    ) -> Self {
        Self { shell, name, token, curl: curl(server, token, scopes) }
    }
}

/// `POST /tokens`
async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    visit: Visit,
    headers: HeaderMap,
    Form(sent): Form<TokenForm>,
) -> Result<Response, Failure> {
    match make(&app, viewer.ctx(), &sent).await {
        Ok((token, made)) => {
            let server = server(&app.config, visit.https, text(&headers, HOST.as_str()));
            let shell = Shell::new(&viewer, &app.config, "API token", Section::Tokens);
            let page = TokenMade::new(shell, &made.name, &token, &server, &sent.scopes);
            answer(View::TokenMade, &page, &Complaints::default())
        }
        Err(error) => {
            let errors = Complaints::of(error, &["name", "scopes", "place"])?;
            form(&app, &viewer, &sent, errors).await
        }
    }
}

async fn make(app: &App, ctx: &Ctx, sent: &TokenForm) -> Result<(String, Token), Error> {
    let Bounds { site_id, group_id } = bounds(app, ctx, &sent.place, "/place").await?;
    let new = NewToken {
        name: sent.name.trim().to_owned(),
        scopes: sent.scopes.clone(),
        site_id,
        group_id,
        expires_at: sent.days.map(|days| ctx.now + TimeDelta::days(i64::from(days))),
    };
    service::create(app, ctx, new).await.map_err(|error| match error {
        Error::Invalid { pointer, message } if pointer == "/group_id" => {
            Error::invalid("/place", message)
        }
        other => other,
    })
}

/// What browsers call this server: the configured address, or the one that was just asked.
pub(super) fn server(config: &Config, https: bool, host: Option<&str>) -> String {
    let scheme = if https { "https" } else { "http" };
    let asked = || format!("{scheme}://{}", host.unwrap_or("localhost:8080"));
    config.web.public_url.clone().unwrap_or_else(asked)
}

/// A first request with a token, for a shell.
fn curl(server: &str, token: &str, scopes: &[Right]) -> String {
    let reads = scopes.iter().any(|right| right.includes(Right::Read));
    let path = if reads { "devices?limit=5" } else { "me" };
    format!("curl -H 'Authorization: Bearer {token}' '{server}/api/v1/{path}'")
}

/// `POST /tokens/{id}/revoke`
async fn revoke(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(token_id): Path<Uuid>,
) -> Result<Response, Failure> {
    revoked(HOME, service::revoke(&app, viewer.ctx(), token_id).await)
}

/// Back to the list that the token stood in.
pub(super) fn revoked(home: &str, done: Result<(), Error>) -> Result<Response, Failure> {
    match done {
        Ok(()) => Ok(flash::to(home, Flash::done("The token opens nothing any more."))),
        // Somebody was quicker, which is what was wanted.
        Err(Error::NotFound(_)) => {
            Ok(flash::to(home, Flash::done("That token was good no more already.")))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::views::sample;

    let now = DateTime::UNIX_EPOCH;
    let evil = || "<x-evil>".to_owned();
    let row = |plain: bool| Row {
        id: Uuid::nil(),
        name: evil(),
        personal: plain,
        rights: vec![evil()],
        site: if plain { String::new() } else { evil() },
        group: if plain { evil() } else { String::new() },
        by: evil(),
        made: When::new(now, now),
        used: (!plain).then(|| When::new(now, now)),
        ends: (!plain).then(|| When::new(now, now)),
        revoked: plain,
    };
    let list = |good: Vec<Row>, past: Vec<Row>| {
        let page = TokensPage { shell: Shell::sample(), may_change: true, good, past };
        sample(View::Tokens, &page)
    };
    let new = |errors: Complaints| {
        let page = NewTokenPage {
            shell: Shell::sample(),
            name: "<x-evil>",
            rights: rights(&[Right::Read]),
            place: "<x-evil>",
            places: vec![evil()],
            lives: lives(),
            days: USUAL.to_string(),
            errors,
        };
        sample(View::TokenNew, &page)
    };
    let made = TokenMade::new(Shell::sample(), "<x-evil>", "<x-evil>", "http://localhost", &[]);
    vec![
        list(vec![row(true), row(false)], vec![row(true), row(false)]),
        list(Vec::new(), Vec::new()),
        new(Complaints::field("scopes", "<x-evil>")),
        new(Complaints::field("place", "<x-evil>")),
        sample(View::TokenMade, &made),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_it_ends_or_is_revoked() {
        let now = DateTime::UNIX_EPOCH;
        let token = |expires_at, revoked_at| Token {
            token_id: Uuid::nil(),
            name: "ci".to_owned(),
            user_id: None,
            scopes: vec!["read".to_owned()],
            site_id: None,
            site: None,
            group_id: None,
            group: None,
            created_by: "ann".to_owned(),
            created_at: now,
            expires_at,
            last_used_at: None,
            revoked_at,
        };
        assert!(is_good(&token(None, None), now));
        assert!(is_good(&token(Some(now + TimeDelta::seconds(1)), None), now));
        assert!(!is_good(&token(Some(now), None), now));
        assert!(!is_good(&token(None, Some(now)), now));
    }

    #[test]
    fn the_usual_life_can_be_chosen() {
        assert!(LIVES.iter().any(|(days, _)| *days == USUAL.to_string()));
        for (days, _) in LIVES.iter().filter(|(days, _)| !days.is_empty()) {
            assert!(days.parse::<u16>().is_ok(), "{days}");
        }
    }

    #[test]
    fn the_example_asks_this_server_for_what_the_token_may() {
        let mut config = Config::default();
        config.web.public_url = None;
        assert_eq!(server(&config, true, Some("acs.example:8443")), "https://acs.example:8443");
        config.web.public_url = Some("https://muster.example".to_owned());
        let server = server(&config, false, Some("127.0.0.1"));
        assert_eq!(
            curl(&server, "mst_1_x", &[Right::Operate]),
            "curl -H 'Authorization: Bearer mst_1_x' \
             'https://muster.example/api/v1/devices?limit=5'"
        );
        assert!(curl(&server, "mst_1_x", &[Right::Audit]).ends_with("/api/v1/me'"));
    }
}
