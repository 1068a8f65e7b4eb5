use proptest::prelude::*;

use super::*;

const BEFORE: &str = "/interface bridge\nadd name=lan\n/ip address\nadd address=10.0.0.1/24 interface=lan\n\
    add address=10.0.1.1/24 interface=guest\n/ip dns\nset servers=1.1.1.1\n/ip pool\nadd name=a\n\
    add name=b\n/system identity\nset name=R-1\n";

/// Each line with a sign before it, changed pieces in brackets.
fn shown(before: &str, after: &str) -> Vec<String> {
    let side = |pieces: &Option<Vec<Piece>>| -> String {
        let show = |piece: &Piece| match piece.changed {
            true => format!("<{}>", piece.text),
            false => piece.text.clone(),
        };
        pieces.iter().flatten().map(show).collect()
    };
    let show = |line: DiffLine| {
        let sides = (side(&line.before), side(&line.after));
        match line.kind {
            Kind::Same => format!("  {} {}", line.menu, sides.0),
            Kind::Added => format!("+ {} {}", line.menu, sides.1),
            Kind::Removed => format!("- {} {}", line.menu, sides.0),
            Kind::Changed => format!("~ {} {} | {}", line.menu, sides.0, sides.1),
            Kind::Gap => "...".to_owned(),
        }
    };
    diff(before, after).into_iter().map(show).collect()
}

#[test]
fn what_is_the_same_has_no_difference() {
    assert!(diff(BEFORE, BEFORE).is_empty());
    assert!(diff("", "").is_empty());
    assert_eq!(count(BEFORE, BEFORE), (0, 0));
}

#[test]
fn a_changed_word_is_shown_in_its_line_and_menu() {
    let after = BEFORE.replace("servers=1.1.1.1", "servers=9.9.9.9");
    assert_eq!(
        shown(BEFORE, &after),
        [
            "...",
            "  /ip/address add address=10.0.0.1/24 interface=lan",
            "  /ip/address add address=10.0.1.1/24 interface=guest",
            "  /ip/dns /ip dns",
            "~ /ip/dns set servers=<1.1.1.1> | set servers=<9.9.9.9>",
            "  /ip/pool /ip pool",
            "  /ip/pool add name=a",
            "  /ip/pool add name=b",
            "...",
        ]
    );
    assert_eq!(count(BEFORE, &after), (1, 1));
}

#[test]
fn lines_that_come_and_go_are_shown_alone() {
    let after = BEFORE.replace("add name=a\n", "").replace("R-1\n", "R-1\nset note=x\n");
    assert_eq!(
        shown(BEFORE, &after),
        [
            "...",
            "  /ip/dns /ip dns",
            "  /ip/dns set servers=1.1.1.1",
            "  /ip/pool /ip pool",
            "- /ip/pool <add name=a>",
            "  /ip/pool add name=b",
            "  /system/identity /system identity",
            "  /system/identity set name=R-1",
            "+ /system/identity <set note=x>",
        ]
    );
    assert_eq!(count(BEFORE, &after), (1, 1));
}

#[test]
fn a_line_is_paired_with_the_one_that_is_most_like_it() {
    let before = "/ip address\nadd address=10.0.0.1/24 interface=lan comment=one\n";
    let after = "/ip address\nadd address=10.9.0.1/24 interface=wan comment=two\n\
                 add address=10.0.0.1/24 interface=lan comment=three\n";
    assert_eq!(
        shown(before, after)[1..],
        [
            "+ /ip/address <add address=10.9.0.1/24 interface=wan comment=two>",
            "~ /ip/address add address=10.0.0.1/24 interface=lan comment=<one> | \
             add address=10.0.0.1/24 interface=lan comment=<three>",
        ]
    );
}

#[test]
fn the_same_words_in_another_menu_are_another_line() {
    let before = "/ip pool\nadd name=a\n";
    let after = "/ip dns\nadd name=a\n";
    let kinds: Vec<_> = diff(before, after).iter().map(|line| line.kind).collect();
    assert_eq!(kinds, [Kind::Removed, Kind::Removed, Kind::Added, Kind::Added]);
    // A whole command changes no menu.
    let lines = lines("/ip pool\n/ip dns set servers=1.1.1.1\nadd name=a", &Rc::from("/"));
    let menus: Vec<_> = lines.iter().map(|line| &*line.menu).collect();
    assert_eq!(menus, ["/ip/pool", "/ip/dns", "/ip/pool"]);
}

#[test]
fn words_are_split_at_room_and_behind_equals_signs() {
    assert_eq!(words("set a=b  c=\"d e\""), ["set", " ", "a=", "b", "  ", "c=", "\"d", " ", "e\""]);
    assert_eq!(words(""), Vec::<&str>::new());
    assert_eq!(words(&"a ".repeat(MAX_WORDS)).concat(), "a ".repeat(MAX_WORDS));
}

#[test]
fn what_is_too_long_is_cut() {
    let long = "add name=a\n".repeat(MAX_LINES + 1);
    let other = format!("/ip pool\n{long}");
    assert!(is_cut(&long, &other) && !is_cut(&long, &long));
    let (added, removed) = count(&long, &other);
    assert!(added.max(removed) < MAX_LINES + 10, "{added} {removed}");
}

#[test]
fn what_is_the_same_at_both_ends_is_never_too_much() {
    let long = "add name=a\n".repeat(MAX_LINES + 1);
    let filter = |long: &str, action: &str, behind: &str| {
        format!("/ip pool\n{long}/ip firewall filter\nadd chain=input action={action}\n{behind}")
    };
    for (long, behind) in [(&*long, ""), ("", &*long), (&*long, &*long)] {
        let (before, after) = (filter(long, "drop", behind), filter(long, "accept", behind));
        assert_eq!(count(&before, &after), (1, 1));
        let lines = diff(&before, &after);
        let changed: Vec<_> = lines.iter().filter(|line| line.kind == Kind::Changed).collect();
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].menu, "/ip/firewall/filter");
        assert!(lines.len() < 10 && !is_cut(&before, &after));
    }
    // The same words behind another menu are not the same.
    let (before, after) = ("/ip pool\nadd name=a\n/ip dns\n", "/ip address\nadd name=a\n/ip dns\n");
    assert_eq!(count(before, after), (2, 2));
}

const LINES: [&str; 8] = [
    "/ip pool",
    "/ip dns",
    "/ip dns set servers=1.1.1.1",
    "add name=a",
    "add name=a ranges=1-2",
    "add name=b ranges=1-2 comment=\"x  y\"",
    "set servers=1.1.1.1",
    "set servers=9.9.9.9",
];

fn body() -> impl Strategy<Value = String> {
    let lines = proptest::collection::vec(proptest::sample::select(LINES.to_vec()), 0..40);
    lines.prop_map(|lines| lines.iter().map(|line| format!("{line}\n")).collect())
}

/// Whether these are lines of a text with their menus, in order.
fn are_of<'a>(mut shown: impl Iterator<Item = (&'a str, &'a Vec<Piece>)>, text: &str) -> bool {
    let lines = lines(text, &Rc::from("/"));
    let mut rest = lines.iter();
    shown.all(|(menu, pieces)| {
        let said: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        rest.any(|line| line.text == said && &*line.menu == menu)
    })
}

proptest! {
    #[test]
    fn the_pieces_of_each_side_are_its_lines_in_order(before in body(), after in body()) {
        let lines = diff(&before, &after);
        let old = lines.iter().filter_map(|line| Some((&*line.menu, line.before.as_ref()?)));
        prop_assert!(are_of(old, &before));
        let new = lines.iter().filter_map(|line| Some((&*line.menu, line.after.as_ref()?)));
        prop_assert!(are_of(new, &after));
        // What is not told to have changed is on both sides.
        let (added, removed) = count(&before, &after);
        prop_assert_eq!(before.lines().count() - removed, after.lines().count() - added);
        // What did not change in a line is the same on both sides.
        for line in lines.iter().filter(|line| line.kind == Kind::Changed) {
            let same = |side: &Option<Vec<Piece>>| -> String {
                let pieces = side.iter().flatten().filter(|piece| !piece.changed);
                pieces.map(|piece| piece.text.as_str()).collect()
            };
            prop_assert_eq!(same(&line.before), same(&line.after));
        }
    }
}
