use proptest::prelude::*;

use super::*;

#[test]
fn each_secret_of_an_export_is_hidden() {
    let export = r#"/interface wireless security-profiles
set [ find default=yes ] authentication-types=wpa2-psk wpa2-pre-shared-key=hunter2 supplicant-identity=R
add name=guest static-key-0=hunter2 wpa-pre-shared-key="hunter2 hunter2"
/interface wireguard peers
add preshared-key="hunter2+/=" public-key="AbC=" endpoint-port=1
/zerotier
set zt1 identity="hunter2:0:0" name=zt1
/routing rip keys
add key=hunter2 key-id=1
/system identity
set name=R-1
/ip ipsec
identity add peer=p secret=hunter2
/ppp secret add name=a password=hunter2 profile=default
/tr069-client
set acs-url=https://acs/?token=hunter2 password="a\"hunter2\\" username=u
/ip ipsec key
add name=k key=hunter2
"#;
    let shown = r#"/interface wireless security-profiles
set [ find default=yes ] authentication-types=wpa2-psk wpa2-pre-shared-key="********" supplicant-identity=R
add name=guest static-key-0="********" wpa-pre-shared-key="********"
/interface wireguard peers
add preshared-key="********" public-key="AbC=" endpoint-port=1
/zerotier
set zt1 identity="********" name=zt1
/routing rip keys
add key="********" key-id=1
/system identity
set name=R-1
/ip ipsec
identity add peer=p secret="********"
/ppp secret add name=a password="********" profile=default
/tr069-client
set acs-url=https://acs/?token="********" password="********" username=u
/ip ipsec key
add name=k key="********"
"#;
    assert_eq!(redact(export), shown);
}

#[test]
fn what_is_no_secret_stays_as_it_was() {
    let text = "# model = x\r\n/ip address\r\nadd address=10.0.0.1/24 \\\r\n    interface=lan\r\n\r\n\
                /system note\r\nset note=\"a=b; \\\"c\\\" \\C3\\BC\" show-at-login=no\r\n\
                /system ssh-keys\r\nadd key=abc identity=x\r\n/system script\r\n\
                add name=a source=\":global psk; :global getToken do={ :return 1 }\"\r\n{ [ ( \"\n";
    assert_eq!(redact(text), text);
    assert_eq!(redact(""), "");
}

#[test]
fn however_a_value_is_written_it_is_hidden() {
    for line in [
        "set password=hunter2",
        "set password=\"hunter2\"",
        "set PASSWORD=hunter2",
        "set password= hunter2",
        "set password =\"hunter2\"",
        "set password = hunter2",
        "set password=\\\n    hunter2",
        "set password=\\\n    \"hunt\\\n    er2\" name=\"hunter\"",
        "set password=a\\\n    hunter2",
        "set password=\"a\".\"hunter2\"",
        "set password=[:pick \"hunter2\" 0 7]",
        "set password=(\"hunter2\" . \"x\")",
        "set password={hunter2",
        "set password=a(b hunter2",
        "set password=a\"b hunter2",
        "set password=#hunter2",
        "set password=hunter2#x;set name=y",
        "set security.passphrase=hunter2",
        "remove [find where password=\"hunter2\"]",
        "remove [find password!=hunter2]",
        "remove [find password~\"hunter2\"]",
        "set comment=it\"s password=hunter2",
        "set comment=it\"s password=\"hunter2\"",
        "set comment=it\"s password=\"hunter2",
        "set comment=\"the password: hunter2\"",
        "# password: hunter2",
        ":local wifiPass \"hunter2\"",
        ":global \"vpn-pass\" \"hunter2\"",
        ":global psk hunter2; :put $psk",
        ":execute \":global psk \\\"hunter2\\\"; :put $y\"",
        "# :set psk hunter2",
        "/tool fetch http-header-field=\"Authorization: Bearer hunter2\" url=$x",
        "/tool fetch url=ftp://bob:hunter2@h/x",
        "/tool fetch url=\"ftp://bob:hun\\$ter2hunter2@h/x\"",
        "/tool fetch url=\"ftp://$user:hunter2@h/x\"",
        "set comment=\"https://hunter2@h\"",
        "# see ftp://bob:hunter2@h",
        "/routing ospf interface add authentication=md5 authentication-key=hunter2",
        "/snmp community set [ find default=yes ] addresses=::/0 name=hunter2",
        "/container envs add key=API name=e value=hunter2",
        ":set psk hunter2",
        ":if ($password = \"hunter2\") do={}",
        ":execute \"/ppp secret add password=hunter2 name=$x\"",
        "/ip ipsec { key { add key=hunter2 } }",
        "/zerotier { :if (1=1) do={ set [find] identity=hunter2 } }",
        "/zerotier set [/interface find] identity=hunter2",
    ] {
        let shown = redact(line);
        assert!(!shown.contains("hunter2"), "{line} -> {shown}");
        assert!(shown.contains(HIDDEN), "{line} -> {shown}");
    }
}

#[test]
fn a_secret_over_several_lines_is_hidden_to_its_end() {
    assert_eq!(
        redact("set password=\"hunter\ntwo\\\"x\nthree\" name=x\nset name=y password=z\n"),
        "set password=\"********\"\n********\n********\nset name=y password=\"********\"\n"
    );
    assert_eq!(
        redact("/zerotier {\n:foreach i in=[find] do={\nset $i identity=hunter2\n}\n}\n"),
        "/zerotier {\n:foreach i in=[find] do={\nset $i identity=\"********\"\n}\n}\n"
    );
}

#[test]
fn secrets_of_scripts_in_strings_are_hidden() {
    let script = |said: &str| format!("/system script\nadd name=s source={}\n", quote(said));
    assert_eq!(
        redact(&script("/ppp secret\r\nadd name=a password=\"hunter2\"\n:put \"x\"\n")),
        script("/ppp secret\r\nadd name=a password=\"********\"\n:put \"x\"\n")
    );
    // None of these has an `=`.
    let variables = |one: &str, other: &str| {
        script(&format!(":global vpnPass \"{one}\"\r\n:global mailToken \"{other}\"\r\n"))
    };
    assert_eq!(redact(&variables("hunter2", "x")), variables(HIDDEN, HIDDEN));
    assert_eq!(
        redact(&script(":global vpnPass \"hunter2\"\n")),
        script(":global vpnPass \"********\"\n")
    );
    assert_eq!(
        redact("add up-script=\":global psk hunter2\" host=h\n"),
        "add up-script=\":global psk \\\"********\\\"\" host=h\n"
    );
    for inner in ["set password=hunter2", ":global psk \"hunter2\""] {
        let mut said = inner.to_owned();
        for _ in 0..8 {
            said = script(&said);
        }
        assert!(!redact(&said).contains("hunter2"), "{inner}");
    }
}

#[test]
fn who_opens_an_address_is_hidden_and_where_it_leads_is_not() {
    let script = |user: &str| {
        let said = format!("/tool fetch url=\"ftp://{user}@h/x\" mode=ftp\n");
        format!("/system script\nadd name=s source={}\n", quote(&said))
    };
    assert_eq!(redact(&script("bob:hunter2")), script(HIDDEN));
    assert_eq!(redact(&script(HIDDEN)), script(HIDDEN));
    for same in [
        "set url=https://h/@me\n",
        "set url=\"https://h\" mail=a@b\n",
        "set url=\"https://h\\3Fmail=a\"\n",
        "set a=://@h b=:// c=http://\n",
    ] {
        assert_eq!(redact(same), same);
    }
}

#[test]
fn what_is_too_long_is_hidden() {
    let long = format!("set a={} password=hunter2\nset name=x\n", "b".repeat(MAX_TEXT));
    assert_eq!(redact(&long), format!("{HIDDEN}\nset name=x\n"));
    let deep = "[{(".repeat(100_000);
    assert_eq!(redact(&deep), deep);
}

const MENUS: [&str; 5] =
    ["/ppp secret", "/interface wifi security", "/ip/ipsec/identity", "/user", "/tr069-client"];
const NAMES: [&str; 6] =
    ["password", "passphrase", "secret", "private-key", "wpa2-pre-shared-key", "sim-pin"];

proptest! {
    #[test]
    fn no_secret_is_left(
        menu in proptest::sample::select(MENUS.to_vec()),
        name in proptest::sample::select(NAMES.to_vec()),
        secret in any::<String>(),
        before in "[a-z ={}\\[\\]();#\\\\$\"\n]{0,20}",
        is_apart in any::<bool>(),
    ) {
        // Something that is in no other text, at both ends.
        let secret = format!("QX{secret}XQ");
        let literal = quote(&secret);
        let gap = if is_apart { "\n" } else { " " };
        for text in [
            format!("{menu}{gap}add name=x {name}={literal} comment=y\n"),
            format!("{menu}{gap}set [find name=x] {name}={literal}\nadd {name}={literal}"),
            format!("{before}\n{menu}{gap}add {name}={literal}\n"),
            format!("/system script add source={}\n", quote(&format!("{menu} add {name}={literal}"))),
        ] {
            let shown = redact(&text);
            prop_assert!(!shown.contains("QX") && !shown.contains("XQ"), "{}", shown);
            prop_assert_eq!(redact(&shown), shown);
        }
    }

    #[test]
    fn anything_may_be_redacted(text in any::<String>()) {
        let shown = redact(&text);
        prop_assert_eq!(shown.matches('\n').count(), text.matches('\n').count());
    }
}
