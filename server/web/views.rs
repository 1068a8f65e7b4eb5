//! The templates, built once from the files embedded in the binary.
//!
//! Owns the one Tera instance for HTML. It escapes by the ending of a template's name, so the names
//! are an enum, and all of them end in `.html`. Never give it a template from outside.

use std::sync::LazyLock;

use axum::response::Html;
use rust_embed::{Embed, EmbeddedFile};
use serde::Serialize;
use tera::{Context, Tera, TeraResult};

use crate::config::{AuthMode, Config};
use crate::error::Error;

#[derive(Embed)]
#[folder = "templates/html"]
struct Embedded;

static TERA: LazyLock<Tera> =
    LazyLock::new(|| build().expect("the embedded templates are valid: tests render each"));

fn build() -> TeraResult<Tera> {
    let mut tera = Tera::new();
    let names = Embedded::iter().filter(|name| name.ends_with(".html"));
    let templates: Vec<(String, String)> = names
        .filter_map(|name| {
            let file = Embedded::get(&name)?;
            Some((name.into_owned(), String::from_utf8_lossy(&file.data).into_owned()))
        })
        .collect();
    tera.add_raw_templates(templates)?;
    Ok(tera)
}

/// A file below `static/`.
pub(super) fn static_file(path: &str) -> Option<EmbeddedFile> {
    // A debug build reads the disk, where `..` leads to the templates.
    let inside = path.split('/').all(|part| part != "..");
    inside.then(|| Embedded::get(&format!("static/{path}"))).flatten()
}

/// The templates there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Devices,
    DevicesTable,
    Counts,
    Device,
    Error,
}

impl View {
    fn file(self) -> &'static str {
        match self {
            Self::Devices => "devices.html",
            Self::DevicesTable => "devices_table.html",
            Self::Counts => "counts.html",
            Self::Device => "device.html",
            Self::Error => "error.html",
        }
    }
}

/// What the frame of every page needs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Shell {
    title: String,
    version: &'static str,
    /// Devices are not asked who they are: to be shown loudly.
    unauthenticated: bool,
}

impl Shell {
    pub(super) fn new(title: impl Into<String>, config: &Config) -> Self {
        let unauthenticated = config.acs.auth == AuthMode::None;
        Self { title: title.into(), version: env!("CARGO_PKG_VERSION"), unauthenticated }
    }

    /// For a page that knows nothing of the installation.
    pub(super) fn bare(title: impl Into<String>) -> Self {
        Self { title: title.into(), version: env!("CARGO_PKG_VERSION"), unauthenticated: false }
    }
}

/// Renders a page or a fragment of one.
pub(super) fn render<T: Serialize>(view: View, context: &T) -> Result<Html<String>, Error> {
    let failed = |e: tera::Error| Error::Internal(format!("template {}: {e}", view.file()));
    let context = Context::from_serialize(context).map_err(failed)?;
    TERA.render(view.file(), &context).map(Html).map_err(failed)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_view_is_a_template_that_escapes() {
        let tera = build().unwrap();
        let names: Vec<&str> = tera.get_template_names().collect();
        let views = [View::Devices, View::DevicesTable, View::Counts, View::Device, View::Error];
        for view in views {
            assert!(view.file().ends_with(".html"), "{view:?}");
            assert!(names.contains(&view.file()), "{view:?} is not among {names:?}");
        }
    }

    #[test]
    fn the_banner_is_there_only_without_authentication() {
        #[derive(Serialize)]
        struct Page {
            shell: Shell,
            status: u16,
            reason: &'static str,
            message: &'static str,
        }
        let html = |shell| {
            let page = Page { shell, status: 404, reason: "Not Found", message: "" };
            render(View::Error, &page).unwrap().0
        };
        let mut config = Config::default();
        assert!(!html(Shell::new("x", &config)).contains("banner"));
        config.acs.auth = AuthMode::None;
        assert!(html(Shell::new("x", &config)).contains("banner"));
    }
}
