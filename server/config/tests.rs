#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;

use super::*;

/// Loads `file` with `env` laid over it; an empty text is an empty file, never a stray `muster.toml`.
fn load(file: &str, env: &[(&str, &str)]) -> Result<Config, String> {
    let mut on_disk = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    on_disk.write_all(file.as_bytes()).unwrap();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(Some(on_disk.path()), env).map_err(|error| error.to_string())
}

#[test]
fn nothing_set_gives_the_defaults() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.acs, AcsConfig::default());
    assert_eq!(config.acs.listen.to_string(), "0.0.0.0:7547");
    assert_eq!(config.web.listen.to_string(), "127.0.0.1:8080");
    assert!(config.data_dir.is_absolute());
    assert_eq!(config.artifact_dir(), config.data_dir.join("artifacts"));
}

#[test]
fn the_environment_overlays_the_file_whatever_the_type() {
    let file = "data_dir = \"/a\"\n[acs]\nlisten = \"127.0.0.1:1\"\nmax_sessions = 7\n";
    let config = load(
        file,
        &[
            ("MUSTER_DATA_DIR", "/b"),
            ("MUSTER_ACS__LISTEN", "[::1]:2"),
            ("MUSTER_ACS__READ_ON_FIRST_CONTACT", "false"),
            ("MUSTER_ACS__INFORM_INTERVAL_SECONDS", "300"),
            ("MUSTER_ACS__IDENTITY", "oui-class-serial"),
            ("MUSTER_ACS__PUBLIC_URL", ""),
            ("MUSTER_WAKE__ALLOWED_NETWORKS", "127.0.0.0/8, ::1/128"),
            ("MUSTER_WAKE__FORBIDDEN_NETWORKS", ","),
            ("HOME", "/ignored"),
        ],
    )
    .unwrap();
    assert_eq!(config.data_dir, Path::new("/b"));
    assert_eq!(config.acs.listen.to_string(), "[::1]:2");
    assert_eq!(config.acs.max_sessions, 7);
    assert!(!config.acs.read_on_first_contact);
    assert_eq!(config.acs.inform_interval_seconds, Some(300));
    assert_eq!(config.acs.identity, IdentityMode::OuiClassSerial);
    assert_eq!(config.acs.public_url, None);
    assert_eq!(config.wake.allowed_networks.len(), 2);
    assert!(config.wake.forbidden_networks.is_empty());
}

#[test]
fn database_url_comes_before_every_other_source_and_stays_secret() {
    let config = load(
        "[database]\nurl = \"postgres://file/x\"\n",
        &[
            ("DATABASE_URL", "postgres://m:sesame@customary/x"),
            ("MUSTER_DATABASE__URL", "postgres://muster/x"),
        ],
    )
    .unwrap();
    assert_eq!(config.database.url.as_ref().unwrap().expose(), "postgres://m:sesame@customary/x");
    assert!(!format!("{config:?}").contains("sesame"));
}

#[test]
fn an_error_in_the_file_names_line_key_and_what_is_allowed() {
    let error = load("\n[acs]\nauth = \"device\"\nlisten = \"7547\"\n", &[]).unwrap_err();
    assert!(error.contains(".toml line 4"), "{error}");
    assert!(error.contains("listen = \"7547\""), "{error}");
    assert!(error.contains("such as 0.0.0.0:7547"), "{error}");

    let error = load("[acs]\nlisen = \"0.0.0.0:1\"\n", &[]).unwrap_err();
    assert!(error.contains("line 2") && error.contains("lisen"), "{error}");
    assert!(error.contains("`listen`"), "{error}");

    let error = load("[acs]\nauth = \"maybe\"\n", &[]).unwrap_err();
    assert!(error.contains("`device`") && error.contains("`none`"), "{error}");
}

#[test]
fn an_error_in_the_environment_names_the_variable() {
    let error = load("", &[("MUSTER_ACS__LISEN", "0.0.0.0:1")]).unwrap_err();
    assert!(error.starts_with("MUSTER_ACS__LISEN: "), "{error}");
    assert!(error.ends_with("MUSTER_ACS__LISTEN"), "{error}");

    let error = load("", &[("MUSTER_WAKE__ALLOWED_NETWORKS", "10.0.0.0/99")]).unwrap_err();
    assert!(error.starts_with("MUSTER_WAKE__ALLOWED_NETWORKS: wake.allowed_networks: "), "{error}");
    assert!(!error.contains("invalid type"), "{error}");
}

#[test]
fn a_rule_over_several_keys_names_where_the_value_came_from() {
    let error = load("[acs]\ntls = \"files\"\ntls_key = \"/k\"\n", &[]).unwrap_err();
    assert!(error.contains("acs.tls_cert"), "{error}");

    let error = load("[acs]\n\npublic_url = \"acs.example\"\n", &[]).unwrap_err();
    assert!(error.contains("line 3: acs.public_url"), "{error}");

    let error = load("", &[("MUSTER_ACS__SESSION_DEADLINE_SECONDS", "1")]).unwrap_err();
    assert!(error.starts_with("MUSTER_ACS__SESSION_DEADLINE_SECONDS: "), "{error}");
}

#[test]
fn the_dashboard_leaves_this_host_only_with_tls() {
    let open = ("MUSTER_WEB__LISTEN", "0.0.0.0:8080");
    let error = load("", &[open]).unwrap_err();
    assert!(error.starts_with("MUSTER_WEB__LISTEN: ") && error.contains("web.tls"), "{error}");
    let error = load("", &[open, ("MUSTER_WEB__PUBLIC_URL", "http://muster.example")]).unwrap_err();
    assert!(error.contains("web.public_url"), "{error}");
    let config = load("", &[open, ("MUSTER_WEB__PUBLIC_URL", "https://muster.example/")]).unwrap();
    assert_eq!(config.web.public_url.as_deref(), Some("https://muster.example"));
    load("", &[open, ("MUSTER_WEB__TLS", "self-made")]).unwrap();
    load("", &[("MUSTER_WEB__LISTEN", "[::1]:8080")]).unwrap();
    let error = load("", &[open, ("MUSTER_WEB__TLS", "files")]).unwrap_err();
    assert!(error.contains("web.tls_cert"), "{error}");
}

#[test]
fn openid_connect_needs_a_safe_provider_and_a_way_back() {
    let id = ("MUSTER_OIDC__CLIENT_ID", "muster");
    let way_back = ("MUSTER_WEB__PUBLIC_URL", "http://localhost:8080");
    let issuer = |url| ("MUSTER_OIDC__ISSUER", url);
    let config = load("", &[id, way_back, issuer("https://login.example/realms/isp")]).unwrap();
    assert_eq!(config.oidc.issuer.as_deref(), Some("https://login.example/realms/isp"));
    assert_eq!(config.oidc.login_claim, "preferred_username");
    load("", &[id, way_back, issuer("http://127.0.0.1:5556/dex")]).unwrap();
    for unsafe_issuer in [
        "http://login.example",
        "http://localhost.login.example",
        "https://login.example/?realm=isp",
        "https://muster@login.example",
        "ldap://login.example",
        "login.example",
    ] {
        let error = load("", &[id, way_back, issuer(unsafe_issuer)]).unwrap_err();
        assert!(error.starts_with("MUSTER_OIDC__ISSUER: oidc.issuer: "), "{error}");
    }
    let good = issuer("https://login.example");
    for (env, key) in [
        (vec![good, way_back], "oidc.client_id"),
        (vec![good, id], "web.public_url"),
        (vec![good, id, ("MUSTER_WEB__PUBLIC_URL", "http://muster.example")], "web.public_url"),
        (vec![id], "oidc.client_id"),
        (vec![("MUSTER_OIDC__CREATE_USERS", "true")], "oidc.create_users"),
    ] {
        let error = load("", &env).unwrap_err();
        assert!(error.contains(&format!("{key}: ")), "{error}");
    }
}

#[test]
fn a_client_secret_is_never_shown() {
    let config = load(
        "[oidc]\nissuer = \"https://login.example\"\nclient_id = \"muster\"\n\
                       client_secret = \"sesame\"\n[web]\npublic_url = \"https://m.example\"\n",
        &[],
    )
    .unwrap();
    assert_eq!(config.oidc.client_secret.as_ref().unwrap().expose(), "sesame");
    assert!(!format!("{config:?}").contains("sesame"));
    // Neither where it has the wrong type, nor where its key is misspelt.
    let error = load("[oidc]\nclient_secret = 271828\n", &[]).unwrap_err();
    assert!(error.contains("line 2: `client_secret`") && !error.contains("271828"), "{error}");
    let error = load("[oidc]\nclient_sekret = \"sesame\"\n", &[]).unwrap_err();
    assert!(error.contains("client_sekret") && !error.contains("sesame"), "{error}");
}

#[test]
fn a_named_file_must_exist() {
    let error = Config::load(Some(Path::new("/nowhere/muster.toml")), std::iter::empty());
    assert!(matches!(error, Err(ConfigError::Read { .. })));
}

#[test]
fn a_public_url_loses_its_slash() {
    let config = load("[acs]\npublic_url = \"https://acs.example:7547/\"\n", &[]).unwrap();
    assert_eq!(config.acs.public_url.as_deref(), Some("https://acs.example:7547"));
}

#[test]
fn connection_requests_stay_away_from_this_host_unless_allowed() {
    let mut wake = WakeConfig::default();
    for forbidden in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "255.255.255.255"]
    {
        assert!(!wake.permits(forbidden.parse().unwrap()), "{forbidden}");
    }
    for permitted in ["10.1.2.3", "192.0.2.7", "2001:db8::1"] {
        assert!(wake.permits(permitted.parse().unwrap()), "{permitted}");
    }
    wake.allowed_networks = vec!["127.0.0.0/8".parse().unwrap()];
    assert!(wake.permits("127.0.0.1".parse().unwrap()));
}

#[test]
fn the_manual_names_every_key_and_no_other() {
    let manual = include_str!("../../docs/configuration.md");
    let mut named: Vec<&str> = manual
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(key, _)| key)
        .collect();
    named.sort_unstable();
    assert_eq!(named, Config::keys());
}

#[test]
fn mail_needs_a_server_a_sender_and_a_closed_way_for_its_password() {
    let server = ("MUSTER_SMTP__SERVER", "mail.isp.example");
    let from = ("MUSTER_SMTP__FROM", "Muster <muster@isp.example>");
    let config = load("", &[server, from]).unwrap();
    assert_eq!((config.smtp.security, config.smtp.port()), (SmtpSecurity::Starttls, 587));
    let error = load("", &[from]).unwrap_err();
    assert!(error.contains("smtp.from: means nothing without smtp.server"), "{error}");
    for sender in ["", "Muster", "a@b\nBcc: c@d"] {
        let error = load("", &[server, ("MUSTER_SMTP__FROM", sender)]).unwrap_err();
        assert!(error.contains("smtp.from: smtp.server needs it"), "{error}");
    }
    let login = [("MUSTER_SMTP__USERNAME", "muster"), ("MUSTER_SMTP__PASSWORD", "sesame")];
    let config = load("", &[server, from, login[0], login[1]]).unwrap();
    assert_eq!(config.smtp.password.as_ref().unwrap().expose(), "sesame");
    assert!(!format!("{config:?}").contains("sesame"));
    let plain = ("MUSTER_SMTP__SECURITY", "none");
    let error = load("", &[server, from, login[0], login[1], plain]).unwrap_err();
    assert!(error.starts_with("MUSTER_SMTP__SECURITY: smtp.security: "), "{error}");
    assert!(load("", &[server, from, login[0]]).unwrap_err().contains("smtp.password"));
    let error = load("[smtp]\npassword = 12345\n", &[]).unwrap_err();
    assert!(error.contains("text in quotes") && !error.contains("12345"), "{error}");
}

#[test]
fn benches_are_interfaces_and_their_addresses_a_range() {
    let config = load("[bench]\ninterfaces = [\"eth1\", \"br-bench.7\"]\n", &[]).unwrap();
    assert_eq!(config.bench.interfaces, ["eth1", "br-bench.7"]);
    assert_eq!((config.bench.range(), config.bench.lease_seconds), (None, 600));
    let names = ("MUSTER_BENCH__INTERFACES", "eth1,eth2");
    let (first, last) = (("MUSTER_BENCH__FIRST", "10.0.0.9"), ("MUSTER_BENCH__LAST", "10.0.0.20"));
    let mut config = load("", &[names, first, last]).unwrap();
    assert_eq!(config.bench.interfaces, ["eth1", "eth2"]);
    assert_eq!(config.bench.range().unwrap().1.to_string(), "10.0.0.20");
    let given = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    config.add_benches(given(&["eth2", "eth3"]), "--bench-interface").unwrap();
    assert_eq!(config.bench.interfaces, ["eth1", "eth2", "eth3"]);
    let error = config.add_benches(given(&["a/b"]), "--bench-interface").unwrap_err().to_string();
    assert!(error.starts_with("--bench-interface: `a/b`"), "{error}");
    for (env, key) in [
        (vec![("MUSTER_BENCH__INTERFACES", "eth1,eth1")], "bench.interfaces"),
        (vec![("MUSTER_BENCH__INTERFACES", "much-too-long-name")], "bench.interfaces"),
        (vec![first], "bench.last"),
        (vec![last], "bench.first"),
        (vec![first, ("MUSTER_BENCH__LAST", "10.0.0.8")], "bench.last"),
        (vec![("MUSTER_BENCH__LEASE_SECONDS", "0")], "bench.lease_seconds"),
    ] {
        let error = load("", &env).unwrap_err();
        assert!(error.contains(&format!("{key}: ")), "{error}");
    }
}

#[test]
fn webhooks_do_not_go_to_this_host_unless_that_is_allowed() {
    let permits = |config: &Config, address: &str| config.notify.permits(address.parse().unwrap());
    let config = load("", &[]).unwrap();
    for address in [
        "127.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "fe80::1",
    ] {
        assert!(!permits(&config, address), "{address}");
    }
    for address in ["10.0.0.7", "192.0.2.1", "2001:db8::1", "fd00::1"] {
        assert!(permits(&config, address), "{address}");
    }
    let config = load("", &[("MUSTER_NOTIFY__ALLOWED_NETWORKS", "127.0.0.0/8")]).unwrap();
    assert!(permits(&config, "127.0.0.1") && !permits(&config, "::1"));
}
