//! What a device answers to each RPC of the ACS.

use std::time::Duration;

use muster_cwmp::encode::request_name;
use muster_cwmp::fault::{Fault, FaultCode};
use muster_cwmp::rpc::{
    GetParameterNames, QueuedTransfer, Request, Response, Status, TransferResponse,
};
use muster_cwmp::value::Timestamp;
use tokio::time::Instant;

use crate::device::{Device, Power};
use crate::sickness::Ailment;
use crate::transfer::{self, Order, Transfer};

/// The methods of RouterOS 6 and 7, as far as they are known.
const METHODS: [&str; 14] = [
    "GetRPCMethods",
    "SetParameterValues",
    "GetParameterValues",
    "GetParameterNames",
    "SetParameterAttributes",
    "GetParameterAttributes",
    "AddObject",
    "DeleteObject",
    "Reboot",
    "Download",
    "Upload",
    "FactoryReset",
    "ScheduleInform",
    "GetQueuedTransfers",
];
/// Open transfers; a further one gets fault 9004 (A.3.2.8).
const MAX_TRANSFERS: usize = 16;
/// What a device with [`Ailment::SmallReads`] can answer at once.
const SMALL_READ: usize = 60;

impl Device {
    /// Carries out a request, or says why not.
    pub(crate) fn answer(&mut self, request: &Request) -> Result<Response, Fault> {
        if let Ailment::Fault { code, method } = &self.ailment
            && method.as_deref().is_none_or(|method| method == request_name(request))
        {
            return Err(Fault::new(*code, "simulated fault"));
        }
        match request {
            Request::GetRpcMethods => {
                Ok(Response::GetRpcMethods(METHODS.iter().map(|&name| name.to_owned()).collect()))
            }
            Request::SetParameterValues(call) => {
                self.model.set(call)?;
                self.written(call);
                self.sync_door();
                Ok(Response::SetParameterValues(Status::Applied))
            }
            Request::GetParameterValues(names) => {
                self.refresh_counters();
                let values = self.model.get(names)?;
                self.check_size(values.len())?;
                Ok(Response::GetParameterValues(values))
            }
            Request::GetParameterNames(call) => self.names(call),
            Request::SetParameterAttributes(call) => {
                self.model.set_attributes(call)?;
                Ok(Response::SetParameterAttributes)
            }
            Request::GetParameterAttributes(names) => {
                let attributes = self.model.attributes(names)?;
                self.check_size(attributes.len())?;
                Ok(Response::GetParameterAttributes(attributes))
            }
            Request::AddObject(call) => {
                let instance_number = self.model.add(&call.object_name, &call.parameter_key)?;
                Ok(Response::AddObject { instance_number, status: Status::Applied })
            }
            Request::DeleteObject(call) => {
                self.model.delete(&call.object_name, &call.parameter_key)?;
                Ok(Response::DeleteObject(Status::Applied))
            }
            _ => self.answer_order(request),
        }
    }

    /// The methods that take effect after the session.
    fn answer_order(&mut self, request: &Request) -> Result<Response, Fault> {
        match request {
            Request::Reboot(key) => {
                self.power = Some(Power::Reboot(key.clone()));
                Ok(Response::Reboot)
            }
            Request::FactoryReset => {
                self.power = Some(Power::FactoryReset);
                Ok(Response::FactoryReset)
            }
            Request::ScheduleInform(call) if call.delay_seconds == 0 => {
                Err(Fault::new(FaultCode::INVALID_ARGUMENTS, "DelaySeconds must be above 0"))
            }
            Request::ScheduleInform(call) => {
                self.scheduled.push((self.after(call.delay_seconds), call.command_key.clone()));
                Ok(Response::ScheduleInform)
            }
            Request::Download(call) => {
                transfer::check_download(call)?;
                let order = Order::Download(call.clone());
                self.queue(order, call.delay_seconds).map(Response::Download)
            }
            Request::Upload(call) => {
                transfer::document(call)?;
                let order = Order::Upload(call.clone());
                self.queue(order, call.delay_seconds).map(Response::Upload)
            }
            Request::GetQueuedTransfers => {
                // 1: not yet started; one that is under way cannot meet a session here.
                let queued = |transfer: &Transfer| QueuedTransfer {
                    command_key: transfer.order.command_key().to_owned(),
                    state: 1,
                };
                Ok(Response::GetQueuedTransfers(self.transfers.iter().map(queued).collect()))
            }
            _ => Err(Fault::new(FaultCode::METHOD_NOT_SUPPORTED, "Method not supported")),
        }
    }

    fn names(&self, call: &GetParameterNames) -> Result<Response, Fault> {
        let names = self.model.names(call)?;
        self.check_size(names.len())?;
        Ok(Response::GetParameterNames(names))
    }

    fn check_size(&self, entries: usize) -> Result<(), Fault> {
        if self.ailment == Ailment::SmallReads && entries > SMALL_READ {
            return Err(Fault::new(FaultCode::RESOURCES_EXCEEDED, "Resources exceeded"));
        }
        Ok(())
    }

    fn queue(&mut self, order: Order, delay: u32) -> Result<TransferResponse, Fault> {
        if self.transfers.len() >= MAX_TRANSFERS {
            return Err(Fault::new(FaultCode::RESOURCES_EXCEEDED, "Too many transfers"));
        }
        self.transfers.push(Transfer { due: self.after(delay), order });
        Ok(TransferResponse {
            status: Status::Pending,
            start_time: Timestamp::unknown(),
            complete_time: Timestamp::unknown(),
        })
    }

    fn after(&self, seconds: u32) -> Instant {
        Instant::now() + self.world.scaled(Duration::from_secs(seconds.into()))
    }
}
