//! The frame around a script.
//!
//! Owns when the commands of a script are framed one by one, which is only where each of them is known
//! to stand alone, and when the script is left as it is, which is where it is not certain to be read
//! here as RouterOS reads it.

use super::rescue::arm;
use super::{BEGIN, DONE, Rescue, SCRIPT_FAILED, log};
use crate::lex::{Inside, MAX_DEPTH, Token, TokenKind, Visit, is_unseen, lex, walk};
use crate::lint::MAX_SCRIPT;
use crate::menus::is_menu;

/// Commands that leave nothing behind that those after them could need.
const ALONE: [&str; 31] = [
    ":beep",
    ":convert",
    ":delay",
    ":deserialize",
    ":do",
    ":execute",
    ":find",
    ":for",
    ":foreach",
    ":if",
    ":len",
    ":log",
    ":nothing",
    ":onerror",
    ":pick",
    ":ping",
    ":put",
    ":resolve",
    ":serialize",
    ":time",
    ":toarray",
    ":tobool",
    ":tocrlf",
    ":toid",
    ":toip",
    ":toip6",
    ":tonum",
    ":tostr",
    ":totime",
    ":typeof",
    ":while",
];
/// Those that do, to the end of the block that they stand in.
const IN_BLOCKS: [&str; 2] = [":local", ":set"];
/// Those that matter to others even where somebody has forgotten the colon.
const TOGETHER: [&str; 7] = ["error", "exit", "global", "local", "parse", "quit", "return"];
/// What does not matter at the end of a script. Other characters may be parts of words.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// The script in a frame that writes its beginning, each failure and its end into the board's log,
/// under this tag (one word; see [`super::report`]).
///
/// Where each command stands alone, each has a frame of its own. Where one may need what another has
/// done, as with variables, the script has one frame, and stops at the first failure as it did before.
/// A script that is not certain to be read as RouterOS reads it has none: its end shows that it did
/// not fail. With a rescue, the way back is prepared first.
pub fn wrap(script: &str, tag: &str, rescue: Option<Rescue>) -> String {
    let tokens = lex(script);
    let framed = if is_certain(script, &tokens) {
        let parts = parts(script, &tokens).map(|parts| apart(&parts, tag));
        parts.filter(|text| text.len() <= MAX_SCRIPT).unwrap_or_else(|| whole(script, tag))
    } else {
        format!("{script}\n")
    };
    let begin = log("info", tag, BEGIN);
    let armed = rescue.map(|rescue| arm(rescue, tag)).unwrap_or_default();
    let done = log("info", tag, DONE);
    format!("{begin}\n{armed}{framed}{done}\n")
}

/// The same of the bytes of a file. What in it is not ASCII stays as it is, whatever it means.
pub fn wrap_bytes(script: &[u8], tag: &str, rescue: Option<Rescue>) -> Vec<u8> {
    // A character for each byte, there and back.
    let text: String = script.iter().map(|byte| char::from(*byte)).collect();
    let framed = wrap(&text, tag, rescue);
    framed.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}

/// A command, and what is needed to carry it out elsewhere.
struct Part<'a> {
    /// The line that holds the menu it stands in.
    menu: Option<&'a str>,
    text: &'a str,
    line: usize,
}

fn apart(parts: &[Part<'_>], tag: &str) -> String {
    let frame = |part: &Part<'_>| {
        let menu = part.menu.map(|menu| format!("{menu}\n")).unwrap_or_default();
        let failed = log("error", tag, &format!("line {} failed", part.line));
        format!(":do {{\n{menu}{}\n}} on-error={{ {failed} }}\n", part.text)
    };
    parts.iter().map(frame).collect()
}

fn whole(script: &str, tag: &str) -> String {
    let failed = log("error", tag, SCRIPT_FAILED);
    format!(":do {{\n{}\n}} on-error={{ {failed} }}\n", script.trim_end_matches(BLANKS))
}

/// Whether RouterOS must take strings, brackets and comments for what they are taken for here.
fn is_certain(script: &str, tokens: &[Token]) -> bool {
    let is_odd = |at: usize| match tokens[at].kind {
        TokenKind::Error(_) => true,
        // By the manual nothing may stand before a comment on its line.
        TokenKind::Comment => {
            let is_first = at.checked_sub(1).is_none_or(|before| {
                tokens[before].kind == TokenKind::Separator && tokens[before].text(script) != ";"
            });
            !is_first && tokens[at].text(script).contains(['"', '\\', '(', ')', '[', ']', '{', '}'])
        }
        _ => false,
    };
    !script.trim_end_matches(BLANKS).ends_with('\\') && !(0..tokens.len()).any(is_odd)
}

/// The commands of a script, where each of them stands alone; none where one may not.
fn parts<'a>(script: &'a str, tokens: &[Token]) -> Option<Vec<Part<'a>>> {
    if script.contains('\r') || is_opaque(script, tokens) {
        return None;
    }
    let mut menu: Option<&'a str> = None;
    let mut parts = Vec::new();
    let mut is_apart = true;
    walk(script, tokens, "/", &mut |visit| {
        is_apart = is_apart && stands_alone(visit, menu.is_some(), visit.is_braced);
        let statement = visit.statement;
        if visit.depth > 0 {
            return;
        }
        if is_only_menu(visit) {
            menu = Some(statement.text);
        } else {
            parts.push(Part { menu, text: statement.text, line: statement.line });
        }
    });
    is_apart.then_some(parts)
}

/// Whether there are commands in it that are not looked at: too deep, or in a text.
fn is_opaque(script: &str, tokens: &[Token]) -> bool {
    let runs = |token: &Token| {
        let text = token.text(script);
        token.kind == TokenKind::Interpolated && (text.contains("$[") || text.contains("$("))
    };
    depth(tokens) >= MAX_DEPTH || tokens.iter().any(runs)
}

/// How many brackets are open at most.
fn depth(tokens: &[Token]) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for token in tokens {
        match token.kind {
            TokenKind::Open(_) => open += 1,
            TokenKind::Close(_) => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

fn is_only_menu(visit: &Visit<'_, '_>) -> bool {
    let statement = visit.statement;
    visit.has_words
        && statement.verb.is_none()
        && statement.arguments.is_empty()
        && statement.find.is_none()
}

/// Whether a statement is known to be carried out the same in a block of its own, and to change
/// nothing for those behind it but the configuration. Whether it has a menu before it, and whether it
/// is in a block, which keeps its variables to itself.
fn stands_alone(visit: &Visit<'_, '_>, has_menu: bool, is_kept: bool) -> bool {
    let statement = visit.statement;
    // A block in a string is not looked into.
    if statement.arguments.iter().any(|(name, value)| is_unseen(statement, name, value)) {
        return false;
    }
    let is_inner = visit.depth > 0;
    match statement.verb.as_deref() {
        Some(":parse") => is_kept && code_stands_alone(statement.text),
        Some(verb) if verb.starts_with(':') => {
            ALONE.contains(&verb) || (is_kept && IN_BLOCKS.contains(&verb))
        }
        // A function is not known; one in a block was made in it, or leaves nothing here.
        _ if !visit.has_words => is_inner || statement.text.starts_with('{'),
        // Of an array.
        None if visit.inside == Inside::Value => true,
        Some(verb) if statement.menu == "/" || TOGETHER.contains(&verb) => false,
        _ => {
            let is_placed = visit.is_absolute || is_inner || (has_menu && !is_only_menu(visit));
            is_placed && visit.unknown.is_none() && is_menu(&statement.menu)
        }
    }
}

/// Whether the code that a `:parse` makes a function of stands alone: texts, put together or not.
fn code_stands_alone(parse: &str) -> bool {
    let mut code = String::new();
    for token in lex(parse) {
        match token.kind {
            TokenKind::String(text) => code.push_str(&text),
            TokenKind::Word
            | TokenKind::Continuation
            | TokenKind::Open('(')
            | TokenKind::Close(')') => {}
            _ => return false,
        }
    }
    let tokens = lex(&code);
    let mut is_alone = is_certain(&code, &tokens) && !is_opaque(&code, &tokens);
    walk(&code, &tokens, "/", &mut |visit| {
        // A function ends by it, and not what calls it.
        let is_return = visit.statement.verb.as_deref() == Some(":return");
        is_alone = is_alone && (is_return || stands_alone(visit, false, true));
    });
    is_alone
}
