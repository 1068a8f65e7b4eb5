//! How a board finds its way to Muster, and who it is there.

use serde_json::Value;

use crate::config::TlsMode;
use crate::ctx::App;
use crate::error::Error;
use crate::fleet::claim::Login;
use crate::fleet::variables::Variables;
use crate::store::claims::Claim;

/// How a board reaches Muster when it has started.
pub(super) struct Access {
    url: Option<String>,
    username: String,
    password: String,
    ca_certificate: Option<String>,
}

/// What a board is told. One that is claimed gets the credential of its claim, whether or not the claim
/// asks for that: whoever reads its script can come as no other device.
pub(super) async fn access(app: &App, claim: Option<&Claim>) -> Result<Access, Error> {
    let acs = &app.config.acs;
    let (username, password) = match claim.map(|claim| Login::of(&app.keys, claim.claim_id)) {
        Some(login) => (login.username.clone(), login.expose_password().to_owned()),
        None => {
            let shared = &app.enrolment;
            (shared.username.clone(), shared.expose_password().to_owned())
        }
    };
    let ca_certificate = match acs.tls {
        // Signed by itself, so that who trusts it trusts the server.
        TlsMode::SelfMade => {
            let path = app.config.data_dir.join("tls").join("cert.pem");
            let unread = |e: std::io::Error| Error::Internal(format!("{}: {e}", path.display()));
            Some(tokio::fs::read_to_string(&path).await.map_err(unread)?)
        }
        TlsMode::Off | TlsMode::Files => None,
    };
    Ok(Access { url: acs.public_url.clone(), username, password, ca_certificate })
}

/// What Muster knows by itself. The credential is always the board's own; where devices of a site call
/// the server by another name, or trust another authority, its variables say so.
pub(super) fn add_own(given: &mut Variables, access: &Access) {
    let values = &mut given.0;
    values.insert("acs_username".to_owned(), Value::from(access.username.clone()));
    values.insert("acs_password".to_owned(), Value::from(access.password.clone()));
    let known = [("acs_url", &access.url), ("ca_certificate", &access.ca_certificate)];
    for (name, value) in known {
        if let Some(value) = value {
            values.entry(name.to_owned()).or_insert_with(|| Value::from(value.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn muster_gives_its_own_credential_and_leaves_addresses_to_the_site() {
        let access = Access {
            url: Some("https://acs.example".to_owned()),
            username: "claim-1".to_owned(),
            password: "hunter22".to_owned(),
            ca_certificate: None,
        };
        let mut given = Variables::default();
        add_own(&mut given, &access);
        assert_eq!(given.0["acs_url"], "https://acs.example");
        assert_eq!(given.0["acs_username"], "claim-1");
        assert!(!given.0.contains_key("ca_certificate"));
        let said = json!({ "acs_url": "https://acs.site", "acs_password": "of somebody else" });
        let mut given: Variables = serde_json::from_value(said).unwrap();
        add_own(&mut given, &access);
        assert_eq!(given.0["acs_url"], "https://acs.site");
        assert_eq!(given.0["acs_password"], "hunter22");
    }
}
