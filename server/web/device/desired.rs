//! What is wanted of a device, how far it is from that, and what can be said to it.
//!
//! - `now`: what changes by itself, as a part of the page that is asked for again. `act`: what is
//!   ordered, and what is wanted of this device alone.

mod act;
mod now;

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(super) use self::act::{
    accept, compare, forget, heed, ignore, own_profile, own_variables, reapply,
};
use self::now::Now;
use super::{Head, Tab, look, shell};
use crate::ctx::{App, Ctx, Shared};
use crate::desired::effective::{Effective, Layer, Layered};
use crate::error::Error;
use crate::fleet::template::Variable;
use crate::fleet::variables::Variables;
use crate::service::desired::{self as service, Wants};
use crate::service::templates;
use crate::web::failure::Failure;
use crate::web::form::Complaints;
use crate::web::manage::answer;
use crate::web::profiles::values::{Given, Values};
use crate::web::profiles::{self, words};
use crate::web::shell::Shell;
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// For which of the device's own variables their form was filled in: they have no version.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    seen: String,
}

/// Variables as they are shown, masked, in one word for [`Seen`].
fn seen(variables: &Variables) -> String {
    hex::encode(Sha256::digest(json!(variables).to_string()))
}

#[derive(Serialize)]
struct DesiredPage {
    shell: Shell,
    head: Head,
    now: Now,
    profiles: Vec<Choice>,
    /// The profile of the device itself; empty = none.
    profile: String,
    overrides: Vec<Override>,
    /// The template whose variables have fields; empty = none.
    template: String,
    /// For [`Seen`].
    seen: String,
    values: Values,
    errors: Complaints,
}

/// For `form.select`.
#[derive(Serialize)]
struct Choice {
    value: String,
    label: String,
}

/// A value that was accepted from the device, or wanted of it alone.
#[derive(Debug, Serialize)]
struct Override {
    name: String,
    value: String,
}

#[derive(Serialize)]
struct NowFragment {
    now: Now,
}

/// What is known of a device, with the template that is wanted of it.
struct Known {
    view: service::View,
    template: Option<templates::View>,
}

impl Known {
    async fn of(app: &App, ctx: &Ctx, id: &str) -> Result<Self, Error> {
        let view = service::of(app, ctx, id).await?;
        let template = match &view.effective.template {
            Some(wanted) => {
                let (id, version) = (wanted.value.template_id, wanted.value.version);
                match templates::version(app, ctx, id, version).await {
                    Ok(found) => Some(found),
                    Err(Error::NotFound(_)) => None,
                    Err(error) => return Err(error),
                }
            }
            None => None,
        };
        Ok(Self { view, template })
    }

    /// What the template declares.
    fn declared(&self) -> &[Variable] {
        self.template.as_ref().map_or(&[], |template| template.version.variables.0.as_slice())
    }
}

/// `GET /devices/{id}/desired`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let (_, head) = look(&app, &viewer, &id, Tab::Desired).await?;
    let known = Known::of(&app, viewer.ctx(), &id).await?;
    shown(&app, &viewer, head, &known, None, Complaints::default()).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    head: Head,
    known: &Known,
    sent: Option<(String, Given)>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let wants = &known.view.wants;
    let above = above(&known.view.effective, &wants.variables);
    let (seen, values) = match sent {
        Some((seen, given)) => (seen, Values::again(known.declared(), &given, &above)),
        None => {
            let values = Values::of(known.declared(), &wants.variables, &[], &above);
            (seen(&wants.variables), values)
        }
    };
    let page = DesiredPage {
        shell: shell(app, viewer, &head, "desired state"),
        now: Now::of(known, head.may.operate, ctx.now),
        profiles: if head.may.operate { offered(app, ctx, wants).await? } else { Vec::new() },
        profile: wants.profile.clone().unwrap_or_default(),
        overrides: overrides(wants),
        template: known.template.as_ref().map(|t| t.template.name.clone()).unwrap_or_default(),
        seen,
        values,
        head,
        errors,
    };
    answer(View::DeviceDesired, &page, &page.errors)
}

/// `GET /devices/{id}/desired/state`
pub(super) async fn fragment(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let (_, head) = look(&app, &viewer, &id, Tab::Desired).await?;
    let known = Known::of(&app, viewer.ctx(), &id).await?;
    let now = Now::of(&known, head.may.operate, viewer.ctx().now);
    Ok(render(View::DeviceDesiredState, &NowFragment { now })?.into_response())
}

/// Profiles to choose from; also the one that it has.
async fn offered(app: &App, ctx: &Ctx, wants: &Wants) -> Result<Vec<Choice>, Error> {
    let choice = |name: String| Choice { label: name.clone(), value: name };
    let names = profiles::names(app, ctx, wants.profile.as_deref().unwrap_or_default()).await?;
    let none = Choice { value: String::new(), label: "none of its own".to_owned() };
    Ok([none].into_iter().chain(names.into_iter().map(choice)).collect())
}

fn overrides(wants: &Wants) -> Vec<Override> {
    let all = wants.overrides.iter();
    all.map(|(name, wanted)| Override { name: name.clone(), value: words::is_to_be(name, wanted) })
        .collect()
}

/// What the layers above say of variables of which the device says nothing itself, and who.
fn above(effective: &Effective, own: &Variables) -> BTreeMap<String, String> {
    let others = effective
        .variables
        .iter()
        .filter(|(name, said)| said.from.layer != Layer::Device || !own.0.contains_key(*name));
    let words = |name: &str, said: &Layered<Value>| {
        format!("{}, of the {}", words::value(name, &said.value), said.from.words())
    };
    others.map(|(name, said)| (name.clone(), words(name, said))).collect()
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, Value)> {
    use crate::web::profiles::values;
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let page = |full: bool, errors: Complaints| {
        let mut head = Head::sample();
        head.may.operate = full;
        let one = Override { name: evil(), value: evil() };
        let page = DesiredPage {
            shell: Shell::sample(),
            now: now::sample(full),
            profiles: vec![Choice { value: evil(), label: evil() }],
            profile: if full { evil() } else { String::new() },
            overrides: if full { vec![one] } else { Vec::new() },
            template: if full { evil() } else { String::new() },
            seen: evil(),
            values: if full { values::sample() } else { Values::default() },
            head,
            errors,
        };
        sample(View::DeviceDesired, &page)
    };
    vec![
        page(true, Complaints::field("others", "<x-evil>")),
        page(true, Complaints::whole("<x-evil>")),
        page(false, Complaints::default()),
        sample(View::DeviceDesiredState, &NowFragment { now: now::sample(true) }),
        sample(View::DeviceDesiredState, &NowFragment { now: now::sample(false) }),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_the_layers_above_say_is_told_with_who_says_it() {
        let effective: Effective = serde_json::from_value(json!({
            "parameters": {},
            "variables": {
                "dns": { "value": "9.9.9.9", "enforce": true,
                         "from": { "layer": "site", "site": "eu.lv", "profile": "home" } },
                "vlan": { "value": 7, "enforce": true, "from": { "layer": "device" } },
                "ppp_password": { "value": "********", "enforce": true,
                                  "from": { "layer": "fleet" } },
            },
        }))
        .unwrap();
        let own = serde_json::from_value(json!({ "vlan": 7 })).unwrap();
        let above = above(&effective, &own);
        assert_eq!(above["dns"], "9.9.9.9, of the site eu.lv, profile home");
        assert_eq!(above["ppp_password"], "a secret, of the fleet");
        assert!(!above.contains_key("vlan"), "that is its own");
    }

    #[test]
    fn what_is_wanted_of_the_device_alone_is_told_without_secrets() {
        let wants = json!({ "overrides": {
            "Device.WiFi.AccessPoint.1.Security.KeyPassphrase": { "value": "********" },
            "Device.A": { "value": "1" },
        } });
        let wants: Wants = serde_json::from_value(wants).unwrap();
        let told: Vec<String> = overrides(&wants).into_iter().map(|one| one.value).collect();
        assert_eq!(told, ["1", "a secret"]);
    }
}
