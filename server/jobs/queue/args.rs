//! A job's arguments: the values of secret parameters are sealed in the row and masked for people.

use serde_json::{Value, json};

use crate::error::Error;
use crate::fleet::secret::{Keys, MASK, is_secret, link};
use crate::jobs::spec::JobSpec;
use crate::store::jobs::Job;

/// The arguments with the values of secret parameters sealed.
pub(super) fn sealed(keys: &Keys, spec: &JobSpec) -> Result<Value, Error> {
    let mut sealed = spec.clone();
    for (name, value) in sealed.secrets_mut() {
        *value = keys.seal_text(value, name);
    }
    serde_json::to_value(sealed).map_err(|e| Error::Internal(e.to_string()))
}

/// What a job asks for, with its secrets in clear: for the device, and for another job like it.
///
/// # Errors
/// [`Error::Internal`] where the arguments cannot be read.
pub fn opened(keys: &Keys, job: &Job) -> Result<JobSpec, Error> {
    let mut spec: JobSpec = serde_json::from_value(job.args.clone())
        .map_err(|e| Error::Internal(format!("job {}: {e}", job.job_id)))?;
    for (name, value) in spec.secrets_mut() {
        *value = keys.open_text(value, name)?;
    }
    Ok(spec)
}

/// The arguments as people may see them.
pub fn masked_args(args: &Value) -> Value {
    let mut shown = args.clone();
    if shown.get("script").is_some_and(Value::is_string) {
        shown["script"] = json!(MASK);
        // Whoever knew the rest of the script could try secrets against it.
        shown["sha256"] = json!(MASK);
    }
    for list in ["parameters", "operations"] {
        let Some(Value::Array(entries)) = shown.get_mut(list) else { continue };
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            if entry.get("name").and_then(Value::as_str).is_some_and(is_secret) {
                entry.insert("value".to_owned(), json!(MASK));
            }
            for key in ["username", "password"] {
                if entry.get(key).is_some_and(Value::is_string) {
                    entry.insert(key.to_owned(), json!(MASK));
                }
            }
            if let Some(url) = entry.get("url").and_then(Value::as_str).map(link) {
                entry.insert("url".to_owned(), json!(url));
            }
        }
    }
    shown
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
        let mut opened: JobSpec = serde_json::from_value(args.clone()).unwrap();
        for (name, value) in opened.secrets_mut() {
            *value = keys.open_text(value, name).unwrap();
        }
        assert_eq!(opened, spec);
        assert_eq!(masked_args(&args)["parameters"][0]["value"], MASK);
        assert_eq!(masked_args(&args)["parameters"][1]["value"], "hunter2");
    }
    #[test]
    fn what_opens_a_module_is_masked_and_where_it_is_from_is_not() {
        let args = json!({ "kind": "change_du_state", "operations": [
            { "operation": "install", "url": "http://ann:hunter2@host/unit?sig=hunter3",
              "uuid": null, "username": "hunter4", "password": "hunter5",
              "execution_env_ref": null },
            { "operation": "uninstall", "uuid": "u", "version": null, "execution_env_ref": null },
        ] });
        let shown = masked_args(&args);
        assert!(!shown.to_string().contains("hunter"), "{shown}");
        let install = &shown["operations"][0];
        assert_eq!(install["url"], format!("http://{MASK}@host/unit?{MASK}"));
        assert_eq!(shown["operations"][1], args["operations"][1]);

        let spec: JobSpec = serde_json::from_value(args).unwrap();
        assert_eq!(spec.secrets(), ["hunter5", "hunter2", "sig=hunter3"]);
        let sealed = sealed(&Keys::new([1; 32]), &spec).unwrap();
        assert!(!sealed.to_string().contains("hunter5"), "{sealed}");
    }
}
