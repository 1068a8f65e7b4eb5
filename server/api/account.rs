//! Who the caller is.

use std::collections::BTreeMap;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::problem::Problem;
use crate::access::grant::{Place, Reach};
use crate::ctx::Ctx;
use crate::service::account;

/// The caller, and what it may do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// `token`, for now the only way to call this API.
    kind: &'static str,
    /// Id of the token.
    id: Option<Uuid>,
    /// Id of the person whose token it is; null = a program's.
    user_id: Option<Uuid>,
    /// As it stands beside what is done with it: the name of the token, or the person's login.
    name: String,
    /// Where the caller has each right: paths of sites, each with all below it, and `group:` with the
    /// name of each group whose devices it is for; null = everywhere. A right that it has nowhere is
    /// not here.
    rights: BTreeMap<String, Option<Vec<String>>>,
}

/// Say who I am
///
/// For any good token, whatever its scopes.
#[utoipa::path(
    get,
    path = "/api/v1/me",
    tag = "system",
    responses((status = 200, description = "The caller", body = Me), Problem),
    security(("token" = []))
)]
pub(super) async fn get_me(ctx: Ctx) -> Result<Json<Me>, Problem> {
    let words = |reach: Reach| Some(reach.places()?.iter().map(Place::word).collect());
    let rights = account::rights(&ctx).into_iter();
    Ok(Json(Me {
        kind: ctx.actor.kind.word(),
        id: ctx.actor.id,
        user_id: ctx.actor.person(),
        rights: rights.map(|(right, reach)| (right.word().to_owned(), words(reach))).collect(),
        name: ctx.actor.name,
    }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::access::grant::{Grant, Grants, GroupName};
    use crate::access::right::Right;

    #[tokio::test]
    async fn it_says_what_the_caller_may_and_where() {
        let group = GroupName { group_id: Uuid::nil(), name: "vip".to_owned() };
        let grants = vec![
            Grant { rights: vec![Right::Read], place: Place::Everywhere },
            Grant { rights: vec![Right::Bench], place: Place::Site("eu.lv".parse().unwrap()) },
            Grant { rights: vec![Right::Bench], place: Place::Group(group) },
        ];
        let nobody = Ctx::nobody("ci", None, DateTime::UNIX_EPOCH);
        let Json(me) = get_me(Ctx { grants: Grants(grants), ..nobody }).await.unwrap();
        let shown = serde_json::to_value(me).unwrap();
        assert_eq!(shown["rights"], json!({ "read": null, "bench": ["eu.lv", "group:vip"] }));
        assert_eq!(shown["name"], "ci");
    }
}
