//! The device's side of files: signed links, ranges and validators, uploads and their limits.

use chrono::Utc;
use muster::files::link::{self, Link, LinkKind};
use muster::fleet::secret::Keys;
use muster_cwmp::rpc::Request;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::cpe::{Cpe, Reply};
use crate::harness::kit::{Api, device_path, files_in};
use crate::harness::talk::{Talk, introduce};
use crate::harness::{LAB, Muster};

struct Site {
    muster: Muster,
    api: Api,
    keys: Keys,
    device: Uuid,
}

impl Site {
    /// A server with these settings and one known device, `FILES`.
    async fn start(settings: &[(&str, &str)]) -> Self {
        let mut muster = Muster::start(&[LAB, settings].concat()).await;
        let api = Api::of(&mut muster);
        introduce(muster.cwmp, "FILES").await;
        let keys = Keys::load_or_make(&muster.data_dir().join("secret.key")).unwrap();
        let device = api.get(&device_path("FILES")).await;
        let device = device["device_id"].as_str().unwrap().parse().unwrap();
        Self { muster, api, keys, device }
    }

    fn path(&self, kind: LinkKind, subject: &str, seconds: i64) -> String {
        let expires = Utc::now().timestamp() + seconds;
        let subject = subject.parse().unwrap();
        link::path(&self.keys, &Link { kind, device_id: self.device, subject, expires })
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let url = format!("http://{}{path}", self.muster.cwmp);
        let mut request = self.muster.http().request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    async fn put(&self, method: Method, path: &str, kind: &str, body: Vec<u8>) -> u16 {
        let url = format!("http://{}{path}", self.muster.cwmp);
        let request = self.muster.http().request(method, url).header("content-type", kind);
        request.body(body).send().await.unwrap().status().as_u16()
    }

    /// The files that the device is known to have sent.
    async fn received(&self) -> Vec<Value> {
        let list = self.api.get(&format!("{}/artifacts", device_path("FILES"))).await;
        list["items"].as_array().unwrap().clone()
    }

    async fn order_download(&self, artifact: &str) -> String {
        let file = json!({ "type": "web_content" });
        let job = json!({ "kind": "download", "artifact_id": artifact, "file": file });
        self.api.queue("FILES", job).await
    }

    async fn order_upload(&self) -> String {
        let job = json!({ "kind": "upload", "file": { "type": "configuration" } });
        self.api.queue("FILES", job).await
    }
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn a_file_is_served_whole_in_parts_and_by_its_validator() {
    let site = Site::start(&[]).await;
    let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let artifact = site.api.store("image.npk", &bytes).await;
    site.order_download(&artifact).await;
    let path = format!("{}image.npk", site.path(LinkKind::Download, &artifact, 60));

    let whole = site.send(Method::GET, &path, &[]).await;
    assert_eq!(whole.status(), 200);
    assert_eq!(header(&whole, "content-length"), "400000", "never chunked");
    assert_eq!(header(&whole, "accept-ranges"), "bytes");
    let etag = header(&whole, "etag").to_owned();
    assert_eq!(whole.bytes().await.unwrap(), bytes);

    let head = site.send(Method::HEAD, &path, &[]).await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "400000"));
    assert_eq!(header(&head, "etag"), etag);

    for (range, from, to) in [
        ("bytes=0-9", 0, 10),
        ("bytes=399990-", 399_990, 400_000),
        ("bytes=-5", 399_995, 400_000),
        ("bytes=131072-300000", 131_072, 300_001),
    ] {
        let part = site.send(Method::GET, &path, &[("range", range)]).await;
        assert_eq!(part.status(), 206, "{range}");
        assert_eq!(header(&part, "content-range"), format!("bytes {from}-{}/400000", to - 1));
        assert_eq!(part.bytes().await.unwrap(), bytes[from..to], "{range}");
    }
    let beyond = site.send(Method::GET, &path, &[("range", "bytes=400000-")]).await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(header(&beyond, "content-range"), "bytes */400000");
    let several = site.send(Method::GET, &path, &[("range", "bytes=0-1,5-6")]).await;
    assert_eq!(several.status(), 200, "the whole instead of several parts");

    let same = site.send(Method::GET, &path, &[("if-none-match", etag.as_str())]).await;
    assert_eq!(same.status(), 304);
    assert!(same.bytes().await.unwrap().is_empty());
    let resumed = [("range", "bytes=5-"), ("if-range", etag.as_str())];
    assert_eq!(site.send(Method::GET, &path, &resumed).await.status(), 206);
    let changed = [("range", "bytes=5-"), ("if-range", "\"other\"")];
    assert_eq!(site.send(Method::GET, &path, &changed).await.status(), 200);
}

#[tokio::test]
async fn only_a_good_link_opens_a_file() {
    let site = Site::start(&[]).await;
    let artifact = site.api.store("image.npk", b"image").await;
    let job = site.order_download(&artifact).await;
    let good = site.path(LinkKind::Download, &artifact, 60);
    let expired = site.path(LinkKind::Download, &artifact, -1);
    let upload = site.path(LinkKind::Upload, &artifact, 60).replacen("/u/", "/f/", 1);
    let mut forged = good.clone().into_bytes();
    forged[20] = if forged[20] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    let foreign = Keys::new([9; 32]);
    let subject = artifact.parse().unwrap();
    let expires = Utc::now().timestamp() + 60;
    let link = Link { kind: LinkKind::Download, device_id: site.device, subject, expires };
    let foreign = link::path(&foreign, &link);

    let get = async |path: &str| site.send(Method::GET, &format!("{path}x"), &[]).await.status();
    assert_eq!(get(&good).await, 200);
    for bad in [expired.as_str(), &upload, &forged, &foreign, "/f/nonsense/"] {
        assert_eq!(get(bad).await, 404, "{bad}");
    }
    let cancel = format!("/api/v1/jobs/{job}/cancel");
    assert_eq!(site.api.call("POST", &cancel, None).await.0, 200);
    assert_eq!(get(&good).await, 404, "what is no longer wanted is no longer served");
    assert!(!site.muster.log().contains(&good), "a link opens a file: it is not logged");
}

#[tokio::test]
async fn a_link_fits_into_a_cwmp_url_or_the_job_says_why_not() {
    let site = Site::start(&[]).await;
    let artifact = site.api.store(&format!("{}.npk", "n".repeat(251)), b"image").await;
    let job =
        json!({ "kind": "download", "artifact_id": artifact, "file": { "type": "firmware" } });
    site.api.queue("FILES", job).await;
    let talk = Talk::open(site.muster.cwmp, "FILES", &["2 PERIODIC"]).await;
    let Request::Download(call) = talk.asked() else { panic!("{:?}", talk.request) };
    assert!(call.url.len() <= 256, "{}", call.url);
    assert!(call.url.starts_with("http://acs/f/"), "as the device calls the server: {}", call.url);
    assert!(call.url.ends_with("n.npk") && call.target_file_name.ends_with("n.npk"));
    assert_eq!((call.file_size, call.delay_seconds), (5, 0));

    let long = format!("http://{}.example:7547", "a.".repeat(100).trim_end_matches('.'));
    let site = Site::start(&[("MUSTER_ACS__PUBLIC_URL", long.as_str())]).await;
    let artifact = site.api.store("image.npk", b"image").await;
    let job =
        json!({ "kind": "download", "artifact_id": artifact, "file": { "type": "firmware" } });
    let id = site.api.queue("FILES", job).await;
    let talk = Talk::open(site.muster.cwmp, "FILES", &["2 PERIODIC"]).await;
    assert_eq!(talk.request, None);
    let job = site.api.job(&id).await;
    assert_eq!(job["state"], "failed");
    assert!(job["note"].as_str().unwrap().contains("256"), "{job}");
}

#[tokio::test]
async fn a_file_is_received_by_put_and_by_post() {
    let site = Site::start(&[]).await;
    let job = site.order_upload().await;
    let path = format!("{}anything", site.path(LinkKind::Upload, &job, 60));
    let text = "application/octet-stream";
    assert_eq!(site.put(Method::PUT, &path, text, b"first".to_vec()).await, 201);
    assert_eq!(site.put(Method::POST, &path, text, b"second".to_vec()).await, 200);
    let received = site.received().await;
    assert_eq!(received.len(), 2);
    assert!(received.iter().all(|f| f["job_id"] == job.as_str()));
    assert_eq!(received[0]["name"], "configuration.rsc", "named by the job, not by the device");
    assert_eq!(received[0]["file_type"], "1 Vendor Configuration File");
    let id = received[0]["artifact_id"].as_str().unwrap();
    let content = format!("{}/artifacts/{id}/content", device_path("FILES"));
    let content = site.api.request("GET", &content).send().await.unwrap();
    assert_eq!(content.text().await.unwrap(), "second");
    assert_eq!(site.api.job(&job).await["state"], "queued", "the device's report closes the job");

    let form = "multipart/form-data; boundary=x";
    assert_eq!(site.put(Method::POST, &path, form, b"--x--".to_vec()).await, 415);
    let download = site.path(LinkKind::Download, &job, 60).replacen("/f/", "/u/", 1);
    assert_eq!(site.put(Method::PUT, &format!("{download}x"), text, b"x".to_vec()).await, 404);
    let expired = site.path(LinkKind::Upload, &job, -1);
    assert_eq!(site.put(Method::PUT, &format!("{expired}x"), text, b"x".to_vec()).await, 404);
    let cancel = format!("/api/v1/jobs/{job}/cancel");
    assert_eq!(site.api.call("POST", &cancel, None).await.0, 200);
    assert_eq!(site.put(Method::PUT, &path, text, b"late".to_vec()).await, 409);
    assert_eq!(site.received().await.len(), 2);
}

/// Sends a chunked body, whose length nobody knows beforehand, until the server answers.
async fn chunked(site: &Site, path: &str, chunks: usize) -> Reply {
    let mut cpe = Cpe::connect(site.muster.cwmp).await;
    let head = format!("PUT {path} HTTP/1.1\r\nHost: acs\r\nTransfer-Encoding: chunked\r\n\r\n");
    cpe.send(head.as_bytes()).await.unwrap();
    for _ in 0..chunks {
        let chunk = format!("100\r\n{}\r\n", "x".repeat(256));
        if cpe.send(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let _ = cpe.send(b"0\r\n\r\n").await;
    cpe.read().await.expect("an answer")
}

#[tokio::test]
async fn a_file_has_a_largest_size() {
    let limits =
        [("MUSTER_ACS__MAX_UPLOAD_BYTES", "1000"), ("MUSTER_ACS__MAX_ARTIFACT_BYTES", "2000")];
    let site = Site::start(&limits).await;
    let job = site.order_upload().await;
    let path = format!("{}x", site.path(LinkKind::Upload, &job, 60));
    let text = "text/plain";
    assert_eq!(site.put(Method::PUT, &path, text, vec![b'x'; 1000]).await, 201);
    assert_eq!(site.put(Method::PUT, &path, text, vec![b'x'; 1001]).await, 413);
    assert_eq!(chunked(&site, &path, 3).await.status, 201);
    assert_eq!(chunked(&site, &path, 5).await.status, 413);
    assert_eq!(site.received().await.len(), 2);

    let store = |size: usize| {
        let request = site.api.request("POST", "/api/v1/artifacts?name=x");
        async move { request.body(vec![b'x'; size]).send().await.unwrap().status().as_u16() }
    };
    assert_eq!(store(2000).await, 201);
    assert_eq!(store(2001).await, 413);
    // Three files beside the two scripts of Muster's own, and nothing of those that were refused.
    assert_eq!(files_in(&site.muster.data_dir().join("artifacts")), 3 + 2);
}
