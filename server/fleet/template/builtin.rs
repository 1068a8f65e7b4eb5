//! The templates that come with Muster: the bootstrap, those of the bench, and the modes of RouterOS's
//! Quick Set.
//!
//! Owns how they are put together. A line `#part NAME` of a template, or of a part, stands for a part
//! that several share. The variables of the parts that a template names follow its own; one that it
//! declares itself goes before a part's of the same name.

use std::sync::LazyLock;

use serde::Deserialize;

use super::Variable;

/// A template that comes with Muster.
#[derive(Debug, Clone, PartialEq)]
pub struct Builtin {
    /// `home-ap`
    pub name: &'static str,
    /// For people.
    pub description: String,
    /// The script.
    pub body: String,
    /// What it declares.
    pub variables: Vec<Variable>,
    /// It is for the bench.
    pub bench: bool,
}

/// All of them.
pub static ALL: LazyLock<Vec<Builtin>> =
    LazyLock::new(|| TEMPLATES.iter().map(Source::built).collect());

struct Source {
    name: &'static str,
    body: &'static str,
    about: &'static str,
}

/// The file beside a script: what the script itself does not say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    #[serde(default)]
    description: String,
    #[serde(default)]
    bench: bool,
    #[serde(default)]
    parts: Vec<String>,
    #[serde(default)]
    variables: Vec<Variable>,
}

macro_rules! text {
    ($folder:literal, $name:literal, $ending:literal) => {
        include_str!(concat!("../../../templates/rsc/templates/", $folder, $name, $ending))
    };
}

macro_rules! source {
    ($folder:literal, $name:literal) => {
        Source {
            name: $name,
            body: text!($folder, $name, ".rsc"),
            about: text!($folder, $name, ".toml"),
        }
    };
}

/// A part without variables of its own, or with nothing else.
macro_rules! script {
    ($name:literal) => {
        Source { name: $name, body: text!("parts/", $name, ".rsc"), about: "" }
    };
}
macro_rules! fields {
    ($name:literal) => {
        Source { name: $name, body: "", about: text!("parts/", $name, ".toml") }
    };
}

static TEMPLATES: [Source; 12] = [
    source!("", "bench-bootstrap"),
    source!("", "bench-fetch"),
    source!("", "bench-mode"),
    source!("", "bootstrap"),
    source!("", "cap"),
    source!("", "cpe"),
    source!("", "home-ap"),
    source!("", "home-ap-dual"),
    source!("", "home-mesh"),
    source!("", "ptp-bridge-ap"),
    source!("", "ptp-bridge-cpe"),
    source!("", "wisp-ap"),
];

static PARTS: [Source; 19] = [
    source!("parts/", "acs"),
    script!("address"),
    source!("parts/", "bridge"),
    script!("cap-off"),
    script!("capsman"),
    script!("capsman-off"),
    fields!("channel"),
    script!("client"),
    script!("gateway"),
    fields!("guests"),
    script!("guests-off"),
    script!("left"),
    script!("ports"),
    script!("radios"),
    source!("parts/", "router"),
    source!("parts/", "system"),
    script!("uplink"),
    script!("vpn-off"),
    source!("parts/", "wireless"),
];

impl Source {
    fn about(&self) -> About {
        toml::from_str(self.about).expect("it is compiled in, and a test reads it")
    }

    fn built(&self) -> Builtin {
        let About { description, bench, parts, mut variables } = self.about();
        for variable in parts.iter().flat_map(|name| part(name).about().variables) {
            if variables.iter().all(|own| own.name != variable.name) {
                variables.push(variable);
            }
        }
        Builtin { name: self.name, description, body: whole(self.body), variables, bench }
    }
}

/// A text with its parts in their places.
fn whole(text: &str) -> String {
    let line = |line: &str| match line.trim_end().strip_prefix("#part ") {
        Some(name) => whole(part(name).body),
        None => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

fn part(name: &str) -> &'static Source {
    let found = PARTS.iter().find(|part| part.name == name);
    found.expect("it is compiled in, and a test reads it")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use muster_routeros::lex::{TokenKind, lex};
    use muster_routeros::lint::{Severity, lint};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::{Kind, MAX_BODY, bench, check_variables, samples};
    use super::*;
    use crate::render::context::DeviceContext;
    use crate::render::engine::Engine;
    use crate::render::lint_template;

    fn scripts(template: &Builtin) -> Vec<String> {
        let mut engine = Engine::new();
        let mut scripts = Vec::new();
        for (all, choice) in [(true, 0), (true, 1), (true, 2), (false, 0)] {
            let mut values = samples(&template.variables, all);
            if all {
                // Each of the words of an enumeration once, and yes as often as no.
                for variable in &template.variables {
                    let value = match &variable.kind {
                        Kind::Enum { values } => json!(values[choice % values.len()]),
                        Kind::Bool => json!(choice != 1),
                        _ => continue,
                    };
                    values.insert(variable.name.clone(), value);
                }
            }
            let context: Value = DeviceContext::sample().with(&values, "enrol");
            let script = engine.render(&template.body, &context);
            scripts.push(script.unwrap_or_else(|e| panic!("{}: {e:?}", template.name)));
        }
        scripts
    }

    /// The texts that a script has parsed when their turn comes.
    fn parsed(script: &str) -> Vec<String> {
        let tokens = lex(script);
        let text = |(at, _): (usize, _)| {
            let inner = tokens[at..].iter().take_while(|t| t.kind != TokenKind::Close(']'));
            let strings = inner.filter_map(|token| match &token.kind {
                TokenKind::String(text) => Some(text.as_str()),
                _ => None,
            });
            strings.collect::<String>()
        };
        let found = tokens.iter().enumerate().filter(|(_, token)| token.text(script) == ":parse");
        found.map(text).collect()
    }

    /// What a script is made of, but for what its strings say.
    fn shape(engine: &mut Engine, template: &Builtin, text: &str) -> Vec<String> {
        let mut values = samples(&template.variables, true);
        for variable in &template.variables {
            if matches!(variable.kind, Kind::String(_) | Kind::Secret(_)) {
                values.insert(variable.name.clone(), json!(text));
            }
        }
        let context: Value = DeviceContext::sample().with(&values, "enrol");
        let script = engine.render(&template.body, &context).unwrap();
        let part = |kind: &TokenKind, text: &str| match kind {
            TokenKind::String(_) => "string".to_owned(),
            _ => format!("{kind:?} {text}"),
        };
        lex(&script).iter().map(|token| part(&token.kind, token.text(&script))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn no_text_is_more_than_the_text_of_a_string(text in "[\\PC\n\t\"$;\\\\\\[\\]{}]{1,40}") {
            let mut engine = Engine::new();
            for template in ALL.iter() {
                let plain = shape(&mut engine, template, "plain");
                prop_assert_eq!(shape(&mut engine, template, &text), plain, "{}", template.name);
            }
        }
    }

    #[test]
    fn each_declares_what_it_uses_and_renders_to_a_script_without_a_fault() {
        for template in ALL.iter() {
            let name = template.name;
            check_variables(&template.variables).unwrap();
            assert!(template.description.len() > 10 && template.body.len() < MAX_BODY, "{name}");
            let findings = lint_template(&template.body, &template.variables);
            assert!(findings.is_empty(), "{name}: {findings:?}");
            for script in scripts(template) {
                assert!(script.is_ascii() && !script.contains("#part"), "{name}");
                let parsed = parsed(&script);
                for text in [script].iter().chain(&parsed) {
                    let findings = lint(text);
                    let wrong = findings.iter().find(|finding| finding.severity == Severity::Error);
                    assert!(wrong.is_none(), "{name}: {wrong:?}\n{text}");
                    assert!(findings.iter().all(|f| f.code != "dangerous"), "{name}: {findings:?}");
                }
            }
        }
    }

    #[test]
    fn those_of_the_bench_are_first_scripts_of_boards_and_fit_with_a_certificate() {
        let of_bench: Vec<&Builtin> = ALL.iter().filter(|template| template.bench).collect();
        let names: Vec<&str> = of_bench.iter().map(|template| template.name).collect();
        assert_eq!(names, ["bench-bootstrap", "bench-fetch", "bench-mode", "bootstrap"]);
        for template in of_bench {
            let name = template.name;
            for script in scripts(template) {
                let findings = bench::lint_script(&script);
                assert!(findings.is_empty(), "{name}: {findings:?}\n{script}");
            }
            let mut values = samples(&template.variables, true);
            let lines = format!("{}\n", "M".repeat(64)).repeat(10);
            let ca = format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n");
            for (variable, value) in [
                ("acs_url", "https://acs.internet-provider.example:7547"),
                ("acs_username", "claim-00000000000000000000000000000000"),
                ("acs_password", "0000000000000000000000000000000000000000000"),
                ("ca_certificate", ca.as_str()),
            ] {
                values.insert(variable.to_owned(), json!(value));
            }
            let context = DeviceContext::sample().with(&values, "enrol");
            let script = Engine::new().render(&template.body, &context).unwrap();
            assert_eq!(bench::lint_size(script.len(), script.len()), None, "{name}");
        }
    }

    #[test]
    fn variables_of_a_mode_come_before_those_of_its_parts() {
        let names = |template: &str| -> Vec<String> {
            let template = ALL.iter().find(|t| t.name == template).unwrap();
            template.variables.iter().map(|variable| variable.name.clone()).collect()
        };
        assert_eq!(names("home-ap")[..2], ["wifi_name", "wifi_password"]);
        let cpe = ALL.iter().find(|template| template.name == "cpe").unwrap();
        let port = cpe.variables.iter().filter(|variable| variable.name == "wan_interface");
        assert_eq!(port.map(|v| v.default.clone()).collect::<Vec<_>>(), [Some(json!("auto"))]);
    }
}
