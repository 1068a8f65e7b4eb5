//! The script that is wanted of a device: its template rendered with its values, and made fit to be
//! run on top of what is there.

use muster_cwmp::value::ValueType;
use muster_routeros::apply::{self, Report, Rescue};
use serde_json::Value;
use uuid::Uuid;

use super::differ;
use super::effective::{Effective, Layered, Source};
use super::reconcile::Subject;
use super::world::World;
use crate::ctx::App;
use crate::error::Error;
use crate::fleet::online;
use crate::fleet::profile::{Tolerance, Wanted};
use crate::fleet::variables::Variables;
use crate::jobs::queue;
use crate::jobs::spec::JobSpec;
use crate::render::context::DeviceContext;
use crate::render::rendered;
use crate::store::desired::Facts;
use crate::store::templates::{self, Version};

/// What a template gave.
#[derive(Debug, Clone)]
pub(super) enum Script {
    /// A script.
    Ready(Ready),
    /// Nothing, and why, in words.
    Cannot(String),
}

/// A script for one device.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    /// Of which template.
    pub template_id: Uuid,
    /// Of which of its versions.
    pub version: i32,
    /// The template's name.
    name: String,
    /// As it was rendered.
    text: String,
    /// Keyed SHA-256 of that: nobody can try secrets against it.
    pub hash: Vec<u8>,
}

impl Ready {
    /// What its lines in the device's log are called.
    pub(super) fn tag(&self) -> String {
        hex::encode(&self.hash)[..32].to_owned()
    }

    /// The job that brings it.
    pub(super) fn job(&self, facts: &Facts) -> JobSpec {
        self.job_with(facts, &self.tag())
    }

    /// The same, its lines in the device's log called by this word.
    pub(crate) fn job_with(&self, facts: &Facts, tag: &str) -> JobSpec {
        let rescue = can_rescue(facts).ok().map(|()| Rescue::default());
        JobSpec::Configure {
            template_id: self.template_id,
            version: self.version,
            name: self.name.clone(),
            script: apply::wrap(&self.text, tag, rescue),
            sha256: hex::encode(&self.hash),
        }
    }
}

/// Whether a device undoes a script by itself that cuts it off, or why not.
pub(crate) fn can_rescue(facts: &Facts) -> Result<(), &'static str> {
    queue::way_back(true, facts.device_mode.as_deref(), facts.version.as_deref())
}

/// The script that is wanted of a device, whether it is enforced, and who wants it; `None` = nobody.
pub(super) async fn wanted(
    app: &App,
    world: &World,
    subject: &Subject,
) -> Result<Option<(Source, bool, Script)>, Error> {
    let Some(wanted) = &subject.effective.template else { return Ok(None) };
    let said = |script| Some((wanted.from.clone(), wanted.enforce, script));
    let (id, version) = (wanted.value.template_id, wanted.value.version);
    let Some(template) = templates::version(&app.pool, id, version).await? else {
        return Ok(said(Script::Cannot("the template is gone".to_owned())));
    };
    match made(app, world, subject, &template, &subject.effective.values()).await {
        Ok(ready) => Ok(said(Script::Ready(ready))),
        Err(Error::Invalid { message, .. } | Error::Conflict(message)) => {
            let why = format!("the template {} cannot be rendered: {message}", template.name);
            Ok(said(Script::Cannot(why)))
        }
        // The renderers are busy, say: it is compared again.
        Err(error) => Err(error),
    }
}

/// The script that a version of a template gives for a device with these values.
///
/// # Errors
/// As [`rendered`].
pub(crate) async fn made(
    app: &App,
    world: &World,
    subject: &Subject,
    template: &Version,
    given: &Variables,
) -> Result<Ready, Error> {
    let context = context(app, world, subject);
    let (name, body) = (&template.name, &template.body);
    let done = rendered(app, name, body, &template.variables, given, &context).await?;
    Ok(Ready {
        template_id: template.template_id,
        version: template.version,
        name: template.name.clone(),
        hash: differ::keyed(&app.keys.derive("scripts"), done.script.as_bytes()).to_vec(),
        text: done.script,
    })
}

/// What every template knows of its device.
pub(crate) fn context(app: &App, world: &World, subject: &Subject) -> DeviceContext {
    let facts = &subject.facts;
    let port = "Device.Ethernet.Interface.1.MACAddress";
    let mac = facts.document.as_ref().and_then(|document| document.get(port));
    DeviceContext {
        serial: facts.serial.clone(),
        oui: facts.oui.clone(),
        model: facts.model.clone(),
        product_class: facts.product_class.clone(),
        identity: facts.identity.clone(),
        version: facts.version.clone(),
        arch: facts.arch.clone(),
        mac: mac.map(|mac| mac.value.clone()),
        site: facts.site.clone(),
        site_name: facts.site.as_deref().and_then(|path| world.site_name(path)).map(str::to_owned),
        customer: facts.customer.clone(),
        acs_url: app.config.acs.public_url.clone().unwrap_or_default(),
        board: None,
    }
}

/// What is wanted, with the inform interval as the parameter that it is, spread by up to a tenth over
/// the fleet.
pub(super) fn with_interval(subject: &Subject) -> Effective {
    let mut effective = subject.effective.clone();
    if let Some(wanted) = &effective.inform_interval_seconds {
        let root = subject.facts.root.as_deref().unwrap_or("Device.");
        let name = format!("{root}ManagementServer.PeriodicInformInterval");
        let value = online::spread(wanted.value, subject.facts.device_id).to_string();
        let parameter = Wanted {
            value: Some(value),
            kind: Some(ValueType::UnsignedInt),
            tolerance: Tolerance::Exact,
            ..Wanted::default()
        };
        let said = Layered { value: parameter, from: wanted.from.clone(), enforce: wanted.enforce };
        effective.parameters.entry(name).or_insert(said);
    }
    effective
}

/// What a device said of a script that it did not run whole, or that it said nothing when it was asked;
/// `None` = it ran whole, or was not asked yet.
pub(super) fn failures(report: Option<&Value>) -> Option<String> {
    serde_json::from_value::<Report>(report?.clone()).ok()?.failures()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_device_could_not_run_is_told_by_line() {
        assert_eq!(failures(None), None);
        assert_eq!(failures(Some(&json!({ "done": true, "failed": [] }))), None);
        let stopped = json!({ "done": false, "failed": [] });
        assert!(failures(Some(&stopped)).is_some_and(|words| words.contains("its end")));
        let report = json!({ "done": true, "failed": [{ "line": 3, "words": "" }] });
        assert!(failures(Some(&report)).is_some_and(|words| words.contains("line 3")));
        let silent = json!(Report::silent(apply::RESTARTED));
        assert_eq!(failures(Some(&silent)).as_deref(), Some(apply::RESTARTED));
    }
}
