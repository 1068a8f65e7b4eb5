//! Requests to the REST API, and what may become of them.
//!
//! Owns paths, pages and the words of a refusal. It must never follow a redirect: a token is for one
//! server.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use reqwest::header::{self, HeaderMap};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::output::clean_lines;

/// Longest wait that a server may ask for between two requests, and how often in a row.
const PATIENCE: Duration = Duration::from_secs(5);
const RETRIES: u32 = 10;
/// Rows on a page where all are wanted: as many as the API gives.
const MAX_ROWS: u32 = 1_000;

/// The API of one server, as one caller.
pub(super) struct Api {
    client: Client,
    base: Url,
    token: Option<String>,
    /// Whether answers are for programs.
    pub json: bool,
}

/// The JSON of an answer, as it came.
pub(super) struct Answer(String);

impl Answer {
    /// As it came.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// What it says.
    pub(super) fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        let unknown = "the server answers otherwise than this version of muster expects";
        serde_json::from_str(&self.0).context(unknown)
    }
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    /// Its rows.
    pub items: Vec<T>,
    /// The cursor of the next one.
    pub next: Option<String>,
}

/// A list of the API.
pub(super) struct List<'a> {
    /// Below `/api/v1`.
    pub path: Vec<&'a str>,
    /// What narrows it.
    pub query: Vec<(&'a str, &'a str)>,
    /// The parameter that takes the cursor: `after`, or `before` where the newest come first.
    pub cursor: &'static str,
}

/// How much of a list is wanted.
#[derive(Debug, Args)]
pub struct Span {
    /// Rows, 1 to 1000.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_ROWS)),
        conflicts_with = "all"
    )]
    limit: u32,
    /// All rows, page after page.
    #[arg(long)]
    pub all: bool,
}

impl Span {
    /// Rows on a page.
    pub(super) fn rows(&self) -> u32 {
        if self.all { MAX_ROWS } else { self.limit }
    }
}

impl Api {
    /// The API at `base`; without a token only refusals come back.
    pub(super) fn new(client: Client, base: Url, token: Option<String>, json: bool) -> Self {
        Self { client, base, token, json }
    }

    /// GET.
    pub(super) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let request = self.request(Method::GET, path, query);
        answer(self.send(request).await?).await
    }

    /// A page of a list.
    pub(super) async fn page(
        &self,
        list: &List<'_>,
        limit: u32,
        from: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let limit = limit.to_string();
        let mut query: Vec<(&str, &str)> = list.query.clone();
        query.push(("limit", &limit));
        if let Some(from) = from {
            query.push((list.cursor, from));
        }
        self.get(&list.path, &query).await
    }

    /// The first of a list that is the one, however long the list.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        list: &List<'_>,
        is_it: impl Fn(&T) -> bool,
    ) -> anyhow::Result<Option<T>> {
        let mut next: Option<String> = None;
        loop {
            let page: Page<T> = self.page(list, MAX_ROWS, next.as_deref()).await?.read()?;
            if let Some(found) = page.items.into_iter().find(&is_it) {
                return Ok(Some(found));
            }
            next = page.next;
            if next.is_none() {
                return Ok(None);
            }
        }
    }

    /// Any method, with a JSON body or none.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let request = self.request(method, path, &[]);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        answer(self.send(request).await?).await
    }

    /// DELETE.
    pub(super) async fn delete(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<()> {
        self.send(self.request(Method::DELETE, path, query)).await?;
        Ok(())
    }

    /// A request that is yet to be sent.
    pub(super) fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> RequestBuilder {
        self.client.request(method, url(&self.base, path, query))
    }

    /// Sends a request; what comes back is an answer that is no refusal.
    pub(super) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        for _ in 0..RETRIES {
            let Some(again) = request.try_clone() else { break };
            let response = self.sent(again).await?;
            match slow_down(response.status(), response.headers()) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return accepted(response).await,
            }
        }
        accepted(self.sent(request).await?).await
    }

    async fn sent(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        request.send().await.map_err(|e| {
            let place = format!("no answer from {}; is --server right?", self.base);
            anyhow::Error::new(e.without_url()).context(place)
        })
    }
}

/// How long to wait before the same is asked again, where the server only asks for a little patience.
/// It has done nothing then (RFC 6585 4).
fn slow_down(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    if status != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds)).filter(|wait| *wait <= PATIENCE)
}

/// The answer, if it is no refusal.
async fn accepted(response: Response) -> anyhow::Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let location = response.headers().get(header::LOCATION);
    let location = location.and_then(|to| to.to_str().ok()).map(str::to_owned);
    let body = response.text().await.unwrap_or_default();
    Err(anyhow::Error::msg(refusal(status, location.as_deref(), &body)))
}

/// Where something is below a server. A segment may hold any character.
fn url(base: &Url, path: &[&str], query: &[(&str, &str)]) -> Url {
    let mut url = base.clone();
    url.path_segments_mut()
        .expect("an http URL has a path")
        .pop_if_empty()
        .extend(["api", "v1"])
        .extend(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

/// The JSON of a response.
pub(super) async fn answer(response: Response) -> anyhow::Result<Answer> {
    Ok(Answer(response.text().await.context("the server's answer was cut off")?))
}

/// RFC 9457.
#[derive(Debug, Deserialize)]
struct Problem {
    detail: String,
    pointer: Option<String>,
}

/// What is said of an answer that is a refusal.
fn refusal(status: StatusCode, location: Option<&str>, body: &str) -> String {
    let mut words = match (serde_json::from_str::<Problem>(body), location) {
        (Ok(Problem { detail, pointer: Some(pointer) }), _) => format!("{detail} ({pointer})"),
        (Ok(Problem { detail, pointer: None }), _) => detail,
        (Err(_), Some(location)) => format!("the server answers {status}, from {location}"),
        (Err(_), None) => format!("the server answers {status}: is this Muster's API?"),
    };
    if status == StatusCode::UNAUTHORIZED {
        words.push_str(
            "\n`muster token create`, on the server, makes a token; put it into MUSTER_TOKEN, or \
             into a file that --token-file names",
        );
    }
    clean_lines(&words)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_place_in_the_path() {
        let at = |base: &str, path: &[&str]| url(&base.parse().unwrap(), path, &[]).to_string();
        assert_eq!(
            at("http://h:1", &["devices", "serial:a/b?c#d%"]),
            "http://h:1/api/v1/devices/serial:a%2Fb%3Fc%23d%25"
        );
        assert_eq!(at("https://h/muster/", &["jobs"]), "https://h/muster/api/v1/jobs");
        let query = url(&"http://h".parse().unwrap(), &["devices"], &[("q", "a = \"b&c\"")]);
        assert_eq!(query.query_pairs().next().unwrap().1, "a = \"b&c\"");
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words() {
        let told =
            |status: u16, body: &str| refusal(StatusCode::from_u16(status).unwrap(), None, body);
        let problem =
            r#"{"status":422,"title":"x","detail":"1 to 1000 entries","pointer":"/names"}"#;
        assert_eq!(told(422, problem), "1 to 1000 entries (/names)");
        assert_eq!(told(404, r#"{"detail":"no device \u001b[2J"}"#), "no device \u{fffd}[2J");
        assert!(told(502, "<html>\u{1b}").starts_with("the server answers 502 Bad Gateway"));
        let moved = refusal(StatusCode::MOVED_PERMANENTLY, Some("https://h/"), "");
        assert!(moved.ends_with("from https://h/"), "{moved}");
        let token = told(401, r#"{"detail":"the token is unknown"}"#);
        assert!(token.starts_with("the token is unknown\n"), "{token}");
        assert!(token.contains("muster token create"), "{token}");
    }

    #[test]
    fn a_short_wait_is_waited_and_a_long_one_is_told() {
        let asked = |status: StatusCode, seconds: &'static str| {
            let value = header::HeaderValue::from_static(seconds);
            slow_down(status, &HeaderMap::from_iter([(header::RETRY_AFTER, value)]))
        };
        let busy = StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(asked(busy, "1"), Some(Duration::from_secs(1)));
        for long in ["6", "60", "soon", ""] {
            assert_eq!(asked(busy, long), None, "{long}");
        }
        assert_eq!(asked(StatusCode::SERVICE_UNAVAILABLE, "1"), None);
        assert_eq!(slow_down(busy, &HeaderMap::new()), None);
    }
}
