//! Somebody at the dashboard, without a browser: keeps cookies, and sends forms as its pages do.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use sha2::{Digest, Sha256};
use url::form_urlencoded;
use uuid::Uuid;

use super::Muster;

/// Name of the session's cookie, by plain HTTP.
pub const COOKIE: &str = "muster-session";
/// The first administrator.
pub const ADMIN: &str = "admin";

/// What came back.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    /// Empty for a stream, which has no end.
    pub body: String,
}

impl Page {
    /// Where it leads; empty = nowhere.
    pub fn location(&self) -> &str {
        self.headers.get("location").map_or("", |value| value.to_str().unwrap())
    }

    /// Whether it asks for a log-in in place of what was wanted.
    pub fn wants_login(&self) -> bool {
        self.status == 303 && self.location().starts_with("/login")
    }

    /// The value of the first input of this name.
    pub fn input(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        plain(between(&self.body, &mark, "\""))
    }

    /// What a page shows to be copied.
    pub fn copyable(&self) -> String {
        let (_, rest) = self.body.split_once("class=\"copyable").unwrap();
        plain(between(rest, "<code>", "</code>"))
    }
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("no {begin} in {text}"));
    rest.split_once(end).unwrap().0
}

/// Text of a page as it was before it was escaped.
fn plain(html: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'")];
    let text = pairs.iter().fold(html.to_owned(), |text, (from, to)| text.replace(from, to));
    text.replace("&amp;", "&")
}

/// Somebody at the dashboard.
pub struct Session {
    web: SocketAddr,
    http: reqwest::Client,
    /// By their names.
    pub cookies: BTreeMap<String, String>,
}

impl Session {
    /// Somebody who has not logged in.
    pub fn stranger(muster: &Muster) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self { web: muster.web, http: http.build().unwrap(), cookies: BTreeMap::new() }
    }

    /// Somebody who logs in, and must get in.
    pub async fn log_in(muster: &Muster, login: &str, password: &str) -> Self {
        let mut session = Self::stranger(muster);
        let page = session.try_password(login, password).await;
        assert_eq!(page.status, 303, "{}", page.body);
        assert!(session.cookies.contains_key(COOKIE), "{:?}", page.headers);
        session
    }

    /// A user as if they had logged in, and had changed the password that they were given: hashing
    /// one is slow.
    pub async fn opened(muster: &Muster, login: &str) -> Self {
        Self::stranger(muster).enter(muster, login).await
    }

    /// As [`Session::opened`], with the client that is there already: making one is slow.
    pub async fn enter(mut self, muster: &Muster, login: &str) -> Self {
        let cookie = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let hash: [u8; 32] = Sha256::digest(cookie.as_bytes()).into();
        let done = sqlx::query(
            "with known as (
                 update users set must_change = false where login = $3 returning user_id
             )
             insert into user_sessions (session_id, user_id, token_hash, created_at, seen_at,
                                        expires_at, address, user_agent)
             select $1, user_id, $2, now(), now(), now() + interval '1 day', '127.0.0.1'::inet,
                    'test'
             from known",
        )
        .bind(Uuid::now_v7())
        .bind(hash.to_vec())
        .bind(login)
        .execute(&muster.pool)
        .await
        .unwrap();
        assert_eq!(done.rows_affected(), 1, "there is no user {login}");
        self.cookies.insert(COOKIE.to_owned(), cookie);
        self
    }

    /// The same person, with the cookies of this moment.
    pub fn copy(&self) -> Self {
        Self { web: self.web, http: self.http.clone(), cookies: self.cookies.clone() }
    }

    /// A request with the cookies, which says nothing of where it comes from.
    pub fn ask(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.web);
        let request = self.http.request(method.parse().unwrap(), url);
        if self.cookies.is_empty() {
            return request;
        }
        let pairs: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        request.header("cookie", pairs.join("; "))
    }

    /// Sends a request, and keeps the cookies that come back.
    pub async fn fetch(&mut self, request: reqwest::RequestBuilder) -> Page {
        let response = request.send().await.unwrap();
        let headers = response.headers().clone();
        for set in headers.get_all("set-cookie") {
            let (pair, rules) = set.to_str().unwrap().split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match rules.contains("Max-Age=0;") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let status = response.status().as_u16();
        let kind = headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap());
        let body = match kind {
            "text/event-stream" => String::new(),
            _ => response.text().await.unwrap(),
        };
        Page { status, headers, body }
    }

    /// Opens a page.
    pub async fn get(&mut self, path: &str) -> Page {
        let request = self.ask("GET", path);
        self.fetch(request).await
    }

    /// Sends a form, as a page of the dashboard does.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self
            .ask("POST", path)
            .header("origin", format!("http://{}", self.web))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        self.fetch(request).await
    }

    /// Tries to log in.
    pub async fn try_password(&mut self, login: &str, password: &str) -> Page {
        self.post("/login", &[("login", login), ("password", password)]).await
    }

    /// Whether the session is good.
    pub async fn is_in(&mut self) -> bool {
        !self.get("/account").await.wants_login()
    }
}
