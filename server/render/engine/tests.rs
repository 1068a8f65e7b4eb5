#![expect(clippy::unwrap_used, reason = "tests")]

use muster_routeros::lex::{TokenKind, lex};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn rendered(template: &str, context: Value) -> String {
    Engine::new().render(template, &context).unwrap()
}

/// Why a template gives no script.
fn refused(template: &str, context: Value) -> String {
    match Engine::new().render(template, &context) {
        Err(Refusal::Mistake(words)) => words,
        other => panic!("{template}: {other:?}"),
    }
}

/// The strings of a script.
fn strings(script: &str) -> Vec<String> {
    let tokens = lex(script).into_iter();
    let string = |kind| match kind {
        TokenKind::String(text) => Some(text),
        _ => None,
    };
    tokens.filter_map(|token| string(token.kind)).collect()
}

#[test]
fn values_are_written_as_routeros_reads_them() {
    let context = json!({
        "ssid": "Tom's \"$net\"", "vlan": 20, "guest": false, "share": 0.5,
        "dns": ["9.9.9.9", "1.1.1.1"], "lan": "192.168.88.1/24", "device": { "serial": "S1" },
    });
    for (template, script) in [
        ("set ssid={{ ssid }}", r#"set ssid="Tom's \"\$net\"""#),
        ("set vlan-id={{ vlan }} x={{ share }}", "set vlan-id=20 x=0.5"),
        ("set disabled={{ guest }} b={{ not guest }}", "set disabled=no b=yes"),
        ("set servers={{ dns | join(sep=\",\") }}", r#"set servers="9.9.9.9,1.1.1.1""#),
        ("{% for d in dns %}add a={{ d }}\n{% endfor %}", "add a=\"9.9.9.9\"\nadd a=\"1.1.1.1\"\n"),
        ("set name={{ \"ether\" ~ vlan }}", r#"set name="ether20""#),
        ("set a={{ device.serial }}", r#"set a="S1""#),
        ("{% if guest %}a{% elif vlan > 5 %}b{% else %}c{% endif %}", "b"),
        ("{% set a = ssid | upper %}x={{ a }}", r#"x="TOM'S \"\$NET\"""#),
        (
            "set n={{ lan | network }} a={{ lan | address }}",
            r#"set n="192.168.88.0/24" a="192.168.88.1""#,
        ),
        ("{{ lan | host(n=10) }} {{ lan | host(n=-2) }}", r#""192.168.88.10" "192.168.88.254""#),
        ("{{ lan | netmask }} {{ lan | prefix_length }}", r#""255.255.255.0" 24"#),
        ("{% raw %}:put {{1}}{% endraw %}", ":put {{1}}"),
        ("# {# by {{ ssid }} #}end\nx={{ vlan -}}  \n y", "# end\nx=20y"),
        ("x={{ gone | default(value=\"d\") }}", r#"x="d""#),
    ] {
        assert_eq!(rendered(template, context.clone()), script);
    }
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let context = json!({ "a": "x", "list": [1], "device": {} });
    for (template, line, words) in [
        ("\n{{ b }}", "line 2: ", "there is no value here"),
        ("\n\n{{ device.model }}", "line 3: ", "there is no value here"),
        ("{{ b.c }}", "line 1: ", "`b` is not defined"),
        ("{{ list }}", "line 1: ", "a list is not one value"),
        ("{{ device }}", "line 1: ", "this is not one value"),
        ("\n{{ a | nothing }}", "line 2: ", "Unknown filter `nothing`"),
        ("{% if a %}", "line 1: ", ""),
        ("\n{% include \"x\" %}", "line 2: ", "`include` is not for scripts"),
        ("{{ a | safe }}", "line 1: ", "`safe` is not for scripts"),
        ("\n{{ throw(message=\"no radio\") }}", "line 2: ", "no radio"),
        ("\nx=\"to {{ a }}\"", "line 2 of the script: ", "stands inside of one"),
        ("x={{ a }}{{ a }}", "line 1 of the script: ", "against other text"),
        ("# {{ a }}", "line 1 of the script: ", "in a comment"),
    ] {
        let told = refused(template, context.clone());
        assert!(told.starts_with(line) && told.contains(words), "{template}: {told}");
    }
}

/// Ways in which a template might have text written as it is.
#[test]
fn no_template_turns_the_quoting_off() {
    let evil = "\"; /user add name=evil; :put \"";
    let context = json!({ "a": evil, "no": false });
    for template in [
        "{% filter lower %}{{ a }}{% endfilter %}",
        "{% set b %}{{ a }}{% endset %}{{ b }}",
        "{% set b = a | safe %}{{ b }}",
        "{{ a | escape }}",
        "{{ [a] }}",
        "{{ {\"k\": a} }}",
        "{{ __tera_context }}",
        "{% component X(a) %}{{ a }}{% endcomponent X %}{{ <X a={a}/> }}",
        "{% block x %}{{ a }}{% endblock %}",
        "x=\"{{ a }}\"",
        "x=\"{% if no %}\"{% endif %}{{ a }}",
        "{% if no %}{% else %}x=\"{% endif %}{{ a }}",
        "x=\\{{ a }}",
        "${{ a }}",
        "x{{ a }}",
    ] {
        assert!(Engine::new().render(template, &context).is_err(), "{template}");
    }
    for template in [
        "{{ a) ~ (a }}",
        "{{ a) if a else (a }}",
        "{{ (a) }}",
        "{{ a | str }}",
        "{{ [a] | first }}",
        "{{ \"\" ~ a }}",
        "{% set b = a %}{% set_global c = b %}{{ c }}",
        "{% for k, v in {\"k\": a} %}{{ v }}{% endfor %}",
        "{{ a | trim | replace(from=\"q\", to=\"r\") }}",
    ] {
        let script = rendered(template, context.clone());
        let tokens = lex(&script);
        assert_eq!(tokens.len(), 1, "{template}: {script}");
        assert!(matches!(tokens[0].kind, TokenKind::String(_)), "{template}: {script}");
    }
}

#[test]
fn a_script_has_an_end() {
    let template =
        "{% for a in range(end=1000) %}{% for b in range(end=1000) %}x{% endfor %}{% endfor %}";
    assert_eq!(Engine::new().render(template, &json!({})), Err(Refusal::TooMuch));
}

#[test]
fn what_is_ready_has_bounds() {
    let mut engine = Engine::new();
    for n in 0..40 {
        let template = format!("{n}{}", " ".repeat(60_000));
        assert_eq!(engine.render(&template, &json!({})).unwrap(), template);
        assert!(engine.bytes <= READY_BYTES && engine.ready.contains_key(&template));
    }
    assert!(engine.ready.len() < 40);
}

/// Text of every sort, with what means something to RouterOS more often than by chance.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "\"", "\\", "$", "[", "]", "{", "}", "{{", "}}", "{%", "#", ";", "\n", "\r", "\t", "\0",
        "\u{1}", "\u{2}", "?", "\u{7f}", "ā", "😀", "\\\"", "$(", "\u{2028}",
    ]);
    let part = prop_oneof![special.prop_map(str::to_owned), any::<String>()];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    /// Whatever the value: it is one string, and that string is the value.
    #[test]
    fn no_value_ends_its_string(value in text(), other in text()) {
        let template = "/interface/wifi/set [find name={{ b }}] ssid={{ a }} x=1;\n\
                        # it's a \"remark\n:if ({{ a }}!={{ b }}) do={:log info {{ a ~ b }}}\n";
        let script = rendered(template, json!({ "a": value, "b": other }));
        prop_assert!(script.is_ascii());
        prop_assert_eq!(script.lines().count(), 3);
        let both = format!("{value}{other}");
        let expected = [&other, &value, &value, &other, &both].map(String::clone);
        prop_assert_eq!(strings(&script), expected);
    }

    /// Whatever the template: what is written of a text begins and ends where RouterOS sees a string
    /// begin and end.
    #[test]
    fn what_comes_out_is_read_as_it_was_written(
        parts in prop::collection::vec(prop_oneof![
            4 => Just("{{ a }}".to_owned()),
            1 => Just("{% if a %}".to_owned()),
            1 => Just("{% endif %}".to_owned()),
            1 => Just("{%- set b = a -%}".to_owned()),
            4 => prop::sample::select(vec![
                " ", "=", "\"", "\\", "#", "\n", "\r", ";", "[", "]", "(", ")", "{", "}", "$", "a", ",", "/",
            ]).prop_map(str::to_owned),
        ], 0..24),
    ) {
        // A text that is nowhere else, and would be a statement if it stood outside of a string.
        let evil = "; /user add name=evil #\"";
        if let Ok(script) = Engine::new().render(&parts.concat(), &json!({ "a": evil })) {
            let written = strings(&script).iter().filter(|text| *text == evil).count();
            prop_assert_eq!(written, script.matches("evil").count(), "{}", script);
        }
    }
}

#[test]
fn a_chain_that_would_fill_the_stack_is_refused() {
    let chain = |arms: usize| {
        let arms = "{%elif a%}b\n".repeat(arms);
        format!("{{%if a%}}a\n{arms}{{%endif%}}")
    };
    assert_eq!(rendered(&chain(99), json!({ "a": false })), "");
    assert!(refused(&chain(5_000), json!({ "a": false })).contains("`elif` more than 100 times"));
}
