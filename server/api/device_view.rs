//! How a device is shown.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::service::devices::Detail;
use crate::store::connection_requests::Request;
use crate::store::devices::Device;

/// A device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeviceView {
    /// UUIDv5 of its OUI and serial number.
    device_id: Uuid,
    /// As the device says.
    manufacturer: String,
    /// Six hexadecimal digits.
    oui: String,
    /// As the device says; may change with its firmware.
    product_class: String,
    /// As the device says.
    serial: String,
    /// Informed within three periodic inform intervals.
    online: bool,
    /// `Device.` or `InternetGatewayDevice.`; null = not seen yet.
    root: Option<String>,
    /// CWMP namespace of its Inform.
    namespace: String,
    /// `DeviceInfo.ModelName`
    model: Option<String>,
    /// RouterOS architecture.
    arch: Option<String>,
    /// RouterOS system identity.
    identity: Option<String>,
    /// `DeviceInfo.HardwareVersion`
    hardware_version: Option<String>,
    /// `DeviceInfo.SoftwareVersion`
    software_version: Option<String>,
    /// `DeviceInfo.ProvisioningCode`
    provisioning_code: Option<String>,
    /// `ManagementServer.ParameterKey`: the last change that the device took.
    parameter_key: Option<String>,
    /// Where it can be woken, as it says.
    connection_request_url: Option<String>,
    /// How its last session was authenticated: none, enrolment, claim, device, certificate.
    auth: String,
    /// Path of the site where it stands; null = in none.
    site: Option<String>,
    /// Its tags, in order.
    tags: Vec<String>,
    /// The customer's number, as its claim says.
    customer: Option<String>,
    /// Since when it waits to be let in; null = it is in.
    quarantined_at: Option<DateTime<Utc>>,
    /// Why it waits.
    quarantine_reason: Option<String>,
    /// First inform.
    first_inform: DateTime<Utc>,
    /// Last inform.
    last_inform: DateTime<Utc>,
    /// Last `1 BOOT`.
    last_boot: Option<DateTime<Utc>>,
    /// Last `0 BOOTSTRAP`.
    last_bootstrap: Option<DateTime<Utc>>,
    /// Event codes of the last inform.
    events: Vec<String>,
    /// Address it came from.
    remote_addr: String,
    /// Attempts before its last session succeeded.
    retry_count: i32,
    /// Earliest time at which one of its jobs may run; null = it has no open job.
    next_due: Option<DateTime<Utc>>,
    /// When its whole data model was last read.
    refreshed_at: Option<DateTime<Utc>>,
    /// It knocked with the enrolment credential although it has one of its own, and waits for
    /// somebody to allow it.
    reenrol_asked_at: Option<DateTime<Utc>>,
}

impl DeviceView {
    pub(super) fn of(d: Device, online_since: DateTime<Utc>) -> Self {
        Self {
            online: d.last_inform >= online_since,
            events: d.events.split(", ").filter(|e| !e.is_empty()).map(str::to_owned).collect(),
            remote_addr: d.remote_addr.addr().to_string(),
            device_id: d.device_id,
            manufacturer: d.manufacturer,
            oui: d.oui,
            product_class: d.product_class,
            serial: d.serial,
            root: d.root,
            namespace: d.namespace,
            model: d.model,
            arch: d.arch,
            identity: d.identity,
            hardware_version: d.hardware_version,
            software_version: d.software_version,
            provisioning_code: d.provisioning_code,
            parameter_key: d.parameter_key,
            connection_request_url: d.connection_request_url,
            auth: d.auth,
            site: d.site,
            tags: d.tags,
            customer: d.customer,
            quarantined_at: d.quarantined_at,
            quarantine_reason: d.quarantine_reason,
            first_inform: d.first_inform,
            last_inform: d.last_inform,
            last_boot: d.last_boot,
            last_bootstrap: d.last_bootstrap,
            retry_count: d.retry_count,
            next_due: d.next_due,
            refreshed_at: d.refreshed_at,
            reenrol_asked_at: d.reenrol_asked_at,
        }
    }
}

/// A device with what only its own page shows.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeviceDetail {
    #[serde(flatten)]
    device: DeviceView,
    /// Methods the device has; null = not asked yet.
    methods: Option<Vec<String>>,
    /// The open connection request; null = nobody wants the device now.
    connection_request: Option<ConnectionRequestView>,
    /// The device through which it reaches the network; null = none is known.
    uplink: Option<Uuid>,
    /// Devices with the same label back each other up; null = none does.
    redundancy: Option<String>,
}

impl DeviceDetail {
    pub(super) fn of(detail: Detail, online_since: DateTime<Utc>) -> Self {
        let Detail { mut device, connection_request, ties } = detail;
        Self {
            methods: device.methods.take(),
            connection_request: connection_request.map(ConnectionRequestView::of),
            uplink: ties.uplink,
            redundancy: ties.redundancy,
            device: DeviceView::of(device, online_since),
        }
    }
}

/// An attempt to wake a device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConnectionRequestView {
    /// When somebody first asked for it.
    asked_at: DateTime<Utc>,
    /// When it is tried next.
    next_try: DateTime<Utc>,
    /// Attempts so far.
    attempts: i32,
    /// When the device last answered one; its session is waited for.
    sent_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed.
    last_error: Option<String>,
}

impl ConnectionRequestView {
    fn of(r: Request) -> Self {
        Self {
            asked_at: r.asked_at,
            next_try: r.not_before,
            attempts: r.attempts,
            sent_at: r.sent_at,
            last_error: r.last_error,
        }
    }
}
