//! Connection requests (TR-069 3.2.2): one listener for the whole fleet, a door per device.
//!
//! Owns the listener, its Digest check, and what waits at a device's door: a knock of the ACS, or what
//! somebody does to it as if by hand. It never opens a session; the device does.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use muster_cwmp::digest::{Authorization, NonceState, Nonces, challenges, ha1};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

const REALM: &str = "tr069";
/// Seconds for which a nonce is good.
const NONCE_AGE: u64 = 300;

/// What stands before one device.
#[derive(Debug, Default)]
pub(crate) struct Door {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    username: String,
    password: String,
    visit: Visit,
    /// Nobody is at home any more.
    closed: bool,
}

/// What came since the device last looked.
#[derive(Debug, Default)]
pub(crate) struct Visit {
    /// The ACS asks for a session; many knocks are one (K1).
    pub(crate) knocked: bool,
    /// Parameters that changed on the device, by name and value.
    pub(crate) changes: Vec<(String, String)>,
    /// Scripts that somebody types.
    pub(crate) scripts: Vec<Keyed>,
}

/// A script that waits to be run.
#[derive(Debug)]
pub(crate) struct Keyed {
    pub(crate) script: String,
    /// Who waits for what becomes of it.
    pub(crate) reply: oneshot::Sender<Typed>,
}

/// What became of a script that was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed {
    /// What it wrote into the log: topics, then text.
    pub log: Vec<String>,
    /// Why it ended before its end.
    pub error: Option<String>,
}

impl Door {
    /// Who may knock: ConnectionRequestUsername and ConnectionRequestPassword.
    pub(crate) fn set_credentials(&self, username: &str, password: &str) {
        let mut waiting = self.lock();
        username.clone_into(&mut waiting.username);
        password.clone_into(&mut waiting.password);
    }

    /// Something changes on the device.
    pub(crate) fn change(&self, name: &str, value: &str) {
        self.lock().visit.changes.push((name.to_owned(), value.to_owned()));
        self.bell.notify_one();
    }

    /// Somebody types a script; the answer comes when the device has run it, or never will.
    pub(crate) fn enter(&self, script: &str) -> oneshot::Receiver<Typed> {
        let (reply, answer) = oneshot::channel();
        let mut waiting = self.lock();
        if !waiting.closed {
            waiting.visit.scripts.push(Keyed { script: script.to_owned(), reply });
            self.bell.notify_one();
        }
        answer
    }

    /// The device has stopped: who waits for an answer gets none.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.visit.scripts.clear();
    }

    /// Returns once there may be a visit.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Takes what waits.
    pub(crate) fn take(&self) -> Visit {
        std::mem::take(&mut self.lock().visit)
    }

    fn knock(&self) {
        self.lock().visit.knocked = true;
        self.bell.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while holding it, and its fields are whole at every step.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All doors of a fleet, by the random path of their ConnectionRequestURL.
pub(crate) struct Doors {
    by_path: HashMap<String, Arc<Door>>,
    nonces: Nonces,
}

impl Doors {
    /// Doors at these paths, without the leading slash.
    pub(crate) fn new(by_path: HashMap<String, Arc<Door>>) -> Self {
        Self { by_path, nonces: Nonces { key: rand::random() } }
    }

    /// The door at a path.
    pub(crate) fn at(&self, path: &str) -> Option<&Arc<Door>> {
        self.by_path.get(path)
    }

    /// Answers connection requests until `shutdown`.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, shutdown: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let connection = Arc::clone(&self).connection(stream);
                    tokio::spawn(shutdown.clone().run_until_cancelled_owned(connection));
                }
                Err(error) => {
                    // Out of file descriptors: sessions that end give some back.
                    tracing::warn!(%error, "connection-request listener cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) {
        let service = service_fn(move |request: Request<Incoming>| {
            let doors = Arc::clone(&self);
            async move { Ok::<_, Infallible>(doors.answer(&request)) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = connection {
            tracing::debug!(%error, "connection request broken off");
        }
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Empty<Bytes>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let path = request.uri().path();
        let Some(door) = self.at(path.trim_start_matches('/')) else {
            return status(StatusCode::NOT_FOUND);
        };
        if request.method() != Method::GET {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let stale = match header.and_then(|header| Authorization::parse(header).ok()) {
            Some(Authorization::Digest(digest)) => {
                let expected = {
                    let known = door.lock();
                    ha1(digest.algorithm, &known.username, REALM, &known.password)
                };
                let proved = digest.uri_names(path) && digest.verify("GET", &expected);
                match self.nonces.verify(&digest.nonce, now, NONCE_AGE) {
                    NonceState::Valid if proved => {
                        door.knock();
                        return status(StatusCode::OK);
                    }
                    NonceState::Stale => proved,
                    NonceState::Valid | NonceState::Forged => false,
                }
            }
            Some(Authorization::Basic { .. }) | None => false,
        };
        let mut refusal = status(StatusCode::UNAUTHORIZED);
        let nonce = self.nonces.issue(now, rand::random());
        // MD5 alone, as RouterOS offers.
        for value in challenges(REALM, &nonce, "", stale, false).into_iter().take(1) {
            if let Ok(value) = value.parse() {
                refusal.headers_mut().append(WWW_AUTHENTICATE, value);
            }
        }
        refusal
    }
}

fn status(code: StatusCode) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = code;
    response
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use muster_cwmp::digest::{Challenge, answer};

    use super::*;

    fn doors() -> Doors {
        let door = Arc::new(Door::default());
        door.set_credentials("cr", "s3cret");
        Doors::new(HashMap::from([("abc".to_owned(), door)]))
    }

    fn get(path: &str, authorization: Option<String>) -> Request<()> {
        let mut request = Request::builder().uri(path);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        request.body(()).unwrap()
    }

    fn answered(doors: &Doors, password: &str) -> StatusCode {
        let refusal = doors.answer(&get("/abc", None));
        assert_eq!(refusal.status(), StatusCode::UNAUTHORIZED);
        let challenge = refusal.headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned();
        let challenge = Challenge::parse(&[challenge], false).unwrap();
        let header = answer(&challenge, "cr", password, "GET", "/abc", "c0ffee", 1);
        doors.answer(&get("/abc", Some(header))).status()
    }

    #[test]
    fn only_the_right_password_rings() {
        let doors = doors();
        assert_eq!(answered(&doors, "guess"), StatusCode::UNAUTHORIZED);
        assert!(!doors.at("abc").unwrap().take().knocked);
        assert_eq!(answered(&doors, "s3cret"), StatusCode::OK);
        assert_eq!(answered(&doors, "s3cret"), StatusCode::OK);
        assert!(doors.at("abc").unwrap().take().knocked);
        assert!(!doors.at("abc").unwrap().take().knocked);
    }

    #[test]
    fn unknown_paths_and_methods_are_refused() {
        let doors = doors();
        assert_eq!(doors.answer(&get("/nobody", None)).status(), StatusCode::NOT_FOUND);
        let mut post = get("/abc", None);
        *post.method_mut() = Method::POST;
        assert_eq!(doors.answer(&post).status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
