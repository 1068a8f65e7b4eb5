//! Arbitrary method calls of both sides.

use muster_cwmp::rpc::{
    AutonomousTransferComplete, ChangeDuState, DeviceId, Download, DuOperation,
    DuStateChangeComplete, EventStruct, GetParameterNames, Inform, Kicked, ObjectCall, OpResult,
    Request, RequestDownload, ScheduleDownload, ScheduleInform, SetParameterAttributes,
    SetParameterValues, TimeWindow, TransferComplete, Upload,
};
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::Union;

use crate::strategies::{inner_fault, key, list, path, text, time, token, url, value};

pub fn acs_request() -> impl Strategy<Value = Request> {
    let object = || {
        (path(), key())
            .prop_map(|(object_name, parameter_key)| ObjectCall { object_name, parameter_key })
    };
    let attributes = (path(), option::of(any::<u8>()), option::of(list(text()))).prop_map(
        |(name, notification, access_list)| SetParameterAttributes {
            name,
            notification,
            access_list,
        },
    );
    Union::new([
        Just(Request::GetRpcMethods).boxed(),
        (list(value()), key())
            .prop_map(|(parameters, parameter_key)| {
                Request::SetParameterValues(SetParameterValues { parameters, parameter_key })
            })
            .boxed(),
        list(path()).prop_map(Request::GetParameterValues).boxed(),
        ("[A-Za-z0-9.]{0,24}", any::<bool>())
            .prop_map(|(path, next_level)| {
                Request::GetParameterNames(GetParameterNames { path, next_level })
            })
            .boxed(),
        list(attributes).prop_map(Request::SetParameterAttributes).boxed(),
        list(path()).prop_map(Request::GetParameterAttributes).boxed(),
        object().prop_map(Request::AddObject).boxed(),
        object().prop_map(Request::DeleteObject).boxed(),
        download().prop_map(Request::Download).boxed(),
        key().prop_map(Request::Reboot).boxed(),
        Just(Request::GetQueuedTransfers).boxed(),
        (any::<u32>(), key())
            .prop_map(|(delay_seconds, command_key)| {
                Request::ScheduleInform(ScheduleInform { delay_seconds, command_key })
            })
            .boxed(),
        list(text()).prop_map(Request::SetVouchers).boxed(),
        text().prop_map(Request::GetOptions).boxed(),
        upload().prop_map(Request::Upload).boxed(),
        Just(Request::FactoryReset).boxed(),
        Just(Request::GetAllQueuedTransfers).boxed(),
        schedule_download().prop_map(Request::ScheduleDownload).boxed(),
        key().prop_map(Request::CancelTransfer).boxed(),
        (list(du_operation()), key())
            .prop_map(|(operations, command_key)| {
                Request::ChangeDuState(ChangeDuState { operations, command_key })
            })
            .boxed(),
    ])
}

pub fn download() -> impl Strategy<Value = Download> {
    let files = (text(), any::<u32>(), any::<u32>(), text(), text());
    (key(), text(), url(), text(), text(), files).prop_map(
        |(command_key, file_type, url, username, password, files)| Download {
            command_key,
            file_type,
            url,
            username,
            password,
            file_size: files.1,
            target_file_name: files.0,
            delay_seconds: files.2,
            success_url: files.3,
            failure_url: files.4,
        },
    )
}

fn upload() -> impl Strategy<Value = Upload> {
    (key(), text(), url(), text(), text(), any::<u32>()).prop_map(
        |(command_key, file_type, url, username, password, delay_seconds)| Upload {
            command_key,
            file_type,
            url,
            username,
            password,
            delay_seconds,
        },
    )
}

fn schedule_download() -> impl Strategy<Value = ScheduleDownload> {
    let window = (any::<u32>(), any::<u32>(), text(), text(), any::<i32>()).prop_map(
        |(start, end, mode, user_message, max_retries)| TimeWindow {
            start,
            end,
            mode,
            user_message,
            max_retries,
        },
    );
    (download(), list(window)).prop_map(|(d, time_windows)| ScheduleDownload {
        command_key: d.command_key,
        file_type: d.file_type,
        url: d.url,
        username: d.username,
        password: d.password,
        file_size: d.file_size,
        target_file_name: d.target_file_name,
        time_windows,
    })
}

fn du_operation() -> impl Strategy<Value = DuOperation> {
    let uuid = || "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    let maybe = || option::of(text());
    prop_oneof![
        (url(), option::of(uuid()), maybe(), maybe(), maybe()).prop_map(
            |(url, uuid, username, password, execution_env_ref)| DuOperation::Install {
                url,
                uuid,
                username,
                password,
                execution_env_ref,
            }
        ),
        (option::of(uuid()), maybe(), option::of(url()), maybe(), maybe()).prop_map(
            |(uuid, version, url, username, password)| DuOperation::Update {
                uuid,
                version,
                url,
                username,
                password,
            }
        ),
        (uuid(), maybe(), maybe()).prop_map(|(uuid, version, execution_env_ref)| {
            DuOperation::Uninstall { uuid, version, execution_env_ref }
        }),
    ]
}

pub fn cpe_request() -> impl Strategy<Value = Request> {
    Union::new([
        inform().prop_map(|inform| Request::Inform(Box::new(inform))).boxed(),
        (key(), inner_fault(), time(), time())
            .prop_map(|(command_key, fault, start_time, complete_time)| {
                Request::TransferComplete(TransferComplete {
                    command_key,
                    fault,
                    start_time,
                    complete_time,
                })
            })
            .boxed(),
        (download(), any::<bool>(), inner_fault(), time(), time())
            .prop_map(|(d, is_download, fault, start_time, complete_time)| {
                Request::AutonomousTransferComplete(AutonomousTransferComplete {
                    announce_url: d.success_url,
                    transfer_url: d.url,
                    is_download,
                    file_type: d.file_type,
                    file_size: d.file_size,
                    target_file_name: d.target_file_name,
                    fault,
                    start_time,
                    complete_time,
                })
            })
            .boxed(),
        (text(), text(), text(), text())
            .prop_map(|(command, referer, arg, next)| {
                Request::Kicked(Kicked { command, referer, arg, next })
            })
            .boxed(),
        (text(), list((text(), text())))
            .prop_map(|(file_type, args)| {
                Request::RequestDownload(RequestDownload { file_type, args })
            })
            .boxed(),
        (list(op_result("".boxed())), key())
            .prop_map(|(results, command_key)| {
                Request::DuStateChangeComplete(DuStateChangeComplete { results, command_key })
            })
            .boxed(),
        list(op_result("Install|Update|Uninstall".boxed()))
            .prop_map(Request::AutonomousDuStateChangeComplete)
            .boxed(),
    ])
}

fn inform() -> impl Strategy<Value = Inform> {
    let device_id = (token(), "[0-9A-F]{6}", token(), "[!-~]{1,12}").prop_map(
        |(manufacturer, oui, product_class, serial_number)| DeviceId {
            manufacturer,
            oui,
            product_class,
            serial_number,
        },
    );
    let event = (token(), key())
        .prop_map(|(event_code, command_key)| EventStruct { event_code, command_key });
    (device_id, list(event), any::<u32>(), time(), any::<u32>(), list(value())).prop_map(
        |(device_id, events, max_envelopes, current_time, retry_count, parameters)| Inform {
            device_id,
            events,
            max_envelopes,
            current_time,
            retry_count,
            parameters,
        },
    )
}

fn op_result(operation: BoxedStrategy<String>) -> impl Strategy<Value = OpResult> {
    let names = (text(), text(), text(), text(), text());
    (names, any::<bool>(), time(), time(), inner_fault(), operation).prop_map(
        |(names, resolved, start_time, complete_time, fault, operation_performed)| OpResult {
            uuid: names.0,
            deployment_unit_ref: names.1,
            version: names.2,
            current_state: names.3,
            resolved,
            execution_unit_ref_list: names.4,
            start_time,
            complete_time,
            fault,
            operation_performed,
        },
    )
}
