//! Every method call of TR-069 Annex A with the response that answers it.

use muster_cwmp::rpc::{
    AutonomousTransferComplete, ChangeDuState, Download, DuStateChangeComplete, GetParameterNames,
    Kicked, ObjectCall, Request as Q, RequestDownload, Response as R, ScheduleDownload,
    ScheduleInform, SetParameterValues, Status, TransferComplete, TransferResponse, Upload,
};
use muster_cwmp::value::Timestamp;

fn text() -> String {
    "x".to_owned()
}

fn object() -> ObjectCall {
    ObjectCall { object_name: text(), parameter_key: text() }
}

fn transfer() -> TransferResponse {
    TransferResponse {
        status: Status::Pending,
        start_time: Timestamp::unknown(),
        complete_time: Timestamp::unknown(),
    }
}

fn download() -> Q {
    Q::Download(Download {
        command_key: text(),
        file_type: text(),
        url: text(),
        username: text(),
        password: text(),
        file_size: 0,
        target_file_name: text(),
        delay_seconds: 0,
        success_url: text(),
        failure_url: text(),
    })
}

fn upload() -> Q {
    Q::Upload(Upload {
        command_key: text(),
        file_type: text(),
        url: text(),
        username: text(),
        password: text(),
        delay_seconds: 0,
    })
}

fn schedule_download() -> Q {
    Q::ScheduleDownload(ScheduleDownload {
        command_key: text(),
        file_type: text(),
        url: text(),
        username: text(),
        password: text(),
        file_size: 0,
        target_file_name: text(),
        time_windows: vec![],
    })
}

fn transfer_complete() -> Q {
    Q::TransferComplete(TransferComplete {
        command_key: text(),
        fault: None,
        start_time: Timestamp::unknown(),
        complete_time: Timestamp::unknown(),
    })
}

fn autonomous_transfer_complete() -> Q {
    Q::AutonomousTransferComplete(AutonomousTransferComplete {
        announce_url: text(),
        transfer_url: text(),
        is_download: true,
        file_type: text(),
        file_size: 0,
        target_file_name: text(),
        fault: None,
        start_time: Timestamp::unknown(),
        complete_time: Timestamp::unknown(),
    })
}

/// The methods that only an ACS calls (A.3.2, A.4.1); GetRPCMethods is for both sides.
pub fn acs_calls() -> Vec<(Q, R)> {
    let values = SetParameterValues { parameters: vec![], parameter_key: text() };
    let names = GetParameterNames { path: text(), next_level: true };
    let schedule = ScheduleInform { delay_seconds: 1, command_key: text() };
    let change = ChangeDuState { operations: vec![], command_key: text() };
    let added = R::AddObject { instance_number: 7, status: Status::Applied };
    vec![
        (Q::SetParameterValues(values), R::SetParameterValues(Status::Applied)),
        (Q::GetParameterValues(vec![text()]), R::GetParameterValues(vec![])),
        (Q::GetParameterNames(names), R::GetParameterNames(vec![])),
        (Q::SetParameterAttributes(vec![]), R::SetParameterAttributes),
        (Q::GetParameterAttributes(vec![text()]), R::GetParameterAttributes(vec![])),
        (Q::AddObject(object()), added),
        (Q::DeleteObject(object()), R::DeleteObject(Status::Applied)),
        (download(), R::Download(transfer())),
        (Q::Reboot(text()), R::Reboot),
        (Q::GetQueuedTransfers, R::GetQueuedTransfers(vec![])),
        (Q::ScheduleInform(schedule), R::ScheduleInform),
        (Q::SetVouchers(vec![text()]), R::SetVouchers),
        (Q::GetOptions(text()), R::GetOptions(vec![])),
        (upload(), R::Upload(transfer())),
        (Q::FactoryReset, R::FactoryReset),
        (Q::GetAllQueuedTransfers, R::GetAllQueuedTransfers(vec![])),
        (schedule_download(), R::ScheduleDownload),
        (Q::CancelTransfer(text()), R::CancelTransfer),
        (Q::ChangeDuState(change), R::ChangeDuState),
    ]
}

/// The methods that a CPE calls and the driver stores (A.3.3, A.4.2), the Inform left out.
pub fn cpe_calls() -> Vec<(Q, R)> {
    let kicked = Kicked { command: text(), referer: text(), arg: text(), next: text() };
    let wanted = RequestDownload { file_type: text(), args: vec![(text(), text())] };
    let changed = DuStateChangeComplete { results: vec![], command_key: text() };
    vec![
        (transfer_complete(), R::TransferComplete),
        (autonomous_transfer_complete(), R::AutonomousTransferComplete),
        (Q::Kicked(kicked), R::Kicked { next_url: text() }),
        (Q::RequestDownload(wanted), R::RequestDownload),
        (Q::DuStateChangeComplete(changed), R::DuStateChangeComplete),
        (Q::AutonomousDuStateChangeComplete(vec![]), R::AutonomousDuStateChangeComplete),
    ]
}
