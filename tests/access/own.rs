//! People over the API, by tokens of their own: their account, their views, and no more than they may
//! themselves.

use chrono::Utc;
use serde_json::{Value, json};

use super::factor::code;
use super::login::{CHOSEN, GIVEN, VIEWER, audited, user};
use super::{World, header, refused};
use crate::harness::kit::Api;
use crate::harness::session::Session;

/// The role `operator` that comes with Muster.
const OPERATOR: &str = "00000000-0000-4000-8000-000000000002";

/// A token that somebody with the password [`GIVEN`] makes in the dashboard.
async fn token(world: &World, login: &str, scopes: &[&str]) -> (Session, Api) {
    let mut session = Session::opened(&world.muster, login).await;
    let mut fields = vec![("name", "scripts"), ("days", "7"), ("password", GIVEN)];
    fields.extend(scopes.iter().map(|scope| ("scopes", *scope)));
    let page = session.post("/account/tokens", &fields).await;
    assert_eq!(page.status, 200, "{page:?}");
    let api = world.api.with_token(&page.copyable());
    (session, api)
}

async fn status(api: &Api) -> u16 {
    api.call("GET", "/api/v1/me", None).await.0
}

#[tokio::test]
async fn a_token_of_ones_own_may_what_its_owner_may_at_that_moment() {
    let world = World::start().await;
    let ann = user(&world, "ann", VIEWER).await;
    let (mut session, api) = token(&world, "ann", &["operate", "admin"]).await;
    let wrong = [("name", "x"), ("scopes", "read"), ("password", CHOSEN)];
    assert_eq!(session.post("/account/tokens", &wrong).await.status, 422);

    let me = api.get("/api/v1/me").await;
    assert_eq!((&me["kind"], &me["name"]), (&json!("token"), &json!("ann")));
    assert!(ann.ends_with(me["user_id"].as_str().unwrap()), "{me}");
    assert_eq!(me["rights"], json!({ "read": null }), "not what its scopes say");
    let order = json!({ "kind": "reboot", "wake": false });
    let jobs = "/api/v1/devices/serial:STANDING/jobs";
    assert_eq!(api.call("POST", jobs, Some(order.clone())).await.0, 403);
    let grants = json!({ "grants": [{ "role_id": OPERATOR }] });
    assert_eq!(world.api.call("PATCH", &ann, Some(grants)).await.0, 200);
    let (status_of, job) = api.call("POST", jobs, Some(order)).await;
    assert_eq!((status_of, &job["created_by"]), (201, &json!("ann")));
    let reader = token(&world, "ann", &["read"]).await.1;
    let order = json!({ "kind": "reboot" });
    assert_eq!(reader.call("POST", jobs, Some(order)).await.0, 403, "not what its scopes lack");

    // Everybody's tokens are seen by who administers them; and it is told which one did it.
    let all = world.api.get("/api/v1/tokens").await;
    let own: Vec<&Value> =
        all["items"].as_array().unwrap().iter().filter(|t| !t["user_id"].is_null()).collect();
    assert_eq!(own.len(), 2, "{all}");
    let log = world.api.get("/api/v1/audit?actor=ann&action=job.create").await;
    let entry = &log["items"][0];
    assert_eq!((&entry["actor_kind"], &entry["actor_id"]), (&json!("token"), &me["id"]));

    // It opens nothing while its owner may not log in, or must change their password; and nothing
    // any more when they are gone.
    let disable = |disabled: bool| Some(json!({ "disabled": disabled }));
    assert_eq!(world.api.call("PATCH", &ann, disable(true)).await.0, 200);
    assert_eq!(status(&api).await, 401);
    assert_eq!(world.api.call("PATCH", &ann, disable(false)).await.0, 200);
    assert_eq!(status(&api).await, 200);
    let password = Some(json!({ "password": CHOSEN }));
    assert_eq!(world.api.call("PUT", &format!("{ann}/password"), password).await.0, 204);
    assert_eq!(status(&api).await, 401);
    let all = world.api.get("/api/v1/tokens").await;
    let own = all["items"].as_array().unwrap().iter().filter(|t| !t["user_id"].is_null());
    assert!(own.clone().count() == 2 && own.clone().all(|t| t["revoked_at"].is_string()), "{all}");
    let log = world.api.get("/api/v1/audit?action=user.password").await;
    assert_eq!(log["items"][0]["after"]["tokens_revoked"], 2, "{log}");
    assert_eq!(world.api.call("DELETE", &ann, None).await.0, 204);
    assert_eq!(status(&api).await, 401);
    audited(&world.muster, &["token.create"], &[GIVEN, CHOSEN]).await;
}

#[tokio::test]
async fn an_account_is_kept_over_the_api() {
    let world = World::start().await;
    user(&world, "ann", VIEWER).await;
    let (mut session, api) = token(&world, "ann", &["read"]).await;
    let account = api.get("/api/v1/account").await;
    assert_eq!((&account["login"], &account["has_totp"]), (&json!("ann"), &json!(false)));

    let preferences = "/api/v1/account/preferences";
    let none = json!({ "theme": null, "time_zone": null });
    assert_eq!(api.get(preferences).await, none);
    let change = |body: Value| api.call("PATCH", preferences, Some(body));
    let (status_of, changed) = change(json!({ "theme": "dark", "time_zone": "Europe/Riga" })).await;
    assert_eq!((status_of, &changed["time_zone"]), (200, &json!("Europe/Riga")));
    assert!(session.get("/account").await.body.contains("Europe/Riga"));
    for (bad, pointer) in [
        (json!({ "theme": "pink" }), "/theme"),
        (json!({ "time_zone": "Mars/Olympus" }), "/time_zone"),
        (json!({ "colour": "red" }), "/colour"),
    ] {
        let (status_of, problem) = change(bad).await;
        assert_eq!((status_of, &problem["pointer"]), (422, &json!(pointer)), "{problem}");
    }
    assert_eq!(change(json!({ "theme": null, "time_zone": null })).await.1, none);

    // The second factor.
    let response = api.request("POST", "/api/v1/account/totp").send().await.unwrap();
    assert_eq!(header(&response, "cache-control"), Some("no-store"));
    let offer: Value = response.json().await.unwrap();
    let secret = offer["secret"].as_str().unwrap();
    assert!(offer["url"].as_str().unwrap().starts_with("otpauth://totp/"), "{offer}");
    let code = code(secret, Utc::now().timestamp(), 0);
    let confirm = async |password: &str| {
        let body = json!({ "offer": offer["offer"], "password": password, "code": code });
        api.call("POST", "/api/v1/account/totp/confirm", Some(body)).await
    };
    let (status_of, problem) = confirm(CHOSEN).await;
    assert_eq!((status_of, &problem["pointer"]), (422, &json!("/password")));
    assert_eq!(confirm(GIVEN).await.0, 204);
    assert_eq!(api.get("/api/v1/account").await["has_totp"], true);
    // No code was asked for a token: it does not go around the factor, whoever knows the password.
    for (method, path, body) in [
        ("POST", "totp/remove", json!({ "password": GIVEN })),
        ("PUT", "password", json!({ "old_password": GIVEN, "password": CHOSEN })),
        ("POST", "tokens", json!({ "name": "x", "scopes": ["read"], "password": GIVEN })),
    ] {
        let path = format!("/api/v1/account/{path}");
        let (status_of, problem) = api.call(method, &path, Some(body)).await;
        assert_eq!(status_of, 409, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("in the dashboard"), "{problem}");
    }
    let removed = session.post("/account/totp/remove", &[("password", GIVEN)]).await;
    assert_eq!(removed.status, 303, "{removed:?}");
    assert_eq!(api.get("/api/v1/account").await["has_totp"], false);
    let body = json!({ "password": GIVEN });
    let none = api.call("POST", "/api/v1/account/totp/remove", Some(body)).await;
    assert_eq!(none.0, 409, "there is none");

    // Sessions: none by a token alone, all with the password, which is not to be guessed.
    let sessions = api.get("/api/v1/account/sessions").await;
    let id = sessions["items"][0]["session_id"].as_str().unwrap();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1, "{sessions}");
    let path = format!("/api/v1/account/sessions/{id}");
    assert_eq!(api.call("DELETE", &path, None).await.0, 403);
    assert!(session.is_in().await);
    let password = async |old: &str, new: &str| {
        let body = json!({ "old_password": old, "password": new });
        api.call("PUT", "/api/v1/account/password", Some(body)).await
    };
    assert_eq!(password(GIVEN, "short").await.1["pointer"], "/password");
    assert_eq!(password(GIVEN, CHOSEN).await.0, 204);
    assert!(!session.is_in().await);
    assert_eq!(status(&api).await, 200, "a token stays good");
    let mut told = Vec::new();
    // The waits grow, however long it takes here to look at a password.
    while told.last() != Some(&409) {
        assert!(told.len() < 12, "{told:?}");
        told.push(password(GIVEN, "thirty-three-wet-umbrellas").await.0);
    }
    assert!(told.len() > 6 && told[..6] == [422; 6], "{told:?}");
    assert_eq!(Session::stranger(&world.muster).try_password("ann", CHOSEN).await.status, 303);
    audited(&world.muster, &["user.preferences", "user.totp", "user.password"], &[secret]).await;
}

#[tokio::test]
async fn ones_own_tokens_are_made_with_the_password_alone_and_revoked() {
    let world = World::start().await;
    user(&world, "ann", VIEWER).await;
    let (mut session, api) = token(&world, "ann", &["read"]).await;
    let tokens = "/api/v1/account/tokens";
    let body = |password: &str, scope: &str| json!({ "name": "harvester", "scopes": [scope], "password": password });
    let make = async |api: &Api, password: &str, scope: &str| {
        api.call("POST", tokens, Some(body(password, scope))).await
    };
    let (status_of, problem) = make(&api, CHOSEN, "read").await;
    assert_eq!((status_of, &problem["pointer"]), (422, &json!("/password")), "a token is no proof");
    let (status_of, problem) = make(&api, GIVEN, "operate").await;
    assert_eq!((status_of, &problem["pointer"]), (422, &json!("/scopes")), "more than its own");
    // Its secret is kept nowhere, also not for who asks again.
    let ask = || {
        let request = api.request("POST", tokens).header("idempotency-key", "t-1");
        request.json(&body(GIVEN, "read")).send()
    };
    let made = ask().await.unwrap();
    assert_eq!((made.status().as_u16(), header(&made, "cache-control")), (201, Some("no-store")));
    let made: Value = made.json().await.unwrap();
    assert_eq!(ask().await.unwrap().status(), 409);
    let more = world.api.with_token(made["token"].as_str().unwrap());
    assert_eq!(more.get("/api/v1/me").await["rights"], json!({ "read": null }));
    assert_eq!(api.get(tokens).await["items"].as_array().unwrap().len(), 2);
    assert!(session.get("/account").await.body.contains("harvester"));

    // Nobody takes another's, and each ends their own: also the one with which they come.
    user(&world, "bob", VIEWER).await;
    let (_, bob) = token(&world, "bob", &["read"]).await;
    let path = format!("{tokens}/{}", made["token_id"].as_str().unwrap());
    assert_eq!(bob.call("DELETE", &path, None).await.0, 404);
    assert_eq!(api.call("DELETE", &path, None).await.0, 403, "a token ends only itself");
    assert_eq!(more.call("DELETE", &path, None).await.0, 204);
    assert_eq!(status(&more).await, 401);
    let me = api.get("/api/v1/me").await;
    let revoke = format!("/account/tokens/{}/revoke", me["id"].as_str().unwrap());
    assert_eq!(session.post(&revoke, &[]).await.status, 303);
    assert_eq!(status(&api).await, 401);

    // Who logs in by single sign-on has nothing to prove themselves with but their session.
    let body = json!({ "login": "sso", "grants": [{ "role_id": VIEWER }] });
    world.make("/api/v1/users", body, "user_id").await;
    let (mut session, api) = token(&world, "sso", &["read"]).await;
    let (status_of, why) = make(&api, GIVEN, "read").await;
    assert_eq!(status_of, 409, "{why}");
    for days in ["365", ""] {
        let fields = [("name", "long"), ("days", days), ("scopes", "read")];
        let page = session.post("/account/tokens", &fields).await;
        assert_eq!(page.status, 422, "{page:?}");
        assert!(page.body.contains("within 90 days"), "{page:?}");
    }
}

#[tokio::test]
async fn views_are_changed_by_whose_they_are() {
    let world = World::start().await;
    for login in ["ann", "bob"] {
        user(&world, login, VIEWER).await;
    }
    let (mut session, ann) = token(&world, "ann", &["read"]).await;
    let (mut other, bob) = token(&world, "bob", &["read"]).await;
    let make = async |name: &str, shared: bool| {
        let body = json!({ "name": name, "selector": "online", "shared": shared });
        let (status_of, made) = ann.call("POST", "/api/v1/views", Some(body)).await;
        assert_eq!(status_of, 201, "{made}");
        format!("/api/v1/views/{}", made["view_id"].as_str().unwrap())
    };
    let (own, shared) = (make("own", false).await, make("shared", true).await);

    let first = ann.request("GET", &own).send().await.unwrap();
    let tag = header(&first, "etag").unwrap().to_owned();
    let edit =
        |api: &Api, body: Value| api.request("PATCH", &own).header("if-match", &tag).json(&body);
    let renamed = edit(&ann, json!({ "name": "mine", "columns": ["site", "serial"] }));
    let renamed = renamed.send().await.unwrap();
    assert_eq!(renamed.status(), 200);
    assert_ne!(header(&renamed, "etag"), Some(tag.as_str()));
    let view: Value = renamed.json().await.unwrap();
    assert_eq!((&view["name"], &view["selector"]), (&json!("mine"), &json!("online")));
    assert_eq!(view["columns"], json!(["site", "serial"]));
    assert_eq!(refused(edit(&ann, json!({ "name": "late" }))).await.0, 412);
    for (body, status_of) in [
        (json!({ "name": "shared" }), 409),
        (json!({ "selector": "modle = 1" }), 422),
        (json!({ "columns": ["password"] }), 422),
        (json!({ "name": null }), 422),
    ] {
        let answer = ann.call("PATCH", &own, Some(body.clone())).await;
        assert_eq!(answer.0, status_of, "{body}: {}", answer.1);
    }

    // Others see those that are shared and change none; a program sees them, too.
    let rename = Some(json!({ "name": "theirs" }));
    assert_eq!(bob.call("PATCH", &shared, rename.clone()).await.0, 403);
    assert_eq!(bob.call("PATCH", &own, rename.clone()).await.0, 404);
    assert_eq!(bob.call("DELETE", &shared, None).await.0, 403);
    let seen = world.api.get("/api/v1/views").await;
    assert_eq!(seen["items"].as_array().unwrap().len(), 1, "{seen}");
    world.api.get(&shared).await;
    assert_eq!(world.api.call("PATCH", &shared, rename).await.0, 409);

    // In the dashboard, with what another page changed meanwhile.
    let page = own.replace("/api/v1/views", "/devices/views");
    let form = session.get(&page).await;
    assert!(form.body.contains("value=\"mine\""), "{}", form.body);
    let fields = |version: &str| {
        [("version", version.to_owned()), ("name", "again".to_owned())]
            .into_iter()
            .chain([("selector", "not online".to_owned()), ("columns", "model".to_owned())])
            .collect::<Vec<_>>()
    };
    let sent = fields(&form.input("version"));
    let sent: Vec<(&str, &str)> = sent.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let answer = session.post(&page, &sent).await;
    let there = "/devices?q=not+online&cols=serial%2Cmodel";
    assert_eq!((answer.status, answer.location()), (303, there), "{answer:?}");
    assert_eq!(session.post(&page, &sent).await.status, 422, "it is another version");
    let page = shared.replace("/api/v1/views", "/devices/views");
    assert_eq!(other.get(&page).await.status, 303);
    assert_eq!(ann.call("DELETE", &own, None).await.0, 204);
}
