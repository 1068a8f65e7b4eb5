#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::lex::{Statement, lex, statements, walk};
use crate::lint::MAX_SCRIPT;

/// What stands between the beginning and the end of a framed script.
fn framed(script: &str) -> String {
    let wrapped = wrap(script, "t1", None);
    let inner = wrapped.strip_prefix(":log info \"muster-apply: t1 begin\"\n").unwrap();
    inner.strip_suffix(":log info \"muster-apply: t1 done\"\n").unwrap().to_owned()
}

fn on_line(line: usize) -> String {
    format!("}} on-error={{ :log error \"muster-apply: t1 line {line} failed\" }}\n")
}

fn in_one_frame(script: &str) -> String {
    format!(
        ":do {{\n{}\n}} on-error={{ :log error \"muster-apply: t1 script failed\" }}\n",
        script.trim_end()
    )
}

/// Lines of a log as a script writes them.
fn said(words: &[&str]) -> String {
    words.iter().map(|words| format!("00:00:01 script,info {MARK} {words}\n")).collect()
}

#[test]
fn each_command_has_a_frame_and_keeps_its_menu() {
    let script = "# Hello.\n/system identity set name=\"a\"\n/ip dns\nset servers=1.1.1.1; static add \\\n  \
                  name=x # why\n:if ([:len [find]]=0) do={\n  # {\n  add name=y\n}\n/ip pool { add name=p }\n";
    let expected = [
        ":do {\n/system identity set name=\"a\"\n".to_owned() + &on_line(2),
        ":do {\n/ip dns\nset servers=1.1.1.1\n".to_owned() + &on_line(4),
        ":do {\n/ip dns\nstatic add \\\n  name=x\n".to_owned() + &on_line(4),
        ":do {\n/ip dns\n:if ([:len [find]]=0) do={\n  # {\n  add name=y\n}\n".to_owned()
            + &on_line(6),
        ":do {\n/ip dns\n/ip pool { add name=p }\n".to_owned() + &on_line(10),
    ];
    assert_eq!(framed(script), expected.concat());
    assert_eq!(framed(""), "");
    assert_eq!(framed("# Nothing.\n"), "");
}

#[test]
fn commands_that_may_need_each_other_have_one_frame() {
    for script in [
        ":local a 1\n/system identity set name=$a\n",
        ":global a 1\n:put $a",
        ":set a 1",
        ":loc a 1",
        "local a 1",
        "/quit\n:put 1",
        ":if ($x) do={ :error \"stop\" }\n/ip pool add name=a",
        ":if ($x) do={ error \"stop\" }\n/ip pool add name=a",
        "/ip pool\n:if ($x) do={ error \"stop\" }\nadd name=a",
        ":if ($x) do={ :return 1 }\n/ip pool add name=a",
        ":if ($x) do=\":error 1\"\n/ip pool add name=a",
        ":onerror e in=\":global x 1\" do={}\n/ip pool add name=a",
        ":do { :global x 1 } on-error={}\n:put 1",
        "$f 1\n:put 2",
        ":put \"$[:error x]\"",
        ":put [[:parse \":put 1\"]]",
        "{ :local f [:parse \":error 1\"]; $f }",
        "{ :local f [:parse \":global x 1\"]; $f }",
        "{ :local f [:parse \":put \\$[:err 1]\"]; $f }",
        "{ :local f [:parse $x]; $f }",
        "{ :local f [:parse \"{\"]; $f }",
        "[/ip pool find]",
        "/ip\npool\nadd name=a",
        "/new menu\nadd name=a",
        "ip pool add name=a",
        "/ip pool\r\nadd name=a\r\n",
        "/ip pool frob name=a",
    ] {
        assert_eq!(framed(script), in_one_frame(script), "{script}");
    }
    let deep = format!(":put {}1{}", "(".repeat(40), ")".repeat(40));
    assert_eq!(framed(&deep), in_one_frame(&deep));
}

#[test]
fn variables_within_a_command_are_its_own() {
    for script in [
        ":foreach i in=[/ip pool find] do={ :local n [/ip pool get $i name]; :put $n }",
        "{ :local a 1; :set a 2; /system identity set name=$a }",
        ":foreach i in={ether1;ether2} do={ /interface ethernet set $i disabled=no }",
        ":do { /ip pool add name=a } on-error={ :log error \"no\" }",
        "/user set [find name=admin] password=$defconfPassword",
        "{ :local f [:parse (\":local n 1; :return [/ip pool find name=\\$a]\" . \"; \")]; $f a=1 }",
    ] {
        assert_eq!(framed(script), format!(":do {{\n{script}\n") + &on_line(1), "{script}");
    }
}

#[test]
fn what_is_not_certain_to_be_read_right_is_left_alone() {
    for script in [
        "/system identity set name=\"a",
        ":do {\n/ip pool add name=a",
        "/ip pool add name=a\n}",
        "/ip pool add name=a\\{",
        "/ip pool add name=a \\",
        "/ip pool add name=a \\\n",
        "/ip pool add name=a # {",
        "/ip pool add name=a; # \\",
    ] {
        assert_eq!(framed(script), format!("{script}\n"), "{script}");
    }
}

#[test]
fn a_script_that_frames_would_make_too_long_has_one() {
    let script = "/ip pool add name=a\n".repeat(1000);
    assert!(wrap(&script, "t1", None).len() <= MAX_SCRIPT);
    assert_eq!(framed(&script), in_one_frame(&script));
}

#[test]
fn a_way_back_is_prepared_before_anything_is_changed() {
    let script = "/ip pool add name=a\n";
    let wrapped = wrap(script, "t1", Some(Rescue { minutes: 10 }));
    let found = statements(&wrapped);
    assert_eq!(found.len(), 4);
    assert!(
        found[1].text.contains("/system backup save") && found[1].text.contains("rescue failed")
    );
    assert!(found[2].text.contains("/ip pool add"));
}

#[test]
fn a_tag_cannot_get_out_of_its_message() {
    let wrapped = wrap("/ip pool add name=a", "\"; /system shutdown; \"$x", None);
    assert!(
        statements(&wrapped).iter().all(|statement| statement.verb.as_deref() != Some("shutdown"))
    );
    assert_eq!(statements(&wrapped).len(), 3);
}

#[test]
fn a_report_says_how_the_last_run_went() {
    let failed = |line, words: &str| Failed { line, words: words.to_owned() };
    assert_eq!(report("", "t1"), None);
    assert_eq!(report(&said(&["t2 done"]), "t1"), None);
    assert_eq!(report(&said(&["t1 begin"]), "t1"), Some(Report::default()));
    let log = said(&["t1 begin", "t1 line 9 failed", "t1 begin", "t1 line 3 failed"])
        + &said(&[
            "t2 line 8 failed",
            "t1 line 3 failed",
            "t1 line x failed",
            "t1 line 4 fai",
            "t1 done",
        ]);
    assert_eq!(
        report(&log, "t1"),
        Some(Report {
            done: true,
            failed: vec![failed(3, "the command on line 3 failed")],
            silent: false,
        })
    );
    let whole = report(&said(&["t1 script failed", "t1 done"]), "t1").unwrap();
    assert_eq!((whole.done, whole.failed[0].line), (true, 0));
    let rescue = report(&said(&["t1 begin", "t1 rescue failed"]), "t1").unwrap();
    assert!(!rescue.done && rescue.failed[0].words.contains("nothing was changed"));
    let undone = report(&said(&["t1 begin", "t1 done", "t1 undone"]), "t1").unwrap();
    assert!(undone.failures().unwrap().contains("put the configuration before back"));
}

#[test]
fn what_a_terminal_or_somebody_else_does_to_a_log_changes_nothing() {
    let log = "00:00:01 script,error muster-apply: t1 line\n   12 fai\n   led\n00:00:02 script,info \
               muster-apply: t1 done\n00:00:03 dhcp,info muster-apply: t1 line 5 failed\n\
               00:00:04 script,error x muster-apply: t1 line 6 failed\n";
    let lines: Vec<_> =
        report(log, "t1").unwrap().failed.iter().map(|failed| failed.line).collect();
    assert_eq!(lines, [12]);
    let many: Vec<_> = (0..1000).map(|line| format!("t1 line {line} failed")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(report(&said(&many), "t1").unwrap().failed.len(), MAX_FAILED);
}

/// A command that stands alone.
fn command() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| format!("/system note set note={}", quote(&text))),
        any::<String>().prop_map(|text| format!("add name={} disabled=no", quote(&text))),
        any::<String>()
            .prop_map(|text| format!(":if (1=1) do={{\n  set [find name={}]\n}}", quote(&text))),
        Just("/ip pool".to_owned()),
        Just("/ip dns static".to_owned()),
        Just("# A comment with \" and {".to_owned()),
        Just(":put \"a\"; :delay 1ms".to_owned()),
    ]
}

/// Menu, command and text of what a script carries out, in order.
fn carried_out(script: &str, depth: usize) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    walk(script, &lex(script), "/", &mut |visit| {
        let statement = visit.statement;
        let is_frame = statement.text.contains(MARK);
        if let Some(verb) = statement.verb.clone().filter(|_| visit.depth == depth && !is_frame) {
            found.push((statement.menu.clone(), verb, statement.text.to_owned()));
        }
    });
    found
}

proptest! {
    #[test]
    fn frames_change_nothing(commands in proptest::collection::vec(command(), 0..12)) {
        // In a menu from the first line on.
        let script = format!("/ip pool\n{}\n", commands.join("\n"));
        let wrapped = wrap(&script, "t1", None);
        prop_assert_eq!(carried_out(&wrapped, 1), carried_out(&script, 0));
        prop_assert!(wrapped.contains("line") || carried_out(&script, 0).is_empty());
    }

    /// Whatever it is, it comes out as it is.
    #[test]
    fn no_part_of_a_script_is_lost(script in "[a-z/:=\"\\\\{}()\\[\\]$#;\n ]{0,60}") {
        let inner = framed(&script);
        // A menu with nothing in it is nothing.
        let is_something = |statement: &Statement<'_>| {
            statement.verb.is_some() || !statement.arguments.is_empty()
        };
        let mut kept = statements(&script).into_iter().filter(is_something);
        prop_assert!(kept.all(|statement| inner.contains(statement.text)));
    }

    #[test]
    fn any_log_may_be_looked_at(log in any::<String>(), tag in any::<String>()) {
        if let Some(report) = report(&log, &tag) {
            prop_assert!(report.failed.len() <= MAX_FAILED);
        }
    }
}

#[test]
fn bytes_that_are_no_text_stay_as_they_are() {
    let script = b"/ip pool add name=caf\xe9 comment=\"\xc3\xa0\xff\"\n/ip pool add name=b\n";
    let framed = wrap_bytes(script, "t1", None);
    for line in script.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        assert!(framed.windows(line.len()).any(|part| part == line), "{framed:?}");
    }
    assert_eq!(wrap_bytes(b":put 1", "t1", None), wrap(":put 1", "t1", None).into_bytes());
}

#[test]
fn of_a_script_that_nothing_is_known_of_it_is_told_why() {
    let silent = Report::silent(RESTARTED);
    assert!(silent.silent && !silent.done);
    assert_eq!(silent.failures().as_deref(), Some(RESTARTED));
}

#[test]
fn what_was_not_carried_out_is_told_by_line() {
    let of = |words: &[&str]| {
        let log: Vec<String> = words.iter().map(|words| format!("t1 {words}")).collect();
        let log: Vec<&str> = log.iter().map(String::as_str).collect();
        report(&said(&log), "t1").unwrap().failures()
    };
    assert_eq!(of(&["begin", "done"]), None);
    assert!(of(&["begin"]).unwrap().contains("its end"));
    let some = of(&["begin", "line 3 failed", "line 7 failed", "done"]).unwrap();
    assert_eq!(some, "the device could not run line 3, line 7 of the script");
    let many: Vec<String> = (1..=9).map(|line| format!("line {line} failed")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(of(&many).unwrap().contains("line 5 and others"));
    for (words, told) in [("script failed", "was not carried on"), ("rescue failed", "nothing")] {
        assert!(of(&["begin", words]).unwrap().contains(told), "{words}");
    }
}
