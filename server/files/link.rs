//! Links to files: signed, expiring, and bound to one device and one file or job.
//!
//! Pure. The token stands in the path before the file's name, because RouterOS decides by the end of
//! the URL what a file is (`.alter` rule), and it is short, because a CWMP URL has at most 256
//! characters (TR-069 A.3.2.8). It is the only thing that opens a file: it must never be logged.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::config::{AcsConfig, Config, TlsMode};
use crate::fleet::secret::Keys;

/// Two ids and the expiry.
const SIGNED: usize = 16 + 16 + 4;
/// Bytes of the HMAC that are kept: 128 bits (RFC 2104 section 5 asks for at least 80).
const TAG: usize = 16;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// The device fetches an artifact.
    Download,
    /// The device sends the file of an upload job.
    Upload,
}

impl LinkKind {
    /// The word in metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Upload => "upload",
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Download => 'f',
            Self::Upload => 'u',
        }
    }
}

/// What a link says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// What it is for.
    pub kind: LinkKind,
    /// The device it was given to.
    pub device_id: Uuid,
    /// The artifact or package of a download; the job of an upload, and of an upgrade, for which the
    /// file is made.
    pub subject: Uuid,
    /// The second at which it ends, in Unix time; the 32 bits of the token hold it until 2106.
    pub expires: i64,
}

/// What a device calls us, `http(s)://host:port`: files must be reachable the same way. By the address
/// that is configured, else the one that it asked for, else the one that it reached.
pub fn base(public_url: Option<&str>, tls: bool, host: Option<&str>, local: SocketAddr) -> String {
    if let Some(url) = public_url {
        return url.to_owned();
    }
    let scheme = if tls { "https" } else { "http" };
    let plain_host = |h: &&str| {
        !h.is_empty()
            && h.len() <= 100
            && h.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b))
    };
    match host.filter(plain_host) {
        Some(host) => format!("{scheme}://{host}"),
        None => format!("{scheme}://{local}"),
    }
}

/// Whether devices fetch files without TLS, as far as the configuration tells.
pub fn is_plain(acs: &AcsConfig) -> bool {
    match &acs.public_url {
        Some(url) => !url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:")),
        None => acs.tls == TlsMode::Off,
    }
}

/// When a link that is given now ends, in Unix time.
pub fn expiry(config: &Config, now_unix: i64) -> i64 {
    now_unix + i64::try_from(config.files.url_lifetime_seconds).unwrap_or(86_400)
}

/// The path of the link, `/f/<token>/` or `/u/<token>/`; the file's name is appended to it.
pub fn path(keys: &Keys, link: &Link) -> String {
    let expires = u32::try_from(link.expires.max(0)).unwrap_or(u32::MAX);
    let mut token = Vec::with_capacity(SIGNED + TAG);
    token.extend_from_slice(link.device_id.as_bytes());
    token.extend_from_slice(link.subject.as_bytes());
    token.extend_from_slice(&expires.to_be_bytes());
    let tag = mac(keys, link.kind, &token).finalize().into_bytes();
    token.extend_from_slice(&tag[..TAG]);
    format!("/{}/{}/", link.kind.letter(), URL_SAFE_NO_PAD.encode(token))
}

/// What a token says, if this installation signed it for this use and it has not expired.
pub fn open(keys: &Keys, kind: LinkKind, token: &str, now_unix: i64) -> Option<Link> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (signed, tag) = bytes.split_at_checked(SIGNED)?;
    if tag.len() != TAG {
        return None;
    }
    mac(keys, kind, signed).verify_truncated_left(tag).ok()?;
    let (device_id, rest) = signed.split_first_chunk::<16>()?;
    let (subject, rest) = rest.split_first_chunk::<16>()?;
    let (expires, _) = rest.split_first_chunk::<4>()?;
    let expires = i64::from(u32::from_be_bytes(*expires));
    let device_id = Uuid::from_bytes(*device_id);
    let subject = Uuid::from_bytes(*subject);
    (expires > now_unix).then_some(Link { kind, device_id, subject, expires })
}

fn mac(keys: &Keys, kind: LinkKind, signed: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&keys.derive("file links"))
        .expect("HMAC takes a key of any length");
    mac.update(kind.word().as_bytes());
    mac.update(signed);
    mac
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn keys() -> Keys {
        Keys::new([3; 32])
    }

    fn link(kind: LinkKind) -> Link {
        let device_id = Uuid::from_u128(0x0123_4567_89ab_5def_8123_4567_89ab_cdef);
        let subject = Uuid::from_u128(0xfedc_ba98_7654_7210_bedc_ba98_7654_3210);
        Link { kind, device_id, subject, expires: NOW + 60 }
    }

    fn token(path: &str) -> String {
        path[3..].trim_end_matches('/').to_owned()
    }

    #[test]
    fn a_link_comes_back_until_it_expires_and_only_to_who_signed_it() {
        for (kind, start) in [(LinkKind::Download, "/f/"), (LinkKind::Upload, "/u/")] {
            let link = link(kind);
            let path = path(&keys(), &link);
            assert!(path.starts_with(start) && path.ends_with('/'), "{path}");
            let token = token(&path);
            assert_eq!(open(&keys(), kind, &token, NOW), Some(link));
            assert_eq!(open(&keys(), kind, &token, NOW + 59), Some(link));
            assert_eq!(open(&keys(), kind, &token, NOW + 60), None);
            assert_eq!(open(&Keys::new([4; 32]), kind, &token, NOW), None);
        }
    }

    #[test]
    fn a_device_is_told_the_address_by_which_it_reaches_us() {
        let local: SocketAddr = "192.0.2.1:7547".parse().unwrap();
        for (public_url, tls, host, expected) in [
            (Some("https://acs.example"), false, Some("10.0.0.1"), "https://acs.example"),
            (None, true, Some("acs.example:7547"), "https://acs.example:7547"),
            (None, false, Some("[2001:db8::1]:7547"), "http://[2001:db8::1]:7547"),
            (None, false, Some("evil\"/x"), "http://192.0.2.1:7547"),
            (None, false, None, "http://192.0.2.1:7547"),
        ] {
            assert_eq!(base(public_url, tls, host, local), expected, "{host:?}");
        }
    }

    #[test]
    fn a_link_for_one_use_does_not_serve_the_other() {
        let token = token(&path(&keys(), &link(LinkKind::Download)));
        assert_eq!(open(&keys(), LinkKind::Upload, &token, NOW), None);
    }

    #[test]
    fn no_byte_can_be_changed_added_or_left_out() {
        let link = link(LinkKind::Download);
        let good = token(&path(&keys(), &link));
        let opens = |token: &str| open(&keys(), LinkKind::Download, token, NOW).is_some();
        let bytes = URL_SAFE_NO_PAD.decode(&good).unwrap();
        for i in 0..bytes.len() {
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[i] ^= 1 << bit;
                assert!(!opens(&URL_SAFE_NO_PAD.encode(bad)), "byte {i} bit {bit}");
            }
            assert!(!opens(&URL_SAFE_NO_PAD.encode(&bytes[..i])), "cut at {i}");
        }
        for i in 0..good.len() {
            // Also in the text: no second spelling of the same bytes is taken.
            for other in "AQgw-_".chars().filter(|c| !good[i..].starts_with(*c)) {
                let bad = format!("{}{other}{}", &good[..i], &good[i + 1..]);
                assert!(!opens(&bad), "character {i} as {other}");
            }
        }
        for bad in [String::new(), format!("{good}A"), format!("{good}="), "ü".to_owned()] {
            assert!(!opens(&bad), "{bad}");
        }
    }

    #[test]
    fn an_expiry_beyond_the_token_is_cut_and_one_in_the_past_is_past() {
        let far = Link { expires: i64::MAX, ..link(LinkKind::Upload) };
        let opened = open(&keys(), LinkKind::Upload, &token(&path(&keys(), &far)), NOW).unwrap();
        assert_eq!(opened.expires, i64::from(u32::MAX));
        let past = Link { expires: -1, ..far };
        assert_eq!(open(&keys(), LinkKind::Upload, &token(&path(&keys(), &past)), NOW), None);
    }

    #[test]
    fn a_long_base_and_a_long_name_fit_into_a_cwmp_url() {
        let base = format!("https://{}:7547", "h".repeat(47));
        assert_eq!(base.len(), 60);
        let url = format!("{base}{}{}", path(&keys(), &link(LinkKind::Download)), "n".repeat(80));
        assert!(url.len() <= crate::jobs::download::MAX_URL, "{}", url.len());
    }
}
