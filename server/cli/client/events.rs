//! `muster events`: what happens to devices, as it happens.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use reqwest::{Method, header};
use serde::Deserialize;
use serde_json::Value;

use super::devices::named;
use super::http::Api;
use super::output::{clean, compact, hint, maybe, print, safe_json, time};

/// Before a stream that ended is asked for again.
const PAUSE: Duration = Duration::from_secs(1);

/// `muster events`
#[derive(Debug, Subcommand)]
pub enum Events {
    /// Print events as they happen, until it is interrupted; with --json one line of JSON each.
    Follow {
        /// Only kinds that begin so, such as job.
        #[arg(short, long)]
        kind: Option<String>,
        /// Only those of this device: serial number or id.
        #[arg(long, value_name = "NAME")]
        device: Option<String>,
    },
}

#[derive(Debug, Deserialize)]
struct Event {
    at: DateTime<Utc>,
    serial: String,
    site: Option<String>,
    kind: String,
    detail: Value,
}

pub(super) async fn run(api: &Api, command: Events) -> anyhow::Result<()> {
    let Events::Follow { kind, device } = command;
    let device = device.as_deref().map(named);
    let narrow = [("kind", &kind), ("device_id", &device)];
    let narrow = narrow.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let query: Vec<(&str, &str)> = narrow.collect();
    let mut last = None;
    follow(api, &query, &mut last).await?;
    loop {
        // The server ends each stream after a while.
        tokio::time::sleep(PAUSE).await;
        match follow(api, &query, &mut last).await {
            Err(e) if !is_away(&e) => return Err(e),
            Ok(()) | Err(_) => {}
        }
    }
}

/// Whether nobody answered: a server that is started anew is there again soon.
fn is_away(error: &anyhow::Error) -> bool {
    error.downcast_ref::<reqwest::Error>().is_some()
}

/// Prints what happens after the event `last`, until the stream ends or breaks off. Where it cannot
/// be begun is an error.
async fn follow(
    api: &Api,
    query: &[(&str, &str)],
    last: &mut Option<String>,
) -> anyhow::Result<()> {
    let request = api.request(Method::GET, &["events"], query);
    let request = request.header(header::ACCEPT, "text/event-stream");
    let request = match &*last {
        Some(id) => request.header("Last-Event-ID", id.as_str()),
        None => request,
    };
    let mut response = api.send(request).await?;
    let mut feed = Feed::default();
    while let Ok(Some(bytes)) = response.chunk().await {
        for message in feed.push(&bytes) {
            tell(api, &message)?;
            *last = message.id.or(last.take());
        }
    }
    Ok(())
}

fn tell(api: &Api, message: &Message) -> anyhow::Result<()> {
    if message.event == "missed" {
        hint(&format!("{} events came too quickly and are not shown", message.data));
        return Ok(());
    }
    if api.json {
        return Ok(print(&safe_json(&message.data))?);
    }
    Ok(print(&line(serde_json::from_str(&message.data)?))?)
}

fn line(e: Event) -> String {
    let (site, detail) = (maybe(e.site), compact(&e.detail));
    clean(&format!("{}  {}  {site}  {}  {detail}", time(e.at), e.serial, e.kind))
}

/// A server-sent event.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    event: String,
    id: Option<String>,
    data: String,
}

/// A stream of them, that comes in pieces.
#[derive(Debug, Default)]
struct Feed {
    /// Bytes that are no whole line yet.
    rest: Vec<u8>,
    /// What is known of the next one.
    next: Message,
}

impl Feed {
    /// The events that are whole with these bytes.
    fn push(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.rest.extend_from_slice(bytes);
        let mut whole = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                let message = std::mem::take(&mut self.next);
                // Comments keep the connection open, and say nothing.
                whole.extend(Some(message).filter(|message| !message.data.is_empty()));
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match name {
                "event" => self.next.event = value,
                "id" => self.next.id = Some(value),
                // The server writes each on one line.
                "data" => self.next.data = value,
                _ => {}
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_read_however_it_is_cut() {
        let text = ": \n\nevent: boot\nid: 17-a\ndata: {\"a\":\"Rīga: 7\"}\n\nevent: missed\r\ndata:3\r\n\r\nid: 18";
        let boot = Message {
            event: "boot".to_owned(),
            id: Some("17-a".to_owned()),
            data: "{\"a\":\"Rīga: 7\"}".to_owned(),
        };
        let missed = Message { event: "missed".to_owned(), id: None, data: "3".to_owned() };
        for size in [1, 2, 7, 1_000] {
            let mut feed = Feed::default();
            let pieces = text.as_bytes().chunks(size);
            let read: Vec<Message> = pieces.flat_map(|bytes| feed.push(bytes)).collect();
            assert_eq!(read.len(), 2, "{read:?}");
            assert_eq!((&read[0], &read[1]), (&boot, &missed));
        }
    }

    #[test]
    fn an_event_is_one_line_that_steers_no_terminal() {
        let event = json!({
            "device_id": "0193f6a1-0000-5000-8000-000000000001", "serial": "A\u{9b}2J\n",
            "site": null, "at": "2026-11-22T12:00:00Z", "kind": "boot", "job_id": null,
            "detail": { "why": "x" },
        });
        let line = line(serde_json::from_value(event).unwrap());
        assert!(
            line.starts_with("2026-11-22 12:00:00Z  A\u{fffd}2J\u{fffd}  -  boot  {"),
            "{line}"
        );
    }

    #[test]
    fn only_who_does_not_answer_is_waited_for() {
        let refused = anyhow::anyhow!("this needs the right `read`");
        assert!(!is_away(&refused));
    }
}
