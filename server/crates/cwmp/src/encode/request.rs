//! Method calls of both sides, arguments in the order of the schema (TR-069 A.3, A.4).

use super::Encoder;
use crate::rpc::{
    AutonomousTransferComplete, ChangeDuState, Download, DuOperation, DuStateChangeComplete,
    Inform, Kicked, ObjectCall, OpResult, Request, RequestDownload, ScheduleDownload,
    SetParameterAttributes, SetParameterValues, TransferComplete, Upload,
};

/// The name CWMP gives the method.
pub fn request_name(request: &Request) -> &'static str {
    match request {
        Request::GetRpcMethods => "GetRPCMethods",
        Request::SetParameterValues(_) => "SetParameterValues",
        Request::GetParameterValues(_) => "GetParameterValues",
        Request::GetParameterNames(_) => "GetParameterNames",
        Request::SetParameterAttributes(_) => "SetParameterAttributes",
        Request::GetParameterAttributes(_) => "GetParameterAttributes",
        Request::AddObject(_) => "AddObject",
        Request::DeleteObject(_) => "DeleteObject",
        Request::Download(_) => "Download",
        Request::Reboot(_) => "Reboot",
        Request::GetQueuedTransfers => "GetQueuedTransfers",
        Request::ScheduleInform(_) => "ScheduleInform",
        Request::SetVouchers(_) => "SetVouchers",
        Request::GetOptions(_) => "GetOptions",
        Request::Upload(_) => "Upload",
        Request::FactoryReset => "FactoryReset",
        Request::GetAllQueuedTransfers => "GetAllQueuedTransfers",
        Request::ScheduleDownload(_) => "ScheduleDownload",
        Request::CancelTransfer(_) => "CancelTransfer",
        Request::ChangeDuState(_) => "ChangeDUState",
        Request::Inform(_) => "Inform",
        Request::TransferComplete(_) => "TransferComplete",
        Request::AutonomousTransferComplete(_) => "AutonomousTransferComplete",
        Request::Kicked(_) => "Kicked",
        Request::RequestDownload(_) => "RequestDownload",
        Request::DuStateChangeComplete(_) => "DUStateChangeComplete",
        Request::AutonomousDuStateChangeComplete(_) => "AutonomousDUStateChangeComplete",
    }
}

/// Writes what stands inside the RPC element.
pub(super) fn arguments(e: &mut Encoder, request: &Request) {
    match request {
        Request::GetRpcMethods
        | Request::GetQueuedTransfers
        | Request::GetAllQueuedTransfers
        | Request::FactoryReset => {}
        Request::SetParameterValues(call) => set_parameter_values(e, call),
        Request::GetParameterValues(names) | Request::GetParameterAttributes(names) => {
            e.strings("ParameterNames", names);
        }
        Request::GetParameterNames(call) => {
            e.text("ParameterPath", &call.path);
            e.flag("NextLevel", call.next_level);
        }
        Request::SetParameterAttributes(list) => set_parameter_attributes(e, list),
        Request::AddObject(call) | Request::DeleteObject(call) => object_call(e, call),
        Request::Download(call) => download(e, call),
        Request::Reboot(command_key) | Request::CancelTransfer(command_key) => {
            e.text("CommandKey", command_key);
        }
        Request::ScheduleInform(call) => {
            e.number("DelaySeconds", call.delay_seconds);
            e.text("CommandKey", &call.command_key);
        }
        Request::SetVouchers(vouchers) => {
            let item_type = e.style.base64;
            e.array("VoucherList", item_type, vouchers, |e, voucher| e.text("base64", voucher));
        }
        Request::GetOptions(option) => e.text("OptionName", option),
        Request::Upload(call) => upload(e, call),
        Request::ScheduleDownload(call) => schedule_download(e, call),
        Request::ChangeDuState(call) => change_du_state(e, call),
        Request::Inform(call) => inform(e, call),
        Request::TransferComplete(call) => transfer_complete(e, call),
        Request::AutonomousTransferComplete(call) => autonomous_transfer_complete(e, call),
        Request::Kicked(call) => kicked(e, call),
        Request::RequestDownload(call) => request_download(e, call),
        Request::DuStateChangeComplete(call) => du_state_change_complete(e, call),
        Request::AutonomousDuStateChangeComplete(results) => {
            for result in results {
                op_result(e, result, true);
            }
        }
    }
}

fn set_parameter_values(e: &mut Encoder, call: &SetParameterValues) {
    e.parameter_values(&call.parameters);
    e.text("ParameterKey", &call.parameter_key);
}

/// What is not to change is sent all the same, since the schema requires it.
fn set_parameter_attributes(e: &mut Encoder, list: &[SetParameterAttributes]) {
    e.array("ParameterList", "cwmp:SetParameterAttributesStruct", list, |e, item| {
        e.group("SetParameterAttributesStruct", |e| {
            e.text("Name", &item.name);
            e.flag("NotificationChange", item.notification.is_some());
            e.number("Notification", item.notification.unwrap_or(0));
            e.flag("AccessListChange", item.access_list.is_some());
            e.strings("AccessList", item.access_list.as_deref().unwrap_or_default());
        });
    });
}

fn object_call(e: &mut Encoder, call: &ObjectCall) {
    e.text("ObjectName", &call.object_name);
    e.text("ParameterKey", &call.parameter_key);
}

fn download(e: &mut Encoder, call: &Download) {
    e.text("CommandKey", &call.command_key);
    e.text("FileType", &call.file_type);
    e.text("URL", &call.url);
    e.text("Username", &call.username);
    e.text("Password", &call.password);
    e.number("FileSize", call.file_size);
    e.text("TargetFileName", &call.target_file_name);
    e.number("DelaySeconds", call.delay_seconds);
    e.text("SuccessURL", &call.success_url);
    e.text("FailureURL", &call.failure_url);
}

fn upload(e: &mut Encoder, call: &Upload) {
    e.text("CommandKey", &call.command_key);
    e.text("FileType", &call.file_type);
    e.text("URL", &call.url);
    e.text("Username", &call.username);
    e.text("Password", &call.password);
    e.number("DelaySeconds", call.delay_seconds);
}

fn schedule_download(e: &mut Encoder, call: &ScheduleDownload) {
    e.text("CommandKey", &call.command_key);
    e.text("FileType", &call.file_type);
    e.text("URL", &call.url);
    e.text("Username", &call.username);
    e.text("Password", &call.password);
    e.number("FileSize", call.file_size);
    e.text("TargetFileName", &call.target_file_name);
    e.array("TimeWindowList", "cwmp:TimeWindowStruct", &call.time_windows, |e, window| {
        e.group("TimeWindowStruct", |e| {
            e.number("WindowStart", window.start);
            e.number("WindowEnd", window.end);
            e.text("WindowMode", &window.mode);
            e.text("UserMessage", &window.user_message);
            e.number("MaxRetries", window.max_retries);
        });
    });
}

fn change_du_state(e: &mut Encoder, call: &ChangeDuState) {
    for operation in &call.operations {
        let kind = match operation {
            DuOperation::Install { .. } => "cwmp:InstallOpStruct",
            DuOperation::Update { .. } => "cwmp:UpdateOpStruct",
            DuOperation::Uninstall { .. } => "cwmp:UninstallOpStruct",
        };
        e.xml.open("Operations", &[("xsi:type", kind)]);
        du_operation(e, operation);
        e.xml.close("Operations");
    }
    e.text("CommandKey", &call.command_key);
}

fn du_operation(e: &mut Encoder, operation: &DuOperation) {
    match operation {
        DuOperation::Install { url, uuid, username, password, execution_env_ref } => {
            e.text("URL", url);
            e.optional("UUID", uuid.as_deref());
            e.optional("Username", username.as_deref());
            e.optional("Password", password.as_deref());
            e.optional("ExecutionEnvRef", execution_env_ref.as_deref());
        }
        DuOperation::Update { uuid, version, url, username, password } => {
            e.optional("UUID", uuid.as_deref());
            e.optional("Version", version.as_deref());
            e.optional("URL", url.as_deref());
            e.optional("Username", username.as_deref());
            e.optional("Password", password.as_deref());
        }
        DuOperation::Uninstall { uuid, version, execution_env_ref } => {
            e.text("UUID", uuid);
            e.optional("Version", version.as_deref());
            e.optional("ExecutionEnvRef", execution_env_ref.as_deref());
        }
    }
}

fn inform(e: &mut Encoder, call: &Inform) {
    e.group("DeviceId", |e| {
        e.text("Manufacturer", &call.device_id.manufacturer);
        e.text("OUI", &call.device_id.oui);
        e.text("ProductClass", &call.device_id.product_class);
        e.text("SerialNumber", &call.device_id.serial_number);
    });
    e.array("Event", "cwmp:EventStruct", &call.events, |e, event| {
        e.group("EventStruct", |e| {
            e.text("EventCode", &event.event_code);
            e.text("CommandKey", &event.command_key);
        });
    });
    e.number("MaxEnvelopes", call.max_envelopes);
    e.text("CurrentTime", &call.current_time.0);
    e.number("RetryCount", call.retry_count);
    e.parameter_values(&call.parameters);
}

fn transfer_complete(e: &mut Encoder, call: &TransferComplete) {
    e.text("CommandKey", &call.command_key);
    e.fault_struct("FaultStruct", call.fault.as_ref());
    e.text("StartTime", &call.start_time.0);
    e.text("CompleteTime", &call.complete_time.0);
}

fn autonomous_transfer_complete(e: &mut Encoder, call: &AutonomousTransferComplete) {
    e.text("AnnounceURL", &call.announce_url);
    e.text("TransferURL", &call.transfer_url);
    e.flag("IsDownload", call.is_download);
    e.text("FileType", &call.file_type);
    e.number("FileSize", call.file_size);
    e.text("TargetFileName", &call.target_file_name);
    e.fault_struct("FaultStruct", call.fault.as_ref());
    e.text("StartTime", &call.start_time.0);
    e.text("CompleteTime", &call.complete_time.0);
}

fn kicked(e: &mut Encoder, call: &Kicked) {
    e.text("Command", &call.command);
    e.text("Referer", &call.referer);
    e.text("Arg", &call.arg);
    e.text("Next", &call.next);
}

fn request_download(e: &mut Encoder, call: &RequestDownload) {
    e.text("FileType", &call.file_type);
    e.array("FileTypeArg", "cwmp:ArgStruct", &call.args, |e, (name, value)| {
        e.group("ArgStruct", |e| {
            e.text("Name", name);
            e.text("Value", value);
        });
    });
}

fn du_state_change_complete(e: &mut Encoder, call: &DuStateChangeComplete) {
    for result in &call.results {
        op_result(e, result, false);
    }
    e.text("CommandKey", &call.command_key);
}

fn op_result(e: &mut Encoder, result: &OpResult, autonomous: bool) {
    e.group("Results", |e| {
        e.text("UUID", &result.uuid);
        e.text("DeploymentUnitRef", &result.deployment_unit_ref);
        e.text("Version", &result.version);
        e.text("CurrentState", &result.current_state);
        e.flag("Resolved", result.resolved);
        e.text("ExecutionUnitRefList", &result.execution_unit_ref_list);
        e.text("StartTime", &result.start_time.0);
        e.text("CompleteTime", &result.complete_time.0);
        e.fault_struct("Fault", result.fault.as_ref());
        if autonomous {
            e.text("OperationPerformed", &result.operation_performed);
        }
    });
}
