//! Boot images: which there are, storing and removing them.

use axum::extract::multipart::{Multipart, MultipartError, MultipartRejection};
use axum::extract::{Path, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use muster_netboot::vendor;
use serde::Serialize;

use super::{Choice, IMAGES, Tab, choice, may_change, tabs};
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::bench::images::{self as service, Known, MAX_BYTES, NewImage};
use crate::store::bench::Image;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::Complaints;
use crate::web::format::{When, size};
use crate::web::manage::answer;
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Bytes of a form: the largest image, and what a form puts around it.
pub(super) const MAX_BODY: usize = 33 << 20;
/// Fields of the form, for what is wrong with them.
const FIELDS: [&str; 2] = ["arch", "file"];

#[derive(Serialize)]
struct ImagesPage {
    shell: Shell,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    arches: Vec<Choice>,
    /// The one that was chosen.
    arch: String,
    /// The largest file that is taken, in words.
    most: String,
    may_change: bool,
    errors: Complaints,
}

#[derive(Serialize)]
struct Row {
    arch: String,
    /// By what boards say that they take it.
    classes: String,
    /// Where the vendor has it; empty = that is not known.
    vendor: String,
    image: Option<ImageView>,
}

#[derive(Serialize)]
struct ImageView {
    name: String,
    size: String,
    sha256: String,
    /// Enough of it to tell two images apart.
    short: String,
    at: When,
    by: String,
}

/// `GET /bench/images`
pub(super) async fn page(viewer: Viewer, State(app): State<Shared>) -> Result<Response, Failure> {
    shown(&app, &viewer, String::new(), Complaints::default()).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    arch: String,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let all = service::list(app, ctx).await?;
    let page = ImagesPage {
        shell: Shell::new(viewer, &app.config, "Boot images", Section::Bench),
        tabs: tabs(IMAGES),
        arches: all.iter().map(|known| choice(known.arch.as_str(), known.arch.as_str())).collect(),
        rows: all.into_iter().map(|known| row(known, ctx.now)).collect(),
        arch,
        most: most(),
        may_change: may_change(viewer),
        errors,
    };
    answer(View::BenchImages, &page, &page.errors)
}

fn most() -> String {
    size(i64::try_from(MAX_BYTES).unwrap_or(i64::MAX))
}

fn row(known: Known, now: DateTime<Utc>) -> Row {
    Row {
        classes: classes(&known.arch),
        vendor: known.published.unwrap_or_default(),
        image: known.image.map(|image| view(image, now)),
        arch: known.arch,
    }
}

/// What boot loaders call themselves that take an image.
fn classes(image: &str) -> String {
    let names = vendor::TABLE.iter().filter(|name| name.image == image);
    let names: Vec<&str> = names.map(|name| name.option60).collect();
    if names.is_empty() { "PXEClient".to_owned() } else { names.join(", ") }
}

fn view(image: Image, now: DateTime<Utc>) -> ImageView {
    let sha256 = hex::encode(&image.sha256);
    ImageView {
        name: image.name,
        size: size(image.size),
        short: sha256.chars().take(12).collect(),
        sha256,
        at: When::new(image.created_at, now),
        by: image.created_by,
    }
}

/// `POST /bench/images`
pub(super) async fn store(
    viewer: Viewer,
    State(app): State<Shared>,
    sent: Result<Multipart, MultipartRejection>,
) -> Result<Response, Failure> {
    let mut arch = String::new();
    let stored = match sent {
        Ok(mut parts) => taken(&app, viewer.ctx(), &mut parts, &mut arch).await,
        Err(e) => Err(Error::invalid("", e.body_text())),
    };
    match stored {
        Ok(image) => {
            let done = format!("The boot image for {} is stored.", image.arch);
            Ok(flash::to(IMAGES, Flash::done(done)))
        }
        Err(error) => shown(&app, &viewer, arch, Complaints::of(error, &FIELDS)?).await,
    }
}

/// Takes the form: for which architecture, then the file. What was chosen stays chosen.
async fn taken(
    app: &App,
    ctx: &Ctx,
    parts: &mut Multipart,
    arch: &mut String,
) -> Result<Image, Error> {
    while let Some(field) = parts.next_field().await.map_err(|e| broken(&e))? {
        if field.name() == Some("arch") {
            *arch = field.text().await.map_err(|e| broken(&e))?;
            continue;
        }
        let name = field.file_name().unwrap_or_default().to_owned();
        if field.name() != Some("file") || name.is_empty() {
            continue;
        }
        let new = NewImage { name: Some(name), announced: None };
        return service::put(app, ctx, arch, new, field).await;
    }
    Err(Error::invalid("/file", "Choose a file first."))
}

fn broken(error: &MultipartError) -> Error {
    Error::invalid("/file", format!("The file did not arrive: {}", error.body_text()))
}

/// `POST /bench/images/{arch}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(arch): Path<String>,
) -> Result<Response, Failure> {
    service::delete(&app, viewer.ctx(), &arch).await?;
    Ok(flash::to(IMAGES, Flash::done(format!("The boot image for {arch} is removed."))))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let known =
        |image: Option<Image>, published: Option<String>| Known { arch: evil(), published, image };
    let image = || Image {
        arch: evil(),
        name: evil(),
        size: 7,
        sha256: vec![7; 32],
        created_by: evil(),
        created_at: DateTime::UNIX_EPOCH,
    };
    let page = |may_change: bool, errors: Complaints| {
        let all = [known(Some(image()), Some(evil())), known(None, None)];
        let page = ImagesPage {
            shell: Shell::sample(),
            tabs: tabs(IMAGES),
            rows: all.into_iter().map(|known| row(known, DateTime::UNIX_EPOCH)).collect(),
            arches: vec![choice(evil(), evil())],
            arch: evil(),
            most: most(),
            may_change,
            errors,
        };
        sample(View::BenchImages, &page)
    };
    vec![
        page(true, Complaints::field("file", "<x-evil>")),
        page(true, Complaints::whole("<x-evil>")),
        page(false, Complaints::default()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_what_boards_say() {
        assert_eq!(classes("ppc-e500"), "e500_boot, e500sboot");
        assert_eq!(classes("x86"), "PXEClient");
    }

    #[test]
    fn a_form_has_room_for_the_largest_image() {
        assert!(u64::try_from(MAX_BODY).is_ok_and(|bytes| bytes > MAX_BYTES + 64 * 1024));
        assert_eq!(most(), "32.0 MiB");
    }
}
