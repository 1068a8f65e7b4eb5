//! A script of any text: reading it never panics, its tokens lie in it one behind the other, findings
//! are on its lines, a frame around it breaks nothing, and quoted it is one string.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_routeros::apply::{Rescue, wrap};
use muster_routeros::export::{touched, written_by};
use muster_routeros::lex::{TokenKind, lex, statements};
use muster_routeros::lint::lint;
use muster_routeros::quote::{quote, unquote};

fuzz_target!(|data: &[u8]| look(&String::from_utf8_lossy(data)));

fn look(script: &str) {
    let mut at = 0;
    for token in lex(script) {
        assert!(at <= token.start && token.start < token.end);
        assert!(!token.text(script).is_empty());
        at = token.end;
    }
    for statement in statements(script) {
        assert!(statement.menu.starts_with('/'), "{}", statement.menu);
        assert!(script.contains(statement.text));
    }
    let lines = script.split(['\n', '\r']).count();
    assert!(lint(script).iter().all(|finding| (1..=lines).contains(&finding.line)));
    touched(&written_by(script), "/ip/dns", script);
    assert_eq!(unquote(&quote(script)).as_deref(), Some(script));
    if is_whole(script) {
        assert!(is_whole(&wrap(script, "tag", None)));
        assert!(is_whole(&wrap(script, "tag", Some(Rescue { minutes: 5 }))));
    }
}

fn is_whole(script: &str) -> bool {
    lex(script).iter().all(|token| !matches!(token.kind, TokenKind::Error(_)))
}
