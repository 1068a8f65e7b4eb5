//! What a board is given: a template rendered for it alone, in the form that its profile says.
//!
//! Owns that no script leaves which the board could not take: its text and its size are looked at
//! before anything is offered. What is kept of a script has the mask in place of each secret, and a
//! keyed hash of what was sent.

mod access;

use std::collections::BTreeMap;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac as _};
use muster_netboot::mac::Mac;
use muster_netboot::payload;
use muster_netboot::profile::Profile;
use serde_json::Value;
use sha2::Sha256;

use super::arming::Arming;
use super::policy::Refusal;
use crate::ctx::App;
use crate::desired::world::{self, Place};
use crate::error::Error;
use crate::fleet::claim;
use crate::fleet::secret::{MASK, without};
use crate::fleet::template::{Kind, Values, Variable, resolve};
use crate::fleet::variables::Variables;
use crate::render::Failure;
use crate::render::context::{BoardContext, DeviceContext};
use crate::store::claims::Claim;
use crate::store::templates::{self, Version};
use access::{access, add_own};

/// Why nothing was prepared.
#[derive(Debug)]
pub enum Stop {
    /// The board gets nothing, and this is why.
    Refused(Refusal),
    /// It could not be found out. It is tried again.
    Failed(Error),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// For whom something is rendered.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The address by which it asked.
    pub mac: Mac,
    /// What it calls itself.
    pub board_id: Option<&'a str>,
    /// Bytes that it has room for, as it says.
    pub free: Option<u32>,
    /// Its architecture.
    pub arch: Option<&'a str>,
    /// The claim that names it.
    pub claim: Option<&'a Claim>,
}

/// A script for one board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// As it is sent. It holds secrets in clear.
    pub script: String,
    /// As people may see it.
    pub masked: String,
    /// Keyed hash of what is sent: nobody can try secrets against it.
    pub sha256: Vec<u8>,
    /// Name of the template.
    pub template: String,
    /// Which version of it.
    pub version: i32,
    /// Name and version of the template of the mode script that goes with it.
    pub mode: Option<(String, i32)>,
}

/// The file that a board in flash-boot mode reads, and the script in it.
///
/// # Errors
/// [`Stop`]
pub async fn file(
    app: &App,
    subject: Subject<'_>,
    arming: &Arming,
    profile: &Profile,
) -> Result<(Arc<[u8]>, Prepared), Stop> {
    let over = &arming.variables;
    let template = (arming.template.as_str(), arming.template_version);
    let mut prepared = script(app, subject, template, over).await?;
    let mode = match &arming.mode_template {
        Some(template) => {
            let template = (template.as_str(), arming.mode_version);
            Some(script(app, subject, template, over).await?)
        }
        None => None,
    };
    let text = mode.as_ref().map(|mode| mode.script.as_str());
    let file = built(profile, &prepared.script, text, subject.free)?;
    // Of all that the board reads: the mode script runs, too.
    prepared.sha256 = hash(app, &file);
    prepared.mode = mode.map(|mode| (mode.template, mode.version));
    Ok((file.into(), prepared))
}

/// The script that a template, of a version or the newest, gives for a board.
///
/// # Errors
/// [`Stop`]
pub async fn script(
    app: &App,
    subject: Subject<'_>,
    (template, version): (&str, Option<i32>),
    over: &Variables,
) -> Result<Prepared, Stop> {
    let version = version_of(app, template, version).await?;
    let world = world::current(app).await?;
    let own = match subject.claim {
        Some(claim) => {
            let context = claim::context(claim.claim_id);
            Variables::opened(&claim.variables, &app.keys, &context)?
        }
        None => Variables::default(),
    };
    let site = subject.claim.and_then(|claim| claim.site.as_deref());
    let place = Place {
        site,
        groups: &[],
        profile_id: subject.claim.and_then(|claim| claim.profile_id),
        variables: &own,
        overrides: &BTreeMap::new(),
    };
    let mut given = world.effective(place).values();
    given.over(over);
    add_own(&mut given, &access(app, subject.claim).await?);
    let site_name = site.and_then(|path| world.site_name(path));
    let context = context(app, subject, site_name);
    let values = resolve(&version.variables, &given).map_err(|e| refused(&version.name, e))?;
    let (hidden, secrets) = hidden(&version.variables, &values);
    let username = &app.enrolment.username;
    // Never longer than one of them where there are two processes.
    let (script, masked) = tokio::join!(
        app.render.render(&version.name, &version.body, context.with(&values, username)),
        app.render.render(&version.name, &version.body, context.with(&hidden, username)),
    );
    let script = with_last_newline(script.map_err(|f| failed(&version.name, f, &secrets))?);
    payload::check_text(&script).map_err(|why| in_template(&version.name, &why))?;
    let masked = masked.map_or_else(|_| String::new(), with_last_newline);
    Ok(Prepared {
        sha256: hash(app, script.as_bytes()),
        script,
        masked,
        template: version.name,
        version: version.version,
        mode: None,
    })
}

async fn version_of(app: &App, name: &str, version: Option<i32>) -> Result<Version, Stop> {
    if let Some(template) = templates::named(&app.pool, name).await?
        && let Some(version) = templates::version(&app.pool, template.template_id, version).await?
    {
        return Ok(version);
    }
    let words = format!("the template {name} is gone: arm the bench with another");
    Err(Refusal::new("template", words).into())
}

fn context(app: &App, subject: Subject<'_>, site_name: Option<&str>) -> DeviceContext {
    let mac = subject.mac.to_string();
    let claim = subject.claim;
    DeviceContext {
        serial: claim.and_then(|claim| claim.serial.clone()).unwrap_or_default(),
        oui: mac.split(':').take(3).collect(),
        model: claim.and_then(|claim| claim.model.clone()),
        arch: subject.arch.map(str::to_owned),
        mac: Some(mac.clone()),
        site: claim.and_then(|claim| claim.site.clone()),
        site_name: site_name.map(str::to_owned),
        customer: claim.and_then(|claim| claim.customer.clone()),
        acs_url: app.config.acs.public_url.clone().unwrap_or_default(),
        board: Some(BoardContext {
            mac,
            id: subject.board_id.map(str::to_owned),
            free: subject.free,
        }),
        ..DeviceContext::default()
    }
}

/// The values with the mask in place of each secret, and the secrets.
fn hidden(variables: &[Variable], values: &Values) -> (Values, Vec<String>) {
    let (mut hidden, mut secrets) = (values.clone(), Vec::new());
    for variable in variables.iter().filter(|v| matches!(v.kind, Kind::Secret(_))) {
        if let Some(value) = hidden.get_mut(&variable.name) {
            secrets.extend(value.as_str().map(str::to_owned));
            *value = Value::from(MASK);
        }
    }
    (hidden, secrets)
}

fn with_last_newline(mut script: String) -> String {
    if !script.is_empty() && !script.ends_with('\n') {
        script.push('\n');
    }
    script
}

/// The file in the form of a profile, if it fits.
fn built(
    profile: &Profile,
    script: &str,
    mode: Option<&str>,
    free: Option<u32>,
) -> Result<Vec<u8>, Refusal> {
    let file = payload::build(profile, script.as_bytes(), mode.map(str::as_bytes))
        .map_err(|why| Refusal::new("no_profile", why))?;
    payload::fits(profile, file.len(), free)
        .map_err(|why| Refusal::new("too_big", why.to_string()))?;
    Ok(file)
}

/// Values that do not fit are the claim's or the arming's to mend; anything else is not the board's.
fn refused(template: &str, error: Error) -> Stop {
    match error {
        Error::Invalid { message, .. } => {
            Refusal::new("variables", format!("the template {template} lacks values: {message}"))
                .into()
        }
        error => error.into(),
    }
}

fn failed(template: &str, failure: Failure, secrets: &[String]) -> Stop {
    match failure {
        Failure::Busy => Error::from(failure).into(),
        Failure::Mistake(words) => in_template(template, &without(&words, secrets)).into(),
        Failure::TooSlow | Failure::TooMuch | Failure::Died => {
            in_template(template, &failure.to_string()).into()
        }
    }
}

fn in_template(template: &str, why: &str) -> Refusal {
    Refusal::new("template", format!("the template {template}: {why}"))
}

fn hash(app: &App, sent: &[u8]) -> Vec<u8> {
    keyed(&app.keys.derive("bench scripts"), sent)
}

fn keyed(key: &[u8; 32], bytes: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use muster_netboot::profile::{Mode, Place};
    use serde_json::json;

    use super::*;

    fn profile() -> &'static Profile {
        &muster_netboot::profile::builtin()[0]
    }

    fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
        result.unwrap_err().code
    }

    #[test]
    fn a_script_that_does_not_fit_is_refused_before_it_is_offered() {
        let script = "#".repeat(payload::MAX_SCRIPT - 1) + "\n";
        let file = built(profile(), &script, None, None).unwrap();
        assert!(file.ends_with(script.as_bytes()) && file.len() > script.len());
        assert_eq!(code(built(profile(), &format!("#{script}"), None, None)), "too_big");
        // As much as goes into any board, and more than into this one.
        assert_eq!(code(built(profile(), &script, None, Some(3_900))), "too_big");
        let words = built(profile(), &script, None, Some(3_900)).unwrap_err().words;
        assert!(words.contains(payload::TOO_BIG) && words.contains("3,900"), "{words}");
        assert!(built(profile(), "#\n", None, Some(100)).is_ok());
    }

    #[test]
    fn a_mode_script_needs_a_profile_that_knows_how_and_room_beside_the_script() {
        let without = Profile { mode: None, ..profile().clone() };
        assert_eq!(code(built(&without, "#\n", Some("#\n"), None)), "no_profile");
        let mode = Some(Mode { place: Place::Before, separator: Vec::new() });
        let with = Profile { mode, ..profile().clone() };
        let (half, more) = ("#".repeat(1_999) + "\n", "#".repeat(2_000) + "\n");
        built(&with, &half, Some(half.as_str()), None).unwrap();
        assert_eq!(code(built(&with, &half, Some(more.as_str()), None)), "too_big");
    }

    #[test]
    fn what_is_kept_has_no_secret_in_it() {
        let variables: Vec<Variable> = serde_json::from_value(json!([
            { "name": "wifi_password", "type": "secret" },
            { "name": "acs_password", "type": "secret" },
            { "name": "ssid", "type": "string" },
        ]))
        .unwrap();
        let values = Values::from([
            ("wifi_password".to_owned(), json!("hun\"ter22")),
            ("ssid".to_owned(), json!("home")),
        ]);
        let (hidden, secrets) = hidden(&variables, &values);
        assert_eq!(secrets, ["hun\"ter22"]);
        assert_eq!(hidden["wifi_password"], MASK);
        assert_eq!((hidden["ssid"].as_str(), hidden.len()), (Some("home"), 2));
        let (one, other) = (keyed(&[1; 32], b"#\n"), keyed(&[2; 32], b"#\n"));
        assert!(one.len() == 32 && one != other);
    }

    #[test]
    fn a_script_ends_with_a_line_feed_and_what_is_empty_stays_so() {
        assert_eq!(with_last_newline("a".to_owned()), "a\n");
        assert_eq!(with_last_newline("a\n".to_owned()), "a\n");
        assert_eq!(with_last_newline(String::new()), "");
    }

    #[test]
    fn what_is_not_the_boards_fault_is_tried_again() {
        assert!(matches!(failed("t", Failure::Busy, &[]), Stop::Failed(Error::Busy(_))));
        let told = ["hunter22".to_owned()];
        let mistake = failed("t", Failure::Mistake("no hunter22".to_owned()), &told);
        let Stop::Refused(refusal) = mistake else { panic!("{mistake:?}") };
        assert!(refusal.code == "template" && !refusal.words.contains("hunter22"));
        let invalid = refused("t", Error::invalid("/variables", "`acs_url`: a value is required"));
        let Stop::Refused(refusal) = invalid else { panic!("{invalid:?}") };
        assert_eq!(refusal.code, "variables");
        assert!(matches!(refused("t", Error::Busy(String::new())), Stop::Failed(_)));
    }
}
