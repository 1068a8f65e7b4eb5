//! How answers are shown: tables for people, the API's own JSON for programs.
//!
//! Owns that nothing a device or a stranger wrote can steer a terminal: every text goes through
//! [`clean`], every JSON through [`safe_json`].

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use comfy_table::{ContentArrangement, Table, presets};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::http::{Answer, Api, List, Page, Span};

/// Blanks between columns.
const GAP: u16 = 2;
/// Stands for what is not there.
const NONE: &str = "-";

/// The JSON object in a file, or on standard input where that is `-`; `what` it is, for people.
pub(super) fn object(file: &Path, what: &str) -> anyhow::Result<Value> {
    let place = || file.display().to_string();
    let text = match file.as_os_str() == "-" {
        true => io::read_to_string(io::stdin()),
        false => std::fs::read_to_string(file),
    };
    let object: Value = serde_json::from_str(&text.with_context(place)?).with_context(place)?;
    ensure!(object.is_object(), "{}: {what} is a JSON object", place());
    Ok(object)
}

/// Shows one thing: its JSON as it came, or `view` of it.
pub(super) fn show<T: DeserializeOwned>(
    api: &Api,
    answer: &Answer,
    view: impl FnOnce(T) -> String,
) -> anyhow::Result<()> {
    if api.json {
        return Ok(print(&safe_json(answer.text()))?);
    }
    Ok(print(&view(answer.read()?))?)
}

/// Says what was done where the API answers without a body; programs are told by the exit code.
pub(super) fn done(api: &Api, words: &str) -> anyhow::Result<()> {
    if api.json {
        return Ok(());
    }
    Ok(print(&clean(words))?)
}

/// Shows a list that is always one page.
pub(super) fn show_page<T: DeserializeOwned>(
    api: &Api,
    answer: &Answer,
    header: &[&str],
    row: impl Fn(T) -> Vec<String>,
) -> anyhow::Result<()> {
    show(api, answer, |page: Page<T>| {
        let rows: Vec<Vec<String>> = page.items.into_iter().map(row).collect();
        table(header, &rows)
    })
}

/// Shows a list: a table, the page's JSON as it came, or with `--all` one line of JSON per item.
pub(super) async fn list<T: DeserializeOwned>(
    api: &Api,
    list: &List<'_>,
    span: &Span,
    header: &[&str],
    row: impl Fn(T) -> Vec<String>,
) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let answer = api.page(list, span.rows(), next.as_deref()).await?;
        if api.json && !span.all {
            return Ok(print(&safe_json(answer.text()))?);
        }
        next = if api.json {
            let page: Page<Value> = answer.read()?;
            for item in page.items {
                print(&safe_json(&item.to_string()))?;
            }
            page.next
        } else {
            let page: Page<T> = answer.read()?;
            rows.extend(page.items.into_iter().map(&row));
            page.next
        };
        if !span.all || next.is_none() {
            break;
        }
    }
    if !api.json {
        print(&table(header, &rows))?;
    }
    if next.is_some() {
        hint("more follow: --all shows them");
    }
    Ok(())
}

/// A merge patch of the texts that were said.
pub(super) fn said<const N: usize>(texts: [(&str, Option<String>); N]) -> Value {
    let said =
        texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::from(text?))));
    Value::Object(said.collect())
}

/// A line beside the answer, for people only: never in what a program reads.
pub(super) fn hint(words: &str) {
    eprintln!("{}", clean(words));
}

/// Asks on the terminal; anything but yes is no.
pub(super) fn agreed(question: &str) -> io::Result<bool> {
    eprint!("{} [y/N] ", clean(question));
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Writes a text and a line's end.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Rows in columns; as wide as the terminal, or as the text where there is none.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    arranged(header, rows).trim_fmt()
}

/// Names and values of one thing.
pub(super) fn fields<N: AsRef<str>>(fields: &[(N, String)]) -> String {
    let row = |(name, value): &(N, String)| vec![name.as_ref().to_owned(), value.clone()];
    table(&[], &fields.iter().map(row).collect::<Vec<_>>())
}

fn arranged(header: &[&str], rows: &[Vec<String>]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !header.is_empty() {
        table.set_header(header);
    }
    for row in rows {
        table.add_row(row.iter().map(|text| clean(text)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table
}

/// A time for people, in UTC.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%F %TZ").to_string()
}

/// The same of one that may not be.
pub(super) fn maybe_time(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| NONE.to_owned(), time)
}

/// A text that may not be.
pub(super) fn maybe(text: Option<String>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| NONE.to_owned())
}

/// Yes or no.
pub(super) fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

/// Texts in one cell.
pub(super) fn joined(texts: &[String]) -> String {
    maybe(Some(texts.join(", ")))
}

/// A JSON value in one cell.
pub(super) fn compact(value: &Value) -> String {
    match value {
        Value::Null => NONE.to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// A JSON value over several lines.
pub(super) fn pretty(value: &Value) -> String {
    safe_json(&format!("{value:#}"))
}

/// A text without what could steer a terminal: control characters, C1 among them, and marks that
/// turn the direction of text. Each leaves a sign, so that two texts that differ still do.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The same of several lines.
pub(super) fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// JSON with the same characters written as escapes; what it says stays the same.
pub(super) fn safe_json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && steers(c) {
            // None of them is beyond U+FFFF.
            write!(safe, "\\u{:04x}", u32::from(c)).expect("writing to a String cannot fail");
        } else {
            safe.push(c);
        }
    }
    safe
}

fn steers(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    c.is_control() || turns
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    const HOSTILE: &str = "a\u{1b}[31m\u{9b}2J\u{7f}\u{202e}b\tc\nd";

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|text| (*text).to_owned()).collect()).collect()
    }

    #[test]
    fn columns_are_aligned_by_blanks_alone() {
        let rows = rows(&[&["8A0C", "hAP ac²"], &["Rīga-7", "x"]]);
        let mut table = arranged(&["serial", "model"], &rows);
        table.force_no_tty();
        assert_eq!(table.trim_fmt(), "serial  model\n8A0C    hAP ac²\nRīga-7  x");
        let mut empty = arranged(&["serial", "model"], &[]);
        assert_eq!(empty.force_no_tty().trim_fmt(), "serial  model");
    }

    #[test]
    fn a_table_is_no_wider_than_the_terminal() {
        let rows = rows(&[&["8A0C", &"long words ".repeat(20)]]);
        let mut table = arranged(&["serial", "note"], &rows);
        table.set_width(40);
        let text = table.trim_fmt();
        assert!(text.lines().count() > 3, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    }

    #[test]
    fn a_hostile_text_steers_nothing_and_stays_on_its_line() {
        let mut table = arranged(&["serial"], &rows(&[&[HOSTILE]]));
        let text = table.force_no_tty().trim_fmt();
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(!text.chars().any(|c| c != '\n' && steers(c)), "{text:?}");
        assert!(text.contains('\u{fffd}'), "{text:?}");
        assert_ne!(clean("A1"), clean("A\u{9b}1"));
        assert_eq!(clean("Rīga 😀"), "Rīga 😀");
        assert_eq!(clean_lines("a\n  ^\u{1b}"), "a\n  ^\u{fffd}");
    }

    #[test]
    fn json_is_made_safe_without_being_changed() {
        let value = json!({ HOSTILE: [HOSTILE, 1, null] });
        for text in [value.to_string(), format!("{value:#}")] {
            let safe = safe_json(&text);
            assert!(!safe.chars().any(|c| c != '\n' && steers(c)), "{safe:?}");
            assert_eq!(serde_json::from_str::<Value>(&safe).unwrap(), value);
        }
    }

    #[test]
    fn what_is_not_said_is_not_changed() {
        let texts = [("name", Some("x".to_owned())), ("description", None)];
        assert_eq!(said(texts), json!({ "name": "x" }));
    }

    #[test]
    fn what_is_not_there_has_a_sign() {
        assert_eq!(maybe(None), "-");
        assert_eq!(maybe(Some(String::new())), "-");
        assert_eq!(maybe_time(None), "-");
        assert_eq!(maybe_time(Some(DateTime::UNIX_EPOCH)), "1970-01-01 00:00:00Z");
        assert_eq!(joined(&["a".to_owned(), "b".to_owned()]), "a, b");
        assert_eq!((compact(&json!(null)), compact(&json!("x"))), ("-".to_owned(), "x".to_owned()));
    }
}
