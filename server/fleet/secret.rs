//! Which parameters are secret, the key that seals them, and what is derived from it.
//!
//! Owns the rule that a secret never reaches the database in clear, a log, an export or an answer.
//! The key lies in a file beside the data directory's database, never in it.

use std::io::Write;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, Key, KeyInit, Nonce};
use hmac::{Hmac, Mac};
use muster_cwmp::fault::Fault;
use sha2::Sha256;

use crate::error::Error;

/// What is shown in place of a secret.
pub const MASK: &str = "********";
/// A secret of fewer characters would be found in every other word.
const MIN_SECRET: usize = 4;
/// Bytes that stand before what is sealed, other ones each time.
const NONCE: usize = 12;

/// Whether a parameter's value is a secret: by the last part of its name, as TR-181 names them and
/// as RouterOS hides them.
pub fn is_secret(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
    const ENDINGS: [&str; 16] = [
        "password",
        "passwd",
        "passcode",
        "psk",
        "puk",
        "token",
        "community",
        "wepkey1",
        "passphrase",
        "presharedkey",
        "privatekey",
        "secret",
        "wepkey",
        "sharedkey",
        "authkey",
        "pin",
    ];
    ENDINGS.iter().any(|e| last.ends_with(e))
}

/// A text without the secrets that its author was told: a device that refuses a value may repeat it.
pub fn without(text: &str, told: &[String]) -> String {
    let mut told: Vec<&str> = told.iter().map(String::as_str).collect();
    told.retain(|secret| secret.chars().count() >= MIN_SECRET);
    // The longest first: one may hold another.
    told.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    told.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
}

/// The same of a fault, with all that it says of single parameters.
pub fn fault_without(mut fault: Fault, told: &[String]) -> Fault {
    fault.text = without(&fault.text, told);
    for parameter in &mut fault.parameters {
        parameter.text = without(&parameter.text, told);
    }
    fault
}

/// A URL without what opens it: user and password, the query, and the token of Muster's own file
/// links (`/f/<token>/<name>`, `/u/<token>/<name>`).
pub fn link(url: &str) -> String {
    let (address, query) = match url.split_once('?') {
        Some((address, _)) => (address, format!("?{MASK}")),
        None => (url, String::new()),
    };
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), address),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{MASK}@{host}"),
        None => authority.to_owned(),
    };
    let mut before = "";
    let mut shown = Vec::new();
    for segment in path.split('/') {
        let token = matches!(before, "f" | "u") && !segment.is_empty();
        shown.push(if token { MASK } else { segment });
        before = segment;
    }
    format!("{scheme}{authority}{}{query}", shown.join("/"))
}

/// The installation's master key and what is made from it.
#[derive(Clone)]
pub struct Keys {
    master: [u8; 32],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl Keys {
    /// From 32 bytes.
    pub fn new(master: [u8; 32]) -> Self {
        Self { master }
    }

    /// Reads the key file (64 hex digits), or makes one that only its owner can read.
    pub fn load_or_make(path: &Path) -> Result<Self, Error> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let mut master = [0_u8; 32];
                hex::decode_to_slice(text.trim(), &mut master).map_err(|_| {
                    Error::Internal(format!("{} does not hold 64 hex digits", path.display()))
                })?;
                Ok(Self::new(master))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let master: [u8; 32] = rand::random();
                make(path, &master)
                    .map_err(|e| Error::Internal(format!("{}: {e}", path.display())))?;
                Ok(Self::new(master))
            }
            Err(e) => Err(Error::Internal(format!("{}: {e}", path.display()))),
        }
    }

    /// A key for one purpose; purposes never share one.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.master).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Seals `clear`; `context` (a device id, a name) must be the same to open it, so that a sealed
    /// value moved to another row does not open there.
    pub fn seal(&self, clear: &str, context: &str) -> Vec<u8> {
        self.seal_bytes(clear.as_bytes(), context)
    }

    /// [`Keys::seal`] of what need not be text; what comes of it is longer.
    pub fn seal_bytes(&self, clear: &[u8], context: &str) -> Vec<u8> {
        let mut body = clear.to_vec();
        let nonce = self.seal_in_place(&mut body, context);
        [nonce.as_slice(), &body].concat()
    }

    /// The same without a second copy of it: gives what is to stand before what is left in `body`.
    pub fn seal_in_place(&self, body: &mut Vec<u8>, context: &str) -> [u8; NONCE] {
        let nonce: [u8; NONCE] = rand::random();
        self.cipher()
            .encrypt_in_place(&Nonce::from(nonce), context.as_bytes(), body)
            .expect("a value in memory is within the cipher's limit of 256 GiB");
        nonce
    }

    /// Opens what [`Keys::seal`] made with the same context.
    pub fn open(&self, sealed: &[u8], context: &str) -> Result<String, Error> {
        String::from_utf8(self.open_bytes(sealed, context)?).map_err(|_| broken())
    }

    /// Opens what [`Keys::seal_bytes`] made with the same context.
    pub fn open_bytes(&self, sealed: &[u8], context: &str) -> Result<Vec<u8>, Error> {
        let mut body = sealed.to_vec();
        self.open_in_place(&mut body, context)?;
        Ok(body)
    }

    /// The same without a second copy of it; what does not open is lost.
    pub fn open_in_place(&self, sealed: &mut Vec<u8>, context: &str) -> Result<(), Error> {
        let nonce = Nonce::from(*sealed.first_chunk::<NONCE>().ok_or_else(broken)?);
        sealed.drain(..NONCE);
        let opened = self.cipher().decrypt_in_place(&nonce, context.as_bytes(), sealed);
        opened.map_err(|_| broken())
    }

    /// [`Keys::seal`] as text for JSON.
    pub fn seal_text(&self, clear: &str, context: &str) -> String {
        STANDARD_NO_PAD.encode(self.seal(clear, context))
    }

    /// Opens what [`Keys::seal_text`] made.
    pub fn open_text(&self, sealed: &str, context: &str) -> Result<String, Error> {
        let bytes = STANDARD_NO_PAD
            .decode(sealed)
            .map_err(|_| Error::Internal("a sealed value is not base64".into()))?;
        self.open(&bytes, context)
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&Key::from(self.derive("seal")))
    }
}

fn broken() -> Error {
    Error::Internal("a sealed value does not open: is secret.key the right one?".to_owned())
}

/// A password of 24 characters that survives every form, shell and script.
pub fn new_password() -> String {
    password_from(&rand::random::<[u8; 24]>())
}

/// A password made of the given bytes: one character each, without the look-alikes 0O1lI.
pub fn password_from(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 57] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    bytes.iter().map(|b| char::from(LETTERS[usize::from(*b) % LETTERS.len()])).collect()
}

fn make(path: &Path, master: &[u8; 32]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", hex::encode(master))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use muster_cwmp::fault::{FaultCode, ParameterFault};

    #[test]
    fn secrets_are_known_by_name() {
        for name in [
            "Device.ManagementServer.Password",
            "Device.ManagementServer.ConnectionRequestPassword",
            "Device.WiFi.AccessPoint.1.Security.KeyPassphrase",
            "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1.PreSharedKey.1.PreSharedKey",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in
            ["Device.ManagementServer.Username", "Device.WiFi.SSID.1.SSID", "Device.IP.Ping"]
        {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn what_opens_a_url_is_masked_and_where_it_leads_is_not() {
        for (url, shown) in [
            ("http://acs:7547/f/AbC-_9/change.alter", "http://acs:7547/f/********/change.alter"),
            ("https://acs/below/u/AbC/log.txt", "https://acs/below/u/********/log.txt"),
            ("ftp://ann:hunter2@host/x.npk?sig=hunter2", "ftp://********@host/x.npk?********"),
            ("http://host", "http://host"),
            ("/next?a=hunter2", "/next?********"),
            ("", ""),
        ] {
            assert_eq!(link(url), shown);
        }
    }

    #[test]
    fn what_was_told_is_not_repeated() {
        let told = ["hunter2", "hunter2-and-more", "abc"].map(str::to_owned);
        let said = "abc: no hunter2-and-more, no hunter2";
        assert_eq!(without(said, &told), "abc: no ********, no ********");
        let mut fault = Fault::new(FaultCode(9003), "hunter2");
        let text = "\"hunter2\" is too short".to_owned();
        fault.parameters.push(ParameterFault {
            name: "Device.X".to_owned(),
            code: FaultCode(9007),
            text,
        });
        let fault = fault_without(fault, &told);
        assert_eq!((fault.text.as_str(), fault.code), (MASK, FaultCode(9003)));
        assert_eq!(fault.parameters[0].text, "\"********\" is too short");
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_place() {
        let keys = Keys::new([7; 32]);
        let sealed = keys.seal("hunter2", "device a");
        assert_eq!(keys.open(&sealed, "device a").unwrap(), "hunter2");
        assert!(keys.open(&sealed, "device b").is_err());
        assert!(Keys::new([8; 32]).open(&sealed, "device a").is_err());
        assert!(!sealed.windows(7).any(|w| w == b"hunter2"));
        let octets = keys.seal_bytes(&[0xff, 0], "device a");
        assert_eq!(keys.open_bytes(&octets, "device a").unwrap(), [0xff, 0]);
        assert!(keys.open(&octets, "device a").is_err(), "it is no text");
        let mut body = vec![0xff, 0];
        let nonce = keys.seal_in_place(&mut body, "device a");
        let mut whole = [nonce.as_slice(), &body].concat();
        assert_eq!(keys.open_bytes(&whole, "device a").unwrap(), [0xff, 0]);
        keys.open_in_place(&mut whole, "device a").unwrap();
        assert_eq!(whole, [0xff, 0]);
        assert!(keys.open_in_place(&mut whole, "device a").is_err(), "it is too short");
        for cut in 0..sealed.len() {
            assert!(keys.open(&sealed[..cut], "device a").is_err());
        }
    }

    #[test]
    fn the_key_file_is_made_once_and_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret.key");
        let sealed = Keys::load_or_make(&path).unwrap().seal("x", "");
        assert_eq!(Keys::load_or_make(&path).unwrap().open(&sealed, "").unwrap(), "x");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "short").unwrap();
        assert!(Keys::load_or_make(&path).is_err());
    }
}
