//! Every route of API and dashboard, asked by somebody with each right alone, and by nobody.

use muster::access::right::Right;
use muster::web::{Access, Route};
use serde_json::Value;

use super::{Operation, World};
use crate::harness::kit::Api;
use crate::harness::session::{Page, Session};

/// Below it only people are at home; a program's token, which all of these are, is told so.
const ACCOUNT: &str = "/api/v1/account";
/// What even those who may are told: a program has no views of its own, some things are not there,
/// a job that has not ended is not ordered again, and a
/// draft is neither paused nor approved, nor has it devices that failed.
const IN_VAIN: [(&str, &str, u16); 30] = [
    // The address is not typed again.
    ("post", "/api/v1/bench/boards/{mac}/install", 422),
    ("get", "/api/v1/devices/{device_id}/backups/{backup_id}", 404),
    ("get", "/api/v1/devices/{device_id}/backups/{backup_id}/diff", 404),
    ("post", "/api/v1/devices/{device_id}/backups/{backup_id}/accept", 404),
    ("post", "/api/v1/devices/{device_id}/backups/{backup_id}/adopt", 404),
    ("post", "/api/v1/devices/{device_id}/backups/{backup_id}/restore", 404),
    ("get", "/api/v1/devices/{device_id}/upgrade-path", 422),
    ("post", "/api/v1/devices/{device_id}/desired/accept", 409),
    ("post", "/api/v1/devices/{device_id}/accept", 409),
    ("delete", "/api/v1/profiles/{profile_id}/bindings", 422),
    ("post", "/api/v1/deliveries/{delivery_id}/again", 409),
    ("post", "/api/v1/views", 409),
    ("patch", "/api/v1/views/{view_id}", 409),
    ("delete", "/api/v1/views/{view_id}", 409),
    ("post", "/api/v1/devices/{device_id}/reveal", 404),
    ("post", "/api/v1/devices/{device_id}/support/wifi", 422),
    ("post", "/api/v1/devices/{device_id}/support/reveal", 422),
    ("get", "/api/v1/devices/{device_id}/sessions/{session_id}", 404),
    ("get", "/api/v1/devices/{device_id}/artifacts/{artifact_id}/content", 404),
    ("delete", "/api/v1/users/{user_id}/totp", 409),
    ("post", "/api/v1/jobs/{job_id}/again", 409),
    ("post", "/api/v1/devices/{device_id}/upgrade", 422),
    ("post", "/api/v1/rollouts/{rollout_id}/approve", 409),
    ("post", "/api/v1/rollouts/{rollout_id}/approve-wave", 409),
    ("post", "/api/v1/rollouts/{rollout_id}/pause", 409),
    ("post", "/api/v1/rollouts/{rollout_id}/resume", 409),
    ("post", "/api/v1/rollouts/{rollout_id}/abort", 409),
    ("post", "/api/v1/rollouts/{rollout_id}/roll-back", 409),
    ("post", "/api/v1/rollouts/{rollout_id}/retry", 409),
    ("post", "/api/v1/rollouts/{rollout_id}/exclude", 409),
];

#[tokio::test]
async fn every_route_is_for_whom_it_says_and_for_nobody_else() {
    let world = World::start().await;
    let mut callers = Vec::new();
    let mut people = Vec::new();
    for right in Right::ALL {
        callers.push((right, world.token(right, None).await));
        people.push((right, world.user(right, None).await));
    }
    for operation in world.operations().await {
        try_operation(&world, &operation, &callers).await;
    }
    let routes = muster::web::routes();
    let nobody = Session::stranger(&world.muster);
    for route in &routes {
        try_route(&world, &routes, route, &nobody, &people).await;
    }
}

async fn try_operation(world: &World, operation: &Operation, callers: &[(Right, Api)]) {
    let Operation { method, path, right: named } = operation;
    let standing = world.real(path).await;
    let nobody = world.call(&world.api.with_token(""), operation, &standing).await;
    assert_eq!(nobody.status(), 401, "{method} {path} without a token");
    for (right, api) in callers {
        let what = format!("{method} {path} with the right `{right}`");
        let Some(named) = named.filter(|named| !right.includes(*named)) else {
            // What is changed or removed here is nothing that others ask for.
            let fresh = if method == "get" { standing.clone() } else { world.real(path).await };
            let response = world.call(api, operation, &fresh).await;
            let status = response.status();
            let vain = IN_VAIN.iter().find(|(m, p, _)| m == method && p == path);
            let vain = vain.map(|(_, _, expected)| *expected);
            match vain.or_else(|| path.starts_with(ACCOUNT).then_some(409)) {
                Some(expected) => assert_eq!(status, expected, "{what}"),
                None if status.is_success() => {}
                None => {
                    let text = response.text().await.unwrap();
                    panic!("{what}: {status} {text}");
                }
            }
            continue;
        };
        let response = world.call(api, operation, &standing).await;
        assert_eq!(response.status(), 403, "{what}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{what}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["detail"], format!("this needs the right `{named}`"), "{what}");
    }
}

async fn try_route(
    world: &World,
    routes: &[Route],
    route: &Route,
    nobody: &Session,
    people: &[(Right, String)],
) {
    let standing = world.real(route.path).await;
    let page = visit(&mut nobody.copy(), route, &standing).await;
    let open = route.access == Access::Anyone;
    assert_eq!(page.wants_login(), !open, "{route:?} of nobody: {page:?}");
    assert!(open || page.body.is_empty(), "{route:?} of nobody: {page:?}");
    for (right, login) in people {
        let what = format!("{route:?} with the right `{right}`");
        let mut person = nobody.copy().enter(&world.muster, login).await;
        if !is_for(route, *right) {
            let page = visit(&mut person, route, &standing).await;
            refused(&page, routes, route, *right, &what);
            continue;
        }
        let fresh = match route.method.as_str() {
            "GET" => standing.clone(),
            _ => world.real_of(route.path, login).await,
        };
        let page = visit(&mut person, route, &fresh).await;
        assert!(![401, 403, 405].contains(&page.status) && page.status < 500, "{what}: {page:?}");
        // Who logs out is led there too.
        assert_eq!(page.wants_login(), route.path == "/logout", "{what}: {page:?}");
    }
}

fn is_for(route: &Route, right: Right) -> bool {
    match route.access {
        Access::Needs(named) => right.includes(named),
        // Either of two is enough, which a route cannot say.
        Access::Known if route.path == "/live" => {
            right.includes(Right::Read) || right.includes(Right::Support)
        }
        Access::Anyone | Access::Session | Access::Known => true,
    }
}

/// A form is sent empty: what it lacks is asked for after who sends it.
async fn visit(session: &mut Session, route: &Route, path: &str) -> Page {
    match route.method.as_str() {
        "GET" => session.get(path).await,
        "POST" => session.post(path, &[]).await,
        other => panic!("no browser sends {other}"),
    }
}

fn refused(page: &Page, routes: &[Route], route: &Route, right: Right, what: &str) {
    if route.path == "/" {
        // Who logs in comes there: they are led on to what is theirs.
        assert_eq!(page.status, 303, "{what}: {page:?}");
        let own = routes.iter().find(|r| r.method == "GET" && r.path == page.location());
        let own = own.unwrap_or_else(|| panic!("{what}: there is no {}", page.location()));
        let Access::Needs(named) = own.access else { panic!("{what}: led to {own:?}") };
        assert!(right.includes(named), "{what}: led to {own:?}");
        return;
    }
    assert_eq!(page.status, 403, "{what}: {page:?}");
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8", "{what}");
    assert!(page.body.contains("needs the right"), "{what}: {page:?}");
}
