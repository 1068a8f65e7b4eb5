//! A CPE that speaks in types: opens a session, gets the ACS's calls and answers each as a test says.

use std::net::SocketAddr;

use muster_cwmp::decode::decode;
use muster_cwmp::encode::{Dialect, encode, request_name};
use muster_cwmp::fault::{Fault, FaultCode};
use muster_cwmp::rpc::{
    Body, Envelope, ParameterInfo, Request, Response, Status, TransferComplete, TransferResponse,
};
use muster_cwmp::value::{ParameterValue, Timestamp};
use muster_cwmp::xml::Limits;

use super::cpe::{Cpe, Reply, inform};

const NAMESPACE: &str = "urn:dslforum-org:cwmp-1-0";
/// The only parameter of the device that [`introduce`] plays.
const ONLY: &str = "Device.DeviceInfo.ProvisioningCode";

/// An open session, in the ACS's turn.
pub struct Talk {
    cpe: Cpe,
    id: Option<String>,
    /// What the ACS asks; `None` = it ended the session.
    pub request: Option<Request>,
}

impl Talk {
    /// Informs with these events and gives the turn to the ACS.
    pub async fn open(to: SocketAddr, serial: &str, events: &[&str]) -> Self {
        Self::reporting(to, serial, events, Vec::new()).await
    }

    /// The same with requests of the CPE's own, each of which must be acknowledged.
    pub async fn reporting(
        to: SocketAddr,
        serial: &str,
        events: &[&str],
        reports: Vec<Request>,
    ) -> Self {
        let mut cpe = Cpe::connect(to).await;
        let reply = cpe.post(&inform(serial, events)).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        for report in reports {
            let expected = format!("{}Response", request_name(&report));
            let reply = cpe.post(&text(Some("7".to_owned()), Body::Request(report))).await;
            assert!(reply.status == 200 && reply.body.contains(&expected), "{}", reply.body);
        }
        let mut talk = Self { cpe, id: None, request: None };
        talk.silent().await;
        talk
    }

    /// What the ACS asks; it must ask something.
    pub fn asked(&self) -> &Request {
        self.request.as_ref().expect("the ACS asks something")
    }

    /// Answers.
    pub async fn answer(&mut self, response: Response) {
        self.say(Body::Response(response)).await;
    }

    /// Refuses.
    pub async fn fault(&mut self, code: u32) {
        self.refuse(Fault::new(FaultCode(code), "no")).await;
    }

    /// Refuses in words of its own.
    pub async fn refuse(&mut self, fault: Fault) {
        self.say(Body::Fault(fault)).await;
    }

    /// Says nothing: an empty POST.
    pub async fn silent(&mut self) {
        let reply = self.cpe.empty().await;
        self.take(&reply);
    }

    /// Answers this and all that follows as a small and willing device, to the session's end.
    pub async fn agree(mut self) {
        while let Some(request) = &self.request {
            let response = willing(request);
            self.answer(response).await;
        }
    }

    async fn say(&mut self, body: Body) {
        let message = text(self.id.clone(), body);
        let reply = self.cpe.post(&message).await;
        self.take(&reply);
    }

    fn take(&mut self, reply: &Reply) {
        (self.id, self.request) = (None, None);
        if reply.status == 204 {
            return;
        }
        assert_eq!(reply.status, 200, "{}", reply.body);
        let envelope =
            decode(reply.body.as_bytes(), reply.header("content-type"), &Limits::default())
                .unwrap();
        let Body::Request(request) = envelope.body else { panic!("no call: {}", reply.body) };
        (self.id, self.request) = (envelope.id, Some(request));
    }
}

fn text(id: Option<String>, body: Body) -> String {
    encode(&Envelope::new(NAMESPACE, id, body), Dialect::RouterOs)
}

fn willing(request: &Request) -> Response {
    match request {
        Request::GetRpcMethods => Response::GetRpcMethods(vec!["Reboot".to_owned()]),
        Request::SetParameterValues(_) => Response::SetParameterValues(Status::Applied),
        Request::GetParameterNames(_) => Response::GetParameterNames(vec![
            ParameterInfo { name: "Device.DeviceInfo.".to_owned(), writable: false },
            ParameterInfo { name: ONLY.to_owned(), writable: true },
        ]),
        Request::GetParameterValues(_) => {
            Response::GetParameterValues(vec![ParameterValue::string(ONLY, "")])
        }
        other => panic!("a willing device was asked for {other:?}"),
    }
}

/// Makes a device known to the ACS, all that it wants at first included: it has no open job then.
pub async fn introduce(to: SocketAddr, serial: &str) {
    Talk::open(to, serial, &["2 PERIODIC"]).await.agree().await;
}

/// The answer to a Download or Upload that is only begun.
pub fn begun() -> TransferResponse {
    TransferResponse {
        status: Status::Pending,
        start_time: Timestamp::unknown(),
        complete_time: Timestamp::unknown(),
    }
}

/// The report of a transfer; code 0 = it went well.
pub fn transferred(command_key: &str, code: u32) -> Request {
    Request::TransferComplete(TransferComplete {
        command_key: command_key.to_owned(),
        fault: (code != 0).then(|| Fault::new(FaultCode(code), "the transfer failed")),
        start_time: Timestamp("2026-11-22T12:00:00Z".to_owned()),
        complete_time: Timestamp("2026-11-22T12:00:05Z".to_owned()),
    })
}

/// The CommandKey of a job.
pub fn key_of(job_id: &str) -> String {
    job_id.replace('-', "")
}
