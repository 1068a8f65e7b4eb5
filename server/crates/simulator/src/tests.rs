//! One simulated device against a small ACS that does what it is told.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Mutex;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::WWW_AUTHENTICATE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use muster_cwmp::decode::decode;
use muster_cwmp::encode::{Dialect, encode};
use muster_cwmp::rpc::{
    Body, Download, Envelope, EventCode, Inform, Request, Response, SetParameterValues,
    TransferComplete, Upload,
};
use muster_cwmp::value::ParameterValue;
use muster_cwmp::xml::Limits;
use tokio::sync::Notify;

use super::*;
use crate::http::Peer;
use crate::script::names;

mod firmware;
mod scripts;

#[derive(Default)]
struct Seen {
    informs: Vec<Inform>,
    answers: Vec<Body>,
    completed: Vec<TransferComplete>,
    uploads: Vec<String>,
    orders: VecDeque<Request>,
    files: HashMap<String, Vec<u8>>,
}

/// Gives its orders one by one, and keeps what it hears.
#[derive(Default)]
struct Acs {
    seen: Mutex<Seen>,
    news: Notify,
}

impl Acs {
    async fn start() -> (Arc<Self>, SocketAddr) {
        let acs = Arc::new(Self::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&acs);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acs = Arc::clone(&shared);
                let service = service_fn(move |request| {
                    let acs = Arc::clone(&acs);
                    async move { Ok::<_, Infallible>(acs.serve(request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        (acs, address)
    }

    async fn serve(&self, request: hyper::Request<Incoming>) -> hyper::Response<Full<Bytes>> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let mut seen = self.seen.lock().unwrap();
        let mut reply = hyper::Response::new(Full::default());
        if method == Method::GET {
            match seen.files.get(&path) {
                Some(file) => *reply.body_mut() = Full::from(file.clone()),
                None => *reply.status_mut() = StatusCode::NOT_FOUND,
            }
            return reply;
        }
        if method == Method::PUT {
            seen.uploads.push(String::from_utf8(body.to_vec()).unwrap());
            return reply;
        }
        match seen.hear(&body) {
            Some(body) => {
                let envelope = Envelope::new("urn:dslforum-org:cwmp-1-0", Some("1".into()), body);
                *reply.body_mut() = Full::from(encode(&envelope, Dialect::Acs));
            }
            None => *reply.status_mut() = StatusCode::NO_CONTENT,
        }
        self.news.notify_one();
        reply
    }

    fn serve_file(&self, name: &str, content: impl Into<Vec<u8>>) {
        self.seen.lock().unwrap().files.insert(format!("/{name}"), content.into());
    }

    fn order(&self, request: Request) {
        self.seen.lock().unwrap().orders.push_back(request);
    }

    async fn until<T>(&self, find: impl Fn(&Seen) -> Option<T>) -> T {
        let search = async {
            loop {
                if let Some(found) = find(&self.seen.lock().unwrap()) {
                    return found;
                }
                self.news.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), search).await.unwrap()
    }

    /// Waits for the inform that has this event.
    async fn informed(&self, code: EventCode) -> Inform {
        self.until(|seen| seen.informs.iter().find(|inform| inform.has(code)).cloned()).await
    }
}

impl Seen {
    fn hear(&mut self, body: &[u8]) -> Option<Body> {
        if !body.is_empty() {
            let envelope = decode(body, Some("text/xml"), &Limits::default()).unwrap();
            match envelope.body {
                Body::Request(Request::Inform(inform)) => {
                    assert_eq!(envelope.id, None);
                    self.informs.push(*inform);
                    return Some(Body::Response(Response::Inform { max_envelopes: 1 }));
                }
                Body::Request(Request::TransferComplete(done)) => {
                    self.completed.push(done);
                    return Some(Body::Response(Response::TransferComplete));
                }
                answer => {
                    assert_eq!(envelope.id.as_deref(), Some("1"));
                    self.answers.push(answer);
                }
            }
        }
        self.orders.pop_front().map(Body::Request)
    }
}

fn options(acs: SocketAddr) -> FleetOptions {
    let mut options = FleetOptions::new(1, format!("http://{acs}/acs"));
    options.ramp = Duration::ZERO;
    options.reboot_time = Duration::from_millis(1);
    options.username = "enrol".to_owned();
    options.password = "secret".to_owned();
    options
}

async fn fleet(acs: SocketAddr, shutdown: &CancellationToken) -> FleetHandle {
    start_fleet(options(acs), shutdown.clone()).await.unwrap()
}

fn download(file_type: &str, url: String) -> Request {
    Request::Download(Download {
        command_key: "job-1".to_owned(),
        file_type: file_type.to_owned(),
        url,
        username: String::new(),
        password: String::new(),
        file_size: 0,
        target_file_name: String::new(),
        delay_seconds: 0,
        success_url: String::new(),
        failure_url: String::new(),
    })
}

fn upload(file_type: &str, to: SocketAddr) -> Request {
    Request::Upload(Upload {
        command_key: "job-2".to_owned(),
        file_type: file_type.to_owned(),
        url: format!("http://{to}/put"),
        username: String::new(),
        password: String::new(),
        delay_seconds: 0,
    })
}

#[tokio::test]
async fn boots_is_set_and_reboots() {
    let (acs, address) = Acs::start().await;
    let shutdown = CancellationToken::new();
    let name = ParameterValue::string(names::IDENTITY, "core");
    acs.order(Request::SetParameterValues(SetParameterValues {
        parameters: vec![name],
        parameter_key: String::new(),
    }));
    acs.order(Request::GetParameterValues(vec![names::IDENTITY.to_owned()]));
    acs.order(Request::Reboot("job-9".to_owned()));
    let fleet = fleet(address, &shutdown).await;

    let first = acs.informed(EventCode::Bootstrap).await;
    assert!(first.has(EventCode::Boot));
    assert_eq!(first.device_id.serial_number, fleet.identity(0).serial);
    assert_eq!(first.parameters.len(), 7);
    let again = acs.informed(EventCode::MReboot).await;
    assert!(again.has(EventCode::Boot) && !again.has(EventCode::Bootstrap));
    let key = again.events.iter().find(|event| event.code() == EventCode::MReboot);
    assert_eq!(key.unwrap().command_key, "job-9");
    let read = acs.until(|seen| seen.answers.get(1).cloned()).await;
    let expected = vec![ParameterValue::string(names::IDENTITY, "core")];
    assert_eq!(read, Body::Response(Response::GetParameterValues(expected)));
    shutdown.cancel();
    fleet.finished().await;
    assert_eq!(fleet.stats().boots, 2);
}

#[tokio::test]
async fn wakes_on_a_connection_request_and_reports_changes() {
    let (acs, address) = Acs::start().await;
    let shutdown = CancellationToken::new();
    acs.order(Request::SetParameterValues(SetParameterValues {
        parameters: vec![
            ParameterValue::string(names::REQUEST_USERNAME, "cr"),
            ParameterValue::string(names::REQUEST_PASSWORD, "knock"),
        ],
        parameter_key: String::new(),
    }));
    let fleet = fleet(address, &shutdown).await;
    let first = acs.informed(EventCode::Bootstrap).await;
    acs.until(|seen| seen.answers.first().cloned()).await;

    let url = first.by_suffix(".ConnectionRequestURL").unwrap();
    let url = url::Url::parse(url).unwrap();
    let client = Client::new(None).unwrap();
    let mut stranger = Peer::new(client.clone(), url.clone(), "cr", "guess");
    let reply = stranger.request_as_user(Method::GET, None, Bytes::new()).await.unwrap();
    assert_eq!(reply.status(), StatusCode::UNAUTHORIZED);
    assert!(reply.headers().contains_key(WWW_AUTHENTICATE));
    let mut peer = Peer::new(client, url, "cr", "knock");
    let reply = peer.request_as_user(Method::GET, None, Bytes::new()).await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK);
    acs.informed(EventCode::ConnectionRequest).await;

    fleet.change(0, names::PROVISIONING_CODE, "claimed");
    let inform = acs.informed(EventCode::ValueChange).await;
    assert_eq!(inform.by_suffix(".ProvisioningCode"), Some("claimed"));
    shutdown.cancel();
    fleet.finished().await;
    assert_eq!(fleet.stats().connection_requests, 1);
}

#[tokio::test]
async fn runs_scripts_and_sends_its_export() {
    let (acs, address) = Acs::start().await;
    let shutdown = CancellationToken::new();
    acs.serve_file("change.alter", "/system identity { set name=\"from script\" }");
    let url = format!("http://{address}/change.alter");
    acs.order(download("3 Vendor Configuration File", url));
    let fleet = fleet(address, &shutdown).await;

    let done = acs.until(|seen| seen.completed.first().cloned()).await;
    assert_eq!((done.command_key.as_str(), &done.fault), ("job-1", &None));
    let inform = acs.informed(EventCode::TransferComplete).await;
    assert!(inform.has(EventCode::MDownload) && !inform.has(EventCode::Boot));

    acs.order(upload("1 Vendor Configuration File", address));
    fleet.change(0, names::PROVISIONING_CODE, "wake up");
    acs.until(|seen| seen.completed.get(1).cloned()).await;
    let export = acs.until(|seen| seen.uploads.first().cloned()).await;
    assert!(export.contains("set name=\"from script\""), "{export}");
    shutdown.cancel();
    fleet.finished().await;
}

#[tokio::test]
async fn runs_a_test_and_says_when_it_is_over() {
    let (acs, address) = Acs::start().await;
    let shutdown = CancellationToken::new();
    let name = |name: &str| format!("Device.IP.Diagnostics.IPPing.{name}");
    let read = Request::GetParameterValues(vec![name("DiagnosticsState"), name("SuccessCount")]);
    acs.order(Request::SetParameterValues(SetParameterValues {
        parameters: vec![
            ParameterValue::string(name("Host"), "192.168.88.254"),
            ParameterValue::string(name("DiagnosticsState"), "Requested"),
        ],
        parameter_key: String::new(),
    }));
    acs.order(read.clone());
    let fleet = fleet(address, &shutdown).await;
    let answered = |expected: [&'static str; 2]| {
        acs.until(move |seen| {
            seen.answers.iter().find_map(|answer| match answer {
                Body::Response(Response::GetParameterValues(values)) => {
                    let read: Vec<&str> = values.iter().map(|v| v.value.as_str()).collect();
                    (read == expected).then_some(())
                }
                _ => None,
            })
        })
    };
    answered(["Requested", "0"]).await;
    let inform = acs.informed(EventCode::DiagnosticsComplete).await;
    assert!(!inform.has(EventCode::Boot));
    acs.order(read);
    fleet.change(0, names::PROVISIONING_CODE, "wake up");
    answered(["Complete", "4"]).await;
    shutdown.cancel();
    fleet.finished().await;
}

#[tokio::test]
async fn bad_options_are_refused() {
    let start = |url: &str, scale: f64| {
        let mut options = FleetOptions::new(1, url);
        options.time_scale = scale;
        start_fleet(options, CancellationToken::new())
    };
    assert!(matches!(start("ftp://x/", 1.0).await, Err(FleetError::AcsUrl(_))));
    assert!(matches!(start("http://x/", 0.0).await, Err(FleetError::TimeScale(_))));
    assert!(matches!(start("http://x/", f64::NAN).await, Err(FleetError::TimeScale(_))));
}
