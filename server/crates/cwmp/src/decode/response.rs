//! Answers of both sides. A missing list is an empty one; a missing Status means done.

use super::fields::{
    boolean, items, name, non_empty, reported_values, small, status, strings, text, time, uint,
};
use crate::rpc::{
    AllQueuedTransfer, OptionEntry, ParameterAttribute, ParameterInfo, QueuedTransfer, Response,
    TransferResponse,
};
use crate::value::Timestamp;
use crate::xml::Node;

/// The answer to `method`; `None` for a method that CWMP does not name.
pub(super) fn response(method: &str, call: Node<'_>) -> Result<Option<Response>, &'static str> {
    Ok(Some(match method {
        "GetRPCMethods" => Response::GetRpcMethods(strings(call, "MethodList")),
        "SetParameterValues" => Response::SetParameterValues(status(call)),
        "GetParameterValues" => Response::GetParameterValues(reported_values(call)),
        "GetParameterNames" => Response::GetParameterNames(parameter_infos(call)),
        "SetParameterAttributes" => Response::SetParameterAttributes,
        "GetParameterAttributes" => Response::GetParameterAttributes(parameter_attributes(call)),
        "AddObject" => match uint(call, "InstanceNumber") {
            // Without it the new object cannot be filled (C6), and 0 would name another one.
            0 => return Err("InstanceNumber is missing or not positive"),
            instance_number => Response::AddObject { instance_number, status: status(call) },
        },
        "DeleteObject" => Response::DeleteObject(status(call)),
        "Download" => Response::Download(transfer(call)),
        "Reboot" => Response::Reboot,
        "GetQueuedTransfers" => Response::GetQueuedTransfers(queued(call)),
        "ScheduleInform" => Response::ScheduleInform,
        "SetVouchers" => Response::SetVouchers,
        "GetOptions" => Response::GetOptions(options(call)),
        "Upload" => Response::Upload(transfer(call)),
        "FactoryReset" => Response::FactoryReset,
        "GetAllQueuedTransfers" => Response::GetAllQueuedTransfers(all_queued(call)),
        "ScheduleDownload" => Response::ScheduleDownload,
        "CancelTransfer" => Response::CancelTransfer,
        "ChangeDUState" => Response::ChangeDuState,
        "Inform" => Response::Inform { max_envelopes: uint(call, "MaxEnvelopes") },
        "TransferComplete" => Response::TransferComplete,
        "AutonomousTransferComplete" => Response::AutonomousTransferComplete,
        "Kicked" => Response::Kicked { next_url: text(call, "NextURL") },
        "RequestDownload" => Response::RequestDownload,
        "DUStateChangeComplete" => Response::DuStateChangeComplete,
        "AutonomousDUStateChangeComplete" => Response::AutonomousDuStateChangeComplete,
        _ => return Ok(None),
    }))
}

fn parameter_infos(call: Node<'_>) -> Vec<ParameterInfo> {
    items(call, "ParameterList")
        .map(|i| ParameterInfo { name: name(i, "Name"), writable: boolean(i, "Writable") })
        .filter(|i| !i.name.is_empty())
        .collect()
}

fn parameter_attributes(call: Node<'_>) -> Vec<ParameterAttribute> {
    let attribute = |i: Node<'_>| ParameterAttribute {
        name: name(i, "Name"),
        notification: small(i, "Notification"),
        access_list: strings(i, "AccessList"),
    };
    items(call, "ParameterList").map(attribute).filter(|a| !a.name.is_empty()).collect()
}

fn transfer(call: Node<'_>) -> TransferResponse {
    TransferResponse {
        status: status(call),
        start_time: time(call, "StartTime"),
        complete_time: time(call, "CompleteTime"),
    }
}

fn queued(call: Node<'_>) -> Vec<QueuedTransfer> {
    let transfer = |i: Node<'_>| QueuedTransfer {
        command_key: text(i, "CommandKey"),
        state: small(i, "State"),
    };
    items(call, "TransferList").map(transfer).collect()
}

fn all_queued(call: Node<'_>) -> Vec<AllQueuedTransfer> {
    let transfer = |i: Node<'_>| AllQueuedTransfer {
        command_key: text(i, "CommandKey"),
        state: small(i, "State"),
        is_download: boolean(i, "IsDownload"),
        file_type: text(i, "FileType"),
        file_size: uint(i, "FileSize"),
        target_file_name: text(i, "TargetFileName"),
    };
    items(call, "TransferList").map(transfer).collect()
}

fn options(call: Node<'_>) -> Vec<OptionEntry> {
    let entry = |i: Node<'_>| OptionEntry {
        option_name: text(i, "OptionName"),
        voucher_sn: uint(i, "VoucherSN"),
        state: small(i, "State"),
        mode: small(i, "Mode"),
        start_date: time(i, "StartDate"),
        expiration_date: non_empty(i, "ExpirationDate").map(Timestamp),
        is_transferable: boolean(i, "IsTransferable"),
    };
    items(call, "OptionList").map(entry).collect()
}
