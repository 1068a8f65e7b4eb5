//! What goes with a bench: boards that are allowed, boot images, netboot profiles.

use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Subcommand, ValueEnum};
use reqwest::{Method, header};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::cli::client::http::{Api, Page, answer};
use crate::cli::client::output::{
    clean, clean_lines, done, fields, maybe, maybe_time, show, show_page, time, yes,
};

/// `muster bench allowed`
#[derive(Debug, Subcommand)]
pub(super) enum Allowed {
    /// List what is allowed.
    List,
    /// Have boards served without a claim.
    Add {
        /// By what they are known.
        kind: Kind,
        /// A MAC address, its first six digits, or what boards announce, such as 952-hb.
        value: String,
        /// For people.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Take back that they are.
    Delete {
        /// The value, as it is listed.
        value: String,
    },
}

/// By what boards are known.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    /// One, by its MAC address.
    Mac,
    /// All whose addresses begin so.
    Oui,
    /// All that announce this identifier.
    Board,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Mac => "mac",
            Self::Oui => "oui",
            Self::Board => "board",
        }
    }
}

#[derive(Debug, Deserialize)]
struct AllowedSeen {
    allowed_id: Uuid,
    kind: String,
    value: String,
    note: String,
    created_by: String,
    created_at: DateTime<Utc>,
}

pub(super) async fn allowed(api: &Api, command: Allowed) -> anyhow::Result<()> {
    let path = ["bench", "allowed"];
    match command {
        Allowed::List => {
            let header = ["kind", "value", "note", "created_by", "created_at"];
            show_page(api, &api.get(&path, &[]).await?, &header, |a: AllowedSeen| {
                vec![a.kind, a.value, maybe(Some(a.note)), a.created_by, time(a.created_at)]
            })
        }
        Allowed::Add { kind, value, note } => {
            let body = json!({ "kind": kind.word(), "value": value, "note": note });
            let answer = api.call(Method::POST, &path, Some(&body)).await?;
            show(api, &answer, |a: AllowedSeen| {
                format!("{} {} is served without a claim", clean(&a.kind), clean(&a.value))
            })
        }
        Allowed::Delete { value } => {
            let page: Page<AllowedSeen> = api.get(&path, &[]).await?.read()?;
            let mut items = page.items.into_iter();
            let found = items.find(|a| a.value.eq_ignore_ascii_case(value.trim()));
            let found = found.with_context(|| format!("{} is not allowed", clean(&value)))?;
            let id = found.allowed_id.to_string();
            api.delete(&["bench", "allowed", &id], &[]).await?;
            done(api, &format!("{} is served only if it is claimed", found.value))
        }
    }
}

/// `muster bench images`
#[derive(Debug, Subcommand)]
pub(super) enum Images {
    /// List the boot images that boards take, stored or not.
    List,
    /// Store a boot image, in place of the one that was there.
    Put {
        /// Which boards take it, such as arm64.
        arch: String,
        /// The image, as you got it from the vendor.
        file: PathBuf,
    },
    /// Remove a boot image.
    Delete {
        /// Which boards take it.
        arch: String,
    },
}

#[derive(Debug, Deserialize)]
struct KnownImage {
    arch: String,
    published: Option<String>,
    image: Option<Image>,
}

#[derive(Debug, Deserialize)]
struct Image {
    arch: String,
    name: String,
    size: u64,
    sha256: String,
    created_by: String,
    created_at: DateTime<Utc>,
}

pub(super) async fn images(api: &Api, command: Images) -> anyhow::Result<()> {
    match command {
        Images::List => {
            let answer = api.get(&["bench", "images"], &[]).await?;
            let header = ["arch", "name", "size", "created_by", "created_at", "published"];
            show_page(api, &answer, &header, |known: KnownImage| {
                let image = known.image.as_ref();
                vec![
                    known.arch,
                    maybe(image.map(|image| image.name.clone())),
                    maybe(image.map(|image| image.size.to_string())),
                    maybe(image.map(|image| image.created_by.clone())),
                    maybe_time(image.map(|image| image.created_at)),
                    maybe(known.published),
                ]
            })
        }
        Images::Put { arch, file } => put_image(api, &arch, &file).await,
        Images::Delete { arch } => {
            api.delete(&["bench", "images", &arch], &[]).await?;
            done(api, &format!("the boot image {arch} is removed"))
        }
    }
}

async fn put_image(api: &Api, arch: &str, file: &Path) -> anyhow::Result<()> {
    let place = || file.display().to_string();
    let bytes = std::fs::read(file).with_context(place)?;
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("{}: its name is no text", place()))?;
    let request = api
        .request(Method::PUT, &["bench", "images", arch], &[("name", name)])
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .body(bytes);
    show(api, &answer(api.send(request).await?).await?, |image: Image| {
        fields(&[
            ("arch", image.arch),
            ("name", image.name),
            ("size", image.size.to_string()),
            ("sha256", image.sha256),
            ("created_by", image.created_by),
            ("created_at", time(image.created_at)),
        ])
    })
}

/// `muster bench profiles`
#[derive(Debug, Subcommand)]
pub(super) enum Profiles {
    /// List profiles, with how sure each is.
    List,
    /// Print a profile as TOML.
    Get {
        /// Name of the profile.
        name: String,
    },
    /// Write a profile.
    Put {
        /// Name of the profile, as the file has it, too.
        name: String,
        /// TOML; - is standard input.
        file: PathBuf,
    },
    /// Remove a profile.
    Delete {
        /// Name of the profile.
        name: String,
    },
}

#[derive(Debug, Deserialize)]
struct Profile {
    name: String,
    status: String,
    evidence: String,
    body: String,
    builtin: bool,
    created_by: String,
    updated_at: DateTime<Utc>,
}

pub(super) async fn profiles(api: &Api, command: Profiles) -> anyhow::Result<()> {
    match command {
        Profiles::List => {
            let answer = api.get(&["bench", "profiles"], &[]).await?;
            let header = ["name", "status", "builtin", "updated_at", "evidence"];
            show_page(api, &answer, &header, |p: Profile| {
                vec![p.name, p.status, yes(p.builtin), time(p.updated_at), p.evidence]
            })
        }
        Profiles::Get { name } => {
            let answer = api.get(&["bench", "profiles", &name], &[]).await?;
            show(api, &answer, |p: Profile| clean_lines(&p.body).trim_end().to_owned())
        }
        Profiles::Put { name, file } => put_profile(api, &name, &file).await,
        Profiles::Delete { name } => {
            api.delete(&["bench", "profiles", &name], &[]).await?;
            done(api, &format!("the profile {name} is removed"))
        }
    }
}

async fn put_profile(api: &Api, name: &str, file: &Path) -> anyhow::Result<()> {
    let place = || file.display().to_string();
    let text = match file.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read_to_string(file),
    };
    let request = api
        .request(Method::PUT, &["bench", "profiles", name], &[])
        .header(header::CONTENT_TYPE, "text/plain")
        .body(text.with_context(place)?);
    show(api, &answer(api.send(request).await?).await?, |profile: Profile| {
        fields(&[
            ("name", profile.name),
            ("status", profile.status),
            ("evidence", maybe(Some(profile.evidence))),
            ("created_by", profile.created_by),
            ("updated_at", time(profile.updated_at)),
        ])
    })
}
