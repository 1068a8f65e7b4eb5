//! How a job is shown: without secrets.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fleet::secret::{MASK, is_secret};
use crate::jobs::queue::masked_args;
use crate::store::jobs::Job;

/// A job.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobView {
    /// Which. Its 32 hexadecimal digits are the CommandKey that the device is given.
    job_id: Uuid,
    /// Whose.
    device_id: Uuid,
    /// Such as `get` or `download`.
    kind: String,
    /// What was asked for; secrets are `********`.
    args: Value,
    /// queued, running, waiting (accepted by the device, its report is due), done, failed,
    /// cancelled or expired.
    state: String,
    /// Why it is in this state, in words.
    note: Option<String>,
    /// Not before this time.
    not_before: DateTime<Utc>,
    /// Given up at this time if it never ran.
    expires_at: DateTime<Utc>,
    /// For `waiting`: until when the report is waited for.
    confirm_by: Option<DateTime<Utc>>,
    /// Attempts so far.
    attempts: i32,
    /// Attempts in all.
    max_attempts: i32,
    /// While the job is open, asking again with this key gives this job.
    idempotency_key: Option<String>,
    /// Name of the user or token that asked for it, or `muster`.
    created_by: String,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// What the device answered, by kind; secrets are `********`.
    result: Option<Value>,
    /// The last fault of the device.
    fault: Option<Value>,
    /// The rollout that it is part of.
    rollout_id: Option<Uuid>,
}

impl JobView {
    pub(super) fn of(job: Job) -> Self {
        Self {
            job_id: job.job_id,
            device_id: job.device_id,
            kind: job.kind,
            args: masked_args(&job.args),
            state: job.state,
            note: job.note,
            not_before: job.not_before,
            expires_at: job.expires_at,
            confirm_by: job.confirm_by,
            attempts: job.attempts,
            max_attempts: job.max_attempts,
            idempotency_key: job.idempotency_key,
            created_by: job.created_by,
            created_at: job.created_at,
            finished_at: job.finished_at,
            result: job.result.map(masked),
            fault: job.fault,
            rollout_id: job.rollout_id,
        }
    }
}

/// The value with `value` masked wherever it stands beside a secret's `name`.
pub(super) fn masked(mut value: Value) -> Value {
    mask(&mut value);
    value
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let secret = fields.get("name").and_then(Value::as_str).is_some_and(is_secret);
            if secret && let Some(value) = fields.get_mut("value") {
                *value = Value::from(MASK);
            }
            fields.values_mut().for_each(mask);
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(args: Value, result: Value) -> Job {
        let now = DateTime::UNIX_EPOCH;
        Job {
            device_id: Uuid::nil(),
            job_id: Uuid::nil(),
            kind: "get".to_owned(),
            args,
            state: "done".to_owned(),
            not_before: now,
            expires_at: now,
            confirm_by: None,
            attempts: 1,
            max_attempts: 3,
            lease: None,
            leased_until: None,
            idempotency_key: None,
            created_by: "ci".to_owned(),
            created_at: now,
            finished_at: None,
            result: Some(result),
            fault: None,
            note: None,
            rollout_id: None,
            unkept: false,
        }
    }

    #[test]
    fn secrets_are_masked_in_what_was_asked_and_in_what_was_answered() {
        let list = || {
            json!([
                { "name": "Device.WiFi.AccessPoint.1.Security.KeyPassphrase", "value": "hunter2" },
                { "name": "Device.DeviceInfo.ProvisioningCode", "value": "plain" },
            ])
        };
        let args = json!({ "kind": "set", "parameters": list() });
        let view = JobView::of(job(args, json!({ "parameters": list() })));
        for shown in [&view.args, view.result.as_ref().unwrap_or(&Value::Null)] {
            assert_eq!(shown["parameters"][0]["value"], MASK);
            assert_eq!(shown["parameters"][1]["value"], "plain");
        }
    }

    #[test]
    fn what_is_no_parameter_stays() {
        let value = json!({ "name": "Device.X.Password", "skipped": [["a.", "9005"]], "n": 3 });
        assert_eq!(masked(value.clone()), value);
    }
}
