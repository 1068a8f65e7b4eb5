//! Packages of releases: upload, look at, remove.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::{PathArgs, QueryArgs};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::releases as service;
use crate::service::releases::upload::{NewFile, Outcome, Verdict, add};
use crate::store::releases::Package;

/// Refusals that a problem repeats.
const TOLD: usize = 5;

/// A stored package.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PackageView {
    /// Which.
    package_id: Uuid,
    /// The release that it is of.
    version: String,
    /// `arm`, `arm64`, `mipsbe`, `mmips`, `smips`, `tile`, `ppc` or `x86`.
    arch: String,
    /// `routeros`, `tr069-client` ...
    name: String,
    /// As devices know it.
    file_name: String,
    /// Bytes.
    size: i64,
    /// SHA-256 of the bytes, in hexadecimal.
    sha256: String,
    /// When it was built, as it says.
    built_at: Option<DateTime<Utc>>,
    /// Name of the user or token that uploaded it.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
}

impl PackageView {
    pub(super) fn of(p: Package) -> Self {
        Self {
            package_id: p.package_id,
            version: p.version,
            arch: p.arch,
            name: p.name,
            file_name: p.file_name,
            size: p.size,
            sha256: hex::encode(&p.sha256),
            built_at: p.built_at,
            created_by: p.created_by,
            created_at: p.created_at,
        }
    }
}

/// What became of an uploaded file.
#[derive(Debug, Serialize, ToSchema)]
struct UploadedView {
    /// What it was called.
    file: String,
    /// The package that it is; null = it is not taken.
    package: Option<PackageView>,
    /// It was stored before.
    already: bool,
    /// Why it is not taken; null = it is.
    refused: Option<String>,
}

impl UploadedView {
    fn of(verdict: Verdict) -> Self {
        let Verdict { file, outcome } = verdict;
        let (package, already, refused) = match outcome {
            Outcome::Stored(package) => (Some(package), false, None),
            Outcome::There(package) => (Some(package), true, None),
            Outcome::Refused(why) => (None, false, Some(why)),
        };
        Self { file, package: package.map(PackageView::of), already, refused }
    }
}

/// What became of an upload: one file, or those of a zip.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UploadView {
    /// Each file.
    items: Vec<UploadedView>,
}

/// What an uploaded file is called.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UploadQuery {
    /// File name, such as `routeros-7.16.1-arm.npk`: where it says another package, version or
    /// architecture than the file, the file is refused. Old packages do not say their architecture
    /// but by their name.
    name: Option<String>,
}

/// A package in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct PackagePath {
    /// Id of the package.
    package_id: Uuid,
}

/// Upload packages
///
/// The body is the file itself: an .npk, or a zip of them. A package is stored once, under the name
/// that RouterOS gives it; its release is made where there is none. A file that is damaged, cut off,
/// not what it is called, or another than the one that is stored, is refused with the reason. Of a zip
/// each file is taken or refused by itself; where none is taken the answer is 422.
#[utoipa::path(
    post,
    path = "/api/v1/releases/packages",
    tag = "releases",
    params(UploadQuery),
    request_body(description = "The bytes", content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "All that is taken was stored before", body = UploadView),
        (status = 201, description = "Something new is stored", body = UploadView),
        Problem
    ),
    security(("token" = ["operate"]))
)]
pub(super) async fn upload_packages(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<UploadQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<UploadView>), Problem> {
    let length = headers.get(header::CONTENT_LENGTH);
    // Where it is too long, a caller that waits for 100 Continue never sends it.
    let announced = length.and_then(|v| v.to_str().ok()?.parse().ok());
    let new = NewFile { name: query.name, announced };
    let verdicts = add(&app, &ctx, new, body.into_data_stream()).await?;
    let status = status(&verdicts);
    if status == StatusCode::UNPROCESSABLE_ENTITY {
        return Err(Problem::new(status, why_none(&verdicts)));
    }
    let items = verdicts.into_iter().map(UploadedView::of).collect();
    Ok((status, Json(UploadView { items })))
}

fn status(verdicts: &[Verdict]) -> StatusCode {
    if verdicts.iter().any(|verdict| matches!(verdict.outcome, Outcome::Stored(_))) {
        return StatusCode::CREATED;
    }
    match verdicts.iter().any(|verdict| verdict.outcome.package().is_some()) {
        true => StatusCode::OK,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// Why no file is taken.
fn why_none(verdicts: &[Verdict]) -> String {
    let told = |verdict: &Verdict| match (&verdict.outcome, verdicts.len()) {
        (Outcome::Refused(why), 1) => why.clone(),
        (Outcome::Refused(why), _) => format!("{}: {why}", verdict.file),
        (Outcome::Stored(_) | Outcome::There(_), _) => String::new(),
    };
    let mut words: Vec<String> = verdicts.iter().take(TOLD).map(told).collect();
    if verdicts.len() > TOLD {
        words.push(format!("and {} more files", verdicts.len() - TOLD));
    }
    words.join("; ")
}

/// Get what is known of a package
#[utoipa::path(
    get,
    path = "/api/v1/releases/packages/{package_id}",
    tag = "releases",
    params(PackagePath),
    responses((status = 200, description = "The package", body = PackageView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_package(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(args): PathArgs<PackagePath>,
) -> Result<Json<PackageView>, Problem> {
    Ok(Json(PackageView::of(service::package(&app, &ctx, args.package_id).await?)))
}

/// Remove a package
///
/// Its release stays. Refused while an open job or a rollout that has not ended needs that.
#[utoipa::path(
    delete,
    path = "/api/v1/releases/packages/{package_id}",
    tag = "releases",
    params(PackagePath),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn delete_package(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(args): PathArgs<PackagePath>,
) -> Result<StatusCode, Problem> {
    service::delete_package(&app, &ctx, args.package_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package() -> Package {
        Package {
            package_id: Uuid::nil(),
            version: "7.16.1".to_owned(),
            arch: "arm".to_owned(),
            name: "dude".to_owned(),
            file_name: "dude-7.16.1-arm.npk".to_owned(),
            size: 1,
            sha256: vec![0xab],
            built_at: None,
            created_by: "ann".to_owned(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    fn verdict(outcome: Outcome) -> Verdict {
        Verdict { file: "a.npk".to_owned(), outcome }
    }

    #[test]
    fn the_status_says_whether_anything_is_new() {
        let refused = || verdict(Outcome::Refused("it is cut off".to_owned()));
        let there = || verdict(Outcome::There(package()));
        let stored = || verdict(Outcome::Stored(package()));
        for (verdicts, expected) in [
            (vec![refused(), there(), stored()], 201),
            (vec![refused(), there()], 200),
            (vec![refused()], 422),
        ] {
            assert_eq!(status(&verdicts), expected, "{verdicts:?}");
        }
        assert_eq!(why_none(&[refused()]), "it is cut off");
        let many: Vec<Verdict> = (0..7).map(|_| refused()).collect();
        let why = why_none(&many);
        assert!(why.starts_with("a.npk: it is cut off; ") && why.ends_with("and 2 more files"));
    }

    #[test]
    fn a_refused_file_is_no_package() {
        let view = UploadedView::of(verdict(Outcome::Refused("no".to_owned())));
        assert!(view.package.is_none() && !view.already);
        let view = UploadedView::of(verdict(Outcome::There(package())));
        assert!(view.already && view.refused.is_none());
    }
}
