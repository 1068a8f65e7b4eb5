//! The second factor.

use chrono::Utc;
use serde_json::json;
use totp_rs::{Builder, Secret};

use super::World;
use super::login::{CHOSEN, GIVEN, VIEWER, audited, user};
use crate::harness::Muster;
use crate::harness::session::{Page, Session};

/// What an authenticator app shows so many seconds from then.
pub(super) fn code(secret: &str, then: i64, seconds: i64) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let app = Builder::new().with_secret(secret).build().unwrap();
    app.generate(u64::try_from(then + seconds).unwrap()).to_string()
}

/// Sends an offer back.
async fn confirm(session: &mut Session, offer: &str, password: &str, code: &str) -> Page {
    let fields = [("offer", offer), ("password", password), ("code", code)];
    session.post("/account/totp/confirm", &fields).await
}

/// Gives the password, which is right, and then a code.
async fn with_code(muster: &Muster, code: &str) -> (Session, Page) {
    let mut session = Session::stranger(muster);
    let page = session.try_password("ann", GIVEN).await;
    assert!(page.status == 200 && session.cookies.is_empty(), "{page:?}");
    let challenge = page.input("challenge");
    let fields = [("challenge", challenge.as_str()), ("code", code), ("next", "/jobs")];
    let page = session.post("/login/code", &fields).await;
    (session, page)
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_of_its_codes_is_good_once() {
    let world = World::start().await;
    let muster = &world.muster;
    let ann = user(&world, "ann", VIEWER).await;
    let mut session = Session::opened(muster, "ann").await;
    let offer = session.post("/account/totp", &[]).await;
    let (secret, sealed) = (offer.copyable(), offer.input("offer"));
    let now = Utc::now().timestamp();
    // What is wrong changes nothing: what was scanned is still good. A session that was left open is
    // not enough.
    let [wrong, first, next] = [3_600, 0, 30].map(|seconds| code(&secret, now, seconds));
    let sealed = sealed.as_str();
    for (password, code) in [(GIVEN, &wrong), (CHOSEN, &first)] {
        let page = confirm(&mut session, sealed, password, code).await;
        assert_eq!((page.status, page.copyable()), (422, secret.clone()), "{page:?}");
    }
    assert_eq!(world.api.get(&ann).await["has_totp"], false);
    let page = confirm(&mut session, sealed, GIVEN, &first).await;
    assert_eq!((page.status, page.location()), (303, "/account"), "{page:?}");
    assert_eq!(world.api.get(&ann).await["has_totp"], true);
    let stored = "select totp_sealed from users where login = 'ann'";
    let stored: Vec<u8> = sqlx::query_scalar(stored).fetch_one(&muster.pool).await.unwrap();
    assert!(!stored.windows(secret.len()).any(|part| part == secret.as_bytes()));

    for (code, status) in [(&first, 422), (&wrong, 422), (&next, 303), (&next, 422)] {
        let (mut session, page) = with_code(muster, code).await;
        assert_eq!((page.status, session.is_in().await), (status, status == 303), "{page:?}");
        if status == 303 {
            assert_eq!(page.location(), "/jobs");
        }
    }
    let wrong: Vec<String> = sqlx::query_scalar(
        "select after->>'wrong' from audit_log where action = 'user.login_failed'
         order by audit_id",
    )
    .fetch_all(&muster.pool)
    .await
    .unwrap();
    let used = "code that was used before";
    assert_eq!(wrong, [used, "code", used]);
    let mut stranger = Session::stranger(muster);
    let fields = [("challenge", "made up"), ("code", next.as_str())];
    let page = stranger.post("/login/code", &fields).await;
    assert!(page.status == 422 && stranger.cookies.is_empty(), "{page:?}");

    // Nor is it enough to take it away.
    let page = session.post("/account/totp/remove", &[("password", CHOSEN)]).await;
    assert_eq!(page.status, 422, "{page:?}");
    let page = session.post("/account/totp/remove", &[("password", GIVEN)]).await;
    assert_eq!((page.status, page.location()), (303, "/account"), "{page:?}");
    assert!(Session::log_in(muster, "ann", GIVEN).await.is_in().await);
    let removal = format!("{ann}/totp");
    assert_eq!(world.api.call("DELETE", &removal, None).await.0, 409, "there is none");
    audited(muster, &["user.totp", "user.login"], &[&secret, GIVEN, CHOSEN, sealed]).await;
}

#[tokio::test]
async fn who_has_the_password_cannot_try_out_codes() {
    let world = World::start().await;
    let muster = &world.muster;
    let ann = user(&world, "ann", VIEWER).await;
    let mut session = Session::opened(muster, "ann").await;
    let offer = session.post("/account/totp", &[]).await;
    let secret = offer.copyable();
    let now = Utc::now().timestamp();
    let [wrong, first, next] = [3_600, 0, 30].map(|seconds| code(&secret, now, seconds));
    let page = confirm(&mut session, &offer.input("offer"), GIVEN, &first).await;
    assert_eq!(page.status, 303, "{page:?}");

    let mut thief = Session::stranger(muster);
    let challenge = thief.try_password("ann", GIVEN).await.input("challenge");
    let mut status = Vec::new();
    for code in [&wrong, &wrong, &wrong, &wrong, &wrong, &next] {
        let fields = [("challenge", challenge.as_str()), ("code", code.as_str())];
        let page = thief.post("/login/code", &fields).await;
        status.push(page.status);
        assert_eq!(page.status == 429, !page.body.contains("challenge"), "{}", page.body);
    }
    assert_eq!(status, [422, 422, 422, 422, 422, 429], "the right one is not looked at");
    let page = thief.try_password("ann", GIVEN).await;
    assert!(page.status == 429 && thief.cookies.is_empty(), "{page:?}");
    let wait: u32 = page.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((200..=301).contains(&wait), "{wait}");

    // Whoever tried them out knew the password: with another one it is over.
    let password = Some(json!({ "password": CHOSEN }));
    assert_eq!(world.api.call("PUT", &format!("{ann}/password"), password).await.0, 204);
    let page = Session::stranger(muster).try_password("ann", CHOSEN).await;
    assert!(page.status == 200 && page.body.contains("One more step"), "{page:?}");
}

#[tokio::test]
async fn who_has_no_password_is_offered_no_second_factor() {
    let world = World::start().await;
    let body = json!({ "login": "sso", "grants": [{ "role_id": VIEWER }] });
    world.make("/api/v1/users", body, "user_id").await;
    let mut session = Session::opened(&world.muster, "sso").await;
    let page = session.get("/account").await;
    assert!(page.status == 200 && !page.body.contains("/account/totp"), "{}", page.body);
    let page = session.post("/account/totp", &[]).await;
    assert_eq!(page.status, 409, "{page:?}");
}
