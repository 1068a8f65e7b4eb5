#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::fleet::label::MAX_TAGS;

fn at(site: Option<&str>, tags: &[&str]) -> Placement {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Placement { site: site.map(str::to_owned), tags, ..Placement::default() }
}

fn tags(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

#[test]
fn a_change_changes_only_what_it_says() {
    let after = |change: Change| change.of(at(Some("eu"), &["a", "b"])).unwrap();
    let tagged = after(Change::AddTags { tags: tags(&["c", "a"]) });
    assert_eq!(tagged, at(Some("eu"), &["a", "b", "c"]));
    let untagged = after(Change::RemoveTags { tags: tags(&["a", "x"]) });
    assert_eq!(untagged, at(Some("eu"), &["b"]));
    let moved = after(Change::Move { site: "us".to_owned() });
    assert_eq!(moved, at(Some("us"), &["a", "b"]));
    assert_eq!(after(Change::MoveOut {}), at(None, &["a", "b"]));
    let group_id = Uuid::nil();
    for group in [Change::AddToGroup { group_id }, Change::RemoveFromGroup { group_id }] {
        assert_eq!(after(group.clone()), at(Some("eu"), &["a", "b"]));
        assert_eq!(group.group(), Some(group_id));
    }
}

#[test]
fn too_many_tags_are_the_devices_own() {
    let many: Vec<String> = (0..MAX_TAGS).map(|n| format!("t{n}")).collect();
    let full = Placement { tags: many, ..Placement::default() };
    let change = Change::AddTags { tags: tags(&["one-more"]) };
    let mut done = Changed::default();
    done.take(Uuid::nil(), change.of(full).map(|_| true)).unwrap();
    assert_eq!((done.changed, done.skipped), (0, 1));
    assert!(done.reasons[0].why.contains("at most 50 tags"), "{:?}", done.reasons);
}

#[test]
fn what_is_wrong_for_all_is_pointed_at() {
    let place = |tags: &[String]| match check_tags(tags).unwrap_err() {
        Error::Invalid { pointer, .. } => pointer,
        other => panic!("{other}"),
    };
    assert_eq!(place(&[]), "/change/tags");
    assert_eq!(place(&tags(&["ok", "a b"])), "/change/tags/1");
    assert!(check_tags(&tags(&["ok"])).is_ok());
}

#[test]
fn a_kind_is_written_as_it_is_called() {
    for change in [
        Change::AddTags { tags: tags(&["a"]) },
        Change::RemoveTags { tags: tags(&["a"]) },
        Change::Move { site: "eu".to_owned() },
        Change::MoveOut {},
        Change::AddToGroup { group_id: Uuid::nil() },
        Change::RemoveFromGroup { group_id: Uuid::nil() },
    ] {
        let written = serde_json::to_value(&change).unwrap();
        assert_eq!(written["kind"], change.word());
        assert_eq!(serde_json::from_value::<Change>(written).unwrap(), change);
    }
    for wrong in [
        json!({ "kind": "move" }),
        json!({ "kind": "move_out", "site": "eu" }),
        json!({ "kind": "add_tags", "tags": ["a"], "tag": "b" }),
    ] {
        assert!(serde_json::from_value::<Change>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn what_fails_on_one_device_does_not_stop_the_others() {
    let id = Uuid::from_u128(7);
    let mut done = Changed::default();
    assert!(done.is_nothing());
    let denied = || Err(Error::Denied("not there".to_owned()));
    for result in [Ok(true), Ok(false), denied()] {
        done.take(id, result).unwrap();
    }
    assert_eq!((done.changed, done.unchanged, done.skipped), (1, 1, 1));
    assert_eq!(done.reasons[0], Skipped { device_id: id, why: "not there".to_owned() });
    let away = Err(Error::Database(sqlx::Error::PoolClosed));
    assert!(matches!(done.take(id, away), Err(Error::Database(_))));
    for _ in 0..REASONS {
        let mut batch = Changed::default();
        batch.take(id, denied()).unwrap();
        done.add(batch);
    }
    assert_eq!((done.skipped, done.reasons.len()), (21, REASONS));
}
