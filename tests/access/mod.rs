//! Who may do what: every route with every right, people at the log-in, the borders of a region,
//! and the rules that each call of the API keeps.

mod api_rules;
mod calls;
mod events;
mod factor;
mod group_scope;
mod login;
mod matrix;
mod own;
mod scoped;
mod support;
mod world;

use reqwest::Response;
use serde_json::Value;

use self::calls::Operation;
use self::world::World;

/// Status, media type and text of an answer, in which an id is like any other.
async fn told(response: Response, id: &str) -> (u16, String, String) {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map_or("", |kind| kind.to_str().unwrap());
    let kind = kind.to_owned();
    (status, kind, response.text().await.unwrap().replace(id, "ID"))
}

/// A header field of an answer.
fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Sends what must be refused; gives the status and why.
async fn refused(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(header(&response, "content-type"), Some("application/problem+json"), "{status}");
    let problem: Value = response.json().await.unwrap();
    (status, problem["detail"].as_str().unwrap().to_owned())
}
