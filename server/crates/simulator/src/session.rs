//! One CWMP session of a device: the machine of [`muster_cwmp::cpe`] over an HTTP peer.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use hyper::Method;
use hyper::header::CONTENT_TYPE;
use muster_cwmp::cpe::{CpeAction, CpeEvent, CpeSession, Outcome};
use muster_cwmp::decode::decode;
use muster_cwmp::encode::{Dialect, encode};
use muster_cwmp::rpc::{DeviceId, Inform};
use muster_cwmp::xml::Limits;
use rand::RngExt;
use url::Url;

use crate::device::Device;
use crate::http::{HttpError, Peer, collect};
use crate::script::names;
use crate::sickness::Ailment;

/// RouterOS speaks CWMP 1.0 (routeros.md section 2).
const NAMESPACE: &str = "urn:dslforum-org:cwmp-1-0";

impl Device {
    /// Opens a session with the waiting events; whether it completed. A board that has been
    /// configured out of reach tries in vain.
    pub(crate) async fn session(&mut self) -> bool {
        if !self.is_reachable() {
            self.world.stats.sessions_failed.fetch_add(1, Relaxed);
            self.session_over(false);
            return false;
        }
        self.refresh_counters();
        if !self.model.changes().is_empty() {
            self.raise("4 VALUE CHANGE", "");
        }
        let url = self.model.value(names::URL).to_owned();
        let mut machine = CpeSession::new(NAMESPACE);
        let outcome = self.converse(&mut machine, &url).await;
        // What the ACS has not acknowledged is said again (N14).
        self.outbox = machine.into_undelivered();
        let completed = outcome == Outcome::Completed;
        let stats = &self.world.stats;
        if completed {
            stats.sessions_ok.fetch_add(1, Relaxed);
            self.events.clear();
            self.model.acknowledge_changes();
        } else {
            stats.sessions_failed.fetch_add(1, Relaxed);
            let serial = &self.identity.serial;
            tracing::debug!(device.serial = %serial, ?outcome, "simulated session failed");
        }
        if self.model.value(names::URL) != url {
            // To a new ACS the device is new (TR-069 3.7.1.5).
            self.raise("0 BOOTSTRAP", "");
        }
        self.session_over(completed);
        completed
    }

    async fn converse(&mut self, machine: &mut CpeSession, url: &str) -> Outcome {
        let queue = std::mem::take(&mut self.outbox);
        let mut action = machine.step(CpeEvent::Start { inform: Box::new(self.inform()), queue });
        let Ok(url) = Url::parse(url) else {
            machine.step(CpeEvent::Timeout);
            return Outcome::Timeout;
        };
        let (user, password) =
            (self.model.value(names::USERNAME), self.model.value(names::PASSWORD));
        let mut peer = Peer::new(self.world.client.clone(), url, user, password);
        let mut last = Bytes::new();
        loop {
            let event = match action {
                CpeAction::Send(envelope) => {
                    last = Bytes::from(encode(&envelope, Dialect::RouterOs));
                    self.post(&mut peer, last.clone(), machine.informed()).await
                }
                CpeAction::SendEmpty => {
                    last = Bytes::new();
                    self.post(&mut peer, last.clone(), machine.informed()).await
                }
                CpeAction::Authenticate | CpeAction::Redirect => {
                    self.post(&mut peer, last.clone(), machine.informed()).await
                }
                CpeAction::Handle(request) => CpeEvent::Answer(self.answer(&request)),
                CpeAction::End(outcome) => return outcome,
            };
            action = machine.step(event);
        }
    }

    async fn post(&mut self, peer: &mut Peer, body: Bytes, informed: bool) -> CpeEvent {
        match self.ailment {
            Ailment::Slow(wait) => tokio::time::sleep(wait).await,
            Ailment::Drop if informed && self.rng.random_bool(0.25) => return CpeEvent::Timeout,
            _ => {}
        }
        match exchange(peer, body).await {
            Ok(event) => event,
            Err(error) => {
                tracing::debug!(device.serial = %self.identity.serial, %error, "no reply");
                CpeEvent::Timeout
            }
        }
    }

    fn inform(&self) -> Inform {
        let profile = self.identity.profile();
        Inform {
            device_id: DeviceId {
                manufacturer: "MikroTik".to_owned(),
                oui: self.identity.oui.to_owned(),
                product_class: profile.product_class.to_owned(),
                serial_number: self.identity.serial.clone(),
            },
            events: self.events.clone(),
            max_envelopes: 1,
            current_time: self.timestamp(),
            retry_count: self.failures,
            parameters: self.model.inform_parameters(&self.events),
        }
    }
}

/// One POST and its reply.
pub(crate) async fn exchange(peer: &mut Peer, body: Bytes) -> Result<CpeEvent, HttpError> {
    // An empty POST has no Content-Type (H2).
    let content_type = (!body.is_empty()).then_some("text/xml");
    let response = peer.request(Method::POST, content_type, body).await?;
    let status = response.status().as_u16();
    match status {
        401 => {
            peer.challenged(response.headers());
        }
        301 | 302 | 307 | 308 => {
            peer.follow(response.headers());
        }
        _ => {}
    }
    let content_type = response.headers().get(CONTENT_TYPE).cloned();
    let limits = Limits::default();
    let body = collect(response.into_body(), limits.max_bytes).await?;
    if body.is_empty() || !matches!(status, 200..=299 | 500) {
        return Ok(CpeEvent::Reply { status, envelope: None });
    }
    let content_type = content_type.as_ref().and_then(|value| value.to_str().ok());
    Ok(match decode(&body, content_type, &limits) {
        Ok(envelope) => CpeEvent::Reply { status, envelope: Some(Box::new(envelope)) },
        Err(_) if status == 500 => CpeEvent::Reply { status, envelope: None },
        Err(_) => CpeEvent::Unreadable,
    })
}
