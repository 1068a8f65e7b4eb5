//! `muster doctor`: looks at a configuration and the machine under it, and says how to mend what it
//! finds. Must never change anything: it runs beside a Muster that serves.

mod bench;
mod database;
mod machine;
mod network;
mod oidc;
mod tls;

use std::fmt;

use crate::config::{AuthMode, Config, ConfigError, OfferBasic, TlsMode};
use crate::files::link;
use crate::store::pg;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Works, but an operator should know.
    Warning,
    /// Muster or its devices will fail.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at, in a few words.
    pub subject: &'static str,
    /// What was found.
    pub message: String,
    /// How to mend it, in one sentence; empty when there is nothing to mend or the message says it.
    pub mend: &'static str,
}

/// All findings, in the order of looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
}

/// Looks at everything. Takes some seconds at most, when servers do not answer.
pub async fn run(config: Result<Config, ConfigError>) -> Report {
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            let mend = "Correct it there; docs/configuration.md lists every key.";
            let findings = vec![Finding::error("configuration", error.to_string(), mend)];
            return Report { findings };
        }
    };
    let mut findings = vec![Finding::ok("configuration", "valid")];
    findings.extend(machine::check(&config));
    findings.extend(database::check(&config).await);
    findings.extend(network::check(&config).await);
    findings.extend(tls::check(&config));
    findings.extend(oidc::check(&config).await);
    findings.extend(bench::check(&config).await);
    findings.extend(exposure(&config));
    Report { findings }
}

/// What the configuration opens to others on purpose.
fn exposure(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    match config.acs.auth {
        AuthMode::Device => findings.push(Finding::ok("device authentication", "on")),
        AuthMode::None => findings.push(Finding::warning(
            "device authentication",
            "off: whoever knows a serial number is that device".to_owned(),
            "Set acs.auth = \"device\" outside a lab.",
        )),
    }
    if config.acs.offer_basic == OfferBasic::Always || config.wake.allow_basic {
        findings.push(Finding::warning(
            "passwords",
            "Basic is allowed without TLS, which sends them readable".to_owned(),
            "Set acs.offer_basic = \"tls\" and wake.allow_basic = false.",
        ));
    }
    if link::is_plain(&config.acs) {
        findings.push(Finding::warning(
            "files",
            "devices fetch packages and scripts over plain HTTP".to_owned(),
            "Set acs.tls, or acs.public_url to the https address of the proxy before it.",
        ));
    }
    let (web, metrics) = (&config.web, config.metrics.listen);
    if !web.listen.ip().is_loopback() && web.tls == TlsMode::Off {
        findings.push(Finding::warning(
            "dashboard",
            format!("served on {} without TLS, for the proxy in front of it", web.listen),
            "Let nobody but the proxy reach it, or set web.tls.",
        ));
    }
    if !metrics.ip().is_loopback() {
        findings.push(Finding::warning(
            "metrics",
            format!("served on {metrics}, beyond this host and without TLS"),
            "Listen on 127.0.0.1, or let nobody but Prometheus reach it.",
        ));
    }
    findings
}

/// Whether a Muster on this data directory and database is running now.
async fn muster_runs(config: &Config) -> bool {
    match config.database.url {
        None => pg::is_locked(&config.data_dir),
        // Of the three listeners the one that never speaks TLS.
        Some(_) => network::answers_health(config.metrics.listen).await,
    }
}

impl Finding {
    fn ok(subject: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, subject, message: message.into(), mend: "" }
    }

    fn warning(subject: &'static str, message: String, mend: &'static str) -> Self {
        Self { severity: Severity::Warning, subject, message, mend }
    }

    fn error(subject: &'static str, message: String, mend: &'static str) -> Self {
        Self { severity: Severity::Error, subject, message, mend }
    }
}

impl Report {
    /// The worst of all findings.
    pub fn worst(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }

    /// What the process should exit with: 1 when anything is in error, 0 otherwise.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.worst() == Severity::Error)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let severity = match finding.severity {
                Severity::Ok => "ok",
                Severity::Warning => "warning",
                Severity::Error => "ERROR",
            };
            writeln!(f, "{severity:<8} {}: {}", finding.subject, finding.message)?;
            if !finding.mend.is_empty() {
                writeln!(f, "{:<8} {}", "", finding.mend)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
