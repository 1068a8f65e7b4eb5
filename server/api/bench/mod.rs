//! The bench: what is armed for what, arm, disarm.
//!
//! - [`boards`]: the boards. [`batch`]: what became of the boards of claims. [`allowed`]: boards that
//!   are served without a claim. [`images`]: boot images. [`profiles`]: how boards are served.
//! - [`events`]: that something changes.

mod allowed;
mod batch;
mod boards;
mod events;
mod images;
mod profiles;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{JsonBody, PathArgs};
use super::merge;
use super::page::Page;
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::netboot::arming::Arming;
use crate::netboot::bench::Other;
use crate::service::bench::{self as service, Consent, Status};

/// The routes, with their part of the description.
pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_benches))
        .routes(routes!(events::follow_benches))
        .routes(routes!(arm_bench))
        .routes(routes!(disarm_bench))
        .routes(routes!(boards::list_boards))
        .routes(routes!(boards::get_board, boards::forget_board))
        .routes(routes!(boards::list_board_log))
        .routes(routes!(boards::rearm_board))
        .routes(routes!(boards::install_board, boards::cancel_board_install))
        .routes(routes!(batch::get_batch))
        .routes(routes!(allowed::list_allowed_boards, allowed::allow_boards))
        .routes(routes!(allowed::disallow_boards))
        .routes(routes!(images::list_boot_images))
        .routes(routes!(images::put_boot_image, images::delete_boot_image))
        .routes(routes!(profiles::list_netboot_profiles))
        .routes(routes!(
            profiles::get_netboot_profile,
            profiles::put_netboot_profile,
            profiles::delete_netboot_profile
        ))
}

/// An interface of a node on which boards are served while it is armed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BenchView {
    /// Which.
    bench_id: Uuid,
    /// The node's host.
    host: String,
    /// As the system calls it.
    interface: String,
    /// Its own address with the length of its network; null = it has none.
    #[schema(example = "192.0.2.1/24")]
    address: Option<String>,
    /// Why nothing can be served there; null = it can.
    problem: Option<String>,
    /// Its node was heard of within the last 20 seconds.
    alive: bool,
    /// When its node was heard of last.
    heard_at: DateTime<Utc>,
    /// Boards are served there now.
    armed: bool,
    /// Until when it is armed, or was last.
    armed_until: Option<DateTime<Utc>>,
    /// For how much longer; null = it is not armed.
    remaining_seconds: Option<i64>,
    /// Since when it is armed, or was last.
    armed_at: Option<DateTime<Utc>>,
    /// By whom.
    armed_by: Option<String>,
    /// For what; secrets masked.
    arming: Option<Arming>,
    /// How sure the profile is by which it serves: `unverified`, `captured` or `hardware-verified`.
    profile_status: Option<String>,
    /// Boards that were seen there last and that the caller sees, by state.
    counts: BTreeMap<String, i64>,
    /// Other BOOTP and DHCP servers that were heard there within an hour, without the benches of
    /// this Muster.
    others: Vec<Other>,
    /// When any of this last changed.
    updated_at: DateTime<Utc>,
}

impl BenchView {
    fn of(status: Status) -> Self {
        let Status { bench, alive, arming, remaining, profile_status, counts, others } = status;
        Self {
            bench_id: bench.bench_id,
            host: bench.host,
            interface: bench.interface,
            address: bench.address.map(|address| address.to_string()),
            problem: bench.problem,
            alive,
            heard_at: bench.heard_at,
            armed: remaining.is_some(),
            armed_until: bench.armed_until,
            remaining_seconds: remaining.map(|left| left.num_seconds()),
            armed_at: bench.armed_at,
            armed_by: bench.armed_by,
            arming,
            profile_status,
            counts,
            others,
            updated_at: bench.updated_at,
        }
    }
}

/// For what a bench is to be armed, and for how long.
#[derive(Debug, ToSchema)]
struct ArmBench {
    /// It ends by itself.
    #[schema(minimum = 1, maximum = 1440)]
    minutes: u32,
    /// The name of the interface once more: needed with `any` and with `dhcp`.
    confirm: Option<String>,
    /// Needed where other BOOTP or DHCP servers were heard within an hour: it is armed all the same.
    accept_others: Option<bool>,
    #[serde(flatten)]
    arming: Arming,
}

impl ArmBench {
    /// Reads a body. serde refuses no unknown field beside a flattened part: each is read by itself.
    fn parse(mut body: Value) -> Result<Self, Error> {
        let minutes = take(&mut body, "minutes")?;
        let none = || Error::invalid("/minutes", "say for how many minutes, 1 to 1440");
        let (confirm, accept_others) =
            (take(&mut body, "confirm")?, take(&mut body, "accept_others")?);
        Ok(Self {
            minutes: minutes.ok_or_else(none)?,
            confirm,
            accept_others,
            arming: merge::apply(json!({}), body)?,
        })
    }
}

/// A field of a body, which goes on without it.
fn take<T: DeserializeOwned>(body: &mut Value, name: &str) -> Result<Option<T>, Error> {
    match body.as_object_mut().and_then(|fields| fields.remove(name)) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value)
            .map(Some)
            .map_err(|e| Error::invalid(format!("/{name}"), e.to_string())),
    }
}

/// A bench in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct BenchPath {
    /// Id of the bench.
    bench_id: Uuid,
}

/// List benches
///
/// All of them, by host and interface.
#[utoipa::path(
    get,
    path = "/api/v1/bench",
    tag = "bench",
    responses((status = 200, description = "The benches", body = Page<BenchView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_benches(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<Page<BenchView>>, Problem> {
    let benches = service::status(&app, &ctx).await?;
    Ok(Json(Page { items: benches.into_iter().map(BenchView::of).collect(), next: None }))
}

/// Arm a bench
///
/// Boards that are claimed or allowed by what is on the wire are served there until the time is over,
/// each once, by the version of the template that is the newest now. A profile that nobody has verified
/// is refused without `accept_unverified`; `any` and `dhcp` take the interface's name once more in
/// `confirm`; where other BOOTP or DHCP servers were heard within an hour the answer is 409 without
/// `accept_others`. What the bench was armed for before is over.
#[utoipa::path(
    post,
    path = "/api/v1/bench/{bench_id}/arm",
    tag = "bench",
    params(BenchPath),
    request_body = ArmBench,
    responses((status = 200, description = "The bench as it is now", body = BenchView), Problem),
    security(("token" = ["bench"]))
)]
pub(super) async fn arm_bench(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<BenchPath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<BenchView>, Problem> {
    let ArmBench { minutes, confirm, accept_others, arming } = ArmBench::parse(body)?;
    let consent = Consent { confirm, accept_others: accept_others.unwrap_or_default() };
    let status = service::arm(&app, &ctx, path.bench_id, minutes, &consent, arming).await?;
    Ok(Json(BenchView::of(status)))
}

/// Disarm a bench
///
/// No board is served there from now on. An installation that is under way goes on to its end.
#[utoipa::path(
    post,
    path = "/api/v1/bench/{bench_id}/disarm",
    tag = "bench",
    params(BenchPath),
    responses((status = 200, description = "The bench as it is now", body = BenchView), Problem),
    security(("token" = ["bench"]))
)]
pub(super) async fn disarm_bench(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<BenchPath>,
) -> Result<Json<BenchView>, Problem> {
    Ok(Json(BenchView::of(service::disarm(&app, &ctx, path.bench_id).await?)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_body_says_for_how_long_and_nothing_that_nobody_reads() {
        let body = json!({ "minutes": 60, "template": "bench", "any": true, "dhcp": null,
                           "confirm": "eth1", "accept_others": true });
        let read = ArmBench::parse(body).unwrap();
        assert_eq!((read.minutes, read.arming.template.as_str()), (60, "bench"));
        assert!(read.arming.any && !read.arming.dhcp);
        assert_eq!((read.confirm.as_deref(), read.accept_others), (Some("eth1"), Some(true)));
        for (body, place) in [
            (json!({ "template": "bench" }), "/minutes"),
            (json!({ "minutes": "long", "template": "bench" }), "/minutes"),
            (json!({ "minutes": 1, "templat": "bench" }), "/templat"),
            (json!({ "minutes": 1, "template": 7 }), "/template"),
            (json!({ "minutes": 1, "template": "bench", "confirm": 7 }), "/confirm"),
            (json!([]), "/minutes"),
        ] {
            let shown = body.to_string();
            let Err(Error::Invalid { pointer, .. }) = ArmBench::parse(body) else {
                panic!("{shown} was taken")
            };
            assert_eq!(pointer, place, "{shown}");
        }
    }
}
