//! People at the log-in: passwords, sessions, and what the audit log keeps of it.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use uuid::Uuid;

use super::World;
use crate::harness::Muster;
use crate::harness::kit::Api;
use crate::harness::session::{ADMIN, COOKIE, Page, Session};

/// Words that are in nothing else.
pub(super) const GIVEN: &str = "seven-sleepy-walruses";
pub(super) const CHOSEN: &str = "eleven-green-teacups";
const LAST: &str = "forty-paper-lanterns";
/// The role `administrator` that comes with Muster.
const ADMINISTRATOR: &str = "00000000-0000-4000-8000-000000000001";
/// The role `viewer`.
pub(super) const VIEWER: &str = "00000000-0000-4000-8000-000000000004";

/// Makes a user with the password [`GIVEN`], which they have to change; gives where they are.
pub(super) async fn user(world: &World, login: &str, role_id: &str) -> String {
    let body = json!({ "login": login, "password": GIVEN, "grants": [{ "role_id": role_id }] });
    format!("/api/v1/users/{}", world.make("/api/v1/users", body, "user_id").await)
}

async fn change(api: &Api, path: &str, body: Value) -> u16 {
    api.call("PATCH", path, Some(body)).await.0
}

/// What was made for the first administrator.
fn made(muster: &Muster) -> String {
    let file = muster.data_dir().join("admin-password");
    std::fs::read_to_string(file).unwrap().trim().to_owned()
}

async fn set_password(session: &mut Session, old: &str, new: &str, again: &str) -> Page {
    let fields = [("old_password", old), ("password", new), ("again", again)];
    session.post("/password", &fields).await
}

/// The ids of all sessions, in the order in which they began.
async fn session_ids(muster: &Muster) -> Vec<Uuid> {
    let ids = "select session_id from user_sessions order by session_id";
    sqlx::query_scalar(ids).fetch_all(&muster.pool).await.unwrap()
}

/// That all this is in the audit log; and no secret, there or in the log of the server.
pub(super) async fn audited(muster: &Muster, actions: &[&str], secrets: &[&str]) {
    let rows: Vec<(String, String)> =
        sqlx::query_as("select action, a::text from audit_log a order by audit_id")
            .fetch_all(&muster.pool)
            .await
            .unwrap();
    for action in actions {
        assert!(rows.iter().any(|(done, _)| done == action), "no {action} in {rows:?}");
    }
    let log = muster.log();
    for secret in secrets {
        for (_, row) in &rows {
            assert!(!row.contains(secret), "{secret} in {row}");
        }
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test]
async fn the_first_administrator_changes_the_password_that_was_made() {
    let mut muster = Muster::start(&[]).await;
    let file = muster.data_dir().join("admin-password");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let given = made(&muster);
    let given = given.as_str();

    let mut admin = Session::stranger(&muster);
    let page = admin.get("/devices?q=online").await;
    assert_eq!(page.location(), "/login?next=%2Fdevices%3Fq%3Donline", "{page:?}");
    let fields = [("login", "Admin "), ("password", given), ("next", "/devices?q=online")];
    let page = admin.post("/login", &fields).await;
    assert_eq!((page.status, page.location()), (303, "/devices?q=online"), "{page:?}");
    let set = page.headers["set-cookie"].to_str().unwrap();
    let rules = set.strip_prefix(&format!("{COOKIE}={}; Path=/; Max-Age=", admin.cookies[COOKIE]));
    let (seconds, rules) = rules.unwrap().split_once("; ").unwrap();
    assert_eq!(rules, "HttpOnly; SameSite=Strict");
    let (seconds, week): (i64, i64) = (seconds.parse().unwrap(), 7 * 24 * 3_600);
    assert!((week - 600..=week).contains(&seconds), "{set}");
    let known = page.headers.get_all("set-cookie").iter().nth(1).unwrap().to_str().unwrap();
    assert!(known.starts_with("muster-known="), "{known}");
    assert!(known.ends_with("; Path=/; Max-Age=15552000; HttpOnly; SameSite=Strict"), "{known}");

    for path in ["/", "/devices", "/account", "/search?q=x"] {
        let page = admin.get(path).await;
        assert_eq!((page.status, page.location()), (303, "/password"), "{path}: {page:?}");
    }
    let page = admin.get("/password").await;
    assert!(page.status == 200 && page.body.contains("Choose your own password"), "{page:?}");
    for (old, new, again) in [
        ("not-it-at-all-no", CHOSEN, CHOSEN),
        (given, CHOSEN, LAST),
        (given, "short", "short"),
        (given, given, given),
    ] {
        let page = set_password(&mut admin, old, new, again).await;
        assert_eq!(page.status, 422, "{new}: {page:?}");
        assert!(!page.body.contains(given) && !page.body.contains(CHOSEN), "{}", page.body);
    }
    assert!(file.exists());
    let page = set_password(&mut admin, given, CHOSEN, CHOSEN).await;
    assert_eq!((page.status, page.location()), (303, "/"), "{page:?}");
    assert!(!file.exists(), "nobody needs it any more");
    assert_eq!(admin.get("/devices").await.status, 200);

    assert_eq!(Session::stranger(&muster).try_password(ADMIN, given).await.status, 422);
    assert!(muster.stop());
    muster.run().await;
    assert!(!file.exists(), "there is an administrator");
    assert!(Session::log_in(&muster, ADMIN, CHOSEN).await.is_in().await);
    let actions = ["user.create", "user.login", "user.login_failed", "user.password"];
    audited(&muster, &actions, &[given, CHOSEN, LAST, &admin.cookies[COOKIE]]).await;
}

#[tokio::test]
async fn what_comes_by_https_stays_with_https() {
    let settings = [("MUSTER_WEB__PUBLIC_URL", "https://muster.example")];
    let muster = Muster::start(&settings).await;
    let mut admin = Session::stranger(&muster);
    // As a proxy that ends TLS passes it on.
    let form = format!("login={ADMIN}&password={}", made(&muster));
    let request = admin
        .ask("POST", "/login")
        .header("host", "muster.example")
        .header("origin", "https://muster.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let page = admin.fetch(request).await;
    assert_eq!(page.status, 303, "{page:?}");
    let set = page.headers["set-cookie"].to_str().unwrap();
    assert!(set.starts_with(&format!("__Host-{COOKIE}=")), "{set}");
    assert!(set.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{set}");
    assert!(admin.get("/account").await.wants_login(), "in clear it is worth nothing");
    let request = admin.ask("GET", "/account").header("host", "muster.example");
    assert_eq!(admin.fetch(request).await.location(), "/password");
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_get_one_answer() {
    let world = World::start().await;
    user(&world, "known01", VIEWER).await;
    let away = user(&world, "away001", VIEWER).await;
    assert_eq!(change(&world.api, &away, json!({ "disabled": true })).await, 200);
    let other = json!({ "login": "sso0001" });
    world.make("/api/v1/users", other, "user_id").await;
    let mut answers = Vec::new();
    for (login, password) in
        [("known01", CHOSEN), ("nobody1", CHOSEN), ("away001", GIVEN), ("sso0001", GIVEN)]
    {
        let mut stranger = Session::stranger(&world.muster);
        let page = stranger.try_password(login, password).await;
        assert_eq!(page.status, 422, "{login}: {page:?}");
        assert!(stranger.cookies.is_empty(), "{login}: {:?}", stranger.cookies);
        assert!(page.body.contains("do not belong together"), "{}", page.body);
        answers.push(page.body.replace(login, "LOGIN"));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert!(Session::log_in(&world.muster, "KNOWN01", GIVEN).await.is_in().await);
    // A name that is nobody's may be a password in the wrong field.
    audited(&world.muster, &["user.login_failed"], &[GIVEN, CHOSEN, "nobody1"]).await;
    // And strangers do not fill the log.
    assert_eq!(Session::stranger(&world.muster).try_password("nobody2", CHOSEN).await.status, 422);
    let told: Vec<i64> = sqlx::query_scalar(
        "select (after->>'count')::bigint from audit_log
         where action = 'user.login_failed' and actor = 'unknown'",
    )
    .fetch_all(&world.muster.pool)
    .await
    .unwrap();
    assert_eq!(told, [1], "once a minute");
}

/// Guesses at a login until that is held back for a while; gives the guesses and the seconds.
async fn guess(session: &mut Session, login: &str) -> (u32, u32) {
    let mut guesses = 0;
    // On a slow machine the first wait may be over before it is asked for.
    loop {
        let page = session.try_password(login, CHOSEN).await;
        if page.status != 429 {
            assert_eq!(page.status, 422, "{page:?}");
            guesses += 1;
            assert!(guesses < 12, "nobody is held back");
            continue;
        }
        assert!(page.body.contains("Too many attempts"), "{}", page.body);
        let wait: u32 = page.headers["retry-after"].to_str().unwrap().parse().unwrap();
        if wait > 1 {
            return (guesses, wait);
        }
    }
}

#[tokio::test]
async fn guessing_takes_longer_and_longer() {
    let world = World::start().await;
    for login in ["ann", "bob"] {
        user(&world, login, VIEWER).await;
    }
    let mut stranger = Session::stranger(&world.muster);
    let (guesses, wait) = guess(&mut stranger, "ann").await;
    assert!(guesses > 5 && wait <= 600, "{guesses} guesses, then {wait} seconds");
    let page = stranger.try_password("Ann", GIVEN).await;
    assert_eq!(page.status, 429, "also the right one is not looked at: {page:?}");
    assert!(Session::log_in(&world.muster, "bob", GIVEN).await.is_in().await);
}

#[tokio::test]
async fn who_was_right_before_is_held_back_by_nobody_but_themselves() {
    let world = World::start().await;
    for login in ["ann", "bob"] {
        user(&world, login, VIEWER).await;
    }
    let mut ann = Session::log_in(&world.muster, "ann", GIVEN).await;
    let mut bob = Session::log_in(&world.muster, "bob", GIVEN).await;
    guess(&mut Session::stranger(&world.muster), "ann").await;
    let page = bob.try_password("ann", GIVEN).await;
    assert_eq!(page.status, 429, "his browser is known for him alone: {page:?}");
    ann.cookies.remove(COOKIE);
    let page = ann.try_password("Ann", GIVEN).await;
    assert!(page.status == 303 && ann.is_in().await, "{page:?}");
    // It is no way to guess without end.
    let (guesses, _) = guess(&mut ann, "ann").await;
    assert!(guesses > 5, "{guesses}");
    assert_eq!(ann.try_password("ann", GIVEN).await.status, 429);
}

#[tokio::test]
async fn a_session_ends_when_nobody_uses_it_and_when_it_is_old() {
    let muster = Muster::start(&[]).await;
    let mut admin = Session::opened(&muster, ADMIN).await;
    assert!(admin.is_in().await);
    let pool = &muster.pool;
    let idle = "update user_sessions set seen_at = now() - interval '481 minutes'";
    sqlx::query(idle).execute(pool).await.unwrap();
    assert!(!admin.is_in().await, "eight hours without a request");
    let idle = "update user_sessions set seen_at = now() - interval '479 minutes'";
    sqlx::query(idle).execute(pool).await.unwrap();
    let seen = async || -> bool {
        let seen = "select seen_at > now() - interval '10 minutes' from user_sessions";
        sqlx::query_scalar(seen).fetch_one(pool).await.unwrap()
    };
    // What a page that was left open asks for by itself.
    for (path, name, value) in
        [("/account", "x-muster-poll", "1"), ("/live", "accept", "text/event-stream")]
    {
        let request = admin.ask("GET", path).header(name, value);
        assert_eq!(admin.fetch(request).await.status, 200, "{path}");
        assert!(!seen().await, "{path} does not keep it");
    }
    assert!(admin.is_in().await);
    assert!(seen().await, "a request keeps it");
    let mut forger = admin.copy();
    let forged = admin.cookies[COOKIE].chars().rev().collect();
    forger.cookies.insert(COOKIE.to_owned(), forged);
    assert!(!forger.is_in().await);
    sqlx::query("update user_sessions set expires_at = now()").execute(pool).await.unwrap();
    assert!(!admin.is_in().await, "however busy it is");
}

#[tokio::test]
async fn sessions_are_ended_one_by_one_and_all_at_once() {
    let world = World::start().await;
    let (muster, api) = (&world.muster, &world.api);
    let ann = user(&world, "ann", VIEWER).await;
    user(&world, "bob", VIEWER).await;
    let mut one = Session::opened(muster, "ann").await;
    let [mut two, mut three, mut four, mut five] = {
        let more = async || one.copy().enter(muster, "ann").await;
        [more().await, more().await, more().await, more().await]
    };
    let ids = session_ids(muster).await;

    // Another's is none of hers to end.
    let mut bob = one.copy().enter(muster, "bob").await;
    let page = bob.post(&format!("/account/sessions/{}/revoke", ids[0]), &[]).await;
    assert!(page.status == 303 && one.is_in().await, "{page:?}");
    let page = one.get("/account").await;
    assert!(page.body.contains(&ids[1].to_string()), "{}", page.body);
    let page = one.post(&format!("/account/sessions/{}/revoke", ids[1]), &[]).await;
    assert_eq!((page.status, page.location()), (303, "/account"), "{page:?}");
    assert!(!two.is_in().await && one.is_in().await && three.is_in().await);

    let session = format!("{ann}/sessions/{}", ids[2]);
    assert_eq!(api.call("DELETE", &session, None).await.0, 204);
    assert_eq!(api.call("DELETE", &session, None).await.0, 404);
    assert!(!three.is_in().await && four.is_in().await);

    let mut thief = four.copy();
    let page = four.post("/logout", &[]).await;
    assert_eq!((page.status, page.location()), (303, "/login"), "{page:?}");
    assert!(!four.cookies.contains_key(COOKIE), "{:?}", page.headers);
    assert!(!thief.is_in().await, "the cookie opens nothing any more");

    let page = set_password(&mut one, GIVEN, CHOSEN, CHOSEN).await;
    assert_eq!((page.status, page.location()), (303, "/account"), "{page:?}");
    assert!(one.is_in().await && !five.is_in().await);
    let (status, _) =
        api.call("PUT", &format!("{ann}/password"), Some(json!({ "password": LAST }))).await;
    assert_eq!(status, 204);
    assert!(!one.is_in().await);
    assert_eq!(api.get(&ann).await["must_change_password"], true);

    let mut one = one.enter(muster, "ann").await;
    assert!(one.is_in().await);
    assert_eq!(change(api, &ann, json!({ "disabled": true })).await, 200);
    assert!(!one.is_in().await && bob.is_in().await);
    assert_eq!(change(api, &ann, json!({ "disabled": null })).await, 200);
    assert!(!one.is_in().await, "what was ended stays so");
    let actions =
        ["user.create", "user.end_session", "user.logout", "user.password", "user.change"];
    let cookie = &thief.cookies[COOKIE];
    audited(muster, &actions, &[GIVEN, CHOSEN, LAST, cookie]).await;
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let muster = Muster::start(&[]).await;
    let mut admin = Session::opened(&muster, ADMIN).await;
    let foreign: [&[(&str, &str)]; 6] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site"), ("origin", "http://localhost")],
        &[],
    ];
    let given = made(&muster);
    let log_in = format!("login={ADMIN}&password={given}");
    for headers in foreign {
        for (path, form) in [
            ("/account/preferences", "theme=dark&time_zone="),
            ("/logout", ""),
            ("/login", log_in.as_str()),
        ] {
            let mut request = admin.ask("POST", path).body(form.to_owned());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let page = admin.fetch(request).await;
            assert_eq!(page.status, 403, "{path} {headers:?}: {page:?}");
            assert!(page.body.contains("not sent by a page of Muster"), "{}", page.body);
        }
    }
    assert!(admin.is_in().await);
    assert_eq!(session_ids(&muster).await.len(), 1);
    let kept = "select preferences from users where login = 'admin'";
    let before: Value = sqlx::query_scalar(kept).fetch_one(&muster.pool).await.unwrap();
    assert_eq!(before, json!({}));
    let fields = [("theme", "dark"), ("time_zone", "Europe/Riga")];
    assert_eq!(admin.post("/account/preferences", &fields).await.status, 303);
    let after: Value = sqlx::query_scalar(kept).fetch_one(&muster.pool).await.unwrap();
    assert_eq!(after, json!({ "theme": "dark", "time_zone": "Europe/Riga" }));
    audited(&muster, &["user.preferences"], &[&given]).await;
}

#[tokio::test]
async fn an_administrator_is_always_left() {
    let world = World::start().await;
    let api = &world.api;
    let list = api.get("/api/v1/users").await;
    let admin = format!("/api/v1/users/{}", list["items"][0]["user_id"].as_str().unwrap());
    let site_id = world.site("eu").await;
    let part = json!([{ "role_id": ADMINISTRATOR, "site_id": site_id }]);
    let takes = [json!({ "disabled": true }), json!({ "grants": [] }), json!({ "grants": part })];
    for body in &takes {
        assert_eq!(change(api, &admin, body.clone()).await, 409, "{body}");
    }
    assert_eq!(api.call("DELETE", &admin, None).await.0, 409);
    let shipped = format!("/api/v1/roles/{ADMINISTRATOR}");
    assert_eq!(change(api, &shipped, json!({ "rights": ["read"] })).await, 409);
    assert_eq!(api.call("DELETE", &shipped, None).await.0, 409);

    // One who has it by a role of their own is another.
    let role = json!({ "name": "owners", "rights": ["admin"] });
    let role_id = world.make("/api/v1/roles", role, "role_id").await;
    let role = format!("/api/v1/roles/{role_id}");
    let owner = json!({ "login": "owner", "grants": [{ "role_id": role_id }] });
    let owner = format!("/api/v1/users/{}", world.make("/api/v1/users", owner, "user_id").await);
    for body in &takes {
        assert_eq!(change(api, &admin, body.clone()).await, 409, "nobody could be owner: {body}");
    }
    let password = Some(json!({ "password": GIVEN }));
    assert_eq!(api.call("PUT", &format!("{owner}/password"), password).await.0, 204);
    for body in &takes {
        assert_eq!(change(api, &admin, body.clone()).await, 200, "{body}");
    }
    assert_eq!(change(api, &role, json!({ "rights": ["read"] })).await, 409);
    assert_eq!(api.call("DELETE", &role, None).await.0, 409);
    assert_eq!(api.call("DELETE", &owner, None).await.0, 409);
    assert_eq!(api.call("DELETE", &admin, None).await.0, 204);
    audited(&world.muster, &["user.change", "user.delete"], &[]).await;
}
