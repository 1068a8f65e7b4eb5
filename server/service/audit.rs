//! The audit log, as it is read and exported.

use std::time::Instant;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures_util::stream::{self, Stream, TryStreamExt};
use serde_json::{Value, json};
use uuid::Uuid;

use super::export::{check_age, csv_of};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::store::audit::{self as store, Entry, Filter};

/// Entries read at once for an export.
const CHUNK: i64 = 1_000;
/// How far back text is looked for where nobody says since when: no index helps with it.
const TEXT_WITHIN: TimeDelta = TimeDelta::days(90);
/// Columns of an export.
const COLUMNS: [&str; 12] = [
    "audit_id",
    "at",
    "actor_kind",
    "actor_id",
    "actor",
    "address",
    "action",
    "object_kind",
    "object_id",
    "object_name",
    "before",
    "after",
];

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JSON object in each line.
    Ndjson,
    /// With a line of names, in UTF-8; cells are safe to open in a spreadsheet.
    Csv,
}

/// A page of entries, newest first, before an entry. Text is looked for in the last 90 days of the
/// time that is asked for, unless the filter says since when.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(
    app: &App,
    ctx: &Ctx,
    filter: &Filter,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    // Entries of all sites stand in one log.
    ctx.require_everywhere(Right::Audit)?;
    let filter = within(filter.clone(), ctx.now);
    Ok(store::list(&app.pool, &filter, before, limit).await?)
}

fn within(mut filter: Filter, now: DateTime<Utc>) -> Filter {
    if filter.text.is_some() && filter.since.is_none() {
        let end = filter.until.map_or(now, |until| until.min(now));
        filter.since = end.checked_sub_signed(TEXT_WITHIN);
    }
    filter
}

/// All entries that the filter leaves, newest first, in pieces. A failure after the first piece
/// ends the stream with an error, so that a part is not taken for the whole; so does its age.
///
/// # Errors
/// [`Error::Denied`], and whatever happens before the first piece.
pub async fn export(
    app: Shared,
    ctx: Ctx,
    filter: Filter,
    format: Format,
) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + 'static, Error> {
    let rows = list(&app, &ctx, &filter, None, CHUNK).await?;
    let rest = Some(Rest { rows, begun: false, since: Instant::now() });
    let pieces = stream::try_unfold(rest, move |rest| {
        piece(app.clone(), ctx.clone(), filter.clone(), format, rest)
    });
    Ok(pieces.inspect_err(|e| tracing::error!(cause = %e.private(), "an export broke off")))
}

/// What of an export is not yet written.
struct Rest {
    rows: Vec<Entry>,
    begun: bool,
    /// When it began.
    since: Instant,
}

async fn piece(
    app: Shared,
    ctx: Ctx,
    filter: Filter,
    format: Format,
    rest: Option<Rest>,
) -> Result<Option<(Bytes, Option<Rest>)>, Error> {
    let Some(Rest { rows, begun, since }) = rest else { return Ok(None) };
    check_age(since.elapsed())?;
    let text = written(&rows, format, !begun);
    if text.is_empty() {
        return Ok(None);
    }
    let next = match rows.last().filter(|_| rows.len() as i64 == CHUNK) {
        Some(last) => {
            let rows = list(&app, &ctx, &filter, Some(last.audit_id), CHUNK).await?;
            Some(Rest { rows, begun: true, since })
        }
        None => None,
    };
    Ok(Some((Bytes::from(text), next)))
}

/// An entry as an object of the API.
pub fn shown(e: &Entry) -> Value {
    json!({
        "audit_id": e.audit_id, "at": e.at, "actor_kind": e.actor_kind, "actor_id": e.actor_id,
        "actor": e.actor, "address": e.address.map(|net| net.addr()), "action": e.action,
        "object_kind": e.object_kind, "object_id": e.object_id, "object_name": e.object_name,
        "before": e.before, "after": e.after,
    })
}

fn written(rows: &[Entry], format: Format, first: bool) -> Vec<u8> {
    match format {
        Format::Csv => {
            let head = first.then(|| COLUMNS.map(str::to_owned).to_vec());
            csv_of(head.into_iter().chain(rows.iter().map(cells)))
        }
        Format::Ndjson => {
            let lines: String = rows.iter().map(|entry| format!("{}\n", shown(entry))).collect();
            lines.into_bytes()
        }
    }
}

fn cells(e: &Entry) -> Vec<String> {
    let json = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
    vec![
        e.audit_id.to_string(),
        e.at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        e.actor_kind.clone(),
        e.actor_id.map(|id| id.to_string()).unwrap_or_default(),
        e.actor.clone(),
        e.address.map(|net| net.addr().to_string()).unwrap_or_default(),
        e.action.clone(),
        e.object_kind.clone(),
        e.object_id.clone(),
        e.object_name.clone(),
        json(&e.before),
        json(&e.after),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use chrono::DateTime;

    use super::*;

    fn entry(name: &str) -> Entry {
        Entry {
            audit_id: Uuid::from_u128(7),
            at: DateTime::UNIX_EPOCH,
            actor_kind: "user".to_owned(),
            actor_id: None,
            actor: "ann".to_owned(),
            address: Some("192.0.2.1/32".parse().unwrap()),
            action: "site.change".to_owned(),
            object_kind: "site".to_owned(),
            object_id: "1".to_owned(),
            object_name: name.to_owned(),
            before: None,
            after: Some(json!({ "name": "a,\"b\"" })),
        }
    }

    #[test]
    fn text_is_looked_for_within_a_time() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1_000);
        let day = |n: i64| Some(DateTime::UNIX_EPOCH + TimeDelta::days(n));
        let text = || Some("riga".to_owned());
        for (text, since, until, found) in [
            (None, None, None, None),
            (text(), None, None, day(910)),
            (text(), None, day(500), day(410)),
            (text(), None, day(2_000), day(910)),
            (text(), day(3), None, day(3)),
        ] {
            let filter = Filter { text, since, until, ..Filter::default() };
            assert_eq!(within(filter.clone(), now).since, found, "{filter:?}");
        }
    }

    #[test]
    fn an_entry_is_one_line_of_either_form() {
        let rows = [entry("=cmd()"), entry("line\nbreak")];
        let text = String::from_utf8(written(&rows, Format::Csv, true)).unwrap();
        assert!(text.contains(",'=cmd(),"), "{text}");
        assert!(text.contains("\"line\nbreak\"") && text.contains("192.0.2.1,"), "{text}");
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let read: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(
            (read.len(), &read[0][0], &read[1][11]),
            (3, "audit_id", "{\"name\":\"a,\\\"b\\\"\"}")
        );
        let text = String::from_utf8(written(&rows, Format::Ndjson, true)).unwrap();
        assert!(written(&[], Format::Csv, false).is_empty());
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[1]["object_name"], "line\nbreak");
        assert_eq!(lines[0]["address"], "192.0.2.1");
    }
}
