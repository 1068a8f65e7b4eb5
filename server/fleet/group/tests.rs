#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;

fn group(id: u128, name: &str, selector: Option<&str>) -> Group {
    Group {
        group_id: Uuid::from_u128(id),
        name: name.to_owned(),
        description: String::new(),
        selector: selector.map(str::to_owned),
        created_by: "test".to_owned(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

/// `pilots` is a list, `old` a selector, and `mine` names both.
fn some() -> Vec<Group> {
    vec![
        group(1, "pilots", None),
        group(2, "old", Some("version < 7")),
        group(3, "mine", Some("group = pilots and group = old")),
    ]
}

fn place(result: Result<(), Error>) -> String {
    match result.unwrap_err() {
        Error::Invalid { pointer, .. } => pointer,
        Error::Conflict(why) => why,
        other => panic!("{other}"),
    }
}

#[test]
fn a_selector_is_read_group_by_group() {
    let mut known = Meanings::new();
    assert_eq!(attempt("group = mine or group = gone", &known).1, ["gone", "mine"]);
    known.insert("gone".to_owned(), None);
    known.extend(some().iter().filter(|g| g.name == "mine").map(meaning));
    assert!(attempt("group = gone", &known).0.is_err());
    assert_eq!(attempt("group = mine", &known).1, ["old", "pilots"]);
    known.extend(some().iter().map(meaning));
    let (result, unknown) = attempt("group = mine", &known);
    assert!(result.is_ok() && unknown.is_empty());
}

#[test]
fn a_new_group_fits_among_the_others() {
    let all = some();
    let check = |name: &str, selector| check_among(&all, None, Some(&group(9, name, selector)));
    assert!(check("new", None).is_ok());
    assert!(check("new", Some("group = mine and not online")).is_ok());
    assert!(place(check("old", None)).contains("already is a group `old`"));
    assert_eq!(place(check("new", Some("group = gone"))), "/selector");
    assert_eq!(place(check("new", Some("modle = x"))), "/selector");
    assert_eq!(place(check("new", Some("group = new"))), "/selector");
}

#[test]
fn no_change_breaks_another_group() {
    let all = some();
    let renamed = group(1, "testers", None);
    for (before, after) in [(&all[0], Some(&renamed)), (&all[1], None)] {
        let why = place(check_among(&all, Some(before), after));
        assert!(why.contains("`mine` names it"), "{why}");
    }
    assert!(check_among(&all, Some(&all[2]), None).is_ok());
    assert!(check_among(&all, Some(&all[0]), Some(&all[0])).is_ok());
    // A ring is an error of the group that closes it.
    let ring = group(2, "old", Some("group = mine"));
    assert_eq!(place(check_among(&all, Some(&all[1]), Some(&ring))), "/selector");
}

#[test]
fn no_change_breaks_a_rollout_or_a_rule() {
    let all = some();
    let rollout = |text: &str| [("spring".to_owned(), text.to_owned())];
    let renamed = group(1, "testers", None);
    let named = rollout("online and group = pilots");
    let check = |before, after, named: &[(String, String)]| {
        check_named("rollout", &all, before, after, named)
    };
    for after in [Some(&renamed), None] {
        let why = place(check(&all[0], after, &named));
        assert!(why.contains("the rollout `spring` names it"), "{why}");
    }
    assert!(check(&all[0], Some(&all[0]), &named).is_ok());
    assert!(check(&all[2], None, &named).is_ok());
    // It cannot be read as it is.
    assert!(check(&all[0], None, &rollout("group = gone")).is_ok());
}

#[test]
fn a_group_that_was_broken_before_stands_in_nobodys_way() {
    let mut all = some();
    all.push(group(4, "broken", Some("group = gone")));
    assert!(check_among(&all, None, Some(&group(9, "new", None))).is_ok());
}

#[test]
fn the_devices_of_a_group_are_found_by_its_name_whatever_it_is() {
    for name in ["pilot", "first wave", "a\"b", "c\\", "not \"it\" or \\"] {
        let known = |found: &str| (found == name).then(|| GroupMeaning::Members(Uuid::nil()));
        assert!(parse(&selector_of(name), &known).is_ok(), "{name}");
    }
}

#[test]
fn it_is_told_whom_a_group_bounds() {
    let names = |count: usize| (1..=count).map(|n| format!("n{n}")).collect::<Vec<_>>();
    let of = |users, tokens| {
        told(&Holders { users: names(users), tokens: names(tokens) }).unwrap_or_default()
    };
    assert_eq!(of(0, 0), "");
    assert_eq!(of(1, 0), "the user `n1`");
    assert_eq!(of(2, 1), "the users `n1`, `n2` and the token `n1`");
    assert_eq!(of(0, 7), "the tokens `n1`, `n2`, `n3`, `n4`, `n5`, 2 more");
}

#[test]
fn what_a_group_may_be() {
    let fields = |name: Option<&str>, description: &str| GroupFields {
        name: name.map(str::to_owned),
        description: Some(description.to_owned()),
        selector: None,
    };
    let filled = |fields| filled(group(1, "", None), fields).map(|_| ());
    assert!(filled(fields(Some("Pilots, Rīga"), "first wave")).is_ok());
    assert_eq!(place(filled(fields(None, ""))), "/name");
    assert_eq!(place(filled(fields(Some(" x"), ""))), "/name");
    let long = "x".repeat(MAX_DESCRIPTION + 1);
    assert_eq!(place(filled(fields(Some("x"), &long))), "/description");
}
