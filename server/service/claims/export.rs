//! All claims as a table, in the form that an import takes: page by page, so that a list of any length
//! takes no more memory than one page. Secrets are masked; an import leaves those as they are.

use std::time::Instant;

use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use serde_json::Value;
use uuid::Uuid;

use super::list;
use crate::access::right::Right;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::fleet::claim::csv::{Column, EXPORTED};
use crate::fleet::variables::Variables;
use crate::service::export::{check_age, csv_of};
use crate::store::claims::{self as store, Claim, Filter};

/// Claims that are read at once.
const PAGE: i64 = 1_000;

/// What it says of each claim beside its variables, in the order of the columns.
static COLUMNS: [Column; 8] = [
    Column::Serial,
    Column::Mac,
    Column::Model,
    Column::Site,
    Column::Profile,
    Column::Tags,
    Column::Customer,
    Column::OwnCredential,
];

/// A table that is being written.
struct Progress {
    app: Shared,
    ctx: Ctx,
    filter: Filter,
    after: Option<Uuid>,
    /// A page that was read before anybody asked for it.
    ready: Option<Vec<Claim>>,
    variables: Vec<String>,
    /// When it began.
    since: Instant,
}

/// The claims that the caller sees and `filter` lets through, as CSV, a page at a time.
///
/// # Errors
/// As [`list`]. What fails after the first page is logged here and ends the stream, as its age does.
pub async fn csv(
    app: Shared,
    ctx: Ctx,
    filter: Filter,
) -> Result<impl Stream<Item = Result<Vec<u8>, Error>> + Send + 'static, Error> {
    let within = ctx.require(Right::Read)?.paths();
    let variables = store::variable_names(&app.pool, within.as_deref()).await?;
    // So that what is wrong with the question is an answer, and not a table that breaks off.
    let first = list(&app, &ctx, filter.clone(), None, PAGE).await?;
    let columns = COLUMNS.iter().map(Column::title);
    let named = variables.iter().map(|name| Column::Variable(name.clone()).title());
    let head = columns.chain(EXPORTED.map(str::to_owned)).chain(named).collect();
    let head: Result<Vec<u8>, Error> = Ok(csv_of([head]));
    let since = Instant::now();
    let progress = Progress { app, ctx, filter, after: None, ready: Some(first), variables, since };
    let pages = stream::try_unfold(progress, next);
    let pages = pages.inspect_err(|e| tracing::error!(cause = %e.private(), "an export broke off"));
    Ok(stream::iter([head]).chain(pages))
}

async fn next(mut progress: Progress) -> Result<Option<(Vec<u8>, Progress)>, Error> {
    check_age(progress.since.elapsed())?;
    let page = match progress.ready.take() {
        Some(page) => page,
        None => {
            let Progress { app, ctx, filter, after, .. } = &progress;
            list(app, ctx, filter.clone(), *after, PAGE).await?
        }
    };
    let Some(last) = page.last() else { return Ok(None) };
    progress.after = Some(last.claim_id);
    let text = csv_of(page.iter().map(|claim| record(claim, &progress.variables)));
    Ok(Some((text, progress)))
}

fn record(claim: &Claim, variables: &[String]) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
        at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)).unwrap_or_default()
    };
    let mut record = vec![
        text(&claim.serial),
        text(&claim.mac),
        text(&claim.model),
        text(&claim.site),
        text(&claim.profile),
        claim.tags.join(" "),
        text(&claim.customer),
        if claim.own_credential { "yes" } else { "no" }.to_owned(),
        claim.claim_id.to_string(),
        claim.device_id.map(|id| id.to_string()).unwrap_or_default(),
        time(claim.taken_at),
        text(&claim.refused),
        time(claim.refused_at),
    ];
    let masked = Variables::masked(&claim.variables);
    record.extend(variables.iter().map(|name| cell(masked.0.get(name))));
    record
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::fleet::claim::csv::read;
    use crate::fleet::claim::rows::{Defaults, lines};

    #[test]
    fn what_was_exported_can_be_imported() {
        let claim = Claim {
            claim_id: Uuid::from_u128(1),
            serial: Some("A1".to_owned()),
            mac: None,
            model: Some("=hAP".to_owned()),
            site: Some("eu".to_owned()),
            profile_id: None,
            profile: None,
            variables: json!({ "ppp_password": { "$sealed": "x" }, "vlan": 7 }),
            tags: vec!["a".to_owned(), "b".to_owned()],
            customer: Some("4711".to_owned()),
            factory_sealed: None,
            own_credential: true,
            device_id: None,
            taken_at: None,
            refused: Some("why, and what".to_owned()),
            refused_at: Some(DateTime::UNIX_EPOCH),
            created_by: "ann".to_owned(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        };
        let names = ["ppp_password".to_owned(), "vlan".to_owned()];
        let titles = COLUMNS.iter().map(Column::title).chain(EXPORTED.map(str::to_owned));
        let head = titles.chain(names.iter().map(|name| format!("var.{name}"))).collect();
        let text = csv_of([head, record(&claim, &names)]);
        assert!(!String::from_utf8_lossy(&text).contains("$sealed"));
        let read = lines(read(&text).unwrap(), &Defaults::default()).pop().unwrap();
        assert_eq!((read.number, read.site()), (2, Some("eu")));
        let said = format!("{:?}", read.said.unwrap());
        for part in ["\"A1\"", "\"=hAP\"", "[\"a\", \"b\"]", "\"4711\"", "Some(true)", "\"vlan\""] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("ppp_password"), "a mask says nothing: {said}");
    }
}
