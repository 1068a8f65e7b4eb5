//! What a message says, as JSON for people.
//!
//! Pure. Owns what of a message nobody may read: values of secret parameters, what transfers log in
//! with, and what in a URL opens it. It never sees the message as it came, only what was decoded,
//! so that a secret is known by its name.

use muster_cwmp::encode::{request_name, response_name};
use muster_cwmp::fault::Fault;
use muster_cwmp::rpc::{
    AllQueuedTransfer, Body, Download, DuOperation, Inform, Request, Response, ScheduleDownload,
    SetParameterAttributes, TransferResponse, Upload,
};
use muster_cwmp::value::ParameterValue;
use serde_json::{Value, json};

use crate::fleet::secret::{MASK, is_secret, link, without};

/// Entries of a list that are shown; how many there are is said.
const MAX_LIST: usize = 20;
/// Characters of one text that are shown.
const MAX_TEXT: usize = 1_000;

/// The kind of a message: the name of its SOAP Body's child.
pub fn kind(body: &Body) -> String {
    match body {
        Body::Request(r) => request_name(r).to_owned(),
        Body::Response(r) => format!("{}Response", response_name(r)),
        Body::Fault(_) => "Fault".to_owned(),
        Body::UnknownMethod(_) => "UnknownMethod".to_owned(),
    }
}

/// What it says. `told` = secrets that were said in clear in this session: a device that refuses a
/// value may repeat it in the fault's text.
pub fn summary(body: &Body, told: &[String]) -> Value {
    let mut summary = match body {
        Body::Request(r) => request(r, told),
        Body::Response(r) => response(r),
        Body::Fault(f) => fault(f, told),
        Body::UnknownMethod(name) => json!({ "method": name }),
    };
    shorten(&mut summary);
    summary
}

/// The secrets in a message to the device, in clear.
pub fn secrets(body: &Body) -> Vec<String> {
    let mut found = Vec::new();
    match body {
        Body::Request(Request::SetParameterValues(set)) => {
            let secret = set.parameters.iter().filter(|p| is_secret(&p.name));
            found.extend(secret.map(|p| p.value.clone()));
        }
        Body::Request(Request::ChangeDuState(change)) => {
            for operation in &change.operations {
                if let DuOperation::Install { password: Some(p), .. }
                | DuOperation::Update { password: Some(p), .. } = operation
                {
                    found.push(p.clone());
                }
            }
        }
        Body::Request(_) | Body::Response(_) | Body::Fault(_) | Body::UnknownMethod(_) => {}
    }
    found
}

fn secret(value: &str) -> &str {
    if value.is_empty() { "" } else { MASK }
}

fn listed<T>(key: &str, all: &[T], show: impl Fn(&T) -> Value) -> Value {
    let first: Vec<Value> = all.iter().take(MAX_LIST).map(show).collect();
    json!({ key: first, "count": all.len() })
}

fn with(mut summary: Value, key: &str, value: &str) -> Value {
    summary[key] = json!(value);
    summary
}

fn parameter(p: &ParameterValue) -> Value {
    let value = if is_secret(&p.name) { secret(&p.value) } else { &p.value };
    json!({ "name": p.name, "value": value, "type": p.kind })
}

fn request(request: &Request, told: &[String]) -> Value {
    match request {
        Request::GetRpcMethods
        | Request::GetQueuedTransfers
        | Request::GetAllQueuedTransfers
        | Request::FactoryReset => json!({}),
        Request::SetParameterValues(s) => {
            with(listed("parameters", &s.parameters, parameter), "parameter_key", &s.parameter_key)
        }
        Request::GetParameterValues(names) | Request::GetParameterAttributes(names) => {
            listed("names", names, |n| json!(n))
        }
        Request::GetParameterNames(g) => json!({ "path": g.path, "next_level": g.next_level }),
        Request::SetParameterAttributes(list) => listed("attributes", list, attribute),
        Request::AddObject(o) | Request::DeleteObject(o) => {
            json!({ "object": o.object_name, "parameter_key": o.parameter_key })
        }
        Request::Download(d) => download(d),
        Request::Upload(u) => upload(u),
        Request::ScheduleDownload(d) => schedule_download(d),
        Request::Reboot(key) | Request::CancelTransfer(key) => json!({ "command_key": key }),
        Request::ScheduleInform(s) => {
            json!({ "delay_seconds": s.delay_seconds, "command_key": s.command_key })
        }
        // They are licences.
        Request::SetVouchers(list) => json!({ "count": list.len() }),
        Request::GetOptions(name) => json!({ "option": name }),
        Request::ChangeDuState(c) => {
            with(listed("operations", &c.operations, operation), "command_key", &c.command_key)
        }
        Request::Inform(i) => inform(i),
        Request::TransferComplete(t) => json!({
            "command_key": t.command_key, "fault": t.fault.as_ref().map(|f| fault(f, told)),
            "start_time": t.start_time, "complete_time": t.complete_time,
        }),
        Request::AutonomousTransferComplete(t) => json!({
            "announce_url": link(&t.announce_url), "transfer_url": link(&t.transfer_url),
            "download": t.is_download, "file_type": t.file_type, "file_size": t.file_size,
            "target_file_name": t.target_file_name,
            "fault": t.fault.as_ref().map(|f| fault(f, told)),
            "start_time": t.start_time, "complete_time": t.complete_time,
        }),
        Request::Kicked(k) => json!({
            "command": k.command, "referer": link(&k.referer), "arg": k.arg,
            "next": link(&k.next),
        }),
        Request::RequestDownload(r) => {
            let arg = |(name, value): &(String, String)| {
                parameter(&ParameterValue::string(name.as_str(), value.as_str()))
            };
            with(listed("args", &r.args, arg), "file_type", &r.file_type)
        }
        Request::DuStateChangeComplete(d) => {
            with(listed("results", &d.results, |r| json!(r)), "command_key", &d.command_key)
        }
        Request::AutonomousDuStateChangeComplete(results) => {
            listed("results", results, |r| json!(r))
        }
    }
}

fn response(response: &Response) -> Value {
    match response {
        Response::GetRpcMethods(methods) => listed("methods", methods, |m| json!(m)),
        Response::SetParameterValues(status) | Response::DeleteObject(status) => {
            json!({ "status": status })
        }
        Response::GetParameterValues(values) => listed("parameters", values, parameter),
        Response::GetParameterNames(list) => {
            listed("parameters", list, |i| json!({ "name": i.name, "writable": i.writable }))
        }
        Response::GetParameterAttributes(list) => listed("attributes", list, |a| json!(a)),
        Response::AddObject { instance_number, status } => {
            json!({ "instance": instance_number, "status": status })
        }
        Response::Download(t) | Response::Upload(t) => transfer(t),
        Response::GetQueuedTransfers(list) => {
            listed("transfers", list, |t| json!({ "command_key": t.command_key, "state": t.state }))
        }
        Response::GetAllQueuedTransfers(list) => listed("transfers", list, queued),
        Response::GetOptions(list) => listed(
            "options",
            list,
            |o| json!({ "option": o.option_name, "state": o.state, "mode": o.mode }),
        ),
        Response::Inform { max_envelopes } => json!({ "max_envelopes": max_envelopes }),
        Response::Kicked { next_url } => json!({ "next_url": link(next_url) }),
        Response::SetParameterAttributes
        | Response::Reboot
        | Response::ScheduleInform
        | Response::SetVouchers
        | Response::FactoryReset
        | Response::ScheduleDownload
        | Response::CancelTransfer
        | Response::ChangeDuState
        | Response::TransferComplete
        | Response::AutonomousTransferComplete
        | Response::RequestDownload
        | Response::DuStateChangeComplete
        | Response::AutonomousDuStateChangeComplete => json!({}),
    }
}

/// What an Inform says.
pub fn inform(i: &Inform) -> Value {
    let id = &i.device_id;
    let events: Vec<Value> = i.events.iter().take(MAX_LIST).map(|e| json!(e)).collect();
    let mut summary = listed("parameters", &i.parameters, parameter);
    summary["events"] = json!(events);
    summary["retry_count"] = json!(i.retry_count);
    summary["current_time"] = json!(i.current_time);
    summary["device_id"] = json!({
        "manufacturer": id.manufacturer, "oui": id.oui, "product_class": id.product_class,
        "serial_number": id.serial_number,
    });
    shorten(&mut summary);
    summary
}

fn attribute(a: &SetParameterAttributes) -> Value {
    json!({ "name": a.name, "notification": a.notification, "access_list": a.access_list })
}

fn download(d: &Download) -> Value {
    json!({
        "command_key": d.command_key, "file_type": d.file_type, "url": link(&d.url),
        "username": secret(&d.username), "password": secret(&d.password),
        "file_size": d.file_size, "target_file_name": d.target_file_name,
        "delay_seconds": d.delay_seconds, "success_url": link(&d.success_url),
        "failure_url": link(&d.failure_url),
    })
}

fn upload(u: &Upload) -> Value {
    json!({
        "command_key": u.command_key, "file_type": u.file_type, "url": link(&u.url),
        "username": secret(&u.username), "password": secret(&u.password),
        "delay_seconds": u.delay_seconds,
    })
}

fn schedule_download(d: &ScheduleDownload) -> Value {
    json!({
        "command_key": d.command_key, "file_type": d.file_type, "url": link(&d.url),
        "username": secret(&d.username), "password": secret(&d.password),
        "file_size": d.file_size, "target_file_name": d.target_file_name,
        "windows": d.time_windows,
    })
}

fn operation(o: &DuOperation) -> Value {
    let mut summary = json!(o);
    for (key, value) in summary.as_object_mut().into_iter().flatten() {
        if let Value::String(text) = value {
            match key.as_str() {
                "username" | "password" => *text = secret(text).to_owned(),
                "url" => *text = link(text),
                _ => {}
            }
        }
    }
    summary
}

fn transfer(t: &TransferResponse) -> Value {
    json!({ "status": t.status, "start_time": t.start_time, "complete_time": t.complete_time })
}

fn queued(t: &AllQueuedTransfer) -> Value {
    json!({
        "command_key": t.command_key, "state": t.state, "download": t.is_download,
        "file_type": t.file_type, "file_size": t.file_size,
        "target_file_name": t.target_file_name,
    })
}

fn fault(f: &Fault, told: &[String]) -> Value {
    let parameters: Vec<Value> = f
        .parameters
        .iter()
        .take(MAX_LIST)
        .map(|p| json!({ "name": p.name, "code": p.code, "text": without(&p.text, told) }))
        .collect();
    json!({
        "code": f.code, "text": without(&f.text, told), "meaning": f.code.meaning(),
        "parameters": parameters,
    })
}

/// Cuts long texts.
fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
                text.truncate(end);
                text.push('…');
            }
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_cwmp::fault::{FaultCode, ParameterFault};
    use muster_cwmp::rpc::{ChangeDuState, SetParameterValues};

    const NAME: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";

    fn set(value: &str) -> Body {
        Body::Request(Request::SetParameterValues(SetParameterValues {
            parameters: vec![
                ParameterValue::string(NAME, value),
                ParameterValue::string("Device.WiFi.SSID.1.SSID", "Attic"),
            ],
            parameter_key: "k".to_owned(),
        }))
    }

    #[test]
    fn a_secret_is_masked_and_that_it_is_empty_is_not() {
        let summary = summary(&set("hunter2"), &[]);
        assert_eq!(summary["parameters"][0]["value"], MASK);
        assert_eq!(summary["parameters"][1]["value"], "Attic");
        let read = vec![ParameterValue::string(NAME, "")];
        let summary = super::summary(&Body::Response(Response::GetParameterValues(read)), &[]);
        assert_eq!(summary["parameters"][0]["value"], "");
    }

    #[test]
    fn what_a_transfer_logs_in_with_is_masked() {
        let text = || Some("hunter2".to_owned());
        let install = DuOperation::Install {
            url: "http://ann:hunter2@host/unit".to_owned(),
            uuid: None,
            username: text(),
            password: text(),
            execution_env_ref: None,
        };
        let update = DuOperation::Update {
            uuid: None,
            version: Some("2".to_owned()),
            url: None,
            username: None,
            password: text(),
        };
        let download = Download {
            command_key: String::new(),
            file_type: "1 Firmware Upgrade Image".to_owned(),
            url: "http://host/f/hunter2/x.npk".to_owned(),
            username: "hunter2".to_owned(),
            password: "hunter2".to_owned(),
            file_size: 0,
            target_file_name: "x.npk".to_owned(),
            delay_seconds: 0,
            success_url: "http://host/?hunter2".to_owned(),
            failure_url: String::new(),
        };
        let change =
            ChangeDuState { operations: vec![install, update], command_key: "k".to_owned() };
        for request in [Request::Download(download), Request::ChangeDuState(change)] {
            let summary = summary(&Body::Request(request), &[]);
            assert!(!summary.to_string().contains("hunter2"), "{summary}");
            assert!(summary.to_string().contains("host"), "{summary}");
        }
    }

    #[test]
    fn a_fault_does_not_repeat_the_secret_that_it_refuses() {
        let told = secrets(&set("hunter2"));
        assert_eq!(told, ["hunter2"]);
        let mut fault = Fault::new(FaultCode(9007), "bad value hunter2");
        let text = "\"hunter2\" is too short".to_owned();
        fault.parameters.push(ParameterFault {
            name: NAME.to_owned(),
            code: FaultCode(9007),
            text,
        });
        let summary = summary(&Body::Fault(fault), &told);
        assert!(!summary.to_string().contains("hunter2"), "{summary}");
        assert_eq!(summary["code"], 9007);
        assert_eq!(summary["meaning"], "invalid parameter value");
        assert_eq!(summary["parameters"][0]["name"], NAME);
    }

    #[test]
    fn long_lists_and_texts_are_cut_and_counted() {
        let values = vec![ParameterValue::string("Device.A", "ü".repeat(5_000)); 300];
        let summary = summary(&Body::Response(Response::GetParameterValues(values)), &[]);
        assert_eq!(summary["count"], 300);
        assert_eq!(summary["parameters"].as_array().map(Vec::len), Some(MAX_LIST));
        let shown = summary["parameters"][0]["value"].as_str().map(|t| t.chars().count());
        assert_eq!(shown, Some(MAX_TEXT + 1));
    }
}
