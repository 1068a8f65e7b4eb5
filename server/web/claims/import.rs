//! Claims from a table: what each of its lines would do, and the button that does just that.
//!
//! Nothing is stored in between, neither here nor in the database: the page carries the table, byte
//! for byte, and what was told of it.

use std::collections::BTreeMap;

use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::extract::{Multipart, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{HOME, Offered, path, said, tags};
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::claim::ClaimFields;
use crate::fleet::claim::csv::{Encoding, MAX_BYTES, MAX_LINES};
use crate::fleet::claim::rows::{Defaults, Planned, Verdict};
use crate::service::claims::import::{self as service, Preview};
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::{grouped, size};
use crate::web::manage::answer;
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Bytes of a form: a table as a page carries it, and the fields beside it.
pub(super) const MAX_BODY: usize = MAX_BYTES / 3 * 4 + (1 << 20);
/// Lines that are shown of those that cannot be taken, which somebody has to mend, and of the others.
const SHOWN: (usize, usize) = (500, 100);
/// Fields of the form, for what is wrong with them.
const FIELDS: [&str; 1] = ["file"];

/// What lines say that do not say otherwise, as it is typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct Draft {
    site: String,
    profile: String,
    tags: String,
    own_credential: bool,
}

impl Draft {
    /// As a page begins.
    fn blank(app: &App) -> Self {
        let own_credential = app.config.zero_touch.claims_own_credential;
        Self { own_credential, ..Self::default() }
    }

    /// `usual`: new claims want a credential of their own where nobody says so. What is as usual is not
    /// said: claims that are there stay as they are.
    fn defaults(&self, usual: bool) -> Defaults {
        let own = self.own_credential;
        Defaults {
            site: said(&self.site),
            profile: said(&self.profile),
            tags: Some(tags(&self.tags)).filter(|tags| !tags.is_empty()),
            own_credential: (own != usual).then_some(own),
        }
    }
}

/// A table that came.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sent {
    draft: Draft,
    file: Vec<u8>,
    text: Vec<u8>,
}

impl Sent {
    /// None yet.
    fn none(app: &App) -> Self {
        Self { draft: Draft::blank(app), ..Self::default() }
    }
}

#[derive(Serialize)]
struct ImportPage {
    shell: Shell,
    told: Option<Told>,
    draft: Draft,
    /// A table that was pasted, so that it can be mended.
    text: String,
    offered: Offered,
    /// The largest table that is taken, in words.
    most: String,
    errors: Complaints,
}

/// `GET /claims/import`
pub(super) async fn page(viewer: Viewer, State(app): State<Shared>) -> Result<Response, Failure> {
    shown(&app, &viewer, Sent::none(&app), None, Complaints::default()).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    sent: Sent,
    told: Option<Told>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let page = ImportPage {
        shell: Shell::new(viewer, &app.config, "Import claims", Section::Claims),
        told,
        text: String::from_utf8_lossy(&sent.text).into_owned(),
        offered: Offered::with(app, viewer.ctx(), &sent.draft.profile).await?,
        draft: sent.draft,
        most: most(),
        errors,
    };
    answer(View::ClaimImport, &page, &page.errors)
}

fn most() -> String {
    let bytes = size(i64::try_from(MAX_BYTES).unwrap_or(i64::MAX));
    format!("{} lines, {bytes}", grouped(i64::try_from(MAX_LINES).unwrap_or(i64::MAX)))
}

/// `POST /claims/import/preview`
pub(super) async fn preview(
    viewer: Viewer,
    State(app): State<Shared>,
    sent: Result<Multipart, MultipartRejection>,
) -> Result<Response, Failure> {
    let sent = match sent {
        Ok(mut parts) => read(&mut parts).await,
        Err(e) => Err(Error::invalid("", e.body_text())),
    };
    match sent {
        Ok(sent) => try_out(&app, &viewer, sent, Complaints::default()).await,
        Err(error) => {
            let errors = Complaints::of(error, &FIELDS)?;
            shown(&app, &viewer, Sent::none(&app), None, errors).await
        }
    }
}

/// The fields of the form.
async fn read(parts: &mut Multipart) -> Result<Sent, Error> {
    let mut sent = Sent::default();
    while let Some(field) = parts.next_field().await.map_err(|e| broken(&e))? {
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(|e| broken(&e))?;
        let text = || String::from_utf8_lossy(&bytes).trim().to_owned();
        match name.as_str() {
            "file" => sent.file = bytes.to_vec(),
            "text" => sent.text = bytes.to_vec(),
            "site" => sent.draft.site = text(),
            "profile" => sent.draft.profile = text(),
            "tags" => sent.draft.tags = text(),
            "own_credential" => sent.draft.own_credential = text() == "yes",
            _ => {}
        }
    }
    // What is chosen is meant.
    if !sent.file.is_empty() {
        sent.text.clear();
    }
    Ok(sent)
}

fn broken(error: &MultipartError) -> Error {
    Error::invalid("/file", format!("The table did not arrive: {}", error.body_text()))
}

/// The page with what the table would do now.
async fn try_out(
    app: &App,
    viewer: &Viewer,
    sent: Sent,
    errors: Complaints,
) -> Result<Response, Failure> {
    let table = if sent.file.is_empty() { &sent.text } else { &sent.file };
    let defaults = sent.draft.defaults(app.config.zero_touch.claims_own_credential);
    let preview = match table.trim_ascii().is_empty() {
        true => Err(Error::invalid("/file", "Choose a file, or paste a table.")),
        false => service::preview(app, viewer.ctx(), table.clone(), defaults).await,
    };
    let (told, errors) = match preview {
        Ok(preview) => (Some(Told::of(preview, table, sent.text.is_empty())), errors),
        Err(error) => (None, Complaints::of(error, &FIELDS)?),
    };
    shown(app, viewer, sent, told, errors).await
}

/// What the button of a preview sends: what was told, and of what.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ImportForm {
    table: String,
    /// It was a file, and not pasted.
    from_file: bool,
    sha256: String,
    site: String,
    profile: String,
    tags: String,
    own_credential: bool,
}

/// `POST /claims/import`: what the preview told, and nothing else.
pub(super) async fn import(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(form): Form<ImportForm>,
) -> Result<Response, Failure> {
    let ImportForm { table, from_file, sha256, site, profile, tags, own_credential } = form;
    let draft = Draft { site, profile, tags, own_credential };
    let Ok(table) = URL_SAFE_NO_PAD.decode(table) else {
        let errors = Complaints::whole("The table is not whole: choose it again.");
        return shown(&app, &viewer, Sent { draft, ..Sent::default() }, None, errors).await;
    };
    let (ctx, expected) = (viewer.ctx(), Some(sha256.as_str()));
    let defaults = draft.defaults(app.config.zero_touch.claims_own_credential);
    // Lines that cannot be taken were told, and that they are left out.
    let done = service::import(&app, ctx, table.clone(), defaults, expected, true).await;
    let (file, text) = if from_file { (table, Vec::new()) } else { (Vec::new(), table) };
    let sent = Sent { draft, file, text };
    match done {
        Ok(imported) => Ok(flash::to(HOME, Flash::done(done_words(&imported.counts)))),
        Err(Error::Stale(why) | Error::Conflict(why) | Error::Busy(why)) => {
            let why = format!("Nothing was imported: {why}.");
            try_out(&app, &viewer, sent, Complaints::whole(why)).await
        }
        Err(error) => shown(&app, &viewer, sent, None, Complaints::of(error, &FIELDS)?).await,
    }
}

fn done_words(counts: &BTreeMap<Verdict, usize>) -> String {
    let count = |verdict: Verdict| counts.get(&verdict).copied().unwrap_or_default();
    let mut words = format!(
        "Claims that are made: {}; that are changed: {}.",
        count(Verdict::New),
        count(Verdict::Changes)
    );
    let left = count(Verdict::Conflict) + count(Verdict::Wrong);
    if left > 0 {
        words.push_str(&format!(" Lines that are left out: {left}."));
    }
    words
}

/// What a table would do.
#[derive(Serialize)]
struct Told {
    counts: Vec<CountView>,
    /// Lines that cannot be taken.
    bad: Vec<LineView>,
    /// Of those how many are not shown.
    more_bad: usize,
    good: Vec<LineView>,
    more_good: usize,
    /// Claims that are made or changed.
    writes: usize,
    /// Lines that are left out.
    left: usize,
    /// Claims whose secrets any new device is given that says their serial number.
    exposed: usize,
    /// Its letters are worth a look.
    latin1: bool,
    separator: &'static str,
    /// For [`ImportForm`].
    table: String,
    from_file: bool,
    sha256: String,
}

#[derive(Serialize)]
struct CountView {
    word: &'static str,
    label: &'static str,
    count: usize,
}

/// What a line would do.
#[derive(Serialize)]
struct LineView {
    line: usize,
    word: &'static str,
    label: &'static str,
    device: String,
    mac: String,
    site: String,
    profile: String,
    customer: String,
    /// What else it says.
    rest: String,
    words: String,
    /// The claim that there is; empty = none.
    href: String,
}

impl Told {
    fn of(preview: Preview, table: &[u8], from_file: bool) -> Self {
        let count = |verdict: Verdict| preview.counts.get(&verdict).copied().unwrap_or_default();
        let counts = VERDICTS.map(|verdict| {
            let (word, label) = words(verdict);
            CountView { word, label, count: count(verdict) }
        });
        let (writes, left) = (
            count(Verdict::New) + count(Verdict::Changes),
            count(Verdict::Conflict) + count(Verdict::Wrong),
        );
        let total: usize = preview.counts.values().sum();
        let (bad, good): (Vec<Planned>, Vec<Planned>) =
            preview.rows.into_iter().partition(|line| line.verdict.is_bad());
        let first = |lines: Vec<Planned>, most: usize| -> Vec<LineView> {
            lines.into_iter().take(most).map(LineView::of).collect()
        };
        let (bad, good) = (first(bad, SHOWN.0), first(good, SHOWN.1));
        Self {
            counts: counts.into_iter().filter(|count| count.count > 0).collect(),
            more_bad: left.saturating_sub(bad.len()),
            more_good: total.saturating_sub(left).saturating_sub(good.len()),
            bad,
            good,
            writes,
            left,
            exposed: preview.exposed,
            latin1: preview.encoding == Encoding::Latin1,
            separator: match preview.separator {
                ';' => "semicolons",
                '\t' => "tabs",
                _ => "commas",
            },
            table: URL_SAFE_NO_PAD.encode(table),
            from_file,
            sha256: preview.sha256,
        }
    }
}

const VERDICTS: [Verdict; 5] =
    [Verdict::New, Verdict::Changes, Verdict::Same, Verdict::Conflict, Verdict::Wrong];

/// A word of the style sheet, and as people say it.
fn words(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::New => ("new", "new"),
        Verdict::Changes => ("queued", "changes"),
        Verdict::Same => ("none", "same"),
        Verdict::Conflict => ("warn", "conflict"),
        Verdict::Wrong => ("failed", "wrong"),
    }
}

impl LineView {
    fn of(line: Planned) -> Self {
        let (word, label) = words(line.verdict);
        let rest = rest(&line.fields);
        let ClaimFields { serial, mac, site, profile, customer, .. } = line.fields;
        let named = serial.is_some();
        let why = line.words.unwrap_or_default();
        Self {
            line: line.line,
            word,
            label,
            mac: mac.clone().filter(|_| named).unwrap_or_default(),
            device: serial.or(mac).unwrap_or_default(),
            site: site.unwrap_or_default(),
            profile: profile.unwrap_or_default(),
            customer: customer.unwrap_or_default(),
            rest,
            words: match (line.verdict, why.as_str()) {
                (Verdict::New, "") => "A claim is made.".to_owned(),
                (Verdict::Changes, what) => format!("The claim is changed: {what}."),
                (Verdict::Same, _) => "The claim is there, and stays as it is.".to_owned(),
                _ => why,
            },
            href: line.claim_id.map(path).unwrap_or_default(),
        }
    }
}

/// What a claim says beside what has a column of its own; of variables their names.
fn rest(fields: &ClaimFields) -> String {
    let mut parts: Vec<String> = fields.model.iter().cloned().collect();
    if !fields.tags.is_empty() {
        parts.push(fields.tags.join(" "));
    }
    parts.extend(fields.variables.0.keys().cloned());
    if fields.factory_password.is_some() {
        parts.push("password of its sticker".to_owned());
    }
    if fields.own_credential {
        parts.push("credential of its own".to_owned());
    }
    parts.join(", ")
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::tests::offered;
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let draft = Draft { site: evil(), profile: evil(), tags: evil(), own_credential: true };
    let page = |told: Option<Told>, errors: Complaints| {
        let page = ImportPage {
            shell: Shell::sample(),
            told,
            draft: draft.clone(),
            text: evil(),
            offered: offered(),
            most: most(),
            errors,
        };
        sample(View::ClaimImport, &page)
    };
    let told = |verdicts: &[Verdict]| Some(Told::of(tests::preview(verdicts), b"<x-evil>", true));
    vec![
        page(None, Complaints::field("file", "<x-evil>")),
        page(None, Complaints::default()),
        page(told(&VERDICTS), Complaints::whole("<x-evil>")),
        page(told(&[Verdict::Same]), Complaints::default()),
        page(told(&[Verdict::Wrong]), Complaints::default()),
        page(told(&[Verdict::New]), Complaints::default()),
        page(told(&[]), Complaints::default()),
    ]
}

#[cfg(test)]
mod tests;
