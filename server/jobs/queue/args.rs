//! A job's arguments: the values of secret parameters are sealed in the row and masked for people.

use serde_json::{Value, json};

use crate::error::Error;
use crate::fleet::secret::{Keys, MASK, is_secret};
use crate::jobs::spec::JobSpec;
use crate::store::jobs::Job;

/// The arguments with the values of secret parameters sealed.
pub(super) fn sealed(keys: &Keys, spec: &JobSpec) -> Result<Value, Error> {
    let sealed = map_secrets(spec.clone(), &|name, value| Ok(keys.seal_text(value, name)))?;
    serde_json::to_value(sealed).map_err(|e| Error::Internal(e.to_string()))
}

/// What a job asks for, with its secrets in clear: for the device, and for another job like it.
///
/// # Errors
/// [`Error::Internal`] where the arguments cannot be read.
pub fn opened(keys: &Keys, job: &Job) -> Result<JobSpec, Error> {
    let spec = serde_json::from_value(job.args.clone())
        .map_err(|e| Error::Internal(format!("job {}: {e}", job.job_id)))?;
    map_secrets(spec, &|name, value| keys.open_text(value, name))
}

/// The arguments as people may see them.
pub fn masked_args(args: &Value) -> Value {
    let mut shown = args.clone();
    for list in ["parameters", "operations"] {
        let Some(Value::Array(entries)) = shown.get_mut(list) else { continue };
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            if entry.get("name").and_then(Value::as_str).is_some_and(is_secret) {
                entry.insert("value".to_owned(), json!(MASK));
            }
            if entry.get("password").is_some_and(Value::is_string) {
                entry.insert("password".to_owned(), json!(MASK));
            }
        }
    }
    shown
}

fn map_secrets(
    mut spec: JobSpec,
    change: &dyn Fn(&str, &str) -> Result<String, Error>,
) -> Result<JobSpec, Error> {
    if let JobSpec::Set { parameters } | JobSpec::AddObject { parameters, .. } = &mut spec {
        for p in parameters.iter_mut().filter(|p| is_secret(&p.name)) {
            p.value = change(&p.name, &p.value)?;
        }
    }
    if let JobSpec::ChangeDuState { operations } = &mut spec {
        use muster_cwmp::rpc::DuOperation;
        for operation in operations {
            if let DuOperation::Install { password: Some(p), .. }
            | DuOperation::Update { password: Some(p), .. } = operation
            {
                *p = change("password", p)?;
            }
        }
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::jobs::spec::SetParameter;

    #[test]
    fn a_secret_is_sealed_in_the_row_and_masked_for_people() {
        let keys = Keys::new([1; 32]);
        let p =
            |name: &str| SetParameter { name: name.into(), value: "hunter2".into(), kind: None };
        let spec = JobSpec::Set {
            parameters: vec![p("Device.WiFi.AccessPoint.1.Security.KeyPassphrase"), p("Device.X")],
        };
        let args = sealed(&keys, &spec).unwrap();
        assert_eq!(args.to_string().matches("hunter2").count(), 1, "only the plain one");
        let opened = map_secrets(serde_json::from_value(args.clone()).unwrap(), &|n, v| {
            keys.open_text(v, n)
        });
        assert_eq!(opened.unwrap(), spec);
        assert_eq!(masked_args(&args)["parameters"][0]["value"], MASK);
        assert_eq!(masked_args(&args)["parameters"][1]["value"], "hunter2");
    }
}
