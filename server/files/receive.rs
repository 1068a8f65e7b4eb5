//! The upload receiver: a device sends the file that an upload job asked for.
//!
//! Owns what is taken and how much. Everything that can be refused is refused before the body is
//! touched: hyper sends `100 Continue` only when somebody reads (RFC 9110 10.1.1), so a device that
//! asks first never sends a file for nothing. It must never close the job: TransferComplete does.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use serde_json::json;
use sqlx::PgConnection;
use tokio::time::timeout;
use uuid::Uuid;

use super::contents::{self, Purpose};
use super::link::{self, Link, LinkKind};
use super::sealed::Share;
use super::{Stored, failed, refused, sealed, too_large};
use crate::clock;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::jobs::spec::{JobSpec, UploadFile};
use crate::store::artifacts::{self, DeviceArtifact};
use crate::store::{events, jobs};

/// The longest a file may take: the largest one at some 600 kbit/s.
const DEADLINE: Duration = Duration::from_secs(3_600);
/// The longest of one that is sealed, which takes memory as long: the largest at some 900 kbit/s.
const SEALED_DEADLINE: Duration = Duration::from_secs(300);
/// Files a device may send for one job: it may repeat itself, but not fill the disk.
const FILES_PER_JOB: i64 = 10;

/// `PUT` and `POST /u/{token}/{name}`. The name is the device's; what is stored is named by the job.
pub fn router() -> Router<Shared> {
    Router::new().route("/u/{token}/{name}", put(receive).post(receive))
}

async fn receive(
    State(app): State<Shared>,
    Path((token, _name)): Path<(String, String)>,
    request: Request,
) -> Response {
    let now = clock::now().timestamp();
    let Some(link) = link::open(&app.keys, LinkKind::Upload, &token, now) else {
        return refused(LinkKind::Upload);
    };
    let created = match *request.method() {
        Method::PUT => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    if let Some(why) = unreadable(request.headers()) {
        tracing::warn!(device.id = %link.device_id, job.id = %link.subject, why, "file not taken");
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("{why}\n")).into_response();
    }
    match take(&app, link, request.into_body()).await {
        Ok(()) => created.into_response(),
        Err(error) => failed(&link, &error),
    }
}

/// Why this body cannot be stored as it is.
fn unreadable(headers: &HeaderMap) -> Option<&'static str> {
    let field = |name: HeaderName| {
        headers.get(name).map_or("", |value| value.to_str().unwrap_or("unreadable").trim())
    };
    let media = field(CONTENT_TYPE);
    if media.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/")) {
        return Some("send the file itself as the body, not a multipart form");
    }
    match field(CONTENT_ENCODING) {
        "" => None,
        coding if coding.eq_ignore_ascii_case("identity") => None,
        _ => Some("send the file without a content coding (Content-Encoding: identity)"),
    }
}

async fn take(app: &Shared, link: Link, body: Body) -> Result<(), Error> {
    let (file, purpose) = expected(app, &link).await?;
    let file_type = file.file_type();
    let sealed = sealed::is_secret(&file_type);
    let most = app.config.acs.max_upload_bytes;
    let (max, deadline) = match sealed {
        true => (most.min(sealed::MOST), SEALED_DEADLINE),
        false => (most, DEADLINE),
    };
    if body.size_hint().lower() > max {
        return Err(too_large(max));
    }
    let _coming = if sealed { Some(app.incoming.begin(link.subject)?) } else { None };
    let artifact_id = Uuid::now_v7();
    let late = |_| Error::invalid("", format!("the file took more than {} s", deadline.as_secs()));
    let storing = store(app, artifact_id, sealed, body, max);
    let (stored, share) = timeout(deadline, storing).await.map_err(late)??;
    let row = DeviceArtifact {
        artifact_id,
        job_id: link.subject,
        file_type,
        name: file.file_name().to_owned(),
        size: i64::try_from(stored.size).map_err(|e| Error::Internal(e.to_string()))?,
        sha256: stored.sha256.to_vec(),
        sealed,
        created_at: clock::now(),
    };
    // A task of its own: a device that hangs up now has sent its file, and must not stop this
    // between the bytes and the row.
    let record = record(Arc::clone(app), link, row, purpose);
    let recording = tokio::spawn(async move {
        // It is looked through.
        let _share = share;
        record.await
    });
    recording.await.map_err(|e| Error::Internal(format!("recording a file: {e}")))?
}

/// Stores the bytes; what is stored is said of those that the device sent. Gives their share of the
/// memory, too.
async fn store(
    app: &App,
    artifact_id: Uuid,
    sealed: bool,
    body: Body,
    max: u64,
) -> Result<(Stored, Share), Error> {
    let body = body.into_data_stream();
    match sealed {
        true => sealed::put(app, artifact_id, body, max).await,
        false => Ok((app.files.put(artifact_id, body, max).await?, None)),
    }
}

/// The file that the job of this link asks for, while the job is open; and what for.
async fn expected(app: &Shared, link: &Link) -> Result<(UploadFile, Purpose), Error> {
    let mut conn = app.pool.acquire().await?;
    let job = jobs::of_device(&mut conn, link.device_id, link.subject)
        .await?
        .ok_or_else(|| Error::NotFound("the job of this upload is gone".to_owned()))?;
    if !matches!(job.state.as_str(), "queued" | "running" | "waiting") {
        return Err(Error::Conflict(format!("the job of this upload is already {}", job.state)));
    }
    if artifacts::count_of_job(&mut conn, link.device_id, link.subject).await? >= FILES_PER_JOB {
        return Err(Error::Conflict(format!("this job has {FILES_PER_JOB} files already")));
    }
    match serde_json::from_value(job.args) {
        Ok(JobSpec::Upload { file }) => {
            let purpose = Purpose::of(&file, job.rollout_id, job.idempotency_key.as_deref());
            Ok((file, purpose))
        }
        Ok(other) => Err(Error::Conflict(format!("a {} job takes no file", other.kind()))),
        Err(e) => Err(Error::Internal(format!("job {}: {e}", job.job_id))),
    }
}

/// Makes the file known. Its bytes go again where that is known to have failed.
async fn record(
    app: Shared,
    link: Link,
    row: DeviceArtifact,
    purpose: Purpose,
) -> Result<(), Error> {
    let written = async {
        let mut tx = app.pool.begin().await?;
        // Counted again, with others kept out: many may have begun at once.
        jobs::lock_device(&mut tx, link.device_id).await?;
        if artifacts::count_of_job(&mut tx, link.device_id, link.subject).await? >= FILES_PER_JOB {
            return Err(Error::Conflict(format!("this job has {FILES_PER_JOB} files already")));
        }
        insert(&mut tx, &link, &row).await?;
        Ok::<_, Error>(tx)
    };
    let tx = match written.await {
        Ok(tx) => tx,
        Err(error) => {
            app.files.delete(row.artifact_id).await?;
            return Err(error);
        }
    };
    // If the answer to a commit is lost, the row may exist: a file without a row is harmless, a row
    // without a file is not.
    tx.commit().await?;
    let (device, job, size) = (link.device_id, link.subject, row.size);
    tracing::info!(device.id = %device, job.id = %job, artifact.id = %row.artifact_id, size, "file received");
    if let Err(error) = contents::look(&app, &link, &row, purpose).await {
        if purpose.is_awaited() {
            // The device is to send it again: nobody else tells what stands in it.
            forget(&app, &link, &row).await?;
            return Err(error);
        }
        // The file is there all the same; the next one will tell it again.
        let cause = error.private();
        tracing::warn!(device.id = %device, job.id = %job, %cause, "a file was not looked through");
    }
    Ok(())
}

/// Forgets a file that was made known. A file without a row is harmless.
async fn forget(app: &Shared, link: &Link, row: &DeviceArtifact) -> Result<(), Error> {
    let mut conn = app.pool.acquire().await?;
    artifacts::delete_of_device(&mut conn, link.device_id, row.artifact_id).await?;
    app.files.delete(row.artifact_id).await
}

async fn insert(
    conn: &mut PgConnection,
    link: &Link,
    row: &DeviceArtifact,
) -> Result<(), sqlx::Error> {
    artifacts::insert_of_device(conn, link.device_id, row).await?;
    let detail = json!({
        "artifact_id": row.artifact_id,
        "name": row.name,
        "file_type": row.file_type,
        "size": row.size,
    });
    let (device, job) = (link.device_id, Some(link.subject));
    events::append(conn, device, "file.received", job, &detail, row.created_at).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn refusal(name: HeaderName, value: &'static str) -> Option<&'static str> {
        unreadable(&HeaderMap::from_iter([(name, HeaderValue::from_static(value))]))
    }

    #[test]
    fn a_plain_body_of_any_type_is_taken() {
        assert_eq!(unreadable(&HeaderMap::new()), None);
        for media in ["application/octet-stream", "text/plain; charset=utf-8", "", "multi"] {
            assert_eq!(refusal(CONTENT_TYPE, media), None, "{media}");
        }
        assert_eq!(refusal(CONTENT_ENCODING, " Identity "), None);
    }

    #[test]
    fn a_form_or_a_coded_body_is_refused_in_words() {
        for media in ["multipart/form-data; boundary=x", "Multipart/Mixed"] {
            assert!(refusal(CONTENT_TYPE, media).is_some_and(|why| why.contains("multipart")));
        }
        for coding in ["gzip", "deflate", "gzip, identity"] {
            assert!(refusal(CONTENT_ENCODING, coding).is_some_and(|why| why.contains("identity")));
        }
    }
}
