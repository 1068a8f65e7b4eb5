//! The calls that one job takes in a session, as a pure machine.
//!
//! Owns the way from a [`JobSpec`] to RPCs and from their answers to an [`Outcome`]. It never
//! decides about retries (`retry`) and never stores (`queue`).

use std::collections::HashMap;

use muster_cwmp::acs::Answer;
use muster_cwmp::fault::Fault;
use muster_cwmp::rpc::{
    ChangeDuState, ObjectCall, ParameterInfo, Request, Response, ScheduleInform,
    SetParameterAttributes, SetParameterValues, Status,
};
use muster_cwmp::value::{ParameterValue, ValueType};
use serde_json::{Value, json};
use uuid::Uuid;

use super::diagnose;
use super::download::{self, TransferUrl, command_key};
use super::refresh::Refresh;
use super::spec::{JobSpec, SetParameter};
use super::upgrade;
use crate::fleet::secret::{MASK, fault_without, is_secret};

/// What a machine needs to know of the device and the job.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The job.
    pub job_id: Uuid,
    /// Attempts before this one.
    pub earlier_attempts: u32,
    /// `Device.` or `InternetGatewayDevice.`.
    pub root: String,
    /// Types the device itself gave its parameters (C4), by full name; for an AddObject those of
    /// its siblings, by the name within the instance.
    pub types: HashMap<String, ValueType>,
    /// For downloads and uploads.
    pub transfer: Option<TransferUrl>,
    /// For [`JobSpec::Credentials`]: what to write, in clear.
    pub credentials: Vec<ParameterValue>,
    /// For [`JobSpec::Upgrade`].
    pub upgrade: Upgrade,
    /// For [`JobSpec::Diagnose`]: the test is said to be over, its figures are to be read.
    pub reported: bool,
}

/// What an upgrade depends on beside its job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// The version that the device runs, as it says.
    pub runs: Option<String>,
    /// Why the packages must not be sent: they are gone, withdrawn, or for other boards.
    pub obstacle: Option<String>,
    /// The longest name among the packages.
    pub longest: String,
}

/// What the session learned on the way; stored whatever the job's outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learned {
    /// Values the device gave.
    pub values: Vec<ParameterValue>,
    /// Values the device accepted: written by us, not read back.
    pub written: Vec<ParameterValue>,
    /// Names and whether they are writable.
    pub infos: Vec<ParameterInfo>,
    /// A path that was read completely: what is known below it and was not seen is gone.
    pub complete_below: Option<String>,
    /// A path that was deleted.
    pub removed: Option<String>,
    /// The device's methods.
    pub methods: Option<Vec<String>>,
}

/// How a job's attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done; the result is for people and the API.
    Done(Value),
    /// The device has accepted; the proof comes later, in another session.
    Accepted,
    /// The device refused.
    Fault(Fault),
    /// The device refused a later call of the job, after an earlier one had taken effect: it must not
    /// be begun again.
    Partial(Fault),
    /// No answer to the call.
    Silent,
    /// The device did as it was told, and says that it came to nothing.
    Failed(String),
    /// It cannot be sent at all.
    Impossible(String),
    /// It is not sent: the device is not any more as it was when this was ordered.
    Overtaken(String),
}

/// What an impossible job has as its result: who ordered it is to tell it from one that its device
/// failed.
pub fn impossible() -> Value {
    json!({ "impossible": true })
}

/// Whether this is the result of one.
pub fn is_impossible(result: Option<&Value>) -> bool {
    result.is_some_and(|result| result["impossible"] == true)
}

/// What a job that was overtaken has as its result.
pub fn overtaken() -> Value {
    json!({ "overtaken": true })
}

/// Whether this is the result of one.
pub fn is_overtaken(result: Option<&Value>) -> bool {
    result.is_some_and(|result| result["overtaken"] == true)
}

/// The next thing to do for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this call.
    Send(Request),
    /// The attempt is over.
    Finish(Outcome),
}

/// A job's attempt in a session.
#[derive(Debug, Clone)]
pub struct Machine {
    spec: JobSpec,
    context: Context,
    refresh: Option<Refresh>,
    instance: Option<u32>,
    /// See [`Learned`].
    pub learned: Learned,
}

impl Machine {
    /// Starts an attempt and gives its first step.
    pub fn start(spec: JobSpec, context: Context) -> (Self, Step) {
        let mut machine =
            Self { spec, context, refresh: None, instance: None, learned: Learned::default() };
        let step = match machine.first() {
            Ok(request) => Step::Send(request),
            Err(outcome) => Step::Finish(outcome),
        };
        (machine, step)
    }

    /// What the job asks for.
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    fn first(&mut self) -> Result<Request, Outcome> {
        let key = command_key(self.context.job_id);
        Ok(match &self.spec {
            JobSpec::Get { names } => Request::GetParameterValues(names.clone()),
            JobSpec::Set { parameters } => self.set_request(parameters, ""),
            JobSpec::Credentials if self.context.credentials.is_empty() => {
                return Err(Outcome::Impossible("the device has no credentials of its own".into()));
            }
            JobSpec::Credentials => Request::SetParameterValues(SetParameterValues {
                parameters: self.context.credentials.clone(),
                parameter_key: key,
            }),
            JobSpec::AddObject { object, .. } => {
                Request::AddObject(ObjectCall { object_name: object.clone(), parameter_key: key })
            }
            JobSpec::DeleteObject { object } => Request::DeleteObject(ObjectCall {
                object_name: object.clone(),
                parameter_key: key,
            }),
            JobSpec::GetAttributes { names } => Request::GetParameterAttributes(names.clone()),
            JobSpec::SetAttributes { attributes } => Request::SetParameterAttributes(
                attributes
                    .iter()
                    .map(|a| SetParameterAttributes {
                        name: a.name.clone(),
                        notification: a.notification,
                        access_list: a.access_list.clone(),
                    })
                    .collect(),
            ),
            JobSpec::Refresh { path } => {
                let root = path.clone().unwrap_or_else(|| self.context.root.clone());
                let mut refresh = Refresh::new(&root, self.context.earlier_attempts);
                let call = refresh.next_call();
                self.refresh = Some(refresh);
                call.ok_or_else(|| Outcome::Impossible("nothing to read".into()))?
            }
            JobSpec::Methods => Request::GetRpcMethods,
            JobSpec::Reboot => Request::Reboot(key),
            JobSpec::FactoryReset => Request::FactoryReset,
            JobSpec::Download(d) => Request::Download(
                download::rpc(self.context.job_id, d, self.transfer()?)
                    .map_err(Outcome::Impossible)?,
            ),
            JobSpec::Upgrade { version, from, .. } => self.upgrade(version, from.as_deref())?,
            JobSpec::Configure { script, .. } => Request::Download(
                download::configure(self.context.job_id, script.len(), self.transfer()?)
                    .map_err(Outcome::Impossible)?,
            ),
            JobSpec::Upload { file } => Request::Upload(
                download::upload(self.context.job_id, file, self.transfer()?)
                    .map_err(Outcome::Impossible)?,
            ),
            JobSpec::ScheduleDownload { download: d, windows } => Request::ScheduleDownload(
                download::scheduled(self.context.job_id, d, windows, self.transfer()?)
                    .map_err(Outcome::Impossible)?,
            ),
            JobSpec::ScheduleInform { delay_seconds } => Request::ScheduleInform(ScheduleInform {
                delay_seconds: *delay_seconds,
                command_key: key,
            }),
            JobSpec::QueuedTransfers => Request::GetAllQueuedTransfers,
            JobSpec::CancelTransfer { job_id } => Request::CancelTransfer(command_key(*job_id)),
            JobSpec::ChangeDuState { operations } => Request::ChangeDuState(ChangeDuState {
                operations: operations.clone(),
                command_key: key,
            }),
            JobSpec::Diagnose { test } => diagnose::first(test, &self.context),
            JobSpec::ConnectionRequest => {
                return Err(Outcome::Done(json!({ "woken": true })));
            }
        })
    }

    fn transfer(&self) -> Result<&TransferUrl, Outcome> {
        self.context
            .transfer
            .as_ref()
            .ok_or_else(|| Outcome::Impossible("the file is no longer stored".into()))
    }

    /// A device that runs the version already is left alone: that is how one that was upgraded, and
    /// whose report was lost, is not upgraded again. One that runs something else than it did when this was
    /// ordered may run something newer, or be where no way from was looked for.
    fn upgrade(&self, version: &str, from: Option<&str>) -> Result<Request, Outcome> {
        let known = &self.context.upgrade;
        let runs = known.runs.as_deref();
        if let Some(runs) = runs.filter(|runs| upgrade::is_same(version, runs)) {
            return Err(Outcome::Done(json!({ "version": runs, "already": true })));
        }
        if let (Some(runs), Some(from)) = (runs, from)
            && !upgrade::is_same(from, runs)
        {
            return Err(Outcome::Overtaken(format!(
                "not sent: it runs {runs} now, and ran {from} when this was ordered"
            )));
        }
        if let Some(why) = &known.obstacle {
            return Err(Outcome::Impossible(why.clone()));
        }
        let url = self.transfer()?;
        download::upgrade(self.context.job_id, &known.longest, url)
            .map(Request::Download)
            .map_err(Outcome::Impossible)
    }

    fn set_request(&self, parameters: &[SetParameter], prefix: &str) -> Request {
        let parameters = parameters
            .iter()
            .map(|p| {
                let name = format!("{prefix}{}", p.name);
                let types = &self.context.types;
                let known = || types.get(&name).or_else(|| types.get(&p.name)).copied();
                let kind = p.kind.or_else(known);
                ParameterValue::new(name, p.value.clone(), kind.unwrap_or_default())
            })
            .collect();
        Request::SetParameterValues(SetParameterValues {
            parameters,
            parameter_key: command_key(self.context.job_id),
        })
    }

    /// Takes the answer to the call that was sent last.
    pub fn answer(&mut self, answer: Answer) -> Step {
        if let Some(refresh) = self.refresh.as_mut() {
            refresh.answer(answer);
            return match refresh.next_call() {
                Some(request) => Step::Send(request),
                None => Step::Finish(self.finish_refresh()),
            };
        }
        let response = match answer {
            Answer::Response(response) => response,
            Answer::Fault(fault) => return Step::Finish(self.fault(fault)),
            Answer::None => return Step::Finish(Outcome::Silent),
        };
        if let (
            JobSpec::AddObject { object, parameters },
            Response::AddObject { instance_number, .. },
        ) = (&self.spec, &response)
        {
            let prefix = format!("{object}{instance_number}.");
            self.instance = Some(*instance_number);
            if !parameters.is_empty() {
                return Step::Send(self.set_request(parameters, &prefix));
            }
        }
        if let JobSpec::Diagnose { test } = &self.spec {
            return diagnose::answer(test, &self.context, response, &mut self.learned);
        }
        Step::Finish(self.finish(response))
    }

    /// A fault on the second call of an AddObject leaves an empty instance behind: say which.
    fn fault(&self, fault: Fault) -> Outcome {
        // What it refuses it may repeat: neither the log nor the job is to hold that.
        let mut told = self.spec.secrets();
        let written = self.context.credentials.iter().filter(|c| is_secret(&c.name));
        told.extend(written.map(|c| c.value.clone()));
        let mut fault = fault_without(fault, &told);
        let (Some(n), JobSpec::AddObject { object, .. }) = (self.instance, &self.spec) else {
            return Outcome::Fault(fault);
        };
        let text = fault.text;
        fault.text = format!("{text} (the instance {object}{n}. was created and is not filled)");
        Outcome::Partial(fault)
    }

    fn finish_refresh(&mut self) -> Outcome {
        let Some(refresh) = self.refresh.take() else { return Outcome::Silent };
        let complete = refresh.complete();
        let (values, skipped) = (refresh.values.len(), refresh.skipped.len());
        if values == 0 {
            let why = refresh.skipped.first().map_or_else(String::new, |(_, why)| why.clone());
            return Outcome::Fault(Fault::new(
                muster_cwmp::fault::FaultCode::INTERNAL_ERROR,
                format!("the device gave nothing below {}: {why}", refresh.root()),
            ));
        }
        let result = json!({
            "parameters": values,
            "skipped": refresh.skipped.iter().take(20).collect::<Vec<_>>(),
            "skipped_count": skipped,
        });
        self.learned.complete_below = complete.then(|| refresh.root().to_owned());
        self.learned.infos = refresh
            .infos
            .into_iter()
            .map(|(name, writable)| ParameterInfo { name, writable })
            .collect();
        self.learned.values = refresh.values;
        Outcome::Done(result)
    }

    fn finish(&mut self, response: Response) -> Outcome {
        let spec = self.spec.clone();
        match response {
            Response::GetRpcMethods(methods) => {
                let result = json!({ "methods": methods });
                self.learned.methods = Some(methods);
                Outcome::Done(result)
            }
            Response::GetParameterValues(values) => {
                let result = json!({ "parameters": shown(&values) });
                self.learned.values = values;
                Outcome::Done(result)
            }
            Response::GetParameterAttributes(list) => Outcome::Done(json!({ "attributes": list })),
            Response::SetParameterValues(status) => {
                let prefix = match (&spec, self.instance) {
                    (JobSpec::AddObject { object, .. }, Some(n)) => format!("{object}{n}."),
                    _ => String::new(),
                };
                if let JobSpec::Set { parameters } | JobSpec::AddObject { parameters, .. } = &spec
                    && let Request::SetParameterValues(set) = self.set_request(parameters, &prefix)
                {
                    self.learned.written = set.parameters;
                }
                Outcome::Done(json!({ "status": status, "instance": self.instance }))
            }
            Response::AddObject { instance_number, status } => {
                Outcome::Done(json!({ "instance": instance_number, "status": status }))
            }
            Response::DeleteObject(status) => {
                if let JobSpec::DeleteObject { object } = &spec {
                    self.learned.removed = Some(object.clone());
                }
                Outcome::Done(json!({ "status": status }))
            }
            // What it runs is known when it comes back, whatever it says now.
            Response::Download(_) if matches!(spec, JobSpec::Upgrade { .. }) => Outcome::Accepted,
            Response::Download(t) | Response::Upload(t) => match t.status {
                Status::Applied => Outcome::Done(json!({
                    "start_time": t.start_time, "complete_time": t.complete_time,
                })),
                Status::Pending => Outcome::Accepted,
            },
            Response::GetAllQueuedTransfers(list) => Outcome::Done(json!({
                "transfers": list.iter().map(|t| json!({
                    "command_key": t.command_key, "state": t.state, "download": t.is_download,
                    "file_type": t.file_type, "size": t.file_size, "name": t.target_file_name,
                })).collect::<Vec<_>>()
            })),
            Response::Reboot
            | Response::FactoryReset
            | Response::ScheduleInform
            | Response::ScheduleDownload
            | Response::ChangeDuState => Outcome::Accepted,
            Response::SetParameterAttributes | Response::CancelTransfer => Outcome::Done(json!({})),
            // No job asks for these: the session machine matches answers to calls.
            Response::GetParameterNames(_)
            | Response::GetQueuedTransfers(_)
            | Response::SetVouchers
            | Response::GetOptions(_)
            | Response::Inform { .. }
            | Response::TransferComplete
            | Response::AutonomousTransferComplete
            | Response::Kicked { .. }
            | Response::RequestDownload
            | Response::DuStateChangeComplete
            | Response::AutonomousDuStateChangeComplete => Outcome::Silent,
        }
    }
}

/// Values as a result keeps them: some devices answer with their secrets in clear.
fn shown(values: &[ParameterValue]) -> Vec<ParameterValue> {
    values
        .iter()
        .map(|v| match is_secret(&v.name) && !v.value.is_empty() {
            true => ParameterValue::new(v.name.clone(), MASK, v.kind),
            false => v.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
