//! The tests that a device can be asked to run: to where, how often, how large.
//!
//! Owns that nothing but a host or a plain http URL reaches a device: what it does with anything
//! else is its vendor's secret.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use crate::error::Error;

/// TR-181: the host or URL of a test has at most 256 characters.
const MAX_TARGET: usize = 256;
/// Milliseconds for which one answer may be waited for.
const MAX_TIMEOUT_MS: u32 = 60_000;
/// Bytes that a device may be told to send.
const MAX_UPLOAD: u32 = 1_000_000_000;

/// A test that the device itself runs (TR-181 `IP.Diagnostics`, TR-098, TR-143).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum DiagnosticTest {
    /// Echo requests, and how long their answers take.
    Ping {
        /// Name or address.
        host: String,
        /// Echo requests, 1 to 100; 4 when absent.
        #[serde(default = "ping_count")]
        #[schema(minimum = 1, maximum = 100)]
        count: u32,
        /// Bytes in each, 1 to 65535; 64 when absent.
        #[serde(default = "block_size")]
        #[schema(minimum = 1, maximum = 65535)]
        size: u32,
        /// Milliseconds to wait for each answer, 1 to 60000; 1000 when absent.
        #[serde(default = "second")]
        #[schema(minimum = 1, maximum = 60000)]
        timeout_ms: u32,
    },
    /// The way to a host, hop by hop.
    Traceroute {
        /// Name or address.
        host: String,
        /// Tries at each hop, 1 to 3; 3 when absent.
        #[serde(default = "hop_tries")]
        #[schema(minimum = 1, maximum = 3)]
        tries: u32,
        /// Bytes in each try, 1 to 65535; 64 when absent.
        #[serde(default = "block_size")]
        #[schema(minimum = 1, maximum = 65535)]
        size: u32,
        /// Milliseconds to wait for each answer, 1 to 60000; 1000 when absent.
        #[serde(default = "second")]
        #[schema(minimum = 1, maximum = 60000)]
        timeout_ms: u32,
        /// Hops at most, 1 to 64; 30 when absent.
        #[serde(default = "most_hops")]
        #[schema(minimum = 1, maximum = 64)]
        max_hops: u32,
    },
    /// How fast a file comes to the device.
    DownloadSpeed {
        /// Where it is: http, without a login.
        url: String,
    },
    /// How fast the device can send.
    UploadSpeed {
        /// Where to: http, without a login.
        url: String,
        /// Bytes to send, 1 to 1000000000.
        #[schema(minimum = 1, maximum = 1000000000)]
        bytes: u32,
    },
}

fn ping_count() -> u32 {
    4
}

fn block_size() -> u32 {
    64
}

fn second() -> u32 {
    1_000
}

fn hop_tries() -> u32 {
    3
}

fn most_hops() -> u32 {
    30
}

impl DiagnosticTest {
    /// Seconds that it may take at worst.
    pub(super) fn longest_seconds(&self) -> i64 {
        match self {
            Self::Ping { count, timeout_ms, .. } => {
                i64::from(*count) * i64::from(*timeout_ms) / 1_000
            }
            Self::Traceroute { tries, timeout_ms, max_hops, .. } => {
                i64::from(*tries) * i64::from(*max_hops) * i64::from(*timeout_ms) / 1_000
            }
            // How large the file is only its server knows.
            Self::DownloadSpeed { .. } => 600,
            // At 1 Mbit/s.
            Self::UploadSpeed { bytes, .. } => i64::from(*bytes) / 125_000,
        }
    }

    /// Refuses what no device could take, naming the field by a pointer into the job.
    pub(super) fn validate(&self) -> Result<(), Error> {
        match self {
            Self::Ping { host, count, size, timeout_ms } => {
                check_host(host)?;
                within("/test/count", *count, 100)?;
                within("/test/size", *size, 65_535)?;
                within("/test/timeout_ms", *timeout_ms, MAX_TIMEOUT_MS)
            }
            Self::Traceroute { host, tries, size, timeout_ms, max_hops } => {
                check_host(host)?;
                within("/test/tries", *tries, 3)?;
                within("/test/size", *size, 65_535)?;
                within("/test/timeout_ms", *timeout_ms, MAX_TIMEOUT_MS)?;
                within("/test/max_hops", *max_hops, 64)
            }
            Self::DownloadSpeed { url } => check_url(url),
            Self::UploadSpeed { url, bytes } => {
                check_url(url)?;
                within("/test/bytes", *bytes, MAX_UPLOAD)
            }
        }
    }
}

fn within(pointer: &str, n: u32, most: u32) -> Result<(), Error> {
    if n == 0 || n > most {
        return Err(Error::invalid(pointer, format!("1 to {most}")));
    }
    Ok(())
}

fn check_host(text: &str) -> Result<(), Error> {
    if text.parse::<IpAddr>().is_ok() || is_host_name(text) {
        return Ok(());
    }
    let why = "a host name or an IP address, such as www.example.com, 192.0.2.1 or 2001:db8::1";
    Err(Error::invalid("/test/host", why))
}

/// A name as DNS has them (RFC 1123), with the underscore that people use all the same.
fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let letters = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let hyphens = label.starts_with('-') || label.ends_with('-');
        letters && !hyphens && (1..=63).contains(&label.len())
    };
    // What ends in a number is meant as an address, and is none.
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_number = last.bytes().all(|b| b.is_ascii_digit());
    name.len() <= 253 && !is_number && name.split('.').all(is_label)
}

fn check_url(text: &str) -> Result<(), Error> {
    let wrong = |why: &str| Err(Error::invalid("/test/url", why));
    // What the parser would mend, the device may not.
    if text.len() > MAX_TARGET || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return wrong("a URL of at most 256 visible ASCII characters");
    }
    let Ok(url) = Url::parse(text) else { return wrong("no URL") };
    if url.scheme() != "http" || !url.has_host() {
        return wrong("http URLs only, such as http://speed.example.com/10MB.bin");
    }
    // A job is shown to all who see the device.
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("without a login");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::{Value, json};

    use super::*;
    use crate::jobs::spec::JobSpec;

    fn read(test: Value) -> Result<JobSpec, serde_json::Error> {
        serde_json::from_value(json!({ "kind": "diagnose", "test": test }))
    }

    /// The pointer to what is wrong.
    fn wrong(test: Value) -> String {
        match read(test.clone()).unwrap().validate() {
            Err(Error::Invalid { pointer, .. }) => pointer,
            other => panic!("{test}: {other:?}"),
        }
    }

    #[test]
    fn what_is_left_out_is_the_usual() {
        let spec = read(json!({ "type": "ping", "host": "192.0.2.1" })).unwrap();
        let host = "192.0.2.1".to_owned();
        let test = DiagnosticTest::Ping { host, count: 4, size: 64, timeout_ms: 1_000 };
        assert_eq!(spec, JobSpec::Diagnose { test });
        spec.validate().unwrap();
        let spec = read(json!({ "type": "traceroute", "host": "a.example" })).unwrap();
        spec.validate().unwrap();
        let back: JobSpec = serde_json::from_value(serde_json::to_value(&spec).unwrap()).unwrap();
        assert_eq!(back, spec);
        assert_eq!(spec.confirm_seconds(), Some(300 + 3 * 30));
    }

    #[test]
    fn an_unknown_field_or_test_is_refused() {
        for test in [
            json!({ "type": "ping", "host": "a", "cuont": 3 }),
            json!({ "type": "ping" }),
            json!({ "type": "ping", "host": "a", "count": -1 }),
            json!({ "type": "upload_speed", "url": "http://a/" }),
            json!({ "type": "nslookup", "host": "a" }),
        ] {
            assert!(read(test.clone()).is_err(), "{test}");
        }
    }

    #[test]
    fn hosts_are_names_or_addresses_and_nothing_else() {
        for good in
            ["8.8.8.8", "2001:db8::1", "www.example.com", "www.example.com.", "localhost", "a_b.c"]
        {
            read(json!({ "type": "ping", "host": good })).unwrap().validate().unwrap();
        }
        let long = format!("{}.example", "a".repeat(64));
        for bad in [
            "",
            ".",
            "a b",
            "a\n",
            "a;reboot",
            "-c1",
            "a..b",
            "300.1.1.1",
            "1.2.3",
            "fe80::1%ether1",
            "[::1]",
            "http://a/",
            "größe.example",
            "$(id)",
            long.as_str(),
        ] {
            assert_eq!(wrong(json!({ "type": "ping", "host": bad })), "/test/host", "{bad:?}");
        }
    }

    #[test]
    fn urls_are_plain_http() {
        let good =
            json!({ "type": "download_speed", "url": "http://speed.example:8080/10MB.bin?x=1" });
        read(good).unwrap().validate().unwrap();
        for bad in [
            "",
            "speed.example",
            "https://a/",
            "ftp://a/",
            "file:///etc/passwd",
            "http://",
            "http://u:p@a/",
            "http://u@a/",
            "http://a/ b",
            "http://a/\tb",
            "http://größe/",
        ] {
            let test = json!({ "type": "upload_speed", "url": bad, "bytes": 1 });
            assert_eq!(wrong(test), "/test/url", "{bad:?}");
        }
        let long = format!("http://a/{}", "x".repeat(MAX_TARGET));
        assert_eq!(wrong(json!({ "type": "download_speed", "url": long })), "/test/url");
    }

    #[test]
    fn numbers_have_bounds() {
        for (field, bad) in [
            ("count", 0),
            ("count", 101),
            ("size", 0),
            ("size", 65_536),
            ("timeout_ms", 0),
            ("timeout_ms", 60_001),
        ] {
            let mut test = json!({ "type": "ping", "host": "a" });
            test[field] = json!(bad);
            assert_eq!(wrong(test), format!("/test/{field}"));
        }
        for (field, bad) in [("tries", 4), ("max_hops", 65), ("max_hops", 0)] {
            let mut test = json!({ "type": "traceroute", "host": "a" });
            test[field] = json!(bad);
            assert_eq!(wrong(test), format!("/test/{field}"));
        }
        let upload = json!({ "type": "upload_speed", "url": "http://a/", "bytes": 1_000_000_001 });
        assert_eq!(wrong(upload), "/test/bytes");
    }
}
