//! Rules of admission: which devices are let in that nobody claimed, and as what. The first that fits
//! holds, so their order stands on the page, and is changed there.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Offered, RULES, Tab, WAITING, otherwise, said, tabs, tags};
use crate::access::right::Right;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::admission::rule::RuleFields;
use crate::service::accept_rules as service;
use crate::service::devices;
use crate::store::accept_rules::Rule;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::manage::{Confirmation, Fact, address, answer, everywhere, same, version};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Fields of the form, for what is wrong with them.
const FIELDS: [&str; 5] = ["name", "selector", "site", "profile", "tags"];

fn path(rule_id: Uuid) -> String {
    format!("{RULES}/{rule_id}")
}

#[derive(Serialize)]
struct RulesPage {
    shell: Shell,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    otherwise: &'static str,
    may_change: bool,
}

#[derive(Serialize)]
struct Row {
    href: String,
    position: i32,
    /// The places before and behind it; none at the ends.
    up: Option<i32>,
    down: Option<i32>,
    name: String,
    selector: String,
    site: String,
    profile: String,
    tags: Vec<String>,
    enabled: bool,
    /// Why its selector cannot be read any more; empty = it can.
    wrong: String,
}

/// `GET /claims/rules`
pub(super) async fn page(viewer: Viewer, State(app): State<Shared>) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let rules = service::list(&app, ctx).await?;
    let wrong = service::unreadable(&app, ctx, &rules).await?;
    let page = RulesPage {
        shell: Shell::new(&viewer, &app.config, "Rules of admission", Section::Claims),
        tabs: tabs(&app, ctx, RULES).await?,
        rows: rows(&rules, &wrong),
        otherwise: otherwise(&app),
        may_change: everywhere(&viewer, Right::Operate),
    };
    answer(View::ClaimRules, &page, &Complaints::default())
}

/// With what is wrong with the selector of each.
fn rows(rules: &[Rule], wrong: &[Option<String>]) -> Vec<Row> {
    let place = |at: Option<usize>| at.and_then(|at| rules.get(at)).map(|rule| rule.position);
    let row = |(at, rule): (usize, &Rule)| Row {
        href: path(rule.rule_id),
        position: rule.position,
        up: place(at.checked_sub(1)),
        down: place(at.checked_add(1)),
        name: rule.name.clone(),
        selector: rule.selector.clone(),
        site: rule.site.clone().unwrap_or_default(),
        profile: rule.profile.clone().unwrap_or_default(),
        tags: rule.tags.clone(),
        enabled: rule.enabled,
        wrong: wrong.get(at).cloned().flatten().unwrap_or_default(),
    };
    rules.iter().enumerate().map(row).collect()
}

/// What is said of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RuleForm {
    version: String,
    name: String,
    selector: String,
    site: String,
    profile: String,
    tags: String,
    enabled: bool,
}

impl RuleForm {
    fn of(rule: &Rule) -> Self {
        Self {
            version: version(rule.updated_at),
            name: rule.name.clone(),
            selector: rule.selector.clone(),
            site: rule.site.clone().unwrap_or_default(),
            profile: rule.profile.clone().unwrap_or_default(),
            tags: rule.tags.join(" "),
            enabled: rule.enabled,
        }
    }

    /// With a place among the others; none = the last.
    fn fields(&self, position: Option<u32>) -> RuleFields {
        RuleFields {
            name: Some(self.name.trim().to_owned()),
            selector: Some(self.selector.trim().to_owned()),
            site: said(&self.site),
            profile: said(&self.profile),
            tags: tags(&self.tags),
            enabled: self.enabled,
            position,
        }
    }
}

#[derive(Serialize)]
struct RulePage {
    shell: Shell,
    title: String,
    /// Where it is kept.
    action: String,
    is_new: bool,
    facts: Vec<Fact>,
    draft: RuleForm,
    offered: Offered,
    may_change: bool,
    history: String,
    errors: Complaints,
}

/// What may stand in the address of a new one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SelectorQuery {
    selector: String,
}

/// `GET /claims/rules/new`
pub(super) async fn new(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<SelectorQuery>,
) -> Result<Response, Failure> {
    if !everywhere(&viewer, Right::Operate) {
        let why = "A rule is of no site: who operates everywhere may make one.";
        return Ok(flash::to(RULES, Flash::failed(why)));
    }
    let draft = RuleForm { selector: query.selector, enabled: true, ..RuleForm::default() };
    shown(&app, &viewer, None, draft, Complaints::default()).await
}

/// `POST /claims/rules`
pub(super) async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(sent): Form<RuleForm>,
) -> Result<Response, Failure> {
    match service::create(&app, viewer.ctx(), sent.fields(None)).await {
        Ok(rule) => {
            let done = format!("The rule {} is made, behind the others.", rule.name);
            Ok(flash::to(RULES, Flash::done(done)))
        }
        Err(error) => shown(&app, &viewer, None, sent, Complaints::of(error, &FIELDS)?).await,
    }
}

/// `GET /claims/rules/{id}`
pub(super) async fn one(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(rule_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let rule = service::get(&app, viewer.ctx(), rule_id).await?;
    let draft = RuleForm::of(&rule);
    shown(&app, &viewer, Some(rule), draft, Complaints::default()).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    rule: Option<Rule>,
    draft: RuleForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let object = rule.as_ref().map(|rule| rule.rule_id.to_string());
    let history = object.filter(|_| everywhere(viewer, Right::Audit));
    let history =
        history.map(|id| address("/audit", &[("kind", "accept_rule"), ("object", id.as_str())]));
    let facts = |rule: &Rule| {
        vec![
            Fact::new("Place", rule.position.to_string()),
            Fact::new("Made by", rule.created_by.as_str()),
            Fact::new("Made", When::new(rule.created_at, ctx.now).both()),
            Fact::new("Changed", When::new(rule.updated_at, ctx.now).both()),
        ]
    };
    let title = rule.as_ref().map_or_else(|| "New rule".to_owned(), |rule| rule.name.clone());
    let page = RulePage {
        shell: Shell::new(viewer, &app.config, title.as_str(), Section::Claims),
        title,
        action: rule.as_ref().map_or_else(|| RULES.to_owned(), |rule| path(rule.rule_id)),
        is_new: rule.is_none(),
        facts: rule.as_ref().map(facts).unwrap_or_default(),
        offered: Offered::with(app, ctx, &draft.profile).await?,
        may_change: everywhere(viewer, Right::Operate),
        history: history.unwrap_or_default(),
        draft,
        errors,
    };
    answer(View::ClaimRule, &page, &page.errors)
}

/// `POST /claims/rules/{id}`
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(rule_id): Path<Uuid>,
    Form(sent): Form<RuleForm>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let patch = |had: RuleFields| Ok(sent.fields(had.position));
    match service::change(&app, ctx, rule_id, same(&sent.version), patch).await {
        Ok(_) => Ok(flash::to(RULES, Flash::done("The rule is saved."))),
        Err(error) => {
            let errors = Complaints::of(error, &FIELDS)?;
            let rule = service::get(&app, ctx, rule_id).await?;
            shown(&app, &viewer, Some(rule), sent, errors).await
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    to: Option<u32>,
}

/// `POST /claims/rules/{id}/move`
pub(super) async fn put(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(rule_id): Path<Uuid>,
    Form(sent): Form<Place>,
) -> Result<Response, Failure> {
    let patch = |had: RuleFields| Ok(RuleFields { position: sent.to.or(had.position), ..had });
    let done = service::change(&app, viewer.ctx(), rule_id, |_| Ok(()), patch).await;
    told(done.map(|rule| format!("{} stands at place {} now.", rule.name, rule.position)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Switch {
    on: bool,
}

/// `POST /claims/rules/{id}/switch`
pub(super) async fn switch(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(rule_id): Path<Uuid>,
    Form(sent): Form<Switch>,
) -> Result<Response, Failure> {
    let patch = |had: RuleFields| Ok(RuleFields { enabled: sent.on, ..had });
    let done = service::change(&app, viewer.ctx(), rule_id, |_| Ok(()), patch).await;
    let word = if sent.on { "on" } else { "off" };
    told(done.map(|rule| format!("{} is switched {word}.", rule.name)))
}

/// Back to the list, with what was done or why not.
fn told(done: Result<String, Error>) -> Result<Response, Failure> {
    let flash = match done {
        Ok(words) => Flash::done(words),
        // A group that its selector names may be gone.
        Err(Error::Conflict(why) | Error::Invalid { message: why, .. }) => Flash::failed(why),
        Err(error) => return Err(error.into()),
    };
    Ok(flash::to(RULES, flash))
}

/// `POST /claims/rules/{id}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(rule_id): Path<Uuid>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let rule = service::get(&app, ctx, rule_id).await?;
    let removed = match sent.check(&rule.name) {
        Ok(()) => service::delete(&app, ctx, rule_id, |_| Ok(())).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(flash::to(RULES, Flash::done(format!("The rule {} is removed.", rule.name)))),
        Err(error) => {
            let (draft, errors) = (RuleForm::of(&rule), Complaints::of(error, &[])?);
            shown(&app, &viewer, Some(rule), draft, errors).await
        }
    }
}

/// How many of those that wait a selector finds now, or what is wrong with it.
#[derive(Serialize)]
struct CountFragment {
    count: Option<i64>,
    wrong: String,
}

/// `GET /claims/rules/count`: while a selector is written.
pub(super) async fn count(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<SelectorQuery>,
) -> Result<Response, Failure> {
    let fragment = match query.selector.trim() {
        "" => CountFragment { count: None, wrong: String::new() },
        text => match devices::count(&app, viewer.ctx(), Some(&waiting(text))).await {
            Ok(count) => CountFragment { count: Some(count), wrong: String::new() },
            Err(Error::Invalid { message, .. }) => CountFragment { count: None, wrong: message },
            Err(error) => return Err(error.into()),
        },
    };
    answer(View::ClaimRulesCount, &fragment, &Complaints::default())
}

/// Those of a selector's devices that wait to be let in.
fn waiting(selector: &str) -> String {
    format!("({selector}) and {WAITING}")
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::tabs_of;
    use super::tests::offered;
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let list = |rules: &[Rule], may_change: bool| {
        let page = RulesPage {
            shell: Shell::sample(),
            tabs: tabs_of(RULES, 7),
            rows: rows(rules, &[Some(evil()), None]),
            otherwise: "waits",
            may_change,
        };
        sample(View::ClaimRules, &page)
    };
    let one = |is_new: bool, may_change: bool, errors: Complaints| {
        let page = RulePage {
            shell: Shell::sample(),
            title: evil(),
            action: RULES.to_owned(),
            is_new,
            facts: vec![Fact::new("Made by", evil())],
            draft: RuleForm::of(&tests::rule(1)),
            offered: offered(),
            may_change,
            history: if is_new { String::new() } else { "/audit".to_owned() },
            errors,
        };
        sample(View::ClaimRule, &page)
    };
    let count = |count: Option<i64>, wrong: String| {
        sample(View::ClaimRulesCount, &CountFragment { count, wrong })
    };
    let rules = [1, 2, 3].map(tests::rule);
    vec![
        list(&rules, true),
        list(&rules, false),
        list(&[], true),
        list(&[], false),
        one(true, true, Complaints::field("selector", "<x-evil>\n  ^")),
        one(false, true, Complaints::whole("<x-evil>")),
        one(false, false, Complaints::default()),
        count(Some(1), String::new()),
        count(None, evil()),
        count(None, String::new()),
    ]
}

#[cfg(test)]
mod tests;
