//! Published vectors, both sides against each other, and hostile headers.

#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

const RFC2617: &str = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
    nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, \
    nc=00000001, cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\", \
    opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";

fn digest(header: &str) -> DigestCredentials {
    match Authorization::parse(header).unwrap() {
        Authorization::Digest(digest) => digest,
        Authorization::Basic { .. } => panic!("not a Digest: {header}"),
    }
}

fn rfc2617_ha1() -> String {
    ha1(Algorithm::Md5, "Mufasa", "testrealm@host.com", "Circle Of Life")
}

fn rfc7616(algorithm: &str, response: &str) -> DigestCredentials {
    digest(&format!(
        "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
         algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
         nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
         response=\"{response}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
    ))
}

#[test]
fn rfc_2617_section_3_5() {
    let credentials = digest(RFC2617);
    assert!(credentials.verify("GET", &rfc2617_ha1()));
    assert!(!credentials.verify("POST", &rfc2617_ha1()));
    assert_eq!(credentials.opaque.as_deref(), Some("5ccc069c403ebaf9f0171e9517f40e41"));
    let upper = RFC2617.replace("6629fae49393a053", "6629FAE49393A053");
    assert!(digest(&upper).verify("GET", &rfc2617_ha1()));
    let wrong = RFC2617.replace("6629fae4", "6629fae5");
    assert!(!digest(&wrong).verify("GET", &rfc2617_ha1()));
}

#[test]
fn rfc_7616_section_3_9_1() {
    for (algorithm, name, response) in [
        (Algorithm::Md5, "MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        (
            Algorithm::Sha256,
            "SHA-256",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ] {
        let secret = ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
        let credentials = rfc7616(name, response);
        assert_eq!(credentials.algorithm, algorithm);
        assert!(credentials.verify("GET", &secret));
    }
}

#[test]
fn without_qop_the_older_form_is_checked() {
    let credentials = digest(
        "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
         nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", \
         response=\"670fd8c2df070c60b045671b8b24ff02\"",
    );
    assert!(credentials.verify("GET", &rfc2617_ha1()));
}

#[test]
fn auth_int_was_not_offered() {
    assert!(!digest(&RFC2617.replace("qop=auth", "qop=auth-int")).verify("GET", &rfc2617_ha1()));
}

/// Deviation 15: a uri that is empty, and one nc used again with a new cnonce.
#[test]
fn empty_uri_and_repeated_nc_pass() {
    let offer = challenges("r", "n", "o", false, false);
    let challenge = Challenge::parse(&offer, false).unwrap();
    let secret = ha1(Algorithm::Md5, "u", "r", "p");
    for cnonce in ["one", "two"] {
        let credentials = digest(&answer(&challenge, "u", "p", "POST", "", cnonce, 1));
        assert_eq!(credentials.nc, "00000001");
        assert!(credentials.verify("POST", &secret));
        assert!(credentials.uri_names("/"));
    }
}

#[test]
fn the_uri_must_be_ours_empty_or_absolute() {
    let with = |uri: &str| digest(&RFC2617.replace("/dir/index.html", uri));
    for uri in ["/acs", "", "http://acs.example:7547/acs", "/acs?x=1"] {
        assert!(with(uri).uri_names("/acs"), "{uri}");
    }
    for uri in ["/", "/acs/other", "acs"] {
        assert!(!with(uri).uri_names("/acs"), "{uri}");
    }
}

#[test]
fn challenges_come_md5_first_and_basic_last() {
    assert_eq!(
        challenges("a \"b\"", "n", "o", true, true),
        [
            "Digest realm=\"a \\\"b\\\"\", qop=\"auth\", algorithm=MD5, nonce=\"n\", \
             opaque=\"o\", stale=true",
            "Digest realm=\"a \\\"b\\\"\", qop=\"auth\", algorithm=SHA-256, nonce=\"n\", \
             opaque=\"o\", stale=true",
            "Basic realm=\"a \\\"b\\\"\"",
        ]
    );
    let plain = challenges("r", "n", "o", false, false);
    assert_eq!(plain.len(), 2);
    assert!(plain.iter().all(|value| !value.contains("stale")));
}

#[test]
fn the_client_prefers_md5_then_sha256_then_basic_if_allowed() {
    let chosen = |values: &[&str], allow: bool| Challenge::parse(values, allow);
    let algorithm = |values: &[&str]| match chosen(values, true) {
        Ok(Challenge::Digest(digest)) => digest.algorithm,
        other => panic!("{other:?}"),
    };
    let (md5, sha) =
        ("Digest realm=r, nonce=1, algorithm=MD5", "Digest nonce=2, algorithm=sha-256");
    assert_eq!(algorithm(&[sha, md5]), Some(Algorithm::Md5));
    assert_eq!(algorithm(&["Basic realm=\"x\"", sha]), Some(Algorithm::Sha256));
    assert_eq!(algorithm(&["Basic realm=\"x\", Digest nonce=\"1\""]), None);
    assert_eq!(chosen(&["Basic realm=x"], true), Ok(Challenge::Basic));
    assert_eq!(chosen(&["Basic realm=x"], false), Err(ChallengeError::BasicForbidden));
    assert_eq!(chosen(&["Negotiate abc=="], true), Err(ChallengeError::NoneUsable));
    assert_eq!(
        chosen(&["Digest nonce=1, qop=\"auth-int\""], true),
        Err(ChallengeError::NoneUsable)
    );
    assert_eq!(chosen(&[], true), Err(ChallengeError::NoneUsable));
}

/// Deviation 21: a C agent folds its challenge over three lines.
#[test]
fn a_folded_challenge_is_read() {
    let value = "Digest realm=\"AuthDigest\"\r\n ,qop=\"auth,auth-int\"\r\n\t,nonce=\"abc\"";
    let Ok(Challenge::Digest(digest)) = Challenge::parse(&[value], false) else {
        panic!("not read");
    };
    assert_eq!((digest.realm.as_str(), digest.nonce.as_str()), ("AuthDigest", "abc"));
    assert!(digest.qop_auth);
}

#[test]
fn basic_is_read_leniently() {
    for header in ["Basic dTpwOng=", "BASIC  dTpwOng", "basic dTpwOng= "] {
        let expected =
            Authorization::Basic { username: "u".to_owned(), password: "p:x".to_owned() };
        assert!(Authorization::parse(header).unwrap() == expected, "{header}");
    }
    // `ü:p` in ISO-8859-1.
    assert_eq!(Authorization::parse("Basic /Dpw").unwrap().username(), "ü");
    assert_eq!(Authorization::parse("Basic !!"), Err(HeaderError::BadBasic));
    assert_eq!(Authorization::parse("Basic dQ=="), Err(HeaderError::BadBasic));
    assert_eq!(answer(&Challenge::Basic, "u", "p:x", "GET", "/", "", 1), "Basic dTpwOng=");
}

#[test]
fn unusable_headers_are_named() {
    let error = |header: &str| Authorization::parse(header).unwrap_err();
    assert_eq!(error("Bearer abc"), HeaderError::UnknownScheme);
    assert_eq!(error(""), HeaderError::UnknownScheme);
    assert_eq!(error("Digest username=u, response=r"), HeaderError::Missing("nonce"));
    assert_eq!(error("Digest nonce=n, response=r"), HeaderError::Missing("username"));
    assert_eq!(error("Digest nonce=n, username=r"), HeaderError::Missing("response"));
    assert_eq!(error("Digest algorithm=MD5-sess"), HeaderError::UnknownAlgorithm);
}

#[test]
fn a_repeated_field_does_not_override_the_first() {
    let twice = RFC2617.replace("Digest ", "Digest x=1, ") + ", username=\"other\", nonce=\"n\"";
    assert_eq!(digest(&twice).username, "Mufasa");
    assert!(digest(&twice).verify("GET", &rfc2617_ha1()));
}

#[test]
fn logs_hold_no_secret() {
    assert!(!format!("{:?}", Authorization::parse("Basic dTpwOng=").unwrap()).contains("p:x"));
    assert!(!format!("{:?}", digest(RFC2617)).contains("6629fae4"));
}

proptest! {
    #[test]
    fn no_header_panics(header in "\\PC*|(Digest|Basic) [ -~\\r\\n\u{80}-\u{2ff}]{0,300}") {
        let _ = Authorization::parse(&header);
        let _ = Challenge::parse(&[header], true);
    }

    #[test]
    fn what_one_side_answers_the_other_accepts(
        username in "[^\\p{Cc}]{0,40}",
        realm in "[^\\p{Cc}]{0,40}",
        password in "\\PC{0,40}",
        uri in "[!-~]{0,60}",
        cnonce in "[0-9a-f]{1,32}",
        random in any::<u64>(),
        nc in 1u32..,
        second in 0usize..2,
        qop in any::<bool>(),
    ) {
        let nonces = Nonces { key: [3; 32] };
        let mut offer = challenges(&realm, &nonces.issue(1000, random), "o", false, true);
        if !qop {
            offer = offer.iter().map(|value| value.replacen("qop=\"auth\", ", "", 1)).collect();
        }
        // Usable too when the peer offers one of the two only.
        let challenge = Challenge::parse(&offer[second..], false).unwrap();
        let header = answer(&challenge, &username, &password, "POST", &uri, &cnonce, nc);
        let credentials = digest(&header);
        prop_assert_eq!(&credentials.username, &username);
        prop_assert_eq!(nonces.verify(&credentials.nonce, 1000, 60), NonceState::Valid);
        let secret = ha1(credentials.algorithm, &username, &realm, &password);
        prop_assert!(credentials.verify("POST", &secret));
        let wrong = ha1(credentials.algorithm, &username, &realm, &(password + "x"));
        prop_assert!(!credentials.verify("POST", &wrong));
    }
}
