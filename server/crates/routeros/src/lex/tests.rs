#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

/// The kinds of a script's tokens.
fn kinds(script: &str) -> Vec<TokenKind> {
    lex(script).into_iter().map(|token| token.kind).collect()
}

fn string(text: &str) -> TokenKind {
    TokenKind::String(text.to_owned())
}

fn variable(name: &str) -> TokenKind {
    TokenKind::Variable(name.to_owned())
}

/// `menu verb name=value ..`, each statement on a line of its own.
fn shown(script: &str) -> Vec<String> {
    let show = |statement: Statement<'_>| {
        let verb = statement.verb.map(|verb| format!(" {verb}")).unwrap_or_default();
        let find = statement.find.map(|find| format!(" [{find}]")).unwrap_or_default();
        let arguments = statement.arguments.iter().map(|(name, value)| format!(" {name}={value}"));
        format!("{}{verb}{find}{}", statement.menu, arguments.collect::<String>())
    };
    statements(script).into_iter().map(show).collect()
}

#[test]
fn a_script_is_words_strings_brackets_and_separators() {
    use TokenKind::{Close, Continuation, Open, Operator, Separator, Word};
    assert_eq!(
        kinds("/ip address\nadd address=10.0.0.1/24 comment=\"a b\"; :put ($x . \"y\")"),
        [
            Word,
            Word,
            Separator,
            Word,
            Word,
            Operator,
            Word,
            Word,
            Operator,
            string("a b"),
            Separator,
            Word,
            Open('('),
            variable("x"),
            Word,
            string("y"),
            Close(')'),
        ]
    );
    assert_eq!(kinds("a \\\r\n  b"), [Word, Continuation, Word]);
    assert_eq!(kinds("a\r\nb\rc\n"), [Word, Separator, Word, Separator, Word, Separator]);
    assert_eq!(kinds("a!=b->c"), [Word, Operator, Word, Operator, Word]);
    assert_eq!(kinds("$\"a b\"$"), [variable("a b"), variable("")]);
}

#[test]
fn a_hash_within_a_word_or_a_string_begins_no_comment() {
    use TokenKind::{Comment, Operator, Separator, Word};
    assert_eq!(
        kinds("# one\\\nname=a#b \"#\" # two"),
        [Comment, Separator, Word, Operator, Word, string("#"), Comment]
    );
    assert_eq!(kinds("name=#b"), [Word, Operator, Word]);
}

#[test]
fn what_stands_in_a_string_does_not_end_it() {
    use TokenKind::Interpolated;
    assert_eq!(kinds(r#""a\"b""#), [string("a\"b")]);
    assert_eq!(kinds(r#""a\\""#), [string("a\\")]);
    assert_eq!(kinds(r#""x$[:pick "a]b" 0 ("1")]y""#), [Interpolated]);
    assert_eq!(kinds(r#""$($a + 1)$b""#), [Interpolated]);
    assert_eq!(kinds(r#""\$[""#), [string("$[")]);
    assert_eq!(kinds("\"[{(\""), [string("[{(")]);
    assert_eq!(kinds("\"a\nb\""), [string("a\nb")]);
}

#[test]
fn what_cannot_be_right_is_an_error() {
    use Fault::{Backslash, Stray, Unclosed, UnclosedString};
    use TokenKind::{Close, Error, Open, Word};
    assert_eq!(kinds("a \"b\nc"), [Word, Error(UnclosedString)]);
    assert_eq!(kinds("\"$[a\""), [Error(UnclosedString)]);
    assert_eq!(kinds("\"$[a)]\""), [Error(UnclosedString)]);
    assert_eq!(kinds("\"a\\"), [Error(UnclosedString)]);
    assert_eq!(kinds("{ ["), [Error(Unclosed), Error(Unclosed)]);
    assert_eq!(kinds("{ [ }"), [Open('{'), Error(Unclosed), Close('}')]);
    assert_eq!(kinds("( ] )"), [Open('('), Error(Stray), Close(')')]);
    assert_eq!(kinds("a\\b"), [Word, Error(Backslash), Word]);
    assert_eq!(kinds("a\\"), [Word, Error(Backslash)]);
    let long = "a ".repeat(MAX_TEXT);
    let last = lex(&long).pop().unwrap();
    assert_eq!((last.kind, last.end), (Error(Fault::TooLong), long.len()));
}

#[test]
fn lines_are_counted_from_one() {
    let script = "a\r\n\"b\nc\" \\\nd\re";
    let lines: Vec<_> = lex(script)
        .iter()
        .filter(|token| token.kind != TokenKind::Separator)
        .map(|token| (token.text(script).to_owned(), token.line))
        .collect();
    let expected = [("a", 1), ("\"b\nc\"", 2), ("\\\n", 3), ("d", 4), ("e", 5)];
    assert_eq!(lines, expected.map(|(text, line)| (text.to_owned(), line)));
}

#[test]
fn a_menu_holds_for_the_lines_behind_it() {
    assert_eq!(
        shown(
            "/ip address\nadd address=10.0.0.1/24 interface=\"lan one\"\n/ip dns set servers=1.1.1.1\n\
             set 0 disabled=yes\n/\nip/pool/add name=p\n/ip\npool\nadd name=q\n.. dns set x=1\n",
        ),
        [
            "/ip/address",
            "/ip/address add address=10.0.0.1/24 interface=lan one",
            "/ip/dns set servers=1.1.1.1",
            "/ip/address set =0 disabled=yes",
            "/",
            "/ip/pool add name=p",
            "/ip",
            "/ip/pool",
            "/ip/pool add name=q",
            "/ip/dns set x=1",
        ]
    );
}

#[test]
fn a_block_behind_a_menu_counts_as_what_is_in_it() {
    assert_eq!(
        shown(
            "/ip dns { set servers=1.1.1.1; static add name=a\n static { add name=b }\n}\nadd x=1"
        ),
        [
            "/ip/dns set servers=1.1.1.1",
            "/ip/dns/static add name=a",
            "/ip/dns/static add name=b",
            "/ add x=1",
        ]
    );
}

#[test]
fn values_are_read_as_far_as_they_go() {
    assert_eq!(
        shown("/x set a=$b.\"c d\" e=[get f g] h=!1.2.3.4 i=\"j\" k= l=\\\n  \"m\" n=(1 + 2){3}"),
        ["/x set a=$b.\"c d\" e=[get f g] h=!1.2.3.4 i=j k= l=m n=(1 + 2){3}"]
    );
    assert_eq!(shown("add a=1,2\\\n   ,3 \\\n   b=4"), ["/ add a=1,2,3 b=4"]);
    assert_eq!(shown("add a=\"x\\\n   y\" # z"), ["/ add a=xy"]);
    assert_eq!(shown("add a = 5 b=\"$c\""), ["/ add a= =5 b=\"$c\""]);
    assert_eq!(
        shown("/ip route remove [find where dst-address=0.0.0.0/0]; print where a~\"b\""),
        ["/ip/route remove [where dst-address=0.0.0.0/0]", "/ print =where =a~\"b\""]
    );
    assert_eq!(shown("remove [ find ]"), ["/ remove []"]);
    assert_eq!(shown("remove [/ip route find]"), ["/ remove =[/ip route find]"]);
}

#[test]
fn control_commands_keep_their_blocks_as_they_are() {
    assert_eq!(
        shown(
            "/ip pool\n:if ([:len [find]]=0) do={\n add name=a\n} else={ }\n:delay 5s\n:do {a;b} on-error={}"
        ),
        [
            "/ip/pool",
            "/ip/pool :if =([:len [find]]=0) do={\n add name=a\n} else={ }",
            "/ip/pool :delay =5s",
            "/ip/pool :do ={a;b} on-error={}",
        ]
    );
}

#[test]
fn what_is_not_known_is_taken_for_what_it_looks_like() {
    assert_eq!(shown("/new thing\nadd a=1"), ["/new/thing", "/new/thing add a=1"]);
    assert_eq!(shown("/new thing work a=1"), ["/new/thing work a=1"]);
    assert_eq!(shown("/tool fetch url=x; /system reboot"), ["/tool fetch url=x", "/system reboot"]);
    assert_eq!(shown("$f 1; {1;2}; \"x\""), ["/ =$f =1", "/ ={1;2}", "/ =x"]);
    assert_eq!(shown("set ether$i name=x"), ["/ set =ether$i name=x"]);
    assert_eq!(shown("ip/address/remove[find x=1]"), ["/ip/address remove [x=1]"]);
}

#[test]
fn what_stands_in_others_is_walked_through() {
    let script = "/ip pool\n:if ([:len [find name=a]]=0) do={ /ip dns\n set x=[get y] } else={b}\n\
                  :foreach i in={ether1;ether2} do={ add name=$i }";
    let mut seen = Vec::new();
    walk(script, &lex(script), "/", &mut |visit| {
        let Statement { menu, verb, .. } = visit.statement;
        let verb = verb.as_deref().unwrap_or("-");
        seen.push(format!("{menu} {verb} {:?} {}", visit.inside, visit.depth));
    });
    assert_eq!(
        seen,
        [
            "/ip/pool - Menu 0",
            "/ip/pool :if Menu 0",
            "/ip/pool :len Code 2",
            "/ip/pool find Code 3",
            "/ip/dns - Code 1",
            "/ip/dns set Code 1",
            "/ip/dns get Code 2",
            "/ip/pool/b - Code 1",
            "/ip/pool :foreach Menu 0",
            "/ip/pool/ether1 - Value 1",
            "/ip/pool/ether2 - Value 1",
            "/ip/pool add Code 1",
        ]
    );
}

#[test]
fn blocks_that_are_run_are_known_by_their_command() {
    for script in [
        ":onerror e in={ /ip pool add name=a } do={}",
        "onerror e in={ /ip pool add name=a } do={}",
        ":execute script={ /ip pool add name=a }",
        "execute { /ip pool add name=a }",
        "do { /ip pool add name=a } on-error={}",
    ] {
        let mut inside = Vec::new();
        walk(script, &lex(script), "/", &mut |visit| {
            if visit.statement.menu == "/ip/pool" {
                inside.push(visit.inside);
            }
        });
        assert_eq!(inside, [Inside::Code], "{script}");
    }
}

#[test]
fn depth_has_an_end() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let mut deepest = 0;
    walk(&deep, &lex(&deep), "/", &mut |visit| deepest = deepest.max(visit.depth));
    assert_eq!(deepest, MAX_DEPTH);
    assert_eq!(statements(&deep).len(), 1);
}

/// Of what means something.
const PIECES: &str = r##"([\\"$\[\](){};=#\n\r :/~!<>-]|ab|/ip|set|find|\\\n|\$\[){0,60}"##;

proptest! {
    /// Tokens follow each other, lie on characters, and leave out only blanks.
    #[test]
    fn tokens_cover_a_script(script in prop_oneof![any::<String>(), PIECES]) {
        let mut at = 0;
        let mut open = Vec::new();
        for token in lex(&script) {
            prop_assert!(script[at..token.start].bytes().all(|byte| matches!(byte, b' ' | b'\t')));
            prop_assert!(token.start < token.end);
            prop_assert_eq!(token.line, 1 + line_ends(&script.as_bytes()[..token.start]));
            at = token.end;
            match token.kind {
                TokenKind::Open(bracket) => open.push(bracket),
                TokenKind::Close(bracket) => {
                    let pair = (open.pop(), bracket);
                    let pairs = [(Some('('), ')'), (Some('['), ']'), (Some('{'), '}')];
                    prop_assert!(pairs.contains(&pair));
                }
                _ => {}
            }
        }
        prop_assert!(open.is_empty());
        prop_assert!(script[at..].bytes().all(|byte| matches!(byte, b' ' | b'\t')));
    }

    #[test]
    fn statements_are_parts_of_a_script(script in PIECES) {
        for statement in statements(&script) {
            prop_assert!(statement.menu.starts_with('/'));
            prop_assert!(script.contains(statement.text));
        }
    }
}
