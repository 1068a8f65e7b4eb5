//! The login provider: answers, names itself as configured, and what it must know of Muster.

use super::Finding;
use crate::access::oidc::Provider;
use crate::config::Config;

const SUBJECT: &str = "single sign-on";

pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let Some(issuer) = &config.oidc.issuer else { return Vec::new() };
    let provider = match Provider::new(config) {
        Ok(Some(provider)) => provider,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![Finding::error(SUBJECT, error.private(), "")],
    };
    let found = match provider.probe().await {
        Ok(()) => {
            let back = provider.redirect_uri();
            Finding::ok(SUBJECT, format!("{issuer} answers; it must send browsers back to {back}"))
        }
        Err(reason) => Finding::error(
            SUBJECT,
            format!("{issuer}: {reason}"),
            "Start the provider, or set oidc.issuer exactly as its discovery document has it.",
        ),
    };
    let mut findings = vec![found];
    if let Some(claim) = &config.oidc.roles_claim {
        findings.push(Finding::warning(
            SUBJECT,
            format!("whoever writes the claim `{claim}` makes administrators of Muster"),
            "Right if that is meant; otherwise unset oidc.roles_claim and grant roles in Muster.",
        ));
    }
    findings
}
