//! Where people type scripts on simulated boards: a small HTTP listener on a loopback address.
//!
//! `GET /devices` lists the boards as JSON; `POST /devices/SERIAL/script` runs its body on one, as if
//! somebody had typed it there, and tells what became of it. No password: whoever is on the machine
//! may. What a browser sends in the name of some page is refused.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::World;
use crate::doors::{Doors, Typed};
use crate::http::collect;
use crate::profile::Identity;

/// Bytes of a script.
const MAX_SCRIPT: usize = 1 << 20;
/// How long somebody waits for a board that is rebooting or in a session.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers until `shutdown`.
pub(crate) async fn serve(
    world: Arc<World>,
    doors: Arc<Doors>,
    listener: TcpListener,
    shutdown: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "control listener cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (world, doors) = (Arc::clone(&world), Arc::clone(&doors));
        let service = service_fn(move |request: Request<Incoming>| {
            let (world, doors) = (Arc::clone(&world), Arc::clone(&doors));
            async move { Ok::<_, Infallible>(answer(&world, &doors, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "control request broken off");
            }
        }));
    }
}

async fn answer(world: &World, doors: &Doors, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.headers().contains_key(ORIGIN) {
        return text(StatusCode::FORBIDDEN, "not for browsers");
    }
    let path = request.uri().path().to_owned();
    if path == "/devices" && request.method() == Method::GET {
        return json(StatusCode::OK, list(world));
    }
    let serial = path.strip_prefix("/devices/").and_then(|rest| rest.strip_suffix("/script"));
    let Some(serial) = serial else {
        return text(StatusCode::NOT_FOUND, "GET /devices, or POST /devices/SERIAL/script");
    };
    if request.method() != Method::POST {
        return text(StatusCode::METHOD_NOT_ALLOWED, "POST the script");
    }
    let door = find(world, serial).and_then(|identity| doors.at(&identity.request_path));
    let Some(door) = door else {
        return text(StatusCode::NOT_FOUND, "no board of this fleet has this serial number");
    };
    let script = match collect(request.into_body(), MAX_SCRIPT).await {
        Ok(body) => String::from_utf8_lossy(&body).into_owned(),
        Err(error) => return text(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match tokio::time::timeout(PATIENCE, door.enter(&script)).await {
        Ok(Ok(typed)) => json(StatusCode::OK, outcome(&typed)),
        Ok(Err(_)) => text(StatusCode::GONE, "the board has gone dark"),
        Err(_) => text(StatusCode::ACCEPTED, "the board is busy, and runs it later"),
    }
}

/// The board with this serial number, which ends in its number in the fleet.
fn find(world: &World, serial: &str) -> Option<Identity> {
    let index = u32::from_str_radix(serial.get(6..)?, 16).ok()?;
    let identity = Identity::derive(world.options.seed, index);
    (index < world.options.devices && identity.serial == serial).then_some(identity)
}

fn list(world: &World) -> String {
    let boards = (0..world.options.devices).map(|index| {
        let identity = Identity::derive(world.options.seed, index);
        let profile = identity.profile();
        format!(
            "{{\"serial\":{},\"mac\":{},\"model\":{},\"product_class\":{}}}",
            quoted(&identity.serial),
            quoted(&identity.mac(1)),
            quoted(profile.board),
            quoted(profile.product_class),
        )
    });
    format!("[{}]", boards.collect::<Vec<_>>().join(",\n"))
}

fn outcome(typed: &Typed) -> String {
    let log: Vec<String> = typed.log.iter().map(|line| quoted(line)).collect();
    let error = typed.error.as_deref().map_or_else(|| "null".to_owned(), quoted);
    format!("{{\"error\":{error},\"log\":[{}]}}", log.join(","))
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn text(status: StatusCode, words: &str) -> Response<Full<Bytes>> {
    with(status, "text/plain; charset=utf-8", format!("{words}\n"))
}

fn json(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    with(status, "application/json", body + "\n")
}

fn with(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_are_quoted() {
        assert_eq!(quoted("a\"b\\c\n\u{b2}"), "\"a\\\"b\\\\c\\u000a\u{b2}\"");
        let typed = Typed { log: vec!["script,info x".to_owned()], error: None };
        assert_eq!(outcome(&typed), "{\"error\":null,\"log\":[\"script,info x\"]}");
    }
}
