//! Login by OpenID Connect, at a provider that the tests are themselves.

pub(crate) mod provider;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::json;
use url::Url;
use uuid::Uuid;

use crate::harness::Muster;
use provider::{Provider, Signed};

/// What browsers call Muster, as the provider knows it. Ports are chosen when Muster starts, so the
/// tests' browser goes where this one leads by itself.
const PUBLIC: &str = "http://localhost:1";

/// A browser: it keeps cookies, and sends a strict one only where no other site led it.
struct Browser {
    muster: SocketAddr,
    http: reqwest::Client,
    jar: BTreeMap<String, Kept>,
}

#[derive(Clone)]
struct Kept {
    value: String,
    strict: bool,
}

/// What a browser got.
struct Page {
    status: u16,
    location: String,
    body: String,
}

impl Page {
    /// Where the page goes on to by itself.
    fn leads_to(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        let refresh = self.body.split("http-equiv=\"refresh\"").nth(1).expect("it goes on");
        let url = refresh.split("url=").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        url.replace("&quot;", "\"").replace("&amp;", "&")
    }
}

impl Browser {
    fn of(muster: &Muster) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self { muster: muster.web, http: http.build().unwrap(), jar: BTreeMap::new() }
    }

    /// Opens a page of Muster; `led` = another site led there.
    async fn open(&mut self, path: &str, led: bool) -> Page {
        let sent = self.jar.iter().filter(|(_, kept)| !(led && kept.strict));
        let cookies: Vec<String> =
            sent.map(|(name, kept)| format!("{name}={}", kept.value)).collect();
        let request = self
            .http
            .get(format!("http://{}{path}", self.muster))
            .header("sec-fetch-site", if led { "cross-site" } else { "same-origin" })
            .header("sec-fetch-mode", "navigate")
            .header("cookie", cookies.join("; "));
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            self.keep(cookie.to_str().unwrap());
        }
        page(response).await
    }

    fn keep(&mut self, cookie: &str) {
        let mut parts = cookie.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let rules: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
        let has = |rule: &str| rules.iter().any(|r| r == rule);
        assert!(has("httponly") && has("path=/"), "{cookie}");
        assert!(has("samesite=strict") || has("samesite=lax"), "{cookie}");
        if has("max-age=0") {
            self.jar.remove(name);
        } else {
            let kept = Kept { value: value.to_owned(), strict: has("samesite=strict") };
            self.jar.insert(name.to_owned(), kept);
        }
    }

    /// Begins a login and goes through the provider; the path by which that leads back.
    async fn visit_provider(&mut self, next: &str) -> String {
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let start = self.open(&format!("/login/oidc?next={next}"), false).await;
        assert_eq!(start.status, 303, "{}", start.body);
        let there = page(self.http.get(&start.location).send().await.unwrap()).await;
        assert_eq!(there.status, 303, "the provider says: {}", there.body);
        let back = there.location.strip_prefix(PUBLIC).expect("it leads back to Muster");
        back.to_owned()
    }

    /// A whole login.
    async fn log_in(&mut self, next: &str) -> Page {
        let back = self.visit_provider(next).await;
        self.open(&back, true).await
    }

    async fn is_in(&mut self) -> bool {
        let page = self.open("/", false).await;
        !(page.status == 303 && page.location.starts_with("/login"))
    }
}

async fn page(response: reqwest::Response) -> Page {
    let status = response.status().as_u16();
    let location = response.headers().get("location").map(|l| l.to_str().unwrap().to_owned());
    let body = response.text().await.unwrap();
    Page { status, location: location.unwrap_or_default(), body }
}

/// A server that knows the provider.
async fn muster(issuer: &str, more: &[(&str, &str)]) -> Muster {
    let mut settings = vec![
        ("MUSTER_WEB__PUBLIC_URL", PUBLIC),
        ("MUSTER_OIDC__ISSUER", issuer),
        ("MUSTER_OIDC__CLIENT_ID", "muster"),
        ("MUSTER_OIDC__CLIENT_SECRET", "open sesame"),
    ];
    settings.extend_from_slice(more);
    Muster::start(&settings).await
}

/// A user who was bound to somebody at the provider before.
async fn linked(muster: &Muster, provider: &Provider, login: &str, subject: &str) -> Uuid {
    let user_id = Uuid::now_v7();
    sqlx::query(
        "insert into users (user_id, login, oidc_issuer, oidc_subject, created_at, updated_at)
         values ($1, $2, $3, $4, now(), now())",
    )
    .bind(user_id)
    .bind(login)
    .bind(&provider.issuer)
    .bind(subject)
    .execute(&muster.pool)
    .await
    .unwrap();
    user_id
}

/// A user who was made for whoever has this login at the provider.
async fn waiting(muster: &Muster, login: &str) {
    sqlx::query(
        "insert into users (user_id, login, created_at, updated_at) values ($1, $2, now(), now())",
    )
    .bind(Uuid::now_v7())
    .bind(login)
    .execute(&muster.pool)
    .await
    .unwrap();
}

async fn sessions(muster: &Muster) -> i64 {
    sqlx::query_scalar("select count(*) from user_sessions").fetch_one(&muster.pool).await.unwrap()
}

/// The roles that a user has everywhere.
async fn roles(muster: &Muster, login: &str) -> Vec<String> {
    sqlx::query_scalar(
        "select r.name from user_grants g join roles r using (role_id) join users u using (user_id)
         where u.login = $1 and g.site_id is null order by r.name",
    )
    .bind(login)
    .fetch_all(&muster.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_linked_user_gets_in_and_where_they_wanted_to_go() {
    let provider = Provider::start().await;
    let muster = muster(&provider.issuer, &[]).await;
    let ann = linked(&muster, &provider, "annie", "s-ann").await;
    let mut browser = Browser::of(&muster);
    assert!(!browser.is_in().await);

    let wanted = "/devices?q=model = \"hAP lite\"&limit=5";
    assert_eq!(browser.log_in(wanted).await.leads_to(), wanted);
    assert!(browser.is_in().await);
    let kept: Vec<bool> = browser.jar.values().map(|kept| kept.strict).collect();
    assert_eq!(kept, [true], "the session is left, and nothing of the attempt");
    let user: Uuid = sqlx::query_scalar("select user_id from user_sessions")
        .fetch_one(&muster.pool)
        .await
        .unwrap();
    assert_eq!(user, ann, "by what the provider calls her, not by her login there");
}

#[tokio::test]
async fn whom_nobody_knows_gets_in_only_where_users_are_made() {
    let provider = Provider::start().await;
    let closed = muster(&provider.issuer, &[]).await;
    let mut browser = Browser::of(&closed);
    assert_eq!(browser.log_in("/").await.status, 403);
    assert!(!browser.is_in().await);
    assert_eq!(sessions(&closed).await, 0);

    // An administrator made a user for her, with no password: hers from the first login on.
    waiting(&closed, "ann").await;
    assert_eq!(browser.log_in("/").await.leads_to(), "/");
    // Somebody else who calls himself ann at the provider is not her.
    provider.say(json!({ "sub": "s-evil" }));
    assert_eq!(Browser::of(&closed).log_in("/").await.status, 403);

    provider.say(json!({ "sub": "s-bob", "preferred_username": "bob", "name": "Bob B." }));
    let open = muster(&provider.issuer, &[("MUSTER_OIDC__CREATE_USERS", "true")]).await;
    let mut browser = Browser::of(&open);
    assert_eq!(browser.log_in("/").await.leads_to(), "/");
    assert!(browser.is_in().await);
    let bob: (String, Option<String>, Option<String>) = sqlx::query_as(
        "select display_name, oidc_subject, password_hash from users where login = 'bob'",
    )
    .fetch_one(&open.pool)
    .await
    .unwrap();
    assert_eq!(bob, ("Bob B.".to_owned(), Some("s-bob".to_owned()), None));
    assert!(roles(&open, "bob").await.is_empty(), "rights are granted, not taken");
}

#[tokio::test]
async fn a_token_is_believed_only_if_all_of_it_is_right() {
    let provider = Provider::start().await;
    let muster = muster(&provider.issuer, &[]).await;
    linked(&muster, &provider, "ann", "s-ann").await;
    for (wrong, reason) in [
        (json!({ "nonce": "of another login" }), "Invalid nonce"),
        (json!({ "nonce": null }), "Invalid nonce"),
        (json!({ "iss": "https://evil.example" }), "Invalid issuer"),
        (json!({ "aud": "somebody else" }), "Invalid audience"),
        (json!({ "aud": ["muster", "somebody else"] }), "Invalid audience"),
        (json!({ "exp": 1_000_000_000 }), "Expired"),
    ] {
        provider.say(wrong.clone());
        refused(&muster, &wrong.to_string(), reason).await;
    }
    provider.say(json!({}));
    for signed in [Signed::ByAnother, Signed::Not] {
        provider.sign(signed);
        refused(&muster, "a signature", "Signature verification failed").await;
    }
    provider.sign(Signed::Well);
    assert_eq!(Browser::of(&muster).log_in("/").await.leads_to(), "/", "all was right but that");
}

/// No login, and why stands in the log alone.
async fn refused(muster: &Muster, what: &str, reason: &str) {
    let before = muster.log().len();
    let mut browser = Browser::of(muster);
    let page = browser.log_in("/").await;
    assert_eq!(page.status, 403, "{what}: {}", page.body);
    assert!(browser.jar.is_empty() && !browser.is_in().await, "{what}");
    assert!(!page.body.contains(reason), "{what}: {}", page.body);
    let log = muster.log();
    assert!(log[before..].contains(reason), "{what}: {}", &log[before..]);
    assert_eq!(sessions(muster).await, 0, "{what}");
}

#[tokio::test]
async fn the_way_back_is_good_once_and_in_one_browser() {
    let provider = Provider::start().await;
    let muster = muster(&provider.issuer, &[]).await;
    linked(&muster, &provider, "ann", "s-ann").await;
    let mut ann = Browser::of(&muster);
    let back = ann.visit_provider("/").await;

    // Whoever follows her link has not begun this login, or has begun another one.
    let mut other = Browser::of(&muster);
    assert_eq!(other.open(&back, true).await.status, 403);
    other.visit_provider("/").await;
    assert_eq!(other.open(&back, true).await.status, 403);
    assert!(!other.is_in().await);

    let attempt = ann.jar.clone();
    assert_eq!(ann.open(&back, true).await.leads_to(), "/");
    assert_eq!(ann.open(&back, true).await.status, 403, "the attempt is over");
    let mut again = Browser { jar: attempt, ..Browser::of(&muster) };
    assert_eq!(again.open(&back, true).await.status, 403, "the provider takes a code once");
    assert_eq!(sessions(&muster).await, 1);

    // The provider says no, or nothing.
    for (answer, said) in [("error=access_denied", "access_denied"), ("x=y", "")] {
        let mut browser = Browser::of(&muster);
        let back = browser.visit_provider("/").await;
        let url = Url::parse(PUBLIC).unwrap().join(&back).unwrap();
        let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let page = browser.open(&format!("{}?state={state}&{answer}", url.path()), true).await;
        assert_eq!(page.status, 403, "{}", page.body);
        assert!(page.body.contains(said), "{}", page.body);
    }
}

#[tokio::test]
async fn a_login_leads_to_pages_of_muster_only() {
    let provider = Provider::start().await;
    let muster = muster(&provider.issuer, &[]).await;
    linked(&muster, &provider, "ann", "s-ann").await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example"] {
        let page = Browser::of(&muster).log_in(next).await;
        assert_eq!(page.leads_to(), "/", "{next}");
        assert!(!page.body.contains("evil"), "{next}: {}", page.body);
    }
}

#[tokio::test]
async fn roles_follow_the_claim_at_each_login() {
    let provider = Provider::start().await;
    let settings =
        [("MUSTER_OIDC__CREATE_USERS", "true"), ("MUSTER_OIDC__ROLES_CLAIM", "realm_access.roles")];
    let muster = muster(&provider.issuer, &settings).await;
    for (claimed, granted) in [
        (json!({ "roles": ["operator", "no such role"] }), vec!["operator"]),
        (json!({ "roles": ["viewer", "support"] }), vec!["support", "viewer"]),
        (json!({ "roles": "viewer" }), vec!["viewer"]),
        (json!({}), vec![]),
    ] {
        provider.say(json!({ "realm_access": claimed }));
        assert_eq!(Browser::of(&muster).log_in("/").await.leads_to(), "/", "{claimed}");
        assert_eq!(roles(&muster, "ann").await, granted, "{claimed}");
    }
    let disabled = "update users set disabled_at = now() where login = 'ann'";
    sqlx::query(disabled).execute(&muster.pool).await.unwrap();
    provider.say(json!({ "realm_access": { "roles": ["viewer"] } }));
    assert_eq!(Browser::of(&muster).log_in("/").await.status, 403);
    assert!(roles(&muster, "ann").await.is_empty(), "who may not log in is left as they are");
}

#[tokio::test]
async fn an_address_is_taken_for_somebody_only_if_it_is_verified() {
    const ADDRESS: &str = "ann@isp.example";
    let provider = Provider::start().await;
    let muster = muster(&provider.issuer, &[("MUSTER_OIDC__LOGIN_CLAIM", "email")]).await;
    waiting(&muster, ADDRESS).await;
    for said in [
        json!({ "email": ADDRESS }),
        json!({ "email": ADDRESS, "email_verified": false }),
        json!({ "email": ADDRESS, "email_verified": "false" }),
    ] {
        provider.say(said.clone());
        assert_eq!(Browser::of(&muster).log_in("/").await.status, 403, "{said}");
    }
    provider.say(json!({ "email": ADDRESS }));
    provider.tell(json!({ "sub": "s-ann", "email_verified": "true" }));
    assert_eq!(Browser::of(&muster).log_in("/").await.leads_to(), "/", "userinfo says so");
    // From now on she is known by what the provider calls her.
    provider.tell(json!({ "sub": "s-ann" }));
    assert_eq!(Browser::of(&muster).log_in("/").await.leads_to(), "/");
}

#[tokio::test]
async fn claims_may_come_later_and_keys_may_change() {
    let provider = Provider::start().await;
    let muster = muster(&provider.issuer, &[("MUSTER_OIDC__CREATE_USERS", "true")]).await;
    provider.say(json!({ "preferred_username": null, "name": null }));
    provider.tell(json!({ "sub": "s-ann", "preferred_username": "ann", "name": "Ann A." }));
    assert_eq!(Browser::of(&muster).log_in("/").await.leads_to(), "/");
    let name: String = sqlx::query_scalar("select display_name from users where login = 'ann'")
        .fetch_one(&muster.pool)
        .await
        .unwrap();
    assert_eq!(name, "Ann A.");

    provider.tell(json!({ "sub": "s-bob", "preferred_username": "ann", "name": "Ann A." }));
    assert_eq!(Browser::of(&muster).log_in("/").await.status, 403, "told of somebody else");
    provider.tell(json!({ "sub": "s-ann" }));
    let page = Browser::of(&muster).log_in("/").await;
    assert_eq!(page.status, 403);
    assert!(page.body.contains("oidc.login_claim"), "{}", page.body);

    provider.say(json!({}));
    provider.change_keys();
    assert_eq!(Browser::of(&muster).log_in("/").await.leads_to(), "/", "with the new keys");
}

#[tokio::test]
async fn without_its_provider_muster_says_so() {
    // Nothing listens on port 1.
    let muster = muster("http://127.0.0.1:1", &[]).await;
    let page = Browser::of(&muster).open("/login/oidc?next=/", false).await;
    assert_eq!(page.status, 409);
    assert!(page.body.contains("log in with a password"), "{}", page.body);
    assert!(!page.body.contains("127.0.0.1:1"), "{}", page.body);
}
