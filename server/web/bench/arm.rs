//! Arming a bench: for how long, for whom, and for what. And disarming it, which asks for nothing.

use axum::extract::{Path, State};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use muster_netboot::profile::Strategy;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::list::others;
use super::{Choice, HOME, choice, said, words};
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::secret::MASK;
use crate::fleet::variables::Variables;
use crate::netboot::arming::Arming;
use crate::service::bench::{self as service, Consent, Status};
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::manage::answer;
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Fields of the form, for what is wrong with them.
const FIELDS: [&str; 11] = [
    "minutes",
    "template",
    "profile",
    "strategy",
    "accept_unverified",
    "any_per_minute",
    "any_minutes",
    "dhcp",
    "confirm",
    "mode_template",
    "variables",
];
/// For how long a bench is armed where nobody says it, in minutes.
const MINUTES: &str = "60";
/// Empty rows behind the filled ones.
const BLANK: usize = 2;

/// What is said of an arming, all of it as text. No `Debug`: a value may be a secret.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ArmForm {
    minutes: String,
    template: String,
    profile: String,
    strategy: String,
    accept_unverified: bool,
    any: bool,
    any_per_minute: String,
    any_minutes: String,
    dhcp: bool,
    /// The name of the interface once more.
    confirm: String,
    accept_others: bool,
    mode_template: String,
    variable: Vec<String>,
    value: Vec<String>,
}

impl Default for ArmForm {
    fn default() -> Self {
        Self::of(&Arming::default())
    }
}

/// A variable with its value.
#[derive(Clone, Default, PartialEq, Serialize)]
struct VariableRow {
    name: String,
    value: String,
}

impl ArmForm {
    /// Of what a bench is armed for, or was last: but for the time, for what nobody may see, and for
    /// what is dangerous, which is to be said again.
    fn of(arming: &Arming) -> Self {
        let variables = || arming.variables.0.iter();
        let value = |value: &Value| Some(shown(value)).filter(|text| text != MASK);
        Self {
            minutes: MINUTES.to_owned(),
            template: arming.template.clone(),
            profile: arming.profile.clone(),
            strategy: arming.strategy.word().to_owned(),
            accept_unverified: false,
            any: false,
            any_per_minute: arming.any_per_minute.to_string(),
            any_minutes: String::new(),
            dhcp: false,
            confirm: String::new(),
            accept_others: false,
            mode_template: arming.mode_template.clone().unwrap_or_default(),
            variable: variables().map(|(name, _)| name.clone()).collect(),
            value: variables().map(|(_, one)| value(one).unwrap_or_default()).collect(),
        }
    }

    /// For how long, and for what. A value that nobody changed stays what it was, also where it is no
    /// text.
    ///
    /// # Errors
    /// [`Error::Invalid`] at a field of the form.
    fn read(&self, had: &Variables, now: DateTime<Utc>) -> Result<(u32, Arming), Error> {
        let strategy: Strategy = self
            .strategy
            .parse()
            .map_err(|_| Error::invalid("/strategy", "Choose one of them."))?;
        let any_until = match said(&self.any_minutes) {
            Some(text) => Some(now + TimeDelta::minutes(number(&text, "/any_minutes")?.into())),
            None => None,
        };
        let arming = Arming {
            template: self.template.trim().to_owned(),
            profile: self.profile.trim().to_owned(),
            strategy,
            any: self.any,
            any_per_minute: number(&self.any_per_minute, "/any_per_minute")?,
            any_until,
            dhcp: self.dhcp,
            variables: self.variables(had)?,
            mode_template: said(&self.mode_template),
            accept_unverified: self.accept_unverified,
            // Its newest version, which is looked up.
            template_version: None,
            mode_version: None,
        };
        Ok((number(&self.minutes, "/minutes")?, arming))
    }

    fn consent(&self) -> Consent {
        Consent { confirm: said(&self.confirm), accept_others: self.accept_others }
    }

    fn variables(&self, had: &Variables) -> Result<Variables, Error> {
        let wrong = |why: String| Err(Error::invalid("/variables", why));
        let mut all = Variables::default();
        for VariableRow { name, value } in self.filled() {
            if name.is_empty() {
                return wrong("There is a value without the name of its variable.".to_owned());
            }
            if value.is_empty() {
                return wrong(format!("{name} has no value: write it, or take the name away."));
            }
            if all.0.contains_key(&name) {
                return wrong(format!("{name} stands there twice."));
            }
            let before = had.0.get(&name).filter(|before| shown(before) == value);
            let value = before.cloned().unwrap_or(Value::String(value));
            all.0.insert(name, value);
        }
        Ok(all)
    }

    /// The variables that were written.
    fn filled(&self) -> Vec<VariableRow> {
        let cell = |column: &[String], at: usize| column.get(at).cloned().unwrap_or_default();
        let row = |at: usize| VariableRow {
            name: cell(&self.variable, at).trim().to_owned(),
            value: cell(&self.value, at),
        };
        let all = (0..self.variable.len().max(self.value.len())).map(row);
        all.filter(|row| *row != VariableRow::default()).collect()
    }

    /// The same, and empty rows for more.
    fn rows(&self) -> Vec<VariableRow> {
        let mut rows = self.filled();
        rows.extend((0..BLANK).map(|_| VariableRow::default()));
        rows
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A number of a field; which ones are good is not for a form to know.
pub(super) fn number(text: &str, pointer: &str) -> Result<u32, Error> {
    text.trim().parse().map_err(|_| Error::invalid(pointer, "Write a number, such as 60."))
}

#[derive(Serialize)]
struct ArmPage<'a> {
    shell: Shell,
    here: String,
    interface: String,
    host: String,
    /// Its own address; empty = it has none.
    own: String,
    /// Other servers that were heard there, and their addresses.
    others: Vec<String>,
    /// Other benches that are armed on the same network.
    beside: Vec<String>,
    addresses: String,
    draft: &'a ArmForm,
    templates: Vec<Choice>,
    modes: Vec<Choice>,
    profiles: Vec<Choice>,
    strategies: Vec<Choice>,
    variables: Vec<VariableRow>,
    errors: Complaints,
}

/// `GET /bench/{id}/arm`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(bench_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let status = one(&app, viewer.ctx(), bench_id).await?;
    let draft = status.arming.as_ref().map(ArmForm::of).unwrap_or_default();
    shown_form(&app, &viewer, &status, &draft, Complaints::default()).await
}

/// The bench of a page.
async fn one(app: &App, ctx: &Ctx, bench_id: Uuid) -> Result<Status, Error> {
    let all = service::status(app, ctx).await?;
    let found = all.into_iter().find(|status| status.bench.bench_id == bench_id);
    found.ok_or_else(|| Error::NotFound(format!("no bench {bench_id}")))
}

async fn shown_form(
    app: &App,
    viewer: &Viewer,
    status: &Status,
    draft: &ArmForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let templates = service::templates(app, ctx).await?;
    let named = |name: String| choice(name.clone(), name);
    let templates: Vec<Choice> =
        templates.into_iter().map(|template| named(template.name)).collect();
    let profiles = service::profiles::list(app, ctx).await?;
    let profile = |view: service::profiles::View| {
        let label = format!("{} ({})", view.row.name, words::surety(&view.row.status).label);
        choice(view.row.name, label)
    };
    let title = format!("Arm {}", status.bench.interface);
    let beside = service::beside(app, ctx, status.bench.bench_id).await?;
    let page = ArmPage {
        shell: Shell::new(viewer, &app.config, title, Section::Bench),
        here: format!("{HOME}/{}", status.bench.bench_id),
        interface: status.bench.interface.clone(),
        host: status.bench.host.clone(),
        own: own(status),
        others: others(&status.others, ctx.now),
        addresses: addresses(status, &beside),
        beside,
        draft,
        modes: [choice("", "none")].into_iter().chain(templates.iter().cloned()).collect(),
        templates,
        profiles: profiles.into_iter().map(profile).collect(),
        strategies: strategies(),
        variables: draft.rows(),
        errors,
    };
    answer(View::BenchArm, &page, &page.errors)
}

/// The address of a bench; empty = it has none.
fn own(status: &Status) -> String {
    status.bench.address.map(|address| address.to_string()).unwrap_or_default()
}

/// Who else may answer there: the addresses of other servers, and other benches by name.
fn addresses(status: &Status, beside: &[String]) -> String {
    let heard = status.others.iter().map(|other| other.address.to_string());
    heard.chain(beside.iter().cloned()).collect::<Vec<_>>().join(", ")
}

fn strategies() -> Vec<Choice> {
    Strategy::ALL.into_iter().map(|one| choice(one.word(), words::strategy(one))).collect()
}

/// `POST /bench/{id}/arm`
pub(super) async fn arm(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(bench_id): Path<Uuid>,
    Form(sent): Form<ArmForm>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let status = one(&app, ctx, bench_id).await?;
    let had = status.arming.as_ref().map(|arming| arming.variables.clone()).unwrap_or_default();
    let armed = match sent.read(&had, ctx.now) {
        Ok((minutes, arming)) => {
            service::arm(&app, ctx, bench_id, minutes, &sent.consent(), arming).await
        }
        Err(error) => Err(error),
    };
    match armed {
        Ok(status) => {
            let until = status.bench.armed_until.map(|until| When::new(until, ctx.now).both());
            let interface = &status.bench.interface;
            let done = format!("{interface} is armed until {}.", until.unwrap_or_default());
            Ok(flash::to(HOME, Flash::done(done)))
        }
        Err(error) => {
            let errors = complaints(error)?;
            shown_form(&app, &viewer, &status, &sent, errors).await
        }
    }
}

/// What is wrong with a form, which says in minutes until when something holds.
fn complaints(error: Error) -> Result<Complaints, Error> {
    let error = match error {
        Error::Invalid { pointer, message } if pointer == "/any_until" => {
            Error::invalid("/any_minutes", message)
        }
        other => other,
    };
    Complaints::of(error, &FIELDS)
}

/// `POST /bench/{id}/disarm`
pub(super) async fn disarm(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(bench_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let status = service::disarm(&app, viewer.ctx(), bench_id).await?;
    let done =
        format!("{} is disarmed: boards are seen, and none is answered.", status.bench.interface);
    Ok(flash::to(HOME, Flash::done(done)))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::tests::sample_bench;
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let bench = sample_bench(true);
    let page = |draft: &ArmForm, templates: Vec<Choice>, errors: Complaints| {
        let page = ArmPage {
            shell: Shell::sample(),
            here: HOME.to_owned(),
            interface: evil(),
            host: evil(),
            own: own(&bench),
            others: others(&bench.others, DateTime::UNIX_EPOCH),
            addresses: addresses(&bench, &[evil()]),
            beside: vec![evil()],
            draft,
            modes: templates.clone(),
            templates,
            profiles: vec![choice(evil(), evil())],
            strategies: strategies(),
            variables: draft.rows(),
            errors,
        };
        sample(View::BenchArm, &page)
    };
    let armed = bench.arming.as_ref().map(ArmForm::of).unwrap_or_default();
    let templates = || vec![choice(evil(), evil())];
    let wrong = FIELDS.map(|field| Complaints::field(field, "<x-evil>"));
    let mut all = vec![
        page(&ArmForm::default(), Vec::new(), Complaints::field("template", "<x-evil>")),
        page(&armed, templates(), Complaints::whole("<x-evil>")),
    ];
    all.extend(wrong.into_iter().map(|errors| page(&armed, templates(), errors)));
    all
}

#[cfg(test)]
mod tests;
