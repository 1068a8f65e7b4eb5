//! Releases and packages: over the API, the command line and the dashboard.

mod direct;
mod inspections;
mod kept;
mod people;
mod ran;
mod uploads;

use std::io::{Cursor, Write};

use muster_routeros::arch::Arch;
use muster_routeros::npk::{NewNpk, build};
use muster_routeros::version::RosVersion;
use serde_json::Value;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::harness::Muster;
use crate::harness::kit::{Api, files_in, server};

/// A package of RouterOS 7.16.1, unsigned and empty.
fn package(name: &str, arch: Arch) -> Vec<u8> {
    package_of(name, RosVersion::release(7, 16, 1), Some(arch), 1_000)
}

fn package_of(name: &str, version: RosVersion, arch: Option<Arch>, payload: u32) -> Vec<u8> {
    build(&NewNpk {
        name: name.to_owned(),
        version,
        arch,
        built_at: 1_728_300_000,
        description: "made for a test".to_owned(),
        payload,
    })
}

/// Uploads a file; gives status and answer.
async fn upload(api: &Api, name: Option<&str>, bytes: Vec<u8>) -> (u16, Value) {
    let query = name.map(|name| format!("?name={name}")).unwrap_or_default();
    let path = format!("/api/v1/releases/packages{query}");
    let response = api.request("POST", &path).body(bytes).send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

/// Uploads a package that must be new; gives its id.
async fn stored(api: &Api, bytes: Vec<u8>) -> String {
    let (status, told) = upload(api, None, bytes).await;
    assert_eq!(status, 201, "{told}");
    told["items"][0]["package"]["package_id"].as_str().unwrap().to_owned()
}

/// What is stored of RouterOS 7.16.1.
async fn release(api: &Api) -> Value {
    api.get("/api/v1/releases/7.16.1").await
}

/// Files in the store.
fn files(muster: &Muster) -> usize {
    files_in(&muster.data_dir().join("artifacts"))
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
