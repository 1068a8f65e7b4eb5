#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::config::TlsMode;

fn find<'r>(report: &'r Report, subject: &str) -> &'r Finding {
    report.findings.iter().find(|finding| finding.subject == subject).unwrap()
}

/// A configuration whose listeners take free ports and whose data directory is `dir`.
fn config(dir: &tempfile::TempDir) -> Config {
    let mut config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
    let free = "127.0.0.1:0".parse().unwrap();
    (config.acs.listen, config.web.listen, config.metrics.listen) = (free, free, free);
    config
}

#[tokio::test]
async fn a_configuration_that_does_not_load_is_the_only_finding() {
    let env = [("MUSTER_ACS__LISEN".to_owned(), "x".to_owned())].into_iter();
    let report = run(Config::load(None, env)).await;
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.exit_code(), 1);
    assert!(report.to_string().contains("MUSTER_ACS__LISTEN"), "{report}");
}

#[tokio::test]
async fn a_port_that_another_program_holds_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(&dir);
    config.acs.listen = other.local_addr().unwrap();
    let report = run(Ok(config)).await;
    assert_eq!(find(&report, "CWMP port").severity, Severity::Error);
    assert_eq!(find(&report, "dashboard port").severity, Severity::Ok);
    assert_eq!(find(&report, "data directory").severity, Severity::Ok);
    assert_eq!(report.exit_code(), 1);
}

#[tokio::test]
async fn an_open_lab_and_an_unknown_name_are_said_aloud() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    config.acs.auth = AuthMode::None;
    // No label may have 64 letters, so no name server is asked.
    config.acs.public_url = Some(format!("http://{}:7547", "a".repeat(64)));
    config.acs.tls = TlsMode::Files;
    config.acs.tls_cert = Some(dir.path().join("missing.pem"));
    config.acs.tls_key = Some(dir.path().join("missing.key"));
    let report = run(Ok(config)).await;
    assert_eq!(find(&report, "device authentication").severity, Severity::Warning);
    assert_eq!(find(&report, "files").severity, Severity::Warning);
    assert_eq!(find(&report, "public address").severity, Severity::Error);
    assert_eq!(find(&report, "TLS certificate").severity, Severity::Error);
    assert!(find(&report, "TLS certificate").message.contains("missing.pem"), "{report}");
}

#[tokio::test]
async fn a_public_address_that_nobody_set_is_a_warning_that_says_what_to_set() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    config.acs.public_url = None;
    let report = run(Ok(config)).await;
    let finding = find(&report, "public address");
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.message.contains("acs.public_url is not set"), "{report}");
    assert!(finding.mend.contains("http://acs.example:7547"), "{report}");
}

#[tokio::test]
async fn the_dashboards_way_out_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    config.web.public_url = Some(format!("https://{}", "a".repeat(64)));
    config.web.tls = TlsMode::Files;
    config.web.tls_cert = Some(dir.path().join("missing.pem"));
    config.web.tls_key = Some(dir.path().join("missing.key"));
    let report = run(Ok(config.clone())).await;
    assert_eq!(find(&report, "dashboard's TLS").severity, Severity::Error);
    assert_eq!(find(&report, "files").severity, Severity::Warning);
    config.acs.public_url = Some("https://192.0.2.1".to_owned());
    assert!(!exposure(&config).iter().any(|finding| finding.subject == "files"));
    config.acs.public_url = None;
    assert_eq!(find(&report, "dashboard's address").severity, Severity::Error);
    assert_eq!(find(&report, "TLS certificate").severity, Severity::Ok);
    // Set, but not to be used.
    config.web.tls = TlsMode::SelfMade;
    config.web.public_url = None;
    let report = run(Ok(config)).await;
    assert_eq!(find(&report, "dashboard's TLS").severity, Severity::Warning);
    assert!(!report.findings.iter().any(|finding| finding.subject == "single sign-on"));
}

#[tokio::test]
async fn a_login_provider_that_does_not_answer_is_an_error_without_the_secret() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    let env = [
        // Nothing listens on port 1, so the connection is refused at once.
        ("MUSTER_OIDC__ISSUER", "http://127.0.0.1:1"),
        ("MUSTER_OIDC__CLIENT_ID", "muster"),
        ("MUSTER_OIDC__CLIENT_SECRET", "sesame"),
        ("MUSTER_WEB__PUBLIC_URL", "http://127.0.0.1:8080"),
    ];
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let loaded = Config::load(None, env).unwrap();
    (config.oidc, config.web.public_url) = (loaded.oidc, loaded.web.public_url);
    let report = run(Ok(config)).await;
    let finding = find(&report, "single sign-on");
    assert_eq!(finding.severity, Severity::Error);
    assert!(finding.message.contains("http://127.0.0.1:1"), "{report}");
    assert!(!report.to_string().contains("sesame"), "{report}");
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_an_error_without_its_password() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing listens on port 1, so the connection is refused at once.
    let url = ("DATABASE_URL".to_owned(), "postgres://m:sesame@127.0.0.1:1/m".to_owned());
    let mut config = config(&dir);
    config.database = Config::load(None, [url].into_iter()).unwrap().database;
    let report = run(Ok(config)).await;
    assert_eq!(find(&report, "database").severity, Severity::Error);
    assert!(!report.to_string().contains("sesame"), "{report}");
}

#[test]
fn certificates_are_judged_by_their_days() {
    const DAY: i64 = 86_400;
    let judged = |now| tls::judge("", (10 * DAY, 100 * DAY), now * DAY).severity;
    assert_eq!(judged(9), Severity::Error);
    assert_eq!(judged(11), Severity::Ok);
    assert_eq!(judged(80), Severity::Warning);
    assert_eq!(judged(100), Severity::Error);
}

#[test]
fn the_open_files_limit_is_the_soft_one() {
    let limits = |soft: &str| {
        format!("Limit  Soft Limit  Hard Limit  Units\nMax open files  {soft}  1048576  files\n")
    };
    assert_eq!(machine::open_files(&limits("1024")).severity, Severity::Warning);
    assert_eq!(machine::open_files(&limits("65536")).severity, Severity::Ok);
    assert_eq!(machine::open_files(&limits("unlimited")).severity, Severity::Ok);
    assert_eq!(machine::open_files("").severity, Severity::Warning);
}
