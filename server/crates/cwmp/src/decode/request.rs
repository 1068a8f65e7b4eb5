//! Method calls of both sides (TR-069 A.3, A.4).
//!
//! Only an argument without which the call means nothing is demanded.

use super::fields::{
    boolean, event_code, fault, int, items, name, names, non_empty, optional, reported_values,
    small, strings, text, time, token, uint, values,
};
use crate::rpc::{
    AutonomousTransferComplete, ChangeDuState, DeviceId, Download, DuOperation,
    DuStateChangeComplete, EventStruct, GetParameterNames, Inform, Kicked, ObjectCall, OpResult,
    Request, RequestDownload, ScheduleDownload, ScheduleInform, SetParameterAttributes,
    SetParameterValues, TimeWindow, TransferComplete, Upload,
};
use crate::xml::Node;

/// A call, or which argument is missing.
type Checked<T> = Result<T, &'static str>;

/// `None` for a method that CWMP does not name.
pub(super) fn request(method: &str, call: Node<'_>) -> Checked<Option<Request>> {
    Ok(Some(match method {
        "GetRPCMethods" => Request::GetRpcMethods,
        "SetParameterValues" => Request::SetParameterValues(set_parameter_values(call)?),
        "GetParameterValues" => Request::GetParameterValues(parameter_names(call)?),
        "GetParameterNames" => Request::GetParameterNames(get_parameter_names(call)),
        "SetParameterAttributes" => {
            Request::SetParameterAttributes(set_parameter_attributes(call)?)
        }
        "GetParameterAttributes" => Request::GetParameterAttributes(parameter_names(call)?),
        "AddObject" => Request::AddObject(object_call(call)?),
        "DeleteObject" => Request::DeleteObject(object_call(call)?),
        "Download" => Request::Download(download(call)?),
        "Reboot" => Request::Reboot(text(call, "CommandKey")),
        "GetQueuedTransfers" => Request::GetQueuedTransfers,
        "ScheduleInform" => Request::ScheduleInform(ScheduleInform {
            delay_seconds: uint(call, "DelaySeconds"),
            command_key: text(call, "CommandKey"),
        }),
        "SetVouchers" => Request::SetVouchers(strings(call, "VoucherList")),
        "GetOptions" => Request::GetOptions(text(call, "OptionName")),
        "Upload" => Request::Upload(upload(call)?),
        "FactoryReset" => Request::FactoryReset,
        "GetAllQueuedTransfers" => Request::GetAllQueuedTransfers,
        "ScheduleDownload" => Request::ScheduleDownload(schedule_download(call)?),
        "CancelTransfer" => Request::CancelTransfer(text(call, "CommandKey")),
        "ChangeDUState" => Request::ChangeDuState(change_du_state(call)?),
        "Inform" => Request::Inform(Box::new(inform(call)?)),
        "TransferComplete" => Request::TransferComplete(transfer_complete(call)),
        "AutonomousTransferComplete" => {
            Request::AutonomousTransferComplete(autonomous_transfer_complete(call))
        }
        "Kicked" => Request::Kicked(kicked(call)),
        "RequestDownload" => Request::RequestDownload(request_download(call)),
        "DUStateChangeComplete" => Request::DuStateChangeComplete(DuStateChangeComplete {
            results: results(call),
            command_key: text(call, "CommandKey"),
        }),
        "AutonomousDUStateChangeComplete" => {
            Request::AutonomousDuStateChangeComplete(results(call))
        }
        _ => return Ok(None),
    }))
}

/// Only the identity is demanded: a device must not be refused for odd parameters (N11).
fn inform(call: Node<'_>) -> Checked<Inform> {
    let id = call.child("DeviceId").ok_or("DeviceId is missing")?;
    let mut device_id = DeviceId {
        manufacturer: token(id, "Manufacturer"),
        oui: token(id, "OUI"),
        product_class: token(id, "ProductClass"),
        serial_number: token(id, "SerialNumber"),
    };
    device_id.normalise();
    if device_id.serial_number.is_empty() {
        return Err("SerialNumber is empty");
    }
    let event = |e: Node<'_>| EventStruct {
        event_code: event_code(e, "EventCode"),
        command_key: text(e, "CommandKey"),
    };
    Ok(Inform {
        device_id,
        events: items(call, "Event").map(event).collect(),
        max_envelopes: uint(call, "MaxEnvelopes"),
        current_time: time(call, "CurrentTime"),
        retry_count: uint(call, "RetryCount"),
        parameters: reported_values(call),
    })
}

fn set_parameter_values(call: Node<'_>) -> Checked<SetParameterValues> {
    call.child("ParameterList").ok_or("ParameterList is missing")?;
    Ok(SetParameterValues { parameters: values(call), parameter_key: text(call, "ParameterKey") })
}

fn parameter_names(call: Node<'_>) -> Checked<Vec<String>> {
    call.child("ParameterNames").ok_or("ParameterNames is missing")?;
    Ok(names(call, "ParameterNames"))
}

/// A missing path is the empty one: in 1.0 it may be nil, and both mean the root.
fn get_parameter_names(call: Node<'_>) -> GetParameterNames {
    GetParameterNames { path: name(call, "ParameterPath"), next_level: boolean(call, "NextLevel") }
}

fn set_parameter_attributes(call: Node<'_>) -> Checked<Vec<SetParameterAttributes>> {
    call.child("ParameterList").ok_or("ParameterList is missing")?;
    let attributes = |item: Node<'_>| SetParameterAttributes {
        name: name(item, "Name"),
        notification: boolean(item, "NotificationChange").then(|| small(item, "Notification")),
        access_list: boolean(item, "AccessListChange").then(|| strings(item, "AccessList")),
    };
    Ok(items(call, "ParameterList").map(attributes).collect())
}

fn object_call(call: Node<'_>) -> Checked<ObjectCall> {
    let object_name = name(call, "ObjectName");
    if object_name.is_empty() {
        return Err("ObjectName is missing");
    }
    Ok(ObjectCall { object_name, parameter_key: text(call, "ParameterKey") })
}

fn url(call: Node<'_>) -> Checked<String> {
    non_empty(call, "URL").ok_or("URL is missing")
}

fn download(call: Node<'_>) -> Checked<Download> {
    Ok(Download {
        command_key: text(call, "CommandKey"),
        file_type: text(call, "FileType"),
        url: url(call)?,
        username: text(call, "Username"),
        password: text(call, "Password"),
        file_size: uint(call, "FileSize"),
        target_file_name: text(call, "TargetFileName"),
        delay_seconds: uint(call, "DelaySeconds"),
        success_url: text(call, "SuccessURL"),
        failure_url: text(call, "FailureURL"),
    })
}

fn upload(call: Node<'_>) -> Checked<Upload> {
    Ok(Upload {
        command_key: text(call, "CommandKey"),
        file_type: text(call, "FileType"),
        url: url(call)?,
        username: text(call, "Username"),
        password: text(call, "Password"),
        delay_seconds: uint(call, "DelaySeconds"),
    })
}

fn schedule_download(call: Node<'_>) -> Checked<ScheduleDownload> {
    let window = |w: Node<'_>| TimeWindow {
        start: uint(w, "WindowStart"),
        end: uint(w, "WindowEnd"),
        mode: text(w, "WindowMode"),
        user_message: text(w, "UserMessage"),
        max_retries: int(w, "MaxRetries"),
    };
    Ok(ScheduleDownload {
        command_key: text(call, "CommandKey"),
        file_type: text(call, "FileType"),
        url: url(call)?,
        username: text(call, "Username"),
        password: text(call, "Password"),
        file_size: uint(call, "FileSize"),
        target_file_name: text(call, "TargetFileName"),
        time_windows: items(call, "TimeWindowList").map(window).collect(),
    })
}

fn change_du_state(call: Node<'_>) -> Checked<ChangeDuState> {
    let operations = call
        .children()
        .filter(|c| c.name() == "Operations")
        .map(du_operation)
        .collect::<Checked<Vec<_>>>()?;
    Ok(ChangeDuState { operations, command_key: text(call, "CommandKey") })
}

/// The kind stands in `xsi:type` alone, so here the type cannot be ignored.
fn du_operation(node: Node<'_>) -> Checked<DuOperation> {
    let kind = node.xsi_type().and_then(|t| t.rsplit(':').next()).unwrap_or_default();
    Ok(match kind.trim() {
        "InstallOpStruct" => DuOperation::Install {
            url: url(node)?,
            uuid: non_empty(node, "UUID"),
            username: optional(node, "Username"),
            password: optional(node, "Password"),
            execution_env_ref: optional(node, "ExecutionEnvRef"),
        },
        "UpdateOpStruct" => DuOperation::Update {
            uuid: non_empty(node, "UUID"),
            version: optional(node, "Version"),
            url: optional(node, "URL"),
            username: optional(node, "Username"),
            password: optional(node, "Password"),
        },
        "UninstallOpStruct" => DuOperation::Uninstall {
            uuid: non_empty(node, "UUID").ok_or("UUID is missing")?,
            version: optional(node, "Version"),
            execution_env_ref: optional(node, "ExecutionEnvRef"),
        },
        _ => return Err("the type of an operation is missing or unknown"),
    })
}

fn transfer_complete(call: Node<'_>) -> TransferComplete {
    TransferComplete {
        command_key: text(call, "CommandKey"),
        fault: fault(call, "FaultStruct"),
        start_time: time(call, "StartTime"),
        complete_time: time(call, "CompleteTime"),
    }
}

fn autonomous_transfer_complete(call: Node<'_>) -> AutonomousTransferComplete {
    AutonomousTransferComplete {
        announce_url: text(call, "AnnounceURL"),
        transfer_url: text(call, "TransferURL"),
        is_download: boolean(call, "IsDownload"),
        file_type: text(call, "FileType"),
        file_size: uint(call, "FileSize"),
        target_file_name: text(call, "TargetFileName"),
        fault: fault(call, "FaultStruct"),
        start_time: time(call, "StartTime"),
        complete_time: time(call, "CompleteTime"),
    }
}

fn kicked(call: Node<'_>) -> Kicked {
    Kicked {
        command: text(call, "Command"),
        referer: text(call, "Referer"),
        arg: text(call, "Arg"),
        next: text(call, "Next"),
    }
}

fn request_download(call: Node<'_>) -> RequestDownload {
    let args = items(call, "FileTypeArg").map(|a| (text(a, "Name"), text(a, "Value")));
    RequestDownload { file_type: text(call, "FileType"), args: args.collect() }
}

/// Both forms at once: the autonomous one has one member more.
fn results(call: Node<'_>) -> Vec<OpResult> {
    let result = |r: Node<'_>| OpResult {
        uuid: text(r, "UUID"),
        deployment_unit_ref: text(r, "DeploymentUnitRef"),
        version: text(r, "Version"),
        current_state: text(r, "CurrentState"),
        resolved: boolean(r, "Resolved"),
        execution_unit_ref_list: text(r, "ExecutionUnitRefList"),
        start_time: time(r, "StartTime"),
        complete_time: time(r, "CompleteTime"),
        fault: fault(r, "Fault"),
        operation_performed: text(r, "OperationPerformed"),
    };
    call.children().filter(|c| c.name() == "Results").map(result).collect()
}
