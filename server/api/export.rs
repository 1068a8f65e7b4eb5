//! The whole list of devices in one answer: CSV for spreadsheets, NDJSON for programs.
//!
//! Streamed, so that its length does not matter. An answer that breaks off is one that has no end:
//! the connection is cut, and nobody takes a part for the whole.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::device_view::DeviceView;
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::service::devices::Asked;
use crate::service::export::{self, csv_of};
use crate::store::devices::Device;

/// Fields of a device in the order of a spreadsheet's columns.
const COLUMNS: [&str; 29] = [
    "device_id",
    "serial",
    "online",
    "manufacturer",
    "oui",
    "product_class",
    "model",
    "arch",
    "identity",
    "hardware_version",
    "software_version",
    "site",
    "tags",
    "customer",
    "remote_addr",
    "first_inform",
    "last_inform",
    "last_boot",
    "last_bootstrap",
    "refreshed_at",
    "events",
    "next_due",
    "auth",
    "reenrol_asked_at",
    "quarantined_at",
    "quarantine_reason",
    "provisioning_code",
    "parameter_key",
    "connection_request_url",
];
/// Fields that say more of the protocol than of the device.
#[cfg(test)]
const LEFT_OUT: [&str; 3] = ["root", "namespace", "retry_count"];

/// The form of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// A page, as JSON.
    Json,
    /// All rows, as CSV.
    Csv,
    /// All rows, each as a line of JSON.
    Ndjson,
}

impl Format {
    /// What a request asks for: by its query, or else the first that it accepts and that there is.
    pub(super) fn of(asked: Option<Self>, headers: &HeaderMap) -> Self {
        let fields = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut ranges = fields.flat_map(|field| field.split(','));
        let accepted = || {
            ranges.find_map(|range| match range.split(';').next().unwrap_or_default().trim() {
                "application/json" | "application/*" | "*/*" => Some(Self::Json),
                "text/csv" | "text/*" => Some(Self::Csv),
                "application/x-ndjson" => Some(Self::Ndjson),
                _ => None,
            })
        };
        asked.or_else(accepted).unwrap_or(Self::Json)
    }
}

/// All devices that are asked for, in order of their ids; a page's limit does not matter.
///
/// # Errors
/// The problem of a list that cannot be begun.
pub(super) async fn devices(
    app: Shared,
    ctx: Ctx,
    asked: Asked,
    online_since: DateTime<Utc>,
    format: Format,
) -> Result<Response, Problem> {
    let pages = export::devices(app, ctx, asked).await?;
    let (media_type, name, head, write): (_, _, Vec<u8>, Writer) = match format {
        Format::Csv => {
            let head = csv_of([COLUMNS.map(str::to_owned).to_vec()]);
            ("text/csv; charset=utf-8; header=present", "devices.csv", head, csv_page)
        }
        Format::Json | Format::Ndjson => {
            ("application/x-ndjson", "devices.ndjson", Vec::new(), ndjson_page)
        }
    };
    let lines = pages.and_then(move |page| async move { write(page, online_since) });
    let body = stream::iter([Ok(head)]).chain(lines);
    let fields = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((fields, Body::from_stream(body)).into_response())
}

/// Writes a page of a list.
type Writer = fn(Vec<Device>, DateTime<Utc>) -> Result<Vec<u8>, Error>;

fn csv_page(page: Vec<Device>, online_since: DateTime<Utc>) -> Result<Vec<u8>, Error> {
    let records: Result<Vec<_>, Error> =
        page.into_iter().map(|device| record(DeviceView::of(device, online_since))).collect();
    Ok(csv_of(records?))
}

fn ndjson_page(page: Vec<Device>, online_since: DateTime<Utc>) -> Result<Vec<u8>, Error> {
    let mut lines = Vec::new();
    for device in page {
        serde_json::to_writer(&mut lines, &DeviceView::of(device, online_since))
            .map_err(unwritten)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn record(view: DeviceView) -> Result<Vec<String>, Error> {
    let fields = serde_json::to_value(view).map_err(unwritten)?;
    Ok(COLUMNS.iter().map(|column| cell(&fields[*column])).collect())
}

/// A value as it stands in a cell: nothing for null, a list with commas.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

fn unwritten(error: serde_json::Error) -> Error {
    Error::Internal(format!("a device cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use super::*;
    use chrono::TimeZone;
    use uuid::Uuid;

    fn device(serial: &str) -> Device {
        let at = Utc.with_ymd_and_hms(2026, 11, 22, 9, 30, 0).unwrap();
        Device {
            device_id: Uuid::from_u128(7),
            manufacturer: "MikroTik".into(),
            oui: "E48D8C".into(),
            product_class: "hAP ac²".into(),
            serial: serial.into(),
            root: Some("Device.".into()),
            namespace: "urn:dslforum-org:cwmp-1-2".into(),
            model: None,
            arch: None,
            identity: Some("=1+1".into()),
            hardware_version: None,
            software_version: Some("7.16.1".into()),
            provisioning_code: None,
            parameter_key: None,
            connection_request_url: None,
            methods: None,
            auth: "device".into(),
            site: Some("eu.lv".into()),
            tags: vec!["pilot".into(), "tower".into()],
            first_inform: at,
            last_inform: at,
            last_boot: None,
            last_bootstrap: None,
            events: "1 BOOT, 2 PERIODIC".into(),
            remote_addr: "192.0.2.7/32".parse().unwrap(),
            retry_count: 0,
            next_due: None,
            refreshed_at: None,
            reenrol_asked_at: None,
            customer: None,
            quarantined_at: None,
            quarantine_reason: None,
        }
    }

    fn accepting(accept: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())])
    }

    #[test]
    fn the_query_says_more_than_the_header() {
        for (accept, format) in [
            ("*/*", Format::Json),
            ("text/csv", Format::Csv),
            ("text/html, application/x-ndjson; q=0.9, */*", Format::Ndjson),
            ("image/png", Format::Json),
        ] {
            assert_eq!(Format::of(None, &accepting(accept)), format, "{accept}");
        }
        assert_eq!(Format::of(Some(Format::Json), &accepting("text/csv")), Format::Json);
        assert_eq!(Format::of(None, &HeaderMap::new()), Format::Json);
    }

    #[test]
    fn every_field_is_a_column_or_left_out_by_name() {
        let view = serde_json::to_value(DeviceView::of(device("A"), DateTime::UNIX_EPOCH)).unwrap();
        let fields: BTreeSet<&str> = view.as_object().unwrap().keys().map(String::as_str).collect();
        let columns: BTreeSet<&str> = COLUMNS.into_iter().chain(LEFT_OUT).collect();
        assert_eq!(columns, fields);
    }

    #[test]
    fn a_page_is_as_many_lines() {
        let since = device("A").last_inform;
        let page = || vec![device("A"), device("B,C")];
        let csv = String::from_utf8(csv_page(page(), since).unwrap()).unwrap();
        assert_eq!(csv.lines().count(), 2);
        for part in [
            "\"B,C\",true,MikroTik",
            ",'=1+1,",
            ",\"pilot, tower\",,192.0.2.7,",
            "\"1 BOOT, 2 PERIODIC\"",
        ] {
            assert!(csv.contains(part), "{part} is missing in {csv}");
        }
        let ndjson = String::from_utf8(ndjson_page(page(), since).unwrap()).unwrap();
        let lines: Vec<Value> =
            ndjson.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["serial"], "B,C");
        assert_eq!(lines[1]["identity"], "=1+1", "programs get what devices say");
    }
}
