//! What a template gives for a device, before the device is sent anything.
//!
//! Owns that no preview holds a secret: the template is given the mask in place of each.

use muster_routeros::lint::Finding;
use serde_json::Value;
use uuid::Uuid;

use super::fields::{check_declared, checked_body};
use super::found;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::desired::{reconcile, script, world};
use crate::error::Error;
use crate::fleet::secret::MASK;
use crate::fleet::template::{Kind, Variable, Wrong, sample, settle};
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
    /// Lines of it.
    pub lines: usize,
    /// Variables without a value that fits: a sample stands in the script in place of each.
    pub missing: Vec<Wrong>,
}

/// What a stored template gives: this version of it, or the newest.
///
/// # Errors
/// [`Error::Denied`]; [`Error::NotFound`] for no such template or device; [`Error::Invalid`] for a
/// template that gives nothing with these values.
pub async fn preview(
    app: &App,
    ctx: &Ctx,
    template_id: Uuid,
    version: Option<i32>,
    asked: Asked,
) -> Result<Preview, Error> {
    ctx.require(Right::Read)?;
    let version = found(&app.pool, template_id, version).await?;
    tried(app, ctx, &version.body, &version.variables, asked).await
}

/// What a template gives that is not kept yet.
///
/// # Errors
/// As [`preview`].
pub async fn preview_body(
    app: &App,
    ctx: &Ctx,
    body: &str,
    variables: &[Variable],
    asked: Asked,
) -> Result<Preview, Error> {
    ctx.require(Right::Operate)?;
    check_declared(variables)?;
    tried(app, ctx, &checked_body(body)?, variables, asked).await
}

async fn tried(
    app: &App,
    ctx: &Ctx,
    body: &str,
    variables: &[Variable],
    asked: Asked,
) -> Result<Preview, Error> {
    asked.values.check("/values")?;
    let (device, mut given) = subject(app, ctx, asked.device.as_deref()).await?;
    given.over(&asked.values);
    let (mut values, missing) = settle(variables, &given);
    for wrong in &missing {
        if let Some(variable) = variables.iter().find(|variable| variable.name == wrong.name) {
            values.insert(variable.name.clone(), sample(&variable.kind));
        }
    }
    for variable in variables.iter().filter(|variable| matches!(variable.kind, Kind::Secret(_))) {
        if let Some(value) = values.get_mut(&variable.name) {
            *value = Value::from(MASK);
        }
    }
    let context = device.with(&values, &app.enrolment.username);
    let script = app.render.render(body, context).await?;
    Ok(Preview {
        findings: muster_routeros::lint::lint(&script),
        size: script.len(),
        lines: script.lines().count(),
        script,
        missing,
    })
}

/// The device for which a template is tried, and the values that are wanted of it.
async fn subject(
    app: &App,
    ctx: &Ctx,
    name: Option<&str>,
) -> Result<(DeviceContext, Variables), Error> {
    let Some(name) = name else {
        return Ok((DeviceContext::sample(), Variables::default()));
    };
    let device = devices::find(app, ctx, name, Right::Read).await?;
    let world = world::current(app).await?;
    let mut found = reconcile::load(app, &world, &[device.device_id]).await?;
    let gone = || Error::NotFound(format!("no device {name}"));
    let subject = found.pop().ok_or_else(gone)?;
    Ok((script::context(app, &world, &subject), subject.effective.values()))
}
