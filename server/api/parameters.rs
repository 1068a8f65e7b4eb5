//! A device's parameters as last read, counters among them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use muster_cwmp::value::ValueType;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::devices::DevicePath;
use super::extract::{PathArgs, QueryArgs};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::devices;
use crate::store::parameters::{Counters, Document};

/// What narrows the list of parameters.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ParameterFilter {
    /// Beginning of the name, such as `Device.WiFi.`.
    prefix: Option<String>,
    /// Text within name or value, in any case.
    search: Option<String>,
}

/// A device's parameters.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Parameters {
    /// When the whole data model was last read; null = never.
    refreshed_at: Option<DateTime<Utc>>,
    /// In order of their names.
    items: Vec<ParameterView>,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ParameterView {
    /// Full name.
    name: String,
    /// As the device gave it; `********` for secrets, whose values are not kept.
    value: String,
    /// XSD type as the device gave it; null for counters.
    #[serde(rename = "type")]
    #[schema(value_type = Option<String>, example = "unsignedInt")]
    kind: Option<ValueType>,
    /// Null = the device did not say.
    writable: Option<bool>,
    /// When this value was learned.
    at: Option<DateTime<Utc>>,
}

/// List a device's parameters
///
/// As last read; a job of the kind `refresh` or `get` reads them anew.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/parameters",
    tag = "devices",
    params(DevicePath, ParameterFilter),
    responses((status = 200, description = "The parameters", body = Parameters), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_parameters(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    QueryArgs(query): QueryArgs<ParameterFilter>,
) -> Result<Json<Parameters>, Problem> {
    let known = devices::parameters(&app, &ctx, &path.device_id).await?;
    let items = select(known.document, known.counters, &query);
    Ok(Json(Parameters { refreshed_at: known.refreshed_at, items }))
}

fn select(
    document: Document,
    counters: Option<(Counters, DateTime<Utc>)>,
    filter: &ParameterFilter,
) -> Vec<ParameterView> {
    let mut all = BTreeMap::new();
    for (name, entry) in document {
        let view = ParameterView {
            name: name.clone(),
            value: entry.value,
            kind: Some(entry.kind),
            writable: entry.writable,
            at: DateTime::from_timestamp(entry.at, 0),
        };
        all.insert(name, view);
    }
    if let Some((counters, at)) = counters {
        for (name, value) in counters {
            let (kind, writable, at) = (None, None, Some(at));
            all.insert(name.clone(), ParameterView { name, value, kind, writable, at });
        }
    }
    let prefix = filter.prefix.as_deref().unwrap_or_default();
    let search = filter.search.as_deref().unwrap_or_default().to_lowercase();
    let found = |p: &ParameterView| {
        p.name.starts_with(prefix)
            && (p.name.to_lowercase().contains(&search) || p.value.to_lowercase().contains(&search))
    };
    all.into_values().filter(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::parameters::Entry;

    fn known() -> (Document, Option<(Counters, DateTime<Utc>)>) {
        let entry = |value: &str| Entry {
            value: value.to_owned(),
            kind: ValueType::Boolean,
            writable: Some(true),
            at: 60,
        };
        let document = Document::from([
            ("Device.WiFi.SSID.1.SSID".to_owned(), entry("Attic")),
            ("Device.WiFi.SSID.1.Enable".to_owned(), entry("true")),
        ]);
        let counters = Counters::from([("Device.DeviceInfo.UpTime".to_owned(), "5".to_owned())]);
        (document, Some((counters, DateTime::UNIX_EPOCH)))
    }

    fn names(prefix: Option<&str>, search: Option<&str>) -> Vec<String> {
        let (document, counters) = known();
        let filter = ParameterFilter {
            prefix: prefix.map(str::to_owned),
            search: search.map(str::to_owned),
        };
        select(document, counters, &filter).into_iter().map(|p| p.name).collect()
    }

    #[test]
    fn counters_stand_among_the_parameters() {
        let (document, counters) = known();
        let all = select(document, counters, &ParameterFilter::default());
        let values: Vec<&str> = all.iter().map(|p| p.value.as_str()).collect();
        assert_eq!(values, ["5", "true", "Attic"]);
        assert_eq!((all[0].kind, all[0].at), (None, Some(DateTime::UNIX_EPOCH)));
        assert_eq!((all[2].writable, all[2].kind), (Some(true), Some(ValueType::Boolean)));
    }

    #[test]
    fn the_list_is_narrowed_by_prefix_and_by_text() {
        assert_eq!(names(Some("Device.WiFi."), None).len(), 2);
        assert_eq!(names(None, Some("attic")), ["Device.WiFi.SSID.1.SSID"]);
        assert_eq!(names(None, Some("UPTIME")), ["Device.DeviceInfo.UpTime"]);
        assert!(names(Some("Device.WiFi."), Some("uptime")).is_empty());
    }
}
