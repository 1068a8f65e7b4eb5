//! A device with all that one can have, for the tests of its pages.

use chrono::{DateTime, TimeDelta};
use muster_cwmp::value::ValueType;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Head, May, Tab, actions, backups, desired, diagnose, files, jobs, object,
    parameters as tree_pages, placement, rollouts, sessions, summary, timeline, value,
};
use crate::access::right::Right;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::fleet::secret::MASK;
use crate::service::devices::DeviceParameters;
use crate::store::devices::Device;
use crate::store::jobs::Job;
use crate::store::parameters::{Counters, Document, Entry};
use crate::web::views::View;

/// Of every page.
pub(in crate::web) fn samples() -> Vec<(View, Value)> {
    [
        actions::samples(),
        backups::samples(),
        desired::samples(),
        diagnose::samples(),
        files::samples(),
        jobs::samples(),
        object::samples(),
        tree_pages::samples(),
        placement::samples(),
        rollouts::samples(),
        sessions::samples(),
        summary::samples(),
        timeline::samples(),
        value::samples(),
    ]
    .concat()
}

impl Head {
    /// For somebody who may do everything.
    pub(super) fn sample() -> Self {
        let ctx = Ctx::console(DateTime::UNIX_EPOCH);
        let may = May::of(&Right::ALL);
        assert_eq!(may, May { operate: true, secrets: true, admin: true });
        Self::new(&ctx, &Config::default(), &device(), Tab::Parameters, may)
    }
}

/// A device that was asked for nothing, and calls itself something evil.
pub(super) fn device() -> Device {
    let now = DateTime::UNIX_EPOCH;
    let text = |text: &str| Some(text.to_owned());
    Device {
        device_id: Uuid::from_u128(7),
        manufacturer: "<x-evil>".to_owned(),
        oui: "001122".to_owned(),
        product_class: "hAP <x-evil>".to_owned(),
        serial: "HAP0001<x-evil>".to_owned(),
        root: text("Device."),
        namespace: "urn:dslforum-org:cwmp-1-2".to_owned(),
        model: text("<x-evil>"),
        arch: text("arm"),
        identity: text("Attic <x-evil>"),
        hardware_version: text("1"),
        software_version: text("7.16.1"),
        provisioning_code: text("\"x\""),
        parameter_key: None,
        connection_request_url: text("http://192.0.2.7:7547/<x-evil>"),
        methods: Some(vec!["Reboot".to_owned()]),
        auth: "none".to_owned(),
        site: text("eu.lv.riga"),
        tags: vec!["pilot".to_owned(), "vip".to_owned()],
        first_inform: now,
        last_inform: now,
        last_boot: Some(now),
        last_bootstrap: Some(now),
        events: "1 BOOT".to_owned(),
        remote_addr: std::net::IpAddr::from([192, 0, 2, 7]).into(),
        retry_count: 0,
        next_due: None,
        refreshed_at: Some(now),
        reenrol_asked_at: Some(now),
        customer: text("K-<x-evil>"),
        quarantined_at: None,
        quarantine_reason: None,
    }
}

/// A job of that device, as it is stored.
pub(super) fn job(state: &str, args: Value) -> Job {
    let now = DateTime::UNIX_EPOCH;
    let is_open = matches!(state, "queued" | "running" | "waiting");
    Job {
        device_id: Uuid::from_u128(7),
        job_id: Uuid::from_u128(9),
        kind: args["kind"].as_str().unwrap_or_default().to_owned(),
        args,
        state: state.to_owned(),
        not_before: now,
        expires_at: now + TimeDelta::days(7),
        confirm_by: None,
        attempts: 0,
        max_attempts: 5,
        lease: None,
        leased_until: None,
        idempotency_key: None,
        created_by: "ann <x-evil>".to_owned(),
        created_at: now,
        finished_at: (!is_open).then_some(now),
        result: None,
        fault: None,
        note: None,
        rollout_id: None,
        unkept: false,
    }
}

/// One that the device refused.
pub(super) fn failed() -> Job {
    let name = "Device.WiFi.SSID.1.SSID";
    let args = json!({ "kind": "set", "parameters": [{ "name": name, "value": "<x-evil>" }] });
    let part = json!({ "name": name, "code": 9007, "text": "<x-evil>" });
    Job {
        attempts: 2,
        note: Some("the device refused: 9003 (invalid arguments)".to_owned()),
        fault: Some(json!({ "code": 9003, "text": "<x-evil>", "parameters": [part] })),
        ..job("failed", args)
    }
}

/// What that device has.
pub(super) fn parameters() -> DeviceParameters {
    let now = DateTime::UNIX_EPOCH;
    let entry = |(name, value, kind, writable): (&str, &str, ValueType, bool)| {
        let entry = Entry { value: value.to_owned(), kind, writable: Some(writable), at: 0 };
        (name.to_owned(), entry)
    };
    let text = ValueType::String;
    let document: Document = [
        ("Device.DeviceInfo.Description", "<x-evil> \"x\"", text, true),
        ("Device.DeviceInfo.SerialNumber", "HAP0001", text, false),
        ("Device.WiFi.AccessPoint.1.Security.KeyPassphrase", MASK, text, true),
        ("Device.WiFi.SSID.1.Enable", "1", ValueType::Boolean, true),
        ("Device.WiFi.SSID.1.SSID", "Attic", text, true),
        ("Device.WiFi.SSID.1.Status", "Up", text, false),
        ("Device.WiFi.SSID.2.SSID", "Cellar", text, true),
    ]
    .into_iter()
    .map(entry)
    .collect();
    let uptime = ("Device.DeviceInfo.UpTime".to_owned(), "3600".to_owned());
    DeviceParameters {
        refreshed_at: Some(now),
        document,
        counters: Some((Counters::from([uptime]), now)),
    }
}
