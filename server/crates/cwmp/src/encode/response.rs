//! Answers of both sides, results in the order of the schema.

use super::Encoder;
use crate::rpc::{
    AllQueuedTransfer, OptionEntry, ParameterAttribute, ParameterInfo, QueuedTransfer, Response,
    Status, TransferResponse,
};

/// The name of the method that this answers, without `Response`.
pub fn response_name(response: &Response) -> &'static str {
    match response {
        Response::GetRpcMethods(_) => "GetRPCMethods",
        Response::SetParameterValues(_) => "SetParameterValues",
        Response::GetParameterValues(_) => "GetParameterValues",
        Response::GetParameterNames(_) => "GetParameterNames",
        Response::SetParameterAttributes => "SetParameterAttributes",
        Response::GetParameterAttributes(_) => "GetParameterAttributes",
        Response::AddObject { .. } => "AddObject",
        Response::DeleteObject(_) => "DeleteObject",
        Response::Download(_) => "Download",
        Response::Reboot => "Reboot",
        Response::GetQueuedTransfers(_) => "GetQueuedTransfers",
        Response::ScheduleInform => "ScheduleInform",
        Response::SetVouchers => "SetVouchers",
        Response::GetOptions(_) => "GetOptions",
        Response::Upload(_) => "Upload",
        Response::FactoryReset => "FactoryReset",
        Response::GetAllQueuedTransfers(_) => "GetAllQueuedTransfers",
        Response::ScheduleDownload => "ScheduleDownload",
        Response::CancelTransfer => "CancelTransfer",
        Response::ChangeDuState => "ChangeDUState",
        Response::Inform { .. } => "Inform",
        Response::TransferComplete => "TransferComplete",
        Response::AutonomousTransferComplete => "AutonomousTransferComplete",
        Response::Kicked { .. } => "Kicked",
        Response::RequestDownload => "RequestDownload",
        Response::DuStateChangeComplete => "DUStateChangeComplete",
        Response::AutonomousDuStateChangeComplete => "AutonomousDUStateChangeComplete",
    }
}

/// Writes what stands inside the RPC element.
pub(super) fn results(e: &mut Encoder, response: &Response) {
    match response {
        Response::GetRpcMethods(methods) => e.strings("MethodList", methods),
        Response::SetParameterValues(s) | Response::DeleteObject(s) => status(e, *s),
        Response::GetParameterValues(values) => e.parameter_values(values),
        Response::GetParameterNames(list) => parameter_infos(e, list),
        Response::GetParameterAttributes(list) => parameter_attributes(e, list),
        Response::AddObject { instance_number, status: s } => {
            e.number("InstanceNumber", *instance_number);
            status(e, *s);
        }
        Response::Download(answer) | Response::Upload(answer) => transfer(e, answer),
        Response::GetQueuedTransfers(list) => queued(e, list),
        Response::GetOptions(list) => options(e, list),
        Response::GetAllQueuedTransfers(list) => all_queued(e, list),
        Response::Inform { max_envelopes } => e.number("MaxEnvelopes", *max_envelopes),
        Response::Kicked { next_url } => e.text("NextURL", next_url),
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
        | Response::AutonomousDuStateChangeComplete => {}
    }
}

fn status(e: &mut Encoder, status: Status) {
    e.flag("Status", status == Status::Pending);
}

fn parameter_infos(e: &mut Encoder, list: &[ParameterInfo]) {
    e.array("ParameterList", "cwmp:ParameterInfoStruct", list, |e, info| {
        e.group("ParameterInfoStruct", |e| {
            e.text("Name", &info.name);
            e.flag("Writable", info.writable);
        });
    });
}

fn parameter_attributes(e: &mut Encoder, list: &[ParameterAttribute]) {
    e.array("ParameterList", "cwmp:ParameterAttributeStruct", list, |e, attribute| {
        e.group("ParameterAttributeStruct", |e| {
            e.text("Name", &attribute.name);
            e.number("Notification", attribute.notification);
            e.strings("AccessList", &attribute.access_list);
        });
    });
}

fn transfer(e: &mut Encoder, answer: &TransferResponse) {
    status(e, answer.status);
    e.text("StartTime", &answer.start_time.0);
    e.text("CompleteTime", &answer.complete_time.0);
}

fn queued(e: &mut Encoder, list: &[QueuedTransfer]) {
    e.array("TransferList", "cwmp:QueuedTransferStruct", list, |e, transfer| {
        e.group("QueuedTransferStruct", |e| {
            e.text("CommandKey", &transfer.command_key);
            e.number("State", transfer.state);
        });
    });
}

fn all_queued(e: &mut Encoder, list: &[AllQueuedTransfer]) {
    e.array("TransferList", "cwmp:AllQueuedTransferStruct", list, |e, transfer| {
        e.group("AllQueuedTransferStruct", |e| {
            e.text("CommandKey", &transfer.command_key);
            e.number("State", transfer.state);
            e.flag("IsDownload", transfer.is_download);
            e.text("FileType", &transfer.file_type);
            e.number("FileSize", transfer.file_size);
            e.text("TargetFileName", &transfer.target_file_name);
        });
    });
}

fn options(e: &mut Encoder, list: &[OptionEntry]) {
    e.array("OptionList", "cwmp:OptionStruct", list, |e, option| {
        e.group("OptionStruct", |e| {
            e.text("OptionName", &option.option_name);
            e.number("VoucherSN", option.voucher_sn);
            e.number("State", option.state);
            e.number("Mode", option.mode);
            e.text("StartDate", &option.start_date.0);
            e.optional("ExpirationDate", option.expiration_date.as_ref().map(|t| t.0.as_str()));
            e.flag("IsTransferable", option.is_transferable);
        });
    });
}
