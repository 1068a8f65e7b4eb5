//! HTTP in and out of the CWMP endpoint: which session a POST belongs to, and what status says what.
//!
//! Owns the response style that real devices need (facts section 5): Content-Length, never chunked,
//! never `Connection: close` in a session, a cookie, 204 at the end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use bytes::Bytes;
use hyper::header::{
    ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderValue,
    RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE,
};
use hyper::{Method, StatusCode};
use muster_cwmp::acs::{AcsSession, Action, Event};
use muster_cwmp::cookie::cookie;
use muster_cwmp::decode::{DecodeError, decode};
use muster_cwmp::encode::{Dialect, encode};
use muster_cwmp::fault::{Fault, FaultCode};
use muster_cwmp::rpc::{
    Body as CwmpBody, Envelope, Inform, Request as Rpc, Response as RpcResponse,
};
use muster_cwmp::xml::Limits;
use uuid::Uuid;

use super::auth::{self, Authenticator, Denied, Proof};
use super::body::{Budget, Refused};
use super::driver::{Reply, Session};
use super::inform::{self, Accepted, NotStored};
use super::noise::Noise;
use super::registry::{Full, Slot};
use super::transcript::Ending;
use crate::ctx::Shared;
use crate::files::link;
use crate::fleet::facts::MAX_FACT;
use crate::fleet::identity::device_id;
use crate::net::{ConnInfo, ConnSlot};

/// The session cookie.
const COOKIE_NAME: &str = "session";
/// Lines about refused messages, of the whole process.
static NOISE: Noise = Noise::new(100, Duration::from_secs(10));
/// Above this size a message is parsed where it cannot hold up other sessions.
const BIG: usize = 256 * 1024;

/// The endpoint's own state beside the application's.
pub struct Cwmp {
    app: Shared,
    gate: Authenticator,
    budget: Budget,
    limits: Limits,
}

/// The router of the CWMP listener but for its files: every path that is not a file's is the ACS.
pub fn router(app: Shared) -> Router {
    let acs = &app.config.acs;
    let cwmp = Cwmp {
        gate: Authenticator::new(&app.config, &app.keys, app.hot.clone()),
        budget: Budget::new(acs.max_body_bytes, acs.body_memory_bytes),
        limits: Limits { max_bytes: acs.max_body_bytes, ..Limits::default() },
        app,
    };
    Router::new().route("/", any(handle)).route("/{*path}", any(handle)).with_state(Arc::new(cwmp))
}

async fn handle(
    State(cwmp): State<Arc<Cwmp>>,
    Extension(conn): Extension<ConnInfo>,
    Extension(slot): Extension<ConnSlot>,
    request: Request,
) -> Response {
    if request.method() != Method::POST {
        let text = "this is a CWMP (TR-069) endpoint: devices POST here\n";
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let (parts, body) = request.into_parts();
    let exchange = Exchange {
        cwmp: &cwmp,
        conn: &conn,
        slot: &slot,
        headers: &parts.headers,
        path: parts.uri.path(),
    };
    let (bytes, _share) = match cwmp.budget.read(&parts.headers, body).await {
        Ok(read) => read,
        Err(Refused { status, why }) => {
            rejected(&conn, "body", &why);
            exchange.note(status, &why).await;
            let mut response = plain(status, &format!("{why}\n"));
            if status == StatusCode::SERVICE_UNAVAILABLE {
                retry_after(&mut response);
            }
            return response;
        }
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return exchange.empty().await;
    }
    match exchange.decode(&bytes).await {
        Ok(envelope) => exchange.message(envelope).await,
        Err(error) => {
            let response = exchange.undecodable(&error);
            exchange.note(response.status(), &error.to_string()).await;
            response
        }
    }
}

/// One POST.
struct Exchange<'a> {
    cwmp: &'a Arc<Cwmp>,
    conn: &'a ConnInfo,
    slot: &'a ConnSlot,
    headers: &'a HeaderMap,
    path: &'a str,
}

impl Exchange<'_> {
    fn header(&self, name: hyper::header::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    async fn decode(&self, bytes: &Bytes) -> Result<Envelope, DecodeError> {
        let content_type = self.header(CONTENT_TYPE);
        if bytes.len() < BIG {
            return decode(bytes, content_type, &self.cwmp.limits);
        }
        let (bytes, limits) = (bytes.clone(), self.cwmp.limits);
        let content_type = content_type.map(str::to_owned);
        let parsed =
            tokio::task::spawn_blocking(move || decode(&bytes, content_type.as_deref(), &limits));
        parsed.await.unwrap_or_else(|_| Err(DecodeError::Malformed("the parser failed".into())))
    }

    /// By cookie; without one, by connection (H4, H5).
    fn session(&self) -> Option<Arc<Slot>> {
        let named = self
            .headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .find_map(|v| cookie(v, COOKIE_NAME));
        let id = match named {
            Some(text) => Uuid::try_parse(&text).ok()?,
            None => self.slot.get()?,
        };
        self.cwmp.app.sessions.get(id)
    }

    async fn empty(&self) -> Response {
        match self.session() {
            Some(slot) => self.in_session(&slot, Event::Empty).await,
            // N1: a probe for a challenge, or what is left of an expired session.
            None if self.cwmp.gate.required() => self.challenge(false),
            None => no_content(),
        }
    }

    async fn message(&self, envelope: Envelope) -> Response {
        if matches!(envelope.body, CwmpBody::Request(Rpc::Inform(_))) {
            return self.inform(envelope).await;
        }
        match self.session() {
            Some(slot) => self.in_session(&slot, Event::Message(Box::new(envelope))).await,
            None => {
                rejected(self.conn, "no_session", "a message outside a session");
                plain(StatusCode::BAD_REQUEST, "no session: start with an Inform\n")
            }
        }
    }

    async fn in_session(&self, slot: &Arc<Slot>, event: Event) -> Response {
        let (app, slot) = (self.cwmp.app.clone(), slot.clone());
        // In a task of its own: a device that hangs up must not cut the step in the middle.
        let step = tokio::spawn(async move { step(&app, &slot, event).await });
        match step.await {
            Ok(Some(Reply::Envelope(envelope))) => ok(&envelope),
            Ok(Some(Reply::Reject(why))) => plain(StatusCode::BAD_REQUEST, &format!("{why}\n")),
            Ok(Some(Reply::End) | None) | Err(_) => {
                self.slot.set(None);
                no_content()
            }
        }
    }

    async fn inform(&self, envelope: Envelope) -> Response {
        let mut machine = AcsSession::new();
        let id = envelope.id.clone();
        let namespace = envelope.namespace.clone();
        let wait = envelope.session_timeout;
        let Action::Record(Rpc::Inform(inform)) = machine.step(Event::Message(Box::new(envelope)))
        else {
            return plain(StatusCode::BAD_REQUEST, "not an Inform\n");
        };
        if inform.device_id.serial_number.chars().count() > MAX_FACT {
            let why = format!("a serial number has at most {MAX_FACT} characters");
            return self.undecodable(&DecodeError::InvalidArguments {
                namespace,
                id,
                method: "Inform".to_owned(),
                why,
            });
        }
        let device = device_id(&inform.device_id, self.cwmp.app.config.acs.identity);
        let proof = match self.authenticate(&inform, device).await {
            Ok(proof) => proof,
            Err(response) => return *response,
        };
        let session_id = Uuid::from_u128(rand::random());
        let remote_addr = self.conn.peer.ip();
        let session = Session::new(session_id, device, self.base_url(), remote_addr, machine);
        let opened = self.open(session, wait).await;
        let slot = match opened {
            Ok(slot) => slot,
            Err(response) => return *response,
        };
        let app = self.cwmp.app.clone();
        let task = slot.clone();
        // In a task of its own: a device that hangs up must not cut it between its transactions.
        let answered = tokio::spawn(async move {
            // The lock keeps the device's next message out until this one is answered.
            let mut guard = task.session.lock().await;
            let accepted = Accepted {
                device_id: device,
                session_id,
                remote_addr,
                namespace: &namespace,
                proof,
                inform: &inform,
            };
            let stored = match inform::store(&app, &accepted).await {
                Ok(stored) => stored,
                Err(e) => {
                    // Of whom nobody expects nothing is kept.
                    if let Some(session) = guard.take()
                        && !e.is_refusal()
                    {
                        session.not_informed(&app, &inform, &e).await;
                    }
                    return Err(e);
                }
            };
            let Some(session) = guard.as_mut() else { return Ok(Reply::End) };
            session.informed(&inform, stored);
            let answer = Ok(RpcResponse::Inform { max_envelopes: 1 });
            Ok::<_, NotStored>(session.step(&app, Event::Recorded(answer)).await)
        });
        let reply = match answered.await {
            Ok(Ok(reply)) => reply,
            Ok(Err(e)) => {
                self.cwmp.app.sessions.close(session_id);
                return self.not_stored(device, &id, &e);
            }
            Err(_) => {
                self.cwmp.app.sessions.close(session_id);
                return unavailable();
            }
        };
        self.slot.set(Some(session_id));
        slot.touch(Instant::now());
        match reply {
            Reply::Envelope(envelope) => {
                let mut response = ok(&envelope);
                let secure = if self.conn.tls { "; Secure" } else { "" };
                let text =
                    format!("{COOKIE_NAME}={}; Path=/; HttpOnly{secure}", session_id.simple());
                if let Ok(value) = text.parse() {
                    response.headers_mut().insert(SET_COOKIE, value);
                }
                response
            }
            Reply::End | Reply::Reject(_) => no_content(),
        }
    }

    async fn authenticate(&self, inform: &Inform, device: Uuid) -> Result<Proof, Box<Response>> {
        let request = auth::Request {
            conn: self.conn,
            authorization: self.header(AUTHORIZATION),
            path: self.path,
            inform,
            device_id: device,
        };
        let gate = &self.cwmp.gate;
        gate.check(&self.cwmp.app.enrolment, &request).await.map_err(|denied| {
            Box::new(match denied {
                Denied::Challenge(list) => unauthorized(&list),
                Denied::Forbidden(why) => {
                    tracing::warn!(device.id = %device, address = %self.conn.peer.ip(), "{why}");
                    plain(StatusCode::FORBIDDEN, &format!("{why}\n"))
                }
                Denied::Unavailable(e) => {
                    tracing::error!(device.id = %device, "a device could not be authenticated: {e}");
                    unavailable()
                }
            })
        })
    }

    async fn open(&self, session: Session, wait: Option<u32>) -> Result<Arc<Slot>, Box<Response>> {
        let acs = &self.cwmp.app.config.acs;
        // S4: a device may ask for a longer wait, within the session's deadline.
        let asked = wait.map_or(0, u64::from).min(acs.session_deadline_seconds);
        let timeout = Duration::from_secs(acs.session_timeout_seconds.max(asked));
        let deadline = Duration::from_secs(acs.session_deadline_seconds);
        let address: IpAddr = self.conn.peer.ip();
        let sessions = &self.cwmp.app.sessions;
        match sessions.open(session, address, timeout, deadline, Instant::now()) {
            Ok((slot, superseded)) => {
                if let Some(old) = superseded {
                    supersede(&self.cwmp.app, &old).await;
                }
                Ok(slot)
            }
            Err(full) => {
                let which = match full {
                    Full::Node => "max_sessions",
                    Full::Address => "max_sessions_per_address",
                };
                rejected(self.conn, which, "too many sessions");
                Err(Box::new(unavailable()))
            }
        }
    }

    fn not_stored(&self, device: Uuid, id: &Option<String>, error: &NotStored) -> Response {
        match error {
            NotStored::Domain(crate::error::Error::Conflict(why)) => {
                tracing::info!(device.id = %device, "inform set aside: {why}");
                no_content()
            }
            NotStored::Domain(crate::error::Error::Denied(why)) => {
                rejected(self.conn, "unclaimed", why);
                plain(StatusCode::FORBIDDEN, &format!("{why}\n"))
            }
            NotStored::Domain(crate::error::Error::Busy(why)) => {
                tracing::info!(device.id = %device, "inform put off: {why}");
                unavailable()
            }
            other => {
                tracing::error!(device.id = %device, cwmp.id = ?id, "inform not stored: {other}");
                unavailable()
            }
        }
    }

    /// Writes down in the device's session, if it has one, that a message was not taken.
    async fn note(&self, status: StatusCode, why: &str) {
        let Some(slot) = self.session() else { return };
        if let Some(session) = slot.session.lock().await.as_mut() {
            session.rejected(status.as_u16(), why);
        }
    }

    fn undecodable(&self, error: &DecodeError) -> Response {
        rejected(self.conn, "undecodable", &error.to_string());
        match error {
            DecodeError::InvalidArguments { namespace, id, method, why } => {
                // A broken answer to our call is the device's silence; its lease or its next POST
                // settles the job. A broken request gets its fault (N11 does not apply: what cannot
                // be told apart cannot be stored).
                if method.ends_with("Response") {
                    return plain(StatusCode::BAD_REQUEST, &format!("{method}: {why}\n"));
                }
                let fault = Fault::new(FaultCode::ACS_INVALID_ARGUMENTS, why.as_str());
                ok(&Envelope::new(namespace.as_str(), id.clone(), CwmpBody::Fault(fault)))
            }
            DecodeError::TooLarge => plain(StatusCode::PAYLOAD_TOO_LARGE, &format!("{error}\n")),
            other => plain(StatusCode::BAD_REQUEST, &format!("{other}\n")),
        }
    }

    fn challenge(&self, stale: bool) -> Response {
        unauthorized(&self.cwmp.gate.challenges(self.conn, stale))
    }

    /// What the device calls us: files must be reachable the same way.
    fn base_url(&self) -> String {
        let public_url = self.cwmp.app.config.acs.public_url.as_deref();
        link::base(public_url, self.conn.tls, self.header(HOST), self.conn.local)
    }
}

/// Works on one message of a session; `None` = it was over.
async fn step(app: &Shared, slot: &Slot, event: Event) -> Option<Reply> {
    // Two messages of one session at once: the second waits for the first.
    let mut guard = slot.session.lock().await;
    let session = guard.as_mut()?;
    let reply = session.step(app, event).await;
    slot.touch(Instant::now());
    if matches!(reply, Reply::End) {
        if let Some(over) = guard.take() {
            over.end(app, Ending::Done, "the session ended").await;
        }
        app.sessions.close(slot.session_id);
    }
    Some(reply)
}

/// The device has come again: its earlier session is over, and what it ran is given back before the
/// new one looks for work.
async fn supersede(app: &Shared, old: &Slot) {
    metrics::counter!("muster_sessions_superseded_total").increment(1);
    if let Some(session) = old.session.lock().await.take() {
        session.end(app, Ending::Superseded, "the device opened a new session").await;
    }
}

/// Ends sessions whose device fell silent. One pass.
pub async fn expire_sessions(app: &Shared) {
    let now = Instant::now();
    for slot in app.sessions.expired(now) {
        metrics::counter!("muster_sessions_expired_total").increment(1);
        let (ending, why) = match now >= slot.deadline {
            true => (Ending::TimedOut, "the session took longer than it may"),
            false => (Ending::Lost, "the device fell silent"),
        };
        if let Some(session) = slot.session.lock().await.take() {
            session.span.in_scope(|| tracing::info!("{why}: session over"));
            session.end(app, ending, why).await;
        }
    }
    metrics::gauge!("muster_sessions_open").set(app.sessions.len() as f64);
}

fn rejected(conn: &ConnInfo, reason: &'static str, why: &str) {
    metrics::counter!("muster_cwmp_rejected_total", "reason" => reason).increment(1);
    // Whoever sends garbage decides how often, and what stands in it.
    if let Some(unsaid) = NOISE.say(Instant::now()) {
        tracing::info!(address = %conn.peer.ip(), reason, unsaid, "refused: {why:?}");
    }
}

fn ok(envelope: &Envelope) -> Response {
    let text = encode(envelope, Dialect::Acs);
    let mut response = sized(StatusCode::OK, text.into_bytes());
    let value = HeaderValue::from_static("text/xml; charset=\"utf-8\"");
    response.headers_mut().insert(CONTENT_TYPE, value);
    response
}

fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn plain(status: StatusCode, text: &str) -> Response {
    let mut response = sized(status, text.as_bytes().to_vec());
    let value = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, value);
    response
}

fn sized(status: StatusCode, bytes: Vec<u8>) -> Response {
    let length = bytes.len();
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

fn unauthorized(challenges: &[String]) -> Response {
    let mut response = plain(StatusCode::UNAUTHORIZED, "credentials are needed\n");
    for challenge in challenges {
        if let Ok(value) = challenge.parse() {
            response.headers_mut().append(WWW_AUTHENTICATE, value);
        }
    }
    response
}

fn unavailable() -> Response {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "come again\n");
    retry_after(&mut response);
    response
}

/// Spread, so that devices that were sent away together do not come back together.
fn retry_after(response: &mut Response) {
    let seconds: u32 = rand::random_range(20..90);
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
}
