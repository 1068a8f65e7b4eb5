//! Who is called: a server of HTTP that keeps what it is sent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::harness::eventually;

/// A call as it came.
#[derive(Debug, Clone)]
pub struct Call {
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Call {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether whoever knows the secret sent this very body.
    pub fn is_signed(&self, secret: &str) -> bool {
        let (time, hex) = self.header("muster-signature").split_once(',').unwrap();
        let (time, hex) = (time.strip_prefix("t=").unwrap(), hex.strip_prefix("v1=").unwrap());
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(&self.body);
        let bytes: [u8; 32] = mac.finalize().into_bytes().into();
        let age = chrono::Utc::now().timestamp() - time.parse::<i64>().unwrap();
        age.abs() < 60 && hex::encode(bytes) == hex
    }
}

/// Something that is called. It answers what it was told to, and 200 after that.
#[derive(Clone)]
pub struct Receiver {
    /// Where it is.
    pub address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    pub async fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap()).await
    }

    pub async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            calls: Arc::default(),
            answers: Arc::default(),
        };
        let router = Router::new().route("/hook", post(called)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        receiver
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn will_answer(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses);
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The first call of a kind, once it came.
    pub async fn told(&self, kind: &str) -> Call {
        eventually(&format!("it is told of {kind}"), || async {
            self.calls().into_iter().find(|call| call.header("muster-event") == kind)
        })
        .await
    }
}

async fn called(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    receiver.calls.lock().unwrap().push(Call { headers, body: body.to_vec() });
    let answer = receiver.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(answer).unwrap()
}
