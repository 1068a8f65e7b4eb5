//! A device as the API shows it, and the columns of lists of devices.

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use uuid::Uuid;

use super::http::{Api, List, Span};
use super::output::{joined, list, maybe, maybe_time, time, yes};

/// A device.
#[derive(Debug, Deserialize)]
pub(super) struct Device {
    /// Its id.
    pub device_id: Uuid,
    /// As the device says.
    pub serial: String,
    manufacturer: String,
    oui: String,
    product_class: String,
    online: bool,
    model: Option<String>,
    arch: Option<String>,
    identity: Option<String>,
    hardware_version: Option<String>,
    software_version: Option<String>,
    provisioning_code: Option<String>,
    parameter_key: Option<String>,
    connection_request_url: Option<String>,
    auth: String,
    site: Option<String>,
    /// In order.
    pub tags: Vec<String>,
    customer: Option<String>,
    quarantined_at: Option<DateTime<Utc>>,
    first_inform: DateTime<Utc>,
    last_inform: DateTime<Utc>,
    last_boot: Option<DateTime<Utc>>,
    last_bootstrap: Option<DateTime<Utc>>,
    events: Vec<String>,
    remote_addr: String,
    next_due: Option<DateTime<Utc>>,
    refreshed_at: Option<DateTime<Utc>>,
}

/// Columns, by the names that the API has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Column {
    /// As the device says.
    Serial,
    /// Model name.
    Model,
    /// Version of RouterOS.
    SoftwareVersion,
    /// RouterOS system identity.
    Identity,
    /// Where it stands.
    Site,
    /// Its tags.
    Tags,
    /// Whether it informs as it should.
    Online,
    /// Last inform.
    LastInform,
    /// Muster's id for it.
    DeviceId,
    /// As the device says.
    Manufacturer,
    /// Six hexadecimal digits.
    Oui,
    /// As the device says.
    ProductClass,
    /// RouterOS architecture.
    Arch,
    /// As the device says.
    HardwareVersion,
    /// As the device says.
    ProvisioningCode,
    /// The last change that the device took.
    ParameterKey,
    /// Where it can be woken.
    ConnectionRequestUrl,
    /// How it proves who it is.
    Auth,
    /// The customer's number.
    Customer,
    /// Since when it waits to be let in.
    QuarantinedAt,
    /// First inform.
    FirstInform,
    /// Last restart.
    LastBoot,
    /// Last reset.
    LastBootstrap,
    /// Event codes of the last inform.
    Events,
    /// Address it came from.
    RemoteAddr,
    /// When its next job may run.
    NextDue,
    /// When its data model was last read whole.
    RefreshedAt,
}

/// Shown when nobody asks for others.
const USUAL: [Column; 8] = [
    Column::Serial,
    Column::Model,
    Column::SoftwareVersion,
    Column::Identity,
    Column::Site,
    Column::Tags,
    Column::Online,
    Column::LastInform,
];

impl Column {
    fn name(self) -> String {
        self.to_possible_value().expect("no column is hidden").get_name().to_owned()
    }

    fn of(self, d: &Device) -> String {
        match self {
            Self::Serial => d.serial.clone(),
            Self::Model => maybe(d.model.clone()),
            Self::SoftwareVersion => maybe(d.software_version.clone()),
            Self::Identity => maybe(d.identity.clone()),
            Self::Site => maybe(d.site.clone()),
            Self::Tags => joined(&d.tags),
            Self::Online => yes(d.online),
            Self::LastInform => time(d.last_inform),
            Self::DeviceId => d.device_id.to_string(),
            Self::Manufacturer => d.manufacturer.clone(),
            Self::Oui => d.oui.clone(),
            Self::ProductClass => d.product_class.clone(),
            Self::Arch => maybe(d.arch.clone()),
            Self::HardwareVersion => maybe(d.hardware_version.clone()),
            Self::ProvisioningCode => maybe(d.provisioning_code.clone()),
            Self::ParameterKey => maybe(d.parameter_key.clone()),
            Self::ConnectionRequestUrl => maybe(d.connection_request_url.clone()),
            Self::Auth => d.auth.clone(),
            Self::Customer => maybe(d.customer.clone()),
            Self::QuarantinedAt => maybe_time(d.quarantined_at),
            Self::FirstInform => time(d.first_inform),
            Self::LastBoot => maybe_time(d.last_boot),
            Self::LastBootstrap => maybe_time(d.last_bootstrap),
            Self::Events => joined(&d.events),
            Self::RemoteAddr => d.remote_addr.clone(),
            Self::NextDue => maybe_time(d.next_due),
            Self::RefreshedAt => maybe_time(d.refreshed_at),
        }
    }
}

/// Which columns a list has.
#[derive(Debug, Args)]
pub struct Columns {
    /// Columns of the table, with commas between them.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "COLUMN,...")]
    columns: Vec<Column>,
}

impl Columns {
    fn chosen(&self) -> &[Column] {
        if self.columns.is_empty() { &USUAL } else { &self.columns }
    }
}

/// Shows a list of devices.
pub(super) async fn show_devices(
    api: &Api,
    devices: &List<'_>,
    span: &Span,
    columns: &Columns,
) -> anyhow::Result<()> {
    let chosen = columns.chosen();
    let names: Vec<String> = chosen.iter().map(|column| column.name()).collect();
    let header: Vec<&str> = names.iter().map(String::as_str).collect();
    let row = |device: Device| -> Vec<String> {
        chosen.iter().map(|column| column.of(&device)).collect()
    };
    list(api, devices, span, &header, row).await
}

/// All that a device's own page says of it in one line each.
pub(super) fn all_fields(device: &Device) -> Vec<(String, String)> {
    let columns = Column::value_variants();
    columns.iter().map(|column| (column.name(), column.of(device))).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::{Value, json};

    use super::*;

    fn answered() -> Value {
        json!({
            "device_id": "0193f6a1-0000-5000-8000-000000000001", "manufacturer": "MikroTik",
            "oui": "E48D8C", "product_class": "hAP ac²", "serial": "8A0C", "online": true,
            "root": "Device.", "namespace": "urn:x", "model": null, "arch": null, "identity": "",
            "hardware_version": "v1.0", "software_version": "7.16.1", "provisioning_code": null,
            "parameter_key": null, "connection_request_url": null, "auth": "none",
            "site": "eu.lv", "tags": ["pilot", "tower"], "customer": "4711",
            "quarantined_at": null, "quarantine_reason": null, "first_inform": "2026-11-22T12:00:00Z",
            "last_inform": "2026-11-22T12:00:05.123Z", "last_boot": null, "last_bootstrap": null,
            "events": ["2 PERIODIC"], "remote_addr": "127.0.0.1", "retry_count": 0,
            "next_due": null, "refreshed_at": null, "reenrol_asked_at": null,
        })
    }

    #[test]
    fn every_column_is_a_field_of_the_api() {
        let answered = answered();
        let device: Device = serde_json::from_value(answered.clone()).unwrap();
        let all = all_fields(&device);
        assert!(all.len() > 20);
        for (name, text) in all {
            assert!(answered.get(&name).is_some(), "the API has no {name}");
            assert!(!text.is_empty(), "{name} is empty");
        }
        assert_eq!(Column::Tags.of(&device), "pilot, tower");
        assert_eq!(Column::LastInform.of(&device), "2026-11-22 12:00:05Z");
        assert_eq!(Column::Identity.of(&device), "-");
    }

    #[test]
    fn a_list_has_the_columns_that_were_asked_for() {
        assert_eq!(Columns { columns: Vec::new() }.chosen(), USUAL);
        let columns = Columns { columns: vec![Column::Arch, Column::Serial] };
        assert_eq!(columns.chosen(), [Column::Arch, Column::Serial]);
        assert_eq!(Column::SoftwareVersion.name(), "software_version");
    }
}
