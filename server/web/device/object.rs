//! Rows of tables of the data model: a new one, filled in, and the end of one.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::tree::{self, Rows};
use super::value::ordered;
use super::{Head, address, card, operate, shell, with_query};
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::secret::{MASK, is_secret};
use crate::jobs::spec::{JobSpec, SetParameter};
use crate::service::{devices, jobs};
use crate::web::failure::Failure;
use crate::web::form::{Complaints, Form};
use crate::web::format::shortened;
use crate::web::shell::Shell;
use crate::web::viewer::{Viewer, Visit};
use crate::web::views::{View, render};

/// Fields that a form offers, and values that are shown of a row.
const FIELDS: usize = 60;
/// Characters of a value that is shown.
const VALUE: usize = 120;
/// A field of a new row is posted under its name with this before it.
const FIELD: &str = "p.";

#[derive(Debug, Deserialize)]
pub(super) struct ObjectQuery {
    object: String,
}

#[derive(Serialize)]
struct AddPage {
    shell: Shell,
    head: Head,
    object: String,
    action: String,
    back: String,
    fields: Vec<Field>,
    errors: Complaints,
}

/// A parameter of a new row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Field {
    name: String,
    kind: &'static str,
    value: String,
    /// What another row has there.
    example: String,
}

#[derive(Serialize)]
struct DeletePage {
    shell: Shell,
    head: Head,
    object: String,
    action: String,
    back: String,
    values: Vec<Value>,
    count: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Value {
    name: String,
    value: String,
}

/// `GET /devices/{id}/parameters/add`
pub(super) async fn add_page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<ObjectQuery>,
) -> Result<Response, Failure> {
    let sent = BTreeMap::from([("object".to_owned(), query.object)]);
    add_form(&app, &viewer, &id, &sent, Complaints::default()).await
}

async fn add_form(
    app: &App,
    viewer: &Viewer,
    id: &str,
    sent: &BTreeMap<String, String>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let (device, head) = operate(app, viewer, id).await?;
    let known = devices::parameters(app, viewer.ctx(), id).await?;
    let object = object(sent)?;
    let here = address(device.device_id, "/parameters");
    let wrong = errors != Complaints::default();
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = AddPage {
        shell: shell(app, viewer, &head, "add a row"),
        action: format!("{here}/add"),
        back: with_query(&here, &[("at", object)]),
        fields: fields(&tree::rows(&known), object, sent),
        object: object.to_owned(),
        errors,
        head,
    };
    Ok((status, render(View::DeviceAdd, &page)?).into_response())
}

fn object(sent: &BTreeMap<String, String>) -> Result<&str, Error> {
    let missing = || Error::invalid("/object", "which object?");
    sent.get("object").map(String::as_str).ok_or_else(missing)
}

/// What a new row of a table can be given: what can be changed of those that it has.
fn fields(rows: &Rows<'_>, object: &str, sent: &BTreeMap<String, String>) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for known in tree::within(rows, object).filter(|known| known.writable == Some(true)) {
        // OBJECT.{i}.NAME: rows of tables within the row are not made with it.
        let name = known.name[object.len()..].split_once('.').map(|(_, name)| name);
        let numbered = |name: &&str| name.split('.').any(|step| step.parse::<u32>().is_ok());
        let Some(name) = name.filter(|name| !numbered(name)) else { continue };
        if fields.len() < FIELDS && !fields.iter().any(|field| field.name == name) {
            let example = if is_secret(name) { MASK } else { known.value };
            fields.push(Field {
                name: name.to_owned(),
                kind: known.kind,
                value: sent.get(&format!("{FIELD}{name}")).cloned().unwrap_or_default(),
                example: shortened(example, VALUE),
            });
        }
    }
    fields
}

/// `POST /devices/{id}/parameters/add`
pub(super) async fn add(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let parameters = given(&sent);
    let spec = JobSpec::AddObject { object: object(&sent)?.to_owned(), parameters };
    match jobs::create(&app, viewer.ctx(), &id, ordered(spec)).await {
        Ok((job, _)) => card::answer(&app, &viewer, &visit, job).await,
        Err(error) => add_form(&app, &viewer, &id, &sent, Complaints::of(error, &[])?).await,
    }
}

/// The fields that were filled in; the others the device sets by itself.
fn given(sent: &BTreeMap<String, String>) -> Vec<SetParameter> {
    let filled = sent.iter().filter(|(_, value)| !value.is_empty());
    filled
        .filter_map(|(field, value)| {
            let name = field.strip_prefix(FIELD)?.to_owned();
            Some(SetParameter { name, value: value.clone(), kind: None })
        })
        .collect()
}

/// `GET /devices/{id}/parameters/delete`
pub(super) async fn delete_page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<ObjectQuery>,
) -> Result<Response, Failure> {
    let (device, head) = operate(&app, &viewer, &id).await?;
    let known = devices::parameters(&app, viewer.ctx(), &id).await?;
    let rows = tree::rows(&known);
    let here = address(device.device_id, "/parameters");
    let value = |known: tree::Known<'_>| Value {
        name: known.name[query.object.len()..].to_owned(),
        value: shortened(known.value, VALUE),
    };
    let page = DeletePage {
        shell: shell(&app, &viewer, &head, "delete a row"),
        action: format!("{here}/delete"),
        back: with_query(&here, &[("at", around(&query.object))]),
        values: tree::within(&rows, &query.object).take(FIELDS).map(value).collect(),
        count: tree::within(&rows, &query.object).count(),
        object: query.object.clone(),
        head,
    };
    Ok(render(View::DeviceDelete, &page)?.into_response())
}

/// The table of a row.
fn around(row: &str) -> &str {
    tree::object_of(row.trim_end_matches('.'))
}

/// `POST /devices/{id}/parameters/delete`
pub(super) async fn delete(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<ObjectQuery>,
) -> Result<Response, Failure> {
    let order = ordered(JobSpec::DeleteObject { object: sent.object });
    let (job, _) = jobs::create(&app, viewer.ctx(), &id, order).await?;
    card::answer(&app, &viewer, &visit, job).await
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::samples::parameters;
    use crate::web::views::sample;

    let known = parameters();
    let sent = BTreeMap::from([("p.SSID".to_owned(), "<x-evil>".to_owned())]);
    let add = |fields: Vec<Field>, errors: Complaints| AddPage {
        shell: Shell::sample(),
        head: Head::sample(),
        object: "Device.<x-evil>.".to_owned(),
        action: "/devices/1/parameters/add".to_owned(),
        back: "/devices/1/parameters".to_owned(),
        fields,
        errors,
    };
    let fields = fields(&tree::rows(&known), "Device.WiFi.SSID.", &sent);
    let value = || Value { name: "<x-evil>".to_owned(), value: "<x-evil>".to_owned() };
    let delete = |values: Vec<Value>| DeletePage {
        shell: Shell::sample(),
        head: Head::sample(),
        object: "Device.<x-evil>.1.".to_owned(),
        action: "/devices/1/parameters/delete".to_owned(),
        back: "/devices/1/parameters".to_owned(),
        count: values.len() * 100,
        values,
    };
    vec![
        sample(View::DeviceAdd, &add(fields, Complaints::whole("<x-evil>"))),
        sample(View::DeviceAdd, &add(Vec::new(), Complaints::default())),
        sample(View::DeviceDelete, &delete(vec![value()])),
        sample(View::DeviceDelete, &delete(Vec::new())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::device::samples::parameters;

    #[test]
    fn a_new_row_is_offered_what_can_be_changed_of_the_others() {
        let known = parameters();
        let rows = tree::rows(&known);
        let sent = BTreeMap::from([("p.SSID".to_owned(), "Cellar".to_owned())]);
        let fields = fields(&rows, "Device.WiFi.SSID.", &sent);
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["Enable", "SSID"]);
        assert_eq!((fields[1].value.as_str(), fields[1].example.as_str()), ("Cellar", "Attic"));
    }

    #[test]
    fn an_example_is_no_secret() {
        let known = parameters();
        let fields = fields(&tree::rows(&known), "Device.WiFi.AccessPoint.", &BTreeMap::new());
        assert_eq!(fields[0].name, "Security.KeyPassphrase");
        assert_eq!(fields[0].example, MASK);
    }

    #[test]
    fn only_what_was_filled_in_is_given() {
        let sent = [("object", "Device.X."), ("p.SSID", "Cellar"), ("p.Enable", "")];
        let sent = sent.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let given = given(&BTreeMap::from(sent));
        assert_eq!(given.len(), 1);
        assert_eq!((given[0].name.as_str(), given[0].value.as_str()), ("SSID", "Cellar"));
    }

    #[test]
    fn a_row_stands_in_its_table() {
        assert_eq!(around("Device.WiFi.SSID.3."), "Device.WiFi.SSID.");
        assert_eq!(around("Device."), "");
    }
}
