//! The body that orders a job: what to do, and when, in one flat object.
//!
//! Owns the split between the two, and that a key nobody reads is an error: a misspelt `not_before`
//! must not reboot a site at noon. serde cannot say it by itself, for it ignores unknown fields of
//! unit variants and of flattened parts. What may be ordered at all is for `service::jobs` to say.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error::Error;
use crate::jobs::spec::JobSpec;
use crate::service::jobs::NewOrder;

/// A job to be made: the fields of its kind, and these.
#[derive(Debug, Clone, PartialEq, Eq, ToSchema)]
pub(super) struct JobRequest {
    #[serde(flatten)]
    pub spec: JobSpec,
    /// Not before this time; now when absent.
    pub not_before: Option<DateTime<Utc>>,
    /// Given up at this time if it never ran; after seven days when absent.
    pub expires_at: Option<DateTime<Utc>>,
    /// While a job of the device with this key is open, asking again gives that one.
    pub idempotency_key: Option<String>,
    /// Whether the device is woken for it; true when absent.
    pub wake: Option<bool>,
    /// Whether the device's configuration is kept before it is changed; a script, a configuration or a
    /// factory reset is called back where that fails. When absent it is, unless a profile says otherwise;
    /// before any other change only of a device that has an accepted configuration.
    pub backup: Option<bool>,
}

impl JobRequest {
    /// Reads a body.
    pub(super) fn parse(body: Value) -> Result<Self, Error> {
        let Value::Object(mut fields) = body else {
            return Err(Error::invalid("", "the body is a JSON object"));
        };
        let not_before = take(&mut fields, "not_before")?;
        let expires_at = take(&mut fields, "expires_at")?;
        let idempotency_key = take(&mut fields, "idempotency_key")?;
        let wake = take(&mut fields, "wake")?;
        let backup = take(&mut fields, "backup")?;
        let asked = Value::Object(fields);
        let spec: JobSpec =
            serde_json::from_value(asked.clone()).map_err(|e| Error::invalid("", e.to_string()))?;
        let taken = serde_json::to_value(&spec).map_err(|e| Error::Internal(e.to_string()))?;
        if let Some(pointer) = unread(&asked, &taken) {
            return Err(Error::invalid(pointer, "unknown field"));
        }
        Ok(Self { spec, not_before, expires_at, idempotency_key, wake, backup })
    }
}

impl From<JobRequest> for NewOrder {
    fn from(request: JobRequest) -> Self {
        let JobRequest { spec, not_before, expires_at, idempotency_key, wake, backup } = request;
        Self { spec, not_before, expires_at, idempotency_key, wake, backup }
    }
}

fn take<T: DeserializeOwned>(
    fields: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<T>, Error> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value)
            .map(Some)
            .map_err(|e| Error::invalid(format!("/{name}"), e.to_string())),
    }
}

/// RFC 6901 pointer to the first field of `asked` that is not in what was read of it.
fn unread(asked: &Value, taken: &Value) -> Option<String> {
    match (asked, taken) {
        (Value::Object(asked), Value::Object(taken)) => {
            asked.iter().filter(|(_, value)| !value.is_null()).find_map(|(name, value)| {
                let below = match taken.get(name) {
                    Some(taken) => unread(value, taken)?,
                    None => String::new(),
                };
                let name = name.replace('~', "~0").replace('/', "~1");
                Some(format!("/{name}{below}"))
            })
        }
        (Value::Array(asked), Value::Array(taken)) => asked
            .iter()
            .zip(taken)
            .enumerate()
            .find_map(|(i, (asked, taken))| Some(format!("/{i}{}", unread(asked, taken)?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn refused(body: Value) -> (String, String) {
        match JobRequest::parse(body) {
            Err(Error::Invalid { pointer, message }) => (pointer, message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_body_is_split_into_what_and_when() {
        let body = json!({
            "kind": "get", "names": ["Device."], "not_before": "2030-01-02T03:04:05Z",
            "idempotency_key": "k", "wake": false, "expires_at": null,
        });
        let request = JobRequest::parse(body).unwrap();
        assert_eq!(request.spec, JobSpec::Get { names: vec!["Device.".to_owned()] });
        assert_eq!(request.not_before.unwrap().timestamp(), 1_893_553_445);
        assert_eq!((request.expires_at, request.wake), (None, Some(false)));
        assert_eq!(request.idempotency_key.as_deref(), Some("k"));
    }

    #[test]
    fn an_unknown_key_is_named_wherever_it_stands() {
        let (_, message) = refused(json!({ "kind": "get", "nmaes": ["Device."] }));
        assert!(message.contains("unknown field `nmaes`"), "{message}");
        let unknown = |pointer: &str| (pointer.to_owned(), "unknown field".to_owned());
        let typo = json!({ "kind": "reboot", "not_befor": "2030-01-01T00:00:00Z" });
        assert_eq!(refused(typo), unknown("/not_befor"));
        let operation = json!({ "operation": "uninstall", "uuid": "u", "versoin": "1" });
        let nested = json!({ "kind": "change_du_state", "operations": [operation] });
        assert_eq!(refused(nested), unknown("/operations/0/versoin"));
        let file = json!({ "type": "log", "instance": 1 });
        assert_eq!(refused(json!({ "kind": "upload", "file": file })), unknown("/file/instance"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(refused(json!([])).1.contains("object"));
        assert!(refused(json!({})).1.contains("missing field `kind`"));
        assert!(refused(json!({ "kind": "explode" })).1.contains("unknown variant `explode`"));
        assert!(refused(json!({ "kind": "get" })).1.contains("missing field `names`"));
        assert_eq!(refused(json!({ "kind": "reboot", "wake": "no" })).0, "/wake");
        assert_eq!(refused(json!({ "kind": "factory_reset", "backup": "no" })).0, "/backup");
        assert_eq!(
            refused(json!({ "kind": "reboot", "idempotency_key": 7 })).0,
            "/idempotency_key"
        );
    }

    /// The bodies of all `api --json '...' ".../jobs"` lines of the manual, shell variables filled in.
    fn examples() -> Vec<Value> {
        let mut manual = include_str!("../../docs/api.md").to_owned();
        for (n, variable) in ["ARTIFACT", "JOB", "ROUTEROS", "CLIENT"].iter().enumerate() {
            let id = format!("0193f6a1-0000-7000-8000-{n:012}");
            manual = manual.replace(&format!("'\"${variable}\"'"), &id);
        }
        let commands = manual.split("--json '").skip(1);
        commands
            .filter_map(|command| command.split_once('\''))
            .filter(|(_, rest)| rest.lines().next().is_some_and(|url| url.contains("/jobs\"")))
            .map(|(body, _)| serde_json::from_str(body).unwrap())
            .collect()
    }

    #[test]
    fn the_manual_shows_every_kind_and_each_example_is_taken() {
        let mut shown = BTreeSet::new();
        for body in examples() {
            let request = JobRequest::parse(body.clone())
                .unwrap_or_else(|e| panic!("{body}: {}", e.private()));
            request.spec.validate().unwrap_or_else(|e| panic!("{body}: {}", e.private()));
            shown.insert(request.spec.kind());
        }
        let error = serde_json::from_value::<JobSpec>(json!({ "kind": "?" })).unwrap_err();
        let all = error.to_string();
        // "unknown variant `?`, expected one of `get`, `set`, .."
        for kind in all.split('`').skip(3).step_by(2) {
            // Muster's own.
            if matches!(kind, "credentials" | "configure") {
                continue;
            }
            assert!(shown.contains(kind), "docs/api.md shows no {kind}");
        }
        assert!(shown.len() >= 19, "{shown:?}");
    }
}
