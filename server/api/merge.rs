//! Bodies that change something: JSON merge patch (RFC 7396), read with the place of what is wrong.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use crate::error::Error;

/// What a patch makes of a document. A new thing is a patch of the empty document.
pub(super) fn apply<T: DeserializeOwned>(mut document: Value, patch: Value) -> Result<T, Error> {
    if !patch.is_object() {
        return Err(Error::invalid("", "the body is a JSON object"));
    }
    merge(&mut document, patch);
    serde_path_to_error::deserialize(document)
        .map_err(|e| Error::invalid(pointer(e.path()), e.inner().to_string()))
}

/// RFC 7396 2.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { unreachable!("it was made an object") };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(&name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// RFC 6901
fn pointer(path: &Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_does_as_the_rfc_shows() {
        // RFC 7396 appendix A, those whose patch is an object.
        for (target, patch, result) in [
            (json!({ "a": "b" }), json!({ "a": "c" }), json!({ "a": "c" })),
            (json!({ "a": "b" }), json!({ "b": "c" }), json!({ "a": "b", "b": "c" })),
            (json!({ "a": "b" }), json!({ "a": null }), json!({})),
            (json!({ "a": "b", "b": "c" }), json!({ "a": null }), json!({ "b": "c" })),
            (json!({ "a": ["b"] }), json!({ "a": "c" }), json!({ "a": "c" })),
            (json!({ "a": "c" }), json!({ "a": ["b"] }), json!({ "a": ["b"] })),
            (
                json!({ "a": { "b": "c" } }),
                json!({ "a": { "b": "d", "c": null } }),
                json!({ "a": { "b": "d" } }),
            ),
            (json!({ "a": [{ "b": "c" }] }), json!({ "a": [1] }), json!({ "a": [1] })),
            (json!({ "e": null }), json!({ "a": 1 }), json!({ "e": null, "a": 1 })),
            (json!([1, 2]), json!({ "a": "b", "c": null }), json!({ "a": "b" })),
            (json!({}), json!({ "a": { "bb": { "ccc": null } } }), json!({ "a": { "bb": {} } })),
        ] {
            let merged: Value = apply(target.clone(), patch.clone()).unwrap();
            assert_eq!(merged, result, "{patch} on {target}");
        }
        assert!(apply::<Value>(json!({}), json!(["c"])).is_err());
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        #[serde(rename = "a/b")]
        _numbers: Vec<u8>,
    }

    #[test]
    fn what_cannot_be_read_is_pointed_at() {
        for (body, place, words) in [
            (json!({ "a/b": [1, "x"] }), "/a~1b/1", "invalid type"),
            (json!({ "a/b": [], "c": 1 }), "/c", "unknown field `c`"),
            (json!({ "a/b": null }), "", "missing field `a/b`"),
        ] {
            let Err(Error::Invalid { pointer, message }) = apply::<Thing>(json!({}), body) else {
                panic!("it was taken");
            };
            assert_eq!(pointer, place);
            assert!(message.contains(words), "{message}");
        }
    }
}
