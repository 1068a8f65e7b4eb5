//! What a template gives for a device, before the device is sent anything.
//!
//! Owns that no preview holds a secret, nor depends on one: variables get the mask in place of each
//! before anything is made of them, and no rule of a secret is applied. Whoever may write a rule could
//! guess a secret by it.

use muster_routeros::lint::Finding;
use serde_json::Value;
use uuid::Uuid;

use super::fields::{check_declared, checked_body};
use super::{found, load};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::desired::{reconcile, script, world};
use crate::error::Error;
use crate::fleet::secret::{MASK, is_secret};
use crate::fleet::template::{Kind, Text, Variable, Wrong, bench, sample, settle};
use crate::fleet::variables::Variables;
use crate::render::context::DeviceContext;
use crate::service::devices;

/// For what a template is tried.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Id of a device, or `serial:` and its serial number; `None` = one that there is not.
    pub device: Option<String>,
    /// Values, over those that the device has.
    pub values: Variables,
}

/// What a template gives.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The script; secrets are masked.
    pub script: String,
    /// What is wrong with it, by its own lines.
    pub findings: Vec<Finding>,
    /// Bytes of it.
    pub size: usize,
    /// Bytes that it may have, of a template of the bench.
    pub limit: Option<usize>,
    /// Lines of it.
    pub lines: usize,
    /// Variables without a value that fits: a sample stands in the script in place of each.
    pub missing: Vec<Wrong>,
    /// Why the device cannot undo a script by itself that cuts it off; `None` = it can, or there is no
    /// device.
    pub rescue: Option<String>,
}

/// What a stored template gives: this version of it, or the newest.
///
/// # Errors
/// [`Error::Denied`]; [`Error::NotFound`] for no such template or device; [`Error::Invalid`] for a
/// template that gives nothing with these values; [`Error::Busy`].
pub async fn preview(
    app: &App,
    ctx: &Ctx,
    template_id: Uuid,
    version: Option<i32>,
    asked: Asked,
) -> Result<Preview, Error> {
    ctx.require(Right::Read)?;
    let for_bench = load(&app.pool, template_id).await?.bench;
    let version = found(&app.pool, template_id, version).await?;
    let body = (version.name.as_str(), version.body.as_str());
    tried(app, ctx, body, &version.variables, for_bench, asked).await
}

/// What a template gives that is not kept yet, and is to be for the bench or not.
///
/// # Errors
/// As [`preview`].
pub async fn preview_body(
    app: &App,
    ctx: &Ctx,
    body: &str,
    variables: &[Variable],
    for_bench: bool,
    asked: Asked,
) -> Result<Preview, Error> {
    ctx.require(Right::Operate)?;
    check_declared(variables)?;
    let (name, body) = (draft_of(ctx), checked_body(body)?);
    tried(app, ctx, (&name, &body), variables, for_bench, asked).await
}

/// What the log calls a template that has no name yet.
pub(super) fn draft_of(ctx: &Ctx) -> String {
    format!("a draft of {}", ctx.actor.name)
}

async fn tried(
    app: &App,
    ctx: &Ctx,
    (name, body): (&str, &str),
    variables: &[Variable],
    for_bench: bool,
    asked: Asked,
) -> Result<Preview, Error> {
    asked.values.check("/values")?;
    let Subject { context, mut given, rescue } = subject(app, ctx, asked.device.as_deref()).await?;
    given.over(&asked.values);
    let variables = without_rules(variables);
    let (mut values, missing) = settle(&variables, &masked(given));
    for wrong in &missing {
        if let Some(variable) = variables.iter().find(|variable| variable.name == wrong.name) {
            let made_up = match variable.kind {
                Kind::Secret(_) => Value::from(MASK),
                _ => sample(&variable.kind),
            };
            values.insert(variable.name.clone(), made_up);
        }
    }
    let context = context.with(&values, &app.enrolment.username);
    let script = app.render.try_out(name, body, context).await?;
    let mut findings = muster_routeros::lint::lint(&script);
    if for_bench {
        findings.extend(bench::lint_script(&script));
        findings.extend(bench::lint_size(script.len(), script.len()));
    }
    Ok(Preview {
        findings,
        size: script.len(),
        limit: for_bench.then_some(bench::ROOM),
        lines: script.lines().count(),
        script,
        missing,
        rescue,
    })
}

/// The variables, with secrets that may be any.
fn without_rules(variables: &[Variable]) -> Vec<Variable> {
    let mut variables = variables.to_vec();
    for variable in &mut variables {
        if matches!(variable.kind, Kind::Secret(_)) {
            variable.kind = Kind::Secret(Text::default());
        }
    }
    variables
}

/// The values, with the mask for each secret that there is.
fn masked(mut given: Variables) -> Variables {
    for (name, value) in &mut given.0 {
        if is_secret(name) && !value.is_null() && *value != "" {
            *value = Value::from(MASK);
        }
    }
    given
}

/// For which device a template is tried.
struct Subject {
    context: DeviceContext,
    /// The values that are wanted of it.
    given: Variables,
    /// See [`Preview::rescue`].
    rescue: Option<String>,
}

async fn subject(app: &App, ctx: &Ctx, name: Option<&str>) -> Result<Subject, Error> {
    let Some(name) = name else {
        let context = DeviceContext::sample();
        return Ok(Subject { context, given: Variables::default(), rescue: None });
    };
    let device = devices::find(app, ctx, name, Right::Read).await?;
    let world = world::current(app).await?;
    let mut found = reconcile::load(app, &world, &[device.device_id]).await?;
    let gone = || Error::NotFound(format!("no device {name}"));
    let subject = found.pop().ok_or_else(gone)?;
    Ok(Subject {
        context: script::context(app, &world, &subject),
        given: subject.effective.values(),
        rescue: script::can_rescue(&subject.facts).err().map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn no_rule_tells_anything_of_a_secret() {
        let variables: Vec<Variable> = serde_json::from_value(json!([
            { "name": "wifi_password", "type": "secret", "min": 30, "pattern": "hunter.*" },
            { "name": "ppp_password", "type": "secret", "required": true },
            { "name": "pin", "type": "secret", "required": true },
            { "name": "ssid", "type": "string", "max": 4 },
        ]))
        .unwrap();
        let given = json!({ "wifi_password": "hunter22", "ppp_password": "", "pin": "1",
                            "ssid": "too long" });
        let given = masked(serde_json::from_value(given).unwrap());
        let (values, missing) = settle(&without_rules(&variables), &given);
        assert_eq!([&values["wifi_password"], &values["pin"]], [MASK, MASK]);
        let missing: Vec<&str> = missing.iter().map(|wrong| wrong.name.as_str()).collect();
        assert_eq!(missing, ["ppp_password", "ssid"]);
    }
}
