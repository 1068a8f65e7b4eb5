//! Two exports of any text, a NUL byte between them: making them comparable, hiding their secrets and
//! comparing them never panics, a secret behind any text is hidden, and a difference has as many lines
//! as it counts, which are those of both sides in their order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_routeros::export::{Kind, Piece, count, diff, normalise, redact};

const SECRET: &str = "QXsecretXQ";

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (before, after) = text.split_once('\0').unwrap_or((&*text, ""));
    look(before, after);
});

fn look(before: &str, after: &str) {
    let (before, after) = (normalise(before).body, normalise(after).body);
    let lines = diff(&before, &after);
    let of = |kind| lines.iter().filter(|line| line.kind == kind).count();
    let changed = of(Kind::Changed);
    assert_eq!(count(&before, &after), (of(Kind::Added) + changed, of(Kind::Removed) + changed));
    assert!(diff(&after, &after).is_empty());
    assert!(are_of(lines.iter().filter_map(|line| line.before.as_ref()), &before));
    assert!(are_of(lines.iter().filter_map(|line| line.after.as_ref()), &after));
    let secret = format!("{before}\n/ppp secret\nadd name=x password={SECRET}\n");
    assert!(before.contains(SECRET) || !redact(&secret).contains(SECRET));
}

/// Whether the pieces of each are a line of this text, one behind the other.
fn are_of<'a>(mut shown: impl Iterator<Item = &'a Vec<Piece>>, text: &str) -> bool {
    let mut rest = text.lines();
    shown.all(|pieces| {
        let said: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        rest.any(|line| line == said)
    })
}
