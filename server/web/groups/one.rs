//! The page of one group: what it is, which devices are in it, putting them in and taking them out.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{GroupForm, HOME, path};
use crate::access::right::Right;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::fleet::group::selector_of;
use crate::fleet::online;
use crate::service::{devices, groups as service};
use crate::store::devices::Device;
use crate::web::devices::model;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::manage::{
    self, Confirmation, Fact, address, answer, cut, everywhere, same, version, with_one_more,
};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Devices on a page.
const PAGE: usize = 100;
/// Serial numbers that are put in at once.
const MOST: usize = 200;
/// Complaints about serial numbers that are told.
const TOLD: usize = 5;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MembersQuery {
    after: Option<Uuid>,
}

#[derive(Serialize)]
struct GroupPage {
    shell: Shell,
    here: String,
    name: String,
    facts: Vec<Fact>,
    by_list: bool,
    /// Where its devices are counted, which may take a while; empty where its selector cannot be read
    /// any more.
    count: String,
    /// Why not.
    unread: String,
    devices_href: String,
    /// Where a rollout for them is written; empty where its selector cannot be read any more, and for
    /// who may not.
    roll_out: String,
    rows: Vec<Row>,
    first: String,
    next: String,
    may_change: bool,
    may_add: bool,
    history: String,
    version: String,
    draft: Draft,
    errors: Complaints,
}

/// What the forms show.
#[derive(Debug, Default, Serialize)]
struct Draft {
    name: String,
    description: String,
    selector: String,
    /// Serial numbers to be put in.
    serials: String,
}

/// A device in the group.
#[derive(Debug, Serialize)]
struct Row {
    href: String,
    serial: String,
    model: String,
    site: String,
    online: bool,
    last_inform: When,
    /// Where it is taken out; empty for who may not.
    remove: String,
}

/// `GET /groups/{id}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(group_id): Path<Uuid>,
    Query(query): Query<MembersQuery>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, group_id, query.after, None, Complaints::default()).await
}

/// The page from a device on, with what was sent and is wrong.
async fn shown(
    app: &Shared,
    viewer: &Viewer,
    group_id: Uuid,
    after: Option<Uuid>,
    sent: Option<(String, Draft)>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let group = service::get(app, ctx, group_id).await?;
    let by_list = group.selector.is_none();
    let may_add = service::may_set_members(app, ctx, &group).await?;
    let found = service::devices(app, ctx, group_id, after, with_one_more(PAGE)).await;
    let (found, unread) = read(found)?;
    let (members, more) = cut(found, PAGE);
    let whole = selector_of(&group.name);
    let count = match unread.is_empty() {
        true => address("/devices/count", &[("q", whole.as_str())]),
        false => String::new(),
    };
    let here = path(group_id);
    let last = members.last().filter(|_| more).map(|device| device.device_id.to_string());
    let object = group_id.to_string();
    let roll_out = match unread.is_empty() && viewer.may(Right::Operate) {
        true => address("/rollouts/new", &[("group", object.as_str())]),
        false => String::new(),
    };
    let stored = || Draft {
        name: group.name.clone(),
        description: group.description.clone(),
        selector: group.selector.clone().unwrap_or_default(),
        serials: String::new(),
    };
    let (version, draft) = sent.unwrap_or_else(|| (version(group.updated_at), stored()));
    let since = online::since(&app.config, ctx.now);
    let ids: Vec<Uuid> = members.iter().map(|device| device.device_id).collect();
    let operable = devices::among(app, ctx, Right::Operate, &ids).await?;
    let row = |device: &Device| Row {
        online: device.last_inform >= since,
        remove: match may_add && operable.contains(&device.device_id) {
            true => format!("{here}/devices/{}/remove", device.device_id),
            false => String::new(),
        },
        ..row(device, ctx)
    };
    let page = GroupPage {
        shell: Shell::new(viewer, &app.config, &group.name, Section::Groups),
        facts: vec![
            Fact::new("Description", group.description.as_str()),
            Fact::new("Devices", if by_list { "put in one by one" } else { "by a selector" }),
            Fact::new("Made by", group.created_by.as_str()),
            Fact::new("Made", When::new(group.created_at, ctx.now).both()),
            Fact::new("Changed", When::new(group.updated_at, ctx.now).both()),
        ],
        by_list,
        count,
        unread,
        devices_href: manage::devices(&whole),
        roll_out,
        rows: members.iter().map(row).collect(),
        first: after.map(|_| here.clone()).unwrap_or_default(),
        next: last.map(|id| address(&here, &[("after", id.as_str())])).unwrap_or_default(),
        may_change: everywhere(viewer, Right::Operate),
        may_add,
        history: match everywhere(viewer, Right::Audit) {
            true => address("/audit", &[("kind", "group"), ("object", object.as_str())]),
            false => String::new(),
        },
        name: group.name.clone(),
        here: here.clone(),
        version,
        draft,
        errors,
    };
    answer(View::Group, &page, &page.errors)
}

/// The devices; and why there are none, where the selector cannot be read any more.
fn read(found: Result<Vec<Device>, Error>) -> Result<(Vec<Device>, String), Error> {
    match found {
        Ok(found) => Ok((found, String::new())),
        Err(Error::Invalid { message, .. }) => Ok((Vec::new(), message)),
        Err(error) => Err(error),
    }
}

fn row(device: &Device, ctx: &Ctx) -> Row {
    Row {
        href: format!("/devices/{}", device.device_id),
        serial: device.serial.clone(),
        model: model(device),
        site: device.site.clone().unwrap_or_default(),
        online: false,
        last_inform: When::new(device.last_inform, ctx.now),
        remove: String::new(),
    }
}

/// `POST /groups/{id}`
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(group_id): Path<Uuid>,
    Form(sent): Form<GroupForm>,
) -> Result<Response, Failure> {
    let fields = sent.fields();
    let changed =
        service::change(&app, viewer.ctx(), group_id, same(&sent.version), |_| Ok(fields)).await;
    match changed {
        Ok(_) => Ok(flash::to(&path(group_id), Flash::done("It is saved."))),
        Err(error) => {
            let errors = Complaints::of(error, &["name", "description", "selector"])?;
            let draft = Draft {
                name: sent.name,
                description: sent.description,
                selector: sent.selector,
                serials: String::new(),
            };
            shown(&app, &viewer, group_id, None, Some((sent.version, draft)), errors).await
        }
    }
}

/// `POST /groups/{id}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(group_id): Path<Uuid>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let name = service::get(&app, viewer.ctx(), group_id).await?.name;
    let removed = match sent.check(&name) {
        Ok(()) => service::delete(&app, viewer.ctx(), group_id, |_| Ok(())).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(flash::to(HOME, Flash::done(format!("The group {name} is removed.")))),
        Err(error) => shown(&app, &viewer, group_id, None, None, Complaints::of(error, &[])?).await,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Serials {
    serials: String,
}

/// `POST /groups/{id}/devices`: puts devices in. Those that cannot be stay in the field.
pub(super) async fn add(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(group_id): Path<Uuid>,
    Form(sent): Form<Serials>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let (mut left, mut why) = (Vec::new(), Vec::new());
    let serials = serials(&sent.serials);
    for serial in serials.iter().take(MOST) {
        let name = format!("serial:{serial}");
        match service::set_member(&app, ctx, group_id, &name, true).await {
            Ok(()) => {}
            Err(
                error @ (Error::NotFound(_)
                | Error::Denied(_)
                | Error::Conflict(_)
                | Error::Invalid { .. }),
            ) => {
                left.push(*serial);
                why.push(format!("{serial}: {error}"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let added = serials.len().min(MOST) - left.len();
    left.extend(serials.iter().skip(MOST));
    if left.is_empty() && added > 0 {
        let done = if added == 1 { "It is in the group." } else { "They are in the group." };
        return Ok(flash::to(&path(group_id), Flash::done(done)));
    }
    let errors = Complaints::field("serials", complaint(added, &why, serials.len()));
    let group = service::get(&app, ctx, group_id).await?;
    let draft = Draft {
        serials: left.join("\n"),
        selector: group.selector.unwrap_or_default(),
        name: group.name,
        description: group.description,
    };
    let sent = Some((version(group.updated_at), draft));
    shown(&app, &viewer, group_id, None, sent, errors).await
}

/// The serial numbers in a text, each once.
fn serials(text: &str) -> Vec<&str> {
    let mut serials: Vec<&str> = Vec::new();
    for serial in text.split(|c: char| c.is_whitespace() || c == ',' || c == ';') {
        if !serial.is_empty() && !serials.contains(&serial) {
            serials.push(serial);
        }
    }
    serials
}

/// Why devices are not in the group.
fn complaint(added: usize, why: &[String], sent: usize) -> String {
    if sent == 0 {
        return "Which devices? Their serial numbers, each in a line.".to_owned();
    }
    let mut lines: Vec<String> = why.iter().take(TOLD).cloned().collect();
    if why.len() > TOLD {
        lines.push(format!("and {} more", why.len() - TOLD));
    }
    if sent > MOST {
        lines.push(format!("At most {MOST} at once: send the rest again."));
    }
    if added > 0 {
        lines.push(format!("The other {added} are in the group."));
    }
    lines.join("\n")
}

/// `POST /groups/{id}/devices/{device}/remove`
pub(super) async fn remove(
    viewer: Viewer,
    State(app): State<Shared>,
    Path((group_id, device_id)): Path<(Uuid, Uuid)>,
) -> Result<Response, Failure> {
    let device = device_id.to_string();
    match service::set_member(&app, viewer.ctx(), group_id, &device, false).await {
        Ok(()) => {
            let done = Flash::done("The device is no longer in the group.");
            Ok(flash::to(&path(group_id), done))
        }
        Err(error) => shown(&app, &viewer, group_id, None, None, Complaints::of(error, &[])?).await,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;
    use chrono::DateTime;

    let now = DateTime::UNIX_EPOCH;
    let evil = || "<x-evil>".to_owned();
    let row = |online: bool| Row {
        href: "/devices/1".to_owned(),
        serial: evil(),
        model: evil(),
        site: if online { evil() } else { String::new() },
        online,
        last_inform: When::new(now, now),
        remove: if online { "/groups/1/devices/1/remove".to_owned() } else { String::new() },
    };
    let page = |by_list: bool, full: bool, errors: Complaints| {
        let page = GroupPage {
            shell: Shell::sample(),
            here: path(Uuid::nil()),
            name: evil(),
            facts: vec![Fact::new("Description", evil())],
            by_list,
            count: if full { "/devices/count?q=x".to_owned() } else { String::new() },
            unread: if full { String::new() } else { evil() },
            devices_href: manage::devices("online"),
            roll_out: if full { "/rollouts/new?group=1".to_owned() } else { String::new() },
            rows: if full { vec![row(true), row(false)] } else { Vec::new() },
            first: String::new(),
            next: if full { "/groups/1?after=1".to_owned() } else { String::new() },
            may_change: full,
            may_add: by_list,
            history: if full { "/audit".to_owned() } else { String::new() },
            version: evil(),
            draft: Draft { name: evil(), description: evil(), selector: evil(), serials: evil() },
            errors,
        };
        sample(View::Group, &page)
    };
    vec![
        page(true, true, Complaints::field("serials", "<x-evil>")),
        page(true, false, Complaints::default()),
        page(false, true, Complaints::field("selector", "<x-evil>")),
        page(false, false, Complaints::whole("<x-evil>")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_found_in_whatever_was_pasted() {
        assert_eq!(serials(" A1,B2;\r\n\tA1  C3\n"), ["A1", "B2", "C3"]);
        assert!(serials(" ,\n").is_empty());
    }

    #[test]
    fn it_is_said_which_devices_are_not_in_the_group() {
        let why: Vec<String> = (0..TOLD + 2).map(|n| format!("S{n}: no device")).collect();
        let told = complaint(3, &why, MOST + 1);
        assert!(told.starts_with("S0: no device\n"), "{told}");
        assert!(told.contains("and 2 more") && told.contains("The other 3 are"), "{told}");
        assert!(told.contains("At most 200 at once"), "{told}");
        assert!(complaint(0, &[], 0).starts_with("Which devices?"));
    }
}
