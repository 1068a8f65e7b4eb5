//! Installing a board: what it is armed for by its name, and arming it, which formats it.

use axum::extract::{Path, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{LogQuery, shown};
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::netboot::arming::Install;
use crate::service::bench as service;
use crate::service::{releases, templates};
use crate::store::bench::BoardRow;
use crate::web::bench::arm::number;
use crate::web::bench::{Choice, board_path, choice, said};
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::viewer::Viewer;

/// Fields of the form, for what is wrong with them.
pub(super) const FIELDS: [&str; 5] = ["release", "packages", "template", "minutes", "confirm"];
/// Releases and templates that are offered.
const OFFERED: i64 = 1_000;
/// For how long an installation is armed where nobody says it, in minutes.
const MINUTES: &str = "60";
/// What lets a board come to Muster once it is installed.
const CLIENT: &str = "tr069-client";

/// What is said of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::web::bench) struct InstallForm {
    pub(super) release: String,
    pub(super) packages: String,
    pub(super) template: String,
    pub(super) minutes: String,
    pub(super) confirm: String,
}

impl Default for InstallForm {
    fn default() -> Self {
        Self {
            release: String::new(),
            packages: CLIENT.to_owned(),
            template: String::new(),
            minutes: MINUTES.to_owned(),
            confirm: String::new(),
        }
    }
}

impl InstallForm {
    pub(super) fn install(&self) -> Install {
        let between = |c: char| c.is_whitespace() || matches!(c, ',' | ';');
        let packages = self.packages.split(between).filter(|name| !name.is_empty());
        Install {
            release: self.release.trim().to_owned(),
            packages: packages.map(str::to_owned).collect(),
            template: said(&self.template),
        }
    }
}

/// It is armed for an installation.
#[derive(Serialize)]
pub(super) struct Installation {
    pub(super) words: String,
    until: When,
}

/// What a board can be installed with.
#[derive(Default)]
pub(super) struct Offered {
    pub(super) releases: Vec<Choice>,
    pub(super) templates: Vec<Choice>,
}

impl Offered {
    pub(super) async fn read(app: &App, ctx: &Ctx) -> Result<Self, Error> {
        let releases = releases::list(app, ctx, None, OFFERED).await?;
        let good = releases.into_iter().filter(|view| view.release.withdrawn_at.is_none());
        let releases = good.map(|view| choice(view.release.version.clone(), view.release.version));
        let all = templates::list(app, ctx, None, OFFERED).await?;
        let templates =
            all.into_iter().map(|template| choice(template.name.clone(), template.name));
        let vendor = choice("", "as the vendor has it");
        Ok(Self {
            releases: releases.collect(),
            templates: [vendor].into_iter().chain(templates).collect(),
        })
    }
}

/// For what it is armed by its name, while it is.
pub(super) fn installed(row: &BoardRow, now: DateTime<Utc>) -> Option<Installation> {
    let until = row.install_until.filter(|until| *until > now)?;
    let install: Install = serde_json::from_value(row.install.clone()?).ok()?;
    let mut words = format!("RouterOS {}", install.release);
    if !install.packages.is_empty() {
        words.push_str(&format!(" with {}", install.packages.join(", ")));
    }
    match &install.template {
        Some(template) => words.push_str(&format!(", and {template} as its default configuration")),
        None => words.push_str(", and the default configuration of its vendor"),
    }
    Some(Installation { words, until: When::new(until, now) })
}

/// `POST /bench/boards/{mac}/install`
pub(in crate::web::bench) async fn install(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(mac): Path<String>,
    Form(sent): Form<InstallForm>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let armed = match number(&sent.minutes, "/minutes") {
        Ok(minutes) => {
            service::install(&app, ctx, &mac, minutes, &sent.confirm, sent.install()).await
        }
        Err(error) => Err(error),
    };
    match armed {
        Ok(board) => {
            let done = "It is formatted and installed when it next asks for its boot image here.";
            Ok(flash::to(&board_path(&board.row.mac), Flash::done(done)))
        }
        Err(error) => {
            let (query, errors) = (LogQuery::default(), Complaints::of(error, &FIELDS)?);
            shown(&app, &viewer, &mac, &query, &sent, errors).await
        }
    }
}

/// `POST /bench/boards/{mac}/install/cancel`
pub(in crate::web::bench) async fn cancel(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(mac): Path<String>,
) -> Result<Response, Failure> {
    service::cancel_install(&app, viewer.ctx(), &mac).await?;
    Ok(flash::to(&board_path(&mac), Flash::done("It is not installed. What is under way goes on.")))
}
