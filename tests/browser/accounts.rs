//! Getting in: the second factor, the sessions that one has, and single sign-on.

use chrono::Utc;
use serde_json::json;
use totp_rs::{Builder, Secret};

use super::{OWN, give_password, leave};
use crate::harness::Muster;
use crate::harness::browser::Browser;
use crate::harness::kit::Api;
use crate::harness::session::Session;
use crate::oidc::provider::Provider;

/// The role `viewer` that comes with Muster.
const VIEWER: &str = "00000000-0000-4000-8000-000000000004";

/// What an authenticator app shows so many seconds from now.
fn code(secret: &str, seconds: i64) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let app = Builder::new().with_secret(secret).build().unwrap();
    app.generate(u64::try_from(Utc::now().timestamp() + seconds).unwrap()).to_string()
}

#[tokio::test]
async fn a_second_factor_is_set_up_and_asked_for_and_a_session_ended_from_afar() {
    let mut muster = Muster::start(&[]).await;
    let api = Api::of(&mut muster);
    let ann = json!({ "login": "ann", "password": OWN, "grants": [{ "role_id": VIEWER }] });
    api.made("/api/v1/users", ann, "user_id").await;
    let browser = Browser::start(muster.web).await;
    browser.enter_as(&Session::opened(&muster, "ann").await).await;

    browser.open("/account").await;
    browser.press("Set it up").await;
    browser.sees("h1", "Set up a second factor").await;
    let secret = browser.text(".copyable code").await;
    browser.fill("#code", &code(&secret, -3_600)).await;
    browser.fill("#password", OWN).await;
    browser.press("Turn it on").await;
    browser.find("#code-error").await;
    assert_eq!(browser.text(".copyable code").await, secret, "what was scanned is still good");
    // The console tells of each form that comes back with what is wrong.
    let refused = browser.complaints().await;
    assert!(refused.len() == 1 && refused[0].contains("status of 422"), "{refused:?}");
    browser.fill("#code", &code(&secret, 0)).await;
    browser.fill("#password", OWN).await;
    browser.press("Turn it on").await;
    browser.sees(".note", "From now on each log-in asks for a code.").await;

    leave(&browser).await;
    give_password(&browser, "ann", OWN).await;
    browser.sees("h1", "One more step").await;
    // Each code is good once: the app's next one.
    browser.fill("#code", &code(&secret, 30)).await;
    browser.press("Go on").await;
    browser.sees("h1", "Overview").await;

    let mut elsewhere = Session::opened(&muster, "ann").await;
    assert!(elsewhere.is_in().await);
    browser.open("/account").await;
    browser.sees("td", "this one").await;
    // Her own session has no such button.
    browser.click("form[action$='/revoke'] button").await;
    browser.sees(".note", "That session is logged out.").await;
    assert!(!elsewhere.is_in().await);
    browser.settled().await;
    assert!(!browser.has("form[action$='/revoke']").await, "one is left, which is this one");
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn single_sign_on_leads_to_the_provider_and_back_to_where_one_wanted_to_go() {
    let provider = Provider::start().await;
    let mut muster = Muster::start(&[]).await;
    // The provider is another site than this, however close the two are.
    let public = format!("http://localhost:{}", muster.web.port());
    provider.send_back_to(&public);
    muster
        .again_with(&[
            ("MUSTER_WEB__PUBLIC_URL", public.as_str()),
            ("MUSTER_OIDC__ISSUER", provider.issuer.as_str()),
            ("MUSTER_OIDC__CLIENT_ID", "muster"),
            ("MUSTER_OIDC__CLIENT_SECRET", "open sesame"),
            ("MUSTER_OIDC__LABEL", "Example ID"),
        ])
        .await;
    let api = Api::of(&mut muster);
    // Without a password: whom the provider calls so.
    let ann = json!({ "login": "ann", "grants": [{ "role_id": VIEWER }] });
    api.made("/api/v1/users", ann, "user_id").await;

    let browser = Browser::start(muster.web).await;
    browser.open(&format!("{public}/devices?q=online")).await;
    browser.press("Log in with Example ID").await;
    browser.sees("h1", "Devices").await;
    assert_eq!(browser.path().await, "/devices?q=online");
    // The session is kept: it goes along with each page from here on.
    browser.click("[popovertarget=me]").await;
    browser.press("Account and preferences").await;
    browser.sees("h1", "Account").await;
    browser.sees(".facts dd", "ann").await;
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}
