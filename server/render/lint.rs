//! What is wrong with a template before anybody has it rendered. Nothing of it is run: it is read.

use std::collections::BTreeSet;

use muster_routeros::lint::{Finding, Severity};

use super::context::ALWAYS;
use super::engine::Engine;
use super::{place, scan};
use crate::fleet::template::Variable;

/// What is wrong with a template that declares these variables, in order of lines.
pub fn lint_template(body: &str, variables: &[Variable]) -> Vec<Finding> {
    let scan = scan::scan(body);
    let mut findings = scan.findings;
    let misplaced = place::settle(&scan.skeleton).1;
    findings.extend(
        misplaced
            .into_iter()
            .map(|m| found(m.line, Severity::Error, m.fault.code(), m.fault.words())),
    );
    let words = "a value stands in what RouterOS runs as a script, and whatever it says is carried out: \
                 allow it nothing else than is meant, by its type or a `pattern`";
    let run = place::run(&scan.skeleton).into_iter();
    let run = run.filter(|(line, is_kept)| !is_kept || is_joined(body, *line));
    findings.extend(run.map(|(line, _)| found(line, Severity::Warning, "code", words)));
    match Engine::new().names(&scan.template) {
        Ok(used) => findings.extend(declarations(body, &used, variables)),
        // What the language does not know was found by its own name already.
        Err(_) if findings.iter().any(|f| matches!(f.code, "tag" | "filter" | "syntax")) => {}
        Err((line, words)) => {
            findings.push(found(line.unwrap_or(1), Severity::Error, "syntax", words));
        }
    }
    findings.sort_by_key(|finding| finding.line);
    findings
}

pub(super) fn found(
    line: usize,
    severity: Severity,
    code: &'static str,
    words: impl Into<String>,
) -> Finding {
    Finding { line, severity, code, words: words.into() }
}

/// Whether a line of a template has a value that is more than the name of one.
fn is_joined(body: &str, line: usize) -> bool {
    let said = body.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
    said.split("{{").skip(1).any(|rest| {
        let value = rest.split("}}").next().unwrap_or_default().trim_matches(['-', ' ', '\t']);
        !value.chars().all(is_name)
    })
}

fn declarations<'a>(
    body: &'a str,
    used: &'a [String],
    variables: &'a [Variable],
) -> impl Iterator<Item = Finding> + use<'a> {
    let declared: BTreeSet<&str> = variables.iter().map(|v| v.name.as_str()).collect();
    let unknown = used
        .iter()
        .filter(move |name| !declared.contains(name.as_str()) && !ALWAYS.contains(&name.as_str()))
        .map(move |name| {
            let words = format!("`{name}` is no variable of this template: declare it");
            found(line_of(body, name), Severity::Error, "undeclared", words)
        });
    let idle = variables.iter().filter(move |v| !used.contains(&v.name)).map(|v| {
        let words = format!("`{}` is declared and not used", v.name);
        found(1, Severity::Warning, "unused", words)
    });
    unknown.chain(idle)
}

/// The first line on which a name stands by itself.
fn line_of(body: &str, name: &str) -> usize {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let stands = |line: &str| line.split(|c| !word(c)).any(|found| found == name);
    body.lines().position(stands).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn lint(body: &str) -> Vec<(usize, Severity, &'static str)> {
        let variables: Vec<Variable> = serde_json::from_value(json!([
            { "name": "ssid", "type": "string", "required": true },
            { "name": "dns", "type": "list", "of": { "type": "ip" } },
        ]))
        .unwrap();
        let found = lint_template(body, &variables);
        found.into_iter().map(|f| (f.line, f.severity, f.code)).collect()
    }

    #[test]
    fn a_good_template_has_no_findings() {
        let good = "# it's \"odd\n{% for d in dns %}add a={{ d }} n={{ loop.index }}\n{% endfor %}\
                    {% set x = ssid %}{% if site.path %}set a={{ x }} b={{ device.serial }}{% endif %}\n\
                    x={% if customer %}{{ customer }}{% else %}{{ acs.url }}{% endif %}\n";
        assert!(lint(good).is_empty(), "{:?}", lint(good));
    }

    #[test]
    fn what_is_wrong_is_found_with_its_line() {
        let (error, warning) = (Severity::Error, Severity::Warning);
        let all = "{{ ssid }} {{ dns | join }}";
        for (body, expected) in [
            (format!("a=\"{{{{ ssid }}}}\"\n{all}"), vec![(1, error, "in-string")]),
            (format!("{all}\n# by {{{{ ssid }}}}"), vec![(2, error, "in-comment")]),
            (format!("{all}\nether{{{{ ssid }}}}"), vec![(2, error, "beside")]),
            (format!("{all}\n{{% include \"x\" %}}"), vec![(2, error, "tag")]),
            (format!("{all}\n{{{{ ssid | safe }}}}"), vec![(2, error, "filter")]),
            (format!("{all}\n\n{{{{ sssid }}}}"), vec![(3, error, "undeclared")]),
            (format!("{all}\n{{{{ ssid | nothing }}}}"), vec![(2, error, "syntax")]),
            (format!("{all}\n{{% if ssid %}}"), vec![(2, error, "syntax")]),
            ("{{ ssid }}".to_owned(), vec![(1, warning, "unused")]),
            (
                "/system scheduler add on-event={{ \"/ip dns set servers=\" ~ dns }}\n\
                 /tool netwatch add up-script={{ ssid }} comment={{ ssid }}"
                    .to_owned(),
                vec![(1, warning, "code"), (2, warning, "code")],
            ),
            // Kept as the text of a script, and not put together.
            (
                "/system script add name=a source={{ ssid }}\n\
                 add name=b source={{ \":put \" ~ dns }}"
                    .to_owned(),
                vec![(2, warning, "code")],
            ),
        ] {
            assert_eq!(lint(&body), expected, "{body}");
        }
    }
}
