//! What is seen of a template beside it: what is wrong with it, what it gives for a device, and what
//! that device has otherwise.
//!
//! Owns that the device that is looked at is named by its serial number, and that what is compared has
//! its secrets masked on both sides: nothing is shown of them, and no difference either.

use muster_routeros::lint::{Finding, Severity};
use serde::Serialize;
use uuid::Uuid;

use super::compare::{self, Compared};
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::template::{Variable, bench};
use crate::service::templates::{self as service, Asked, Preview};
use crate::service::{backups, desired};
use crate::web::format::{When, grouped, shortened};

/// Characters that are shown of a line with a finding.
const LONGEST: usize = 120;

/// What is seen of a template that is being written.
#[derive(Debug, Default, Serialize)]
pub(super) struct Seen {
    /// Class of the summary: how bad the worst is; empty = nothing was looked at.
    state: &'static str,
    /// `2 errors, 1 warning`.
    summary: String,
    findings: Vec<Row>,
    tried: Option<Tried>,
    /// Why it gives nothing.
    why: String,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    state: &'static str,
    label: &'static str,
    /// 0 = on none.
    line: usize,
    /// `line 3`, or what else it is about.
    place: String,
    /// The line itself.
    said: String,
    words: String,
}

/// What a template gives.
#[derive(Debug, Serialize)]
pub(super) struct Tried {
    /// Serial number of the device; empty = one that is made up.
    device: String,
    script: String,
    /// `3 412 bytes` or `3,412 of 4,000 bytes`, `93 lines`.
    size: String,
    lines: String,
    missing: Vec<Gap>,
    /// Why the device cannot undo it by itself; empty = nothing is to be said of that.
    rescue: String,
    /// Of the script, beside those of the template.
    findings: Vec<Row>,
    /// With what the device has; none where there is no device.
    against: Vec<Against>,
}

/// A variable for which a value is made up.
#[derive(Debug, Serialize)]
struct Gap {
    name: String,
    words: String,
}

/// A script beside what a device has.
#[derive(Debug, Serialize)]
struct Against {
    /// What that is.
    words: String,
    compared: Compared,
}

/// What is seen of a template with these variables, which is for the bench or not, for the device with
/// this serial number.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`]. What is wrong with the template or the device's name is
/// seen.
pub(super) async fn seen(
    app: &App,
    ctx: &Ctx,
    body: &str,
    variables: Result<Vec<Variable>, Error>,
    for_bench: bool,
    device: &str,
) -> Result<Seen, Error> {
    if body.trim().is_empty() {
        return Ok(Seen::default());
    }
    let variables = match variables {
        Ok(variables) => variables,
        Err(error) => return refused("Variables", error),
    };
    // As its lines are counted when it is kept.
    let body = body.replace("\r\n", "\n");
    let lint = match service::lint(app, ctx, &body, &variables, for_bench).await {
        Ok(lint) => lint,
        Err(error @ (Error::Invalid { .. } | Error::Busy(_))) => return refused("Template", error),
        Err(error) => return Err(error),
    };
    let (state, summary) = summary(&lint.findings);
    let mut seen =
        Seen { state, summary, findings: rows(&lint.findings, &body), ..Seen::default() };
    if lint.size.is_none() {
        "Mend the errors: then what it gives stands here.".clone_into(&mut seen.why);
        return Ok(seen);
    }
    let given = service::preview_body(app, ctx, &body, &variables, for_bench, asked(device)).await;
    match tried(app, ctx, device, given, &lint.findings).await? {
        Ok(tried) => seen.tried = Some(tried),
        Err(why) => seen.why = why,
    }
    Ok(seen)
}

/// What cannot be looked into.
fn refused(place: &str, error: Error) -> Result<Seen, Error> {
    let message = match error {
        Error::Invalid { message, .. } | Error::Busy(message) => message,
        other => return Err(other),
    };
    let row = Row {
        state: "failed",
        label: "error",
        line: 0,
        place: place.to_owned(),
        said: String::new(),
        words: message,
    };
    Ok(Seen {
        state: "failed",
        summary: "1 error".to_owned(),
        findings: vec![row],
        ..Seen::default()
    })
}

/// For which device a template is to be tried.
pub(super) fn asked(device: &str) -> Asked {
    let device = device.trim();
    let name = match Uuid::try_parse(device) {
        Ok(_) => device.to_owned(),
        Err(_) => format!("serial:{device}"),
    };
    Asked { device: Some(name).filter(|_| !device.is_empty()), ..Asked::default() }
}

/// What a template gave, for people, without the findings that they know; or why it gave nothing.
///
/// # Errors
/// Of what is not about the template or the device.
pub(super) async fn tried(
    app: &App,
    ctx: &Ctx,
    device: &str,
    given: Result<Preview, Error>,
    known: &[Finding],
) -> Result<Result<Tried, String>, Error> {
    let mut preview = match given {
        Ok(preview) => preview,
        Err(
            Error::Invalid { message, .. }
            | Error::NotFound(message)
            | Error::Conflict(message)
            | Error::Busy(message)
            | Error::Denied(message),
        ) => return Ok(Err(message)),
        Err(other) => return Err(other),
    };
    let is_known =
        |found: &Finding| known.iter().any(|k| k.code == found.code && k.words == found.words);
    preview.findings.retain(|found| !is_known(found));
    let against = match asked(device).device {
        Some(name) => against(app, ctx, &name, &preview.script).await?,
        None => Vec::new(),
    };
    Ok(Ok(shown(device, preview, against)))
}

fn shown(device: &str, preview: Preview, against: Vec<Against>) -> Tried {
    let counted = |count: usize, unit: &str| {
        let number = grouped(i64::try_from(count).unwrap_or(i64::MAX));
        if count == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
    };
    Tried {
        device: device.trim().to_owned(),
        size: match preview.limit {
            Some(_) => bench::room(preview.size),
            None => counted(preview.size, "byte"),
        },
        lines: counted(preview.lines, "line"),
        findings: rows(&preview.findings, &preview.script),
        script: preview.script,
        rescue: preview.rescue.unwrap_or_default(),
        missing: preview
            .missing
            .into_iter()
            .map(|wrong| Gap { name: wrong.name, words: wrong.words })
            .collect(),
        against,
    }
}

/// What is compared: the configuration of a device, and the script that it took last.
async fn against(app: &App, ctx: &Ctx, device: &str, script: &str) -> Result<Vec<Against>, Error> {
    let configuration = with_configuration(app, ctx, device, script).await?;
    let last = with_the_last(app, ctx, device, script).await?;
    let both: Vec<Against> = configuration.into_iter().chain(last).collect();
    if both.is_empty() {
        let words = "Nothing to compare with: it has taken no script, and no configuration of it is \
                     kept.";
        return Ok(vec![Against { words: words.to_owned(), compared: Compared::default() }]);
    }
    Ok(both)
}

/// Beside what the device has, as far as it has sent that; `None` = it has not.
async fn with_configuration(
    app: &App,
    ctx: &Ctx,
    device: &str,
    script: &str,
) -> Result<Option<Against>, Error> {
    let newest = backups::list(app, ctx, device, None, 1).await?;
    let Some(newest) = newest.first() else { return Ok(None) };
    let (backup, text) = backups::get(app, ctx, device, newest.backup_id).await?;
    let at = When::new(backup.at, ctx.now).both();
    Ok(Some(Against {
        words: format!(
            "Beside what its configuration of {at} says of the same; what has its default may stand \
             in none."
        ),
        compared: compare::with_configuration(text, script.to_owned()).await?,
    }))
}

/// Beside the version of a template that the device took last, which tells of each line what is new in it;
/// `None` = it took none, or none that is there still and that its values fit.
async fn with_the_last(
    app: &App,
    ctx: &Ctx,
    device: &str,
    script: &str,
) -> Result<Option<Against>, Error> {
    let view = desired::of(app, ctx, device).await?;
    let (Some(template_id), Some(version)) = (view.row.script_template, view.row.script_version)
    else {
        return Ok(None);
    };
    let asked = Asked { device: Some(device.to_owned()), ..Asked::default() };
    let had = match service::preview(app, ctx, template_id, Some(version), asked).await {
        Ok(had) => had,
        Err(Error::NotFound(_) | Error::Invalid { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let name = view.template.unwrap_or_default();
    Ok(Some(Against {
        words: format!(
            "Beside what {name}, version {version}, gives today, which it took last: not with the \
             values that it had then."
        ),
        compared: compare::texts(had.script, script.to_owned()).await?,
    }))
}

/// How many there are, and the class of the worst.
fn summary(findings: &[Finding]) -> (&'static str, String) {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let words = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    match (errors, warnings) {
        (0, 0) => ("ok", "nothing found".to_owned()),
        (0, warnings) => ("warn", words(warnings, "warning")),
        (errors, 0) => ("failed", words(errors, "error")),
        (errors, warnings) => {
            ("failed", format!("{}, {}", words(errors, "error"), words(warnings, "warning")))
        }
    }
}

/// Findings of a text, by its lines.
fn rows(findings: &[Finding], text: &str) -> Vec<Row> {
    let lines: Vec<&str> = text.lines().collect();
    let row = |finding: &Finding| {
        let (state, label) = match finding.severity {
            Severity::Error => ("failed", "error"),
            Severity::Warning => ("warn", "warning"),
        };
        let said = finding.line.checked_sub(1).and_then(|at| lines.get(at)).copied();
        Row {
            state,
            label,
            line: finding.line,
            place: match finding.line {
                0 => String::new(),
                line => format!("line {line}"),
            },
            said: shortened(said.unwrap_or_default().trim(), LONGEST),
            words: finding.words.clone(),
        }
    };
    findings.iter().map(row).collect()
}

#[cfg(test)]
fn sample_finding(line: usize, severity: Severity) -> Finding {
    Finding { line, severity, code: "sample", words: "<x-evil>".to_owned() }
}

/// With all that there can be, or nothing but why.
#[cfg(test)]
pub(super) fn sample(full: bool) -> Seen {
    let findings = [sample_finding(0, Severity::Warning), sample_finding(1, Severity::Error)];
    let (state, summary) = summary(&findings);
    let (tried, why) = match full {
        true => (Some(sample_tried(true)), String::new()),
        false => (None, "<x-evil>".to_owned()),
    };
    Seen { state, summary, findings: rows(&findings, "<x-evil>"), tried, why }
}

#[cfg(test)]
pub(super) fn sample_tried(differs: bool) -> Tried {
    let evil = || "<x-evil>".to_owned();
    let preview = Preview {
        script: evil(),
        findings: vec![sample_finding(1, Severity::Warning)],
        size: 3_412,
        limit: (!differs).then_some(bench::ROOM),
        lines: 1,
        missing: vec![crate::fleet::template::Wrong { name: evil(), words: evil(), missing: true }],
        rescue: differs.then(evil),
    };
    let compared = if differs { compare::sample() } else { Compared::default() };
    let against = Against { words: evil(), compared };
    shown(if differs { "<x-evil>" } else { "" }, preview, vec![against])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_device_is_named_by_its_serial_number_or_its_id() {
        let name = |device: &str| asked(device).device;
        assert_eq!(name("  "), None);
        assert_eq!(name(" HAP0001 ").as_deref(), Some("serial:HAP0001"));
        let id = Uuid::from_u128(7).to_string();
        assert_eq!(name(&id), Some(id));
    }

    #[test]
    fn what_is_wrong_is_counted_and_shown_with_its_line() {
        let (error, warning) =
            (sample_finding(2, Severity::Error), sample_finding(0, Severity::Warning));
        assert_eq!(summary(&[]), ("ok", "nothing found".to_owned()));
        let both = [error.clone(), error.clone(), warning.clone()];
        assert_eq!(summary(&both), ("failed", "2 errors, 1 warning".to_owned()));
        assert_eq!(summary(std::slice::from_ref(&warning)).0, "warn");
        let rows = rows(&[error, warning], "a\n  /ip dnss\n");
        assert_eq!((rows[0].place.as_str(), rows[0].said.as_str()), ("line 2", "/ip dnss"));
        assert_eq!((rows[1].place.as_str(), rows[1].said.as_str()), ("", ""));
    }

    #[test]
    fn what_could_not_be_looked_into_is_told_beside_what_was_typed() {
        let seen = |error: Error| refused("Template", error);
        for error in [Error::invalid("/body", "later"), Error::Busy("later".to_owned())] {
            let seen = seen(error).unwrap();
            assert_eq!((seen.state, seen.findings[0].words.as_str()), ("failed", "later"));
        }
        assert!(seen(Error::Denied("no".to_owned())).is_err());
    }

    #[test]
    fn a_script_is_told_in_bytes_and_lines() {
        let tried = sample_tried(true);
        assert_eq!(tried.size, "3\u{202f}412 bytes");
        assert_eq!(tried.lines, "1 line");
        assert_eq!(tried.missing.len(), 1);
        assert_eq!(sample_tried(false).size, "3,412 of 4,000 bytes", "of the bench");
    }
}
