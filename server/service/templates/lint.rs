//! What is wrong with a template: of the template itself, and of the scripts that it gives with values
//! made up for its variables. One of the bench must be more: what cannot be a board's first script is
//! refused here, and not when the board is plugged in.

use muster_routeros::lint::{Finding, Severity};

use super::fields::{check_declared, checked_body};
use super::preview::draft_of;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::template::{Variable, bench, samples};
use crate::render::context::DeviceContext;
use crate::render::{Failure, lint_template};
use crate::store::templates::Version;

/// Of what is wrong, so much is told where a template is refused.
const TOLD: usize = 5;

/// What is wrong with a template.
#[derive(Debug, Clone, Default)]
pub struct Lint {
    /// In order of lines; those of the script that it gives are on the line of the template that they
    /// come from, or on 0 where that is not known.
    pub findings: Vec<Finding>,
    /// Bytes of the script with values made up; `None` = it gives none.
    pub size: Option<usize>,
}

/// What is wrong with a template that is not kept yet, and is to be for the bench or not.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for what is no template, or variables that cannot be declared;
/// [`Error::Busy`].
pub async fn lint(
    app: &App,
    ctx: &Ctx,
    body: &str,
    variables: &[Variable],
    for_bench: bool,
) -> Result<Lint, Error> {
    ctx.require(Right::Operate)?;
    check_declared(variables)?;
    of(app, &draft_of(ctx), &checked_body(body)?, variables, for_bench).await
}

/// The same of one that is checked. It must not be asked for within a transaction.
async fn of(
    app: &App,
    name: &str,
    body: &str,
    variables: &[Variable],
    for_bench: bool,
) -> Result<Lint, Error> {
    let mut lint = Lint { findings: lint_template(body, variables), size: None };
    if lint.findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Ok(lint);
    }
    let mut sizes = Vec::new();
    // Once with everything, and once with only what must be there: both ways through its conditions.
    for all in [true, false] {
        let mut values = samples(variables, all);
        if for_bench && all {
            bench::full_size(&mut values);
        }
        let context = DeviceContext::sample().with(&values, "enrol");
        match app.render.try_out(name, body, context).await {
            Ok(script) => {
                sizes.push(script.len());
                let mut found = muster_routeros::lint::lint(&script);
                if for_bench {
                    found.extend(bench::lint_script(&script));
                }
                lint.findings.extend(found.into_iter().map(|f| placed(f, body, &script)));
            }
            // It says nothing of the template.
            Err(Failure::Busy) => return Err(Failure::Busy.into()),
            Err(failure) => lint.findings.push(told(&failure, all)),
        }
    }
    lint.size = sizes.iter().max().copied();
    if let (true, Some(smallest), Some(largest)) = (for_bench, sizes.iter().min(), lint.size) {
        lint.findings.extend(bench::lint_size(*smallest, largest));
    }
    let order =
        |a: &Finding, b: &Finding| (a.line, a.code, &a.words).cmp(&(b.line, b.code, &b.words));
    lint.findings.sort_by(order);
    lint.findings.dedup_by(|a, b| order(a, b).is_eq());
    Ok(lint)
}

/// Bytes of the smallest script that a version gives with values made up: the least that a board of the
/// bench could be sent. One byte where it gives none so. It must not be asked for within a transaction.
///
/// # Errors
/// [`Error::Busy`]
pub(in crate::service) async fn smallest(app: &App, version: &Version) -> Result<usize, Error> {
    let mut smallest = None::<usize>;
    for all in [true, false] {
        let values = samples(&version.variables, all);
        let context = DeviceContext::sample().with(&values, "enrol");
        match app.render.try_out(&version.name, &version.body, context).await {
            Ok(script) => smallest = Some(smallest.unwrap_or(usize::MAX).min(script.len())),
            Err(Failure::Busy) => return Err(Failure::Busy.into()),
            // It may give one with the values of a board.
            Err(_) => {}
        }
    }
    Ok(smallest.unwrap_or_default().max(1))
}

/// Refuses a template with errors; what is only to be warned of stays.
///
/// # Errors
/// [`Error::Invalid`] at `/body`, with lines; [`Error::Busy`].
pub(super) async fn accepted(
    app: &App,
    name: &str,
    body: &str,
    variables: &[Variable],
    for_bench: bool,
) -> Result<(), Error> {
    let findings = of(app, name, body, variables, for_bench).await?.findings;
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let told: Vec<String> = errors
        .take(TOLD)
        .map(|finding| match finding.line {
            0 => finding.words.clone(),
            line => format!("line {line}: {}", finding.words),
        })
        .collect();
    if told.is_empty() { Ok(()) } else { Err(Error::invalid("/body", told.join("; "))) }
}

/// A finding of a script, on the line of the template that looks like it.
fn placed(finding: Finding, body: &str, script: &str) -> Finding {
    let at = finding.line.saturating_sub(1);
    let said = script.lines().nth(at).unwrap_or_default().trim();
    // Up to where values may begin.
    let begin = &said[..said.find('"').unwrap_or(said.len())];
    let alike = |line: &str| {
        let line = line.trim();
        line == said || (begin.contains(' ') && line.starts_with(begin))
    };
    let line = body.lines().position(alike).map_or(0, |at| at + 1);
    Finding { line, ..finding }
}

/// Why a template gave no script, as a finding. Without what is not required it may lack something,
/// which is for its author to know and not to be refused for.
fn told(failure: &Failure, all: bool) -> Finding {
    let words = failure.to_string();
    let (line, words) = match words.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((line, rest)) => match line.parse() {
            Ok(line) => (line, rest.to_owned()),
            Err(_) => (0, words),
        },
        None => (0, words),
    };
    if all || !matches!(failure, Failure::Mistake(_)) {
        return Finding { line, severity: Severity::Error, code: "render", words };
    }
    let words = format!("where variables that are not required have no value: {words}");
    Finding { line, severity: Severity::Warning, code: "render", words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_script_is_told_where_the_template_has_it() {
        let body = "{% for d in dns %}\n/ip dns\nset servers={{ d }}\n{% endfor %}\nset x=1";
        let script = "\n/ip dns\nset servers=\"192.0.2.1\"\n\nset x=1";
        let line = |line| {
            let words = String::new();
            let finding = Finding { line, severity: Severity::Error, code: "x", words };
            placed(finding, body, script).line
        };
        assert_eq!([line(2), line(3), line(5), line(9)], [2, 3, 5, 0]);
    }

    #[test]
    fn what_is_not_required_may_lack() {
        let mistake = Failure::Mistake("line 7: there is no value here".to_owned());
        let finding = told(&mistake, true);
        assert_eq!((finding.line, finding.severity), (7, Severity::Error));
        assert_eq!(finding.words, "there is no value here");
        let finding = told(&mistake, false);
        assert_eq!((finding.line, finding.severity), (7, Severity::Warning));
        assert_eq!(told(&Failure::TooSlow, false).severity, Severity::Error);
    }
}
