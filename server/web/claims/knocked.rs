//! Devices that came and are expected by nobody: what they say they are, why they wait, letting them
//! in with one click, and forgetting them.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Offered, PAGE, Tab, UNKNOWN, otherwise, said, tabs, tags};
use crate::access::right::Right;
use crate::ctx::{App, Shared};
use crate::service::claims::quarantine::{self as service, AcceptFields};
use crate::service::devices;
use crate::store::devices::Device;
use crate::web::devices::model;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::manage::{address, answer, cut, row_id, with_one_more};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Fields of the form, for what is wrong with them.
const FIELDS: [&str; 4] = ["site", "profile", "tags", "customer"];

/// What the next devices are to be. What is empty is as an open claim says, if there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AcceptForm {
    site: String,
    profile: String,
    tags: String,
    customer: String,
    after: String,
}

impl AcceptForm {
    fn fields(&self) -> AcceptFields {
        AcceptFields {
            site: said(&self.site),
            profile: said(&self.profile),
            tags: tags(&self.tags),
            customer: said(&self.customer),
            ..AcceptFields::default()
        }
    }

    /// The same page, from a device on; what was chosen stays, but for the customer, who is of one.
    fn at(&self, after: &str) -> String {
        let (site, profile, tags) = (self.site.trim(), self.profile.trim(), self.tags.trim());
        let chosen = [("site", site), ("profile", profile), ("tags", tags), ("after", after)];
        address(UNKNOWN, &chosen)
    }
}

#[derive(Serialize)]
struct KnockedPage {
    shell: Shell,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    /// The form is there before the first device is: those come by themselves.
    may_accept: bool,
    /// What becomes of a device that nobody expects.
    otherwise: &'static str,
    draft: AcceptForm,
    offered: Offered,
    here: String,
    first: String,
    next: String,
    errors: Complaints,
}

/// A device that waits.
#[derive(Debug, Serialize)]
struct Row {
    /// Its own page.
    href: String,
    /// Where it is let in, or forgotten; empty for who may not.
    order: String,
    serial: String,
    model: String,
    version: String,
    from: String,
    since: Option<When>,
    last: When,
    why: String,
    /// Where it is claimed with all that a claim can say.
    claim: String,
}

/// `GET /claims/unknown`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<AcceptForm>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, query, Complaints::default()).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    draft: AcceptForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let after = row_id(&draft.after)?;
    let found = service::knocked(app, ctx, after, with_one_more(PAGE)).await?;
    let (found, more) = cut(found, PAGE);
    let last = found.last().filter(|_| more).map(|device| device.device_id.to_string());
    let ids: Vec<Uuid> = found.iter().map(|device| device.device_id).collect();
    let operable = devices::among(app, ctx, Right::Operate, &ids).await?;
    let may = |device: &Device| operable.contains(&device.device_id);
    let page = KnockedPage {
        shell: Shell::new(viewer, &app.config, "Unknown devices", Section::Claims),
        tabs: tabs(app, ctx, UNKNOWN).await?,
        rows: found.iter().map(|device| row(device, may(device), &draft, ctx.now)).collect(),
        may_accept: viewer.may(Right::Operate),
        otherwise: otherwise(app),
        offered: Offered::with(app, ctx, &draft.profile).await?,
        here: draft.at(&draft.after),
        first: after.map(|_| draft.at("")).unwrap_or_default(),
        next: last.map(|id| draft.at(&id)).unwrap_or_default(),
        draft,
        errors,
    };
    answer(View::ClaimsUnknown, &page, &page.errors)
}

fn row(device: &Device, may: bool, draft: &AcceptForm, now: DateTime<Utc>) -> Row {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let chosen = [
        ("serial", device.serial.as_str()),
        ("site", draft.site.trim()),
        ("profile", draft.profile.trim()),
        ("tags", draft.tags.trim()),
    ];
    Row {
        href: format!("/devices/{}", device.device_id),
        order: if may { format!("{UNKNOWN}/{}", device.device_id) } else { String::new() },
        serial: device.serial.clone(),
        model: model(device),
        version: text(&device.software_version),
        from: device.remote_addr.addr().to_string(),
        since: device.quarantined_at.map(|at| When::new(at, now)),
        last: When::new(device.last_inform, now),
        why: text(&device.quarantine_reason),
        claim: if may { address("/claims/new", &chosen) } else { String::new() },
    }
}

/// `POST /claims/unknown/{id}/accept`
pub(super) async fn accept(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(device_id): Path<Uuid>,
    Form(sent): Form<AcceptForm>,
) -> Result<Response, Failure> {
    let name = device_id.to_string();
    match service::accept(&app, viewer.ctx(), &name, sent.fields()).await {
        Ok(device) => {
            let site = device.site.map(|site| format!(" at {site}")).unwrap_or_default();
            let done = format!("{} is let in{site}. It is set up as it comes.", device.serial);
            Ok(flash::to(&sent.at(&sent.after), Flash::done(done)))
        }
        Err(error) => shown(&app, &viewer, sent, Complaints::of(error, &FIELDS)?).await,
    }
}

/// `POST /claims/unknown/{id}/forget`
pub(super) async fn forget(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(device_id): Path<Uuid>,
    Form(sent): Form<AcceptForm>,
) -> Result<Response, Failure> {
    match service::forget(&app, viewer.ctx(), &device_id.to_string()).await {
        Ok(()) => {
            let done = Flash::done("It is forgotten. Should it come again, it is a new one.");
            Ok(flash::to(&sent.at(&sent.after), done))
        }
        Err(error) => shown(&app, &viewer, sent, Complaints::of(error, &FIELDS)?).await,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::tabs_of;
    use super::tests::offered;
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let page = |rows: Vec<Row>, errors: Complaints| {
        let page = KnockedPage {
            shell: Shell::sample(),
            tabs: tabs_of(UNKNOWN, 7),
            may_accept: rows.len() != 1,
            rows,
            otherwise: "waits",
            draft: AcceptForm {
                site: evil(),
                profile: evil(),
                tags: evil(),
                customer: evil(),
                after: evil(),
            },
            offered: offered(),
            here: UNKNOWN.to_owned(),
            first: UNKNOWN.to_owned(),
            next: UNKNOWN.to_owned(),
            errors,
        };
        sample(View::ClaimsUnknown, &page)
    };
    let row = |may: bool| tests::stranger("<x-evil>", may);
    vec![
        page(vec![row(true), row(false)], Complaints::field("site", "<x-evil>")),
        page(vec![row(false)], Complaints::default()),
        page(Vec::new(), Complaints::whole("<x-evil>")),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Everything that it says is this text.
    pub(super) fn stranger(said: &str, may: bool) -> Row {
        let (text, now) = (said.to_owned(), DateTime::UNIX_EPOCH);
        let device = Device {
            device_id: Uuid::from_u128(7),
            manufacturer: text.clone(),
            oui: text.clone(),
            product_class: text.clone(),
            serial: text.clone(),
            root: None,
            namespace: String::new(),
            model: Some(text.clone()),
            arch: None,
            identity: None,
            hardware_version: None,
            software_version: Some(text.clone()),
            provisioning_code: None,
            parameter_key: None,
            connection_request_url: None,
            methods: None,
            auth: String::new(),
            site: None,
            tags: Vec::new(),
            customer: None,
            quarantined_at: Some(now),
            quarantine_reason: Some(text),
            first_inform: now,
            last_inform: now,
            last_boot: None,
            last_bootstrap: None,
            events: String::new(),
            remote_addr: "192.0.2.7/32".parse().unwrap(),
            retry_count: 0,
            next_due: None,
            refreshed_at: None,
            reenrol_asked_at: None,
        };
        let (site, tags) = ("eu".to_owned(), "a b".to_owned());
        let draft = AcceptForm { site, tags, ..AcceptForm::default() };
        row(&device, may, &draft, now)
    }

    #[test]
    fn only_who_may_is_offered_to_let_one_in() {
        let (may, may_not) = (stranger("A1 B", true), stranger("A1 B", false));
        assert_eq!(may.claim, "/claims/new?serial=A1+B&site=eu&tags=a+b");
        assert!(may.order.starts_with("/claims/unknown/") && may_not.order.is_empty());
        assert_eq!((may_not.claim.as_str(), may_not.why.as_str()), ("", "A1 B"));
        assert!(!may.from.contains('/'), "an address, and no network: {}", may.from);
    }

    #[test]
    fn what_is_chosen_stays_but_for_the_customer() {
        let form = AcceptForm {
            site: " eu ".to_owned(),
            tags: "a b".to_owned(),
            customer: "7".to_owned(),
            ..AcceptForm::default()
        };
        assert_eq!(form.at(""), "/claims/unknown?site=eu&tags=a+b");
        let fields = form.fields();
        assert_eq!((fields.site.as_deref(), fields.profile), (Some("eu"), None));
        assert_eq!((fields.customer.as_deref(), fields.tags.len()), (Some("7"), 2));
    }
}
