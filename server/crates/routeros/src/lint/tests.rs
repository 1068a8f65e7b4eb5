use proptest::prelude::*;

use super::*;

/// `line code` of the errors, then of the warnings.
fn found(script: &str) -> (Vec<String>, Vec<String>) {
    let (errors, warnings): (Vec<_>, Vec<_>) =
        lint(script).into_iter().partition(|finding| finding.severity == Severity::Error);
    let show = |findings: Vec<Finding>| {
        findings.iter().map(|finding| format!("{} {}", finding.line, finding.code)).collect()
    };
    (show(errors), show(warnings))
}

fn errors(script: &str) -> Vec<String> {
    found(script).0
}

fn warnings(script: &str) -> Vec<String> {
    let (errors, warnings) = found(script);
    assert_eq!(errors, Vec::<String>::new(), "{script}");
    warnings
}

const FINE: &str = r#"# What a provisioning script looks like.
/system identity set name="R-1"
/ip dns { set allow-remote-requests=yes servers=1.1.1.1,9.9.9.9 }
/interface bridge
:if ([:len [find where name="lan"]] = 0) do={ add name=lan }
:do {
    port add bridge=lan \
        interface=ether2
} on-error={ :log warning "no port" }
/ip/firewall/filter/remove [find comment="muster"]
/ip firewall filter add chain=input action=accept comment="from: anywhere"; print where chain = input
:local i 0
:while ($i < 3) do={ :set i ($i + 1); :delay 1s }
:foreach port in={ether1;ether2} do={ /interface ethernet set [find default-name=$port] name="p-$port" }
/tr069-client set acs-url="https://acs.example/" enabled=yes username="u" password="p"
/user set [find name=admin] password="x"
"#;

#[test]
fn a_script_that_is_fine_has_no_findings() {
    let findings = lint(FINE);
    assert!(findings.is_empty(), "{findings:?}");
    assert!(lint("").is_empty());
}

#[test]
fn what_is_open_is_told_where_it_begins() {
    assert_eq!(errors("/ip dns\nset servers=\"1.1.1.1\n/ip pool\n"), ["2 quotes"]);
    assert_eq!(errors(":do {\n/ip dns set servers=1.1.1.1\n"), ["1 brackets"]);
    assert_eq!(errors("/ip dns set servers=1.1.1.1\n}"), ["2 brackets"]);
    assert_eq!(warnings("/ip dns set servers=1\\.1"), ["1 backslash"]);
    assert_eq!(warnings("/system note set note=\"a\nb\""), ["1 multiline"]);
}

#[test]
fn room_around_an_equals_sign_is_an_error() {
    for script in [
        "/ip dns set servers =1.1.1.1",
        "/ip dns set servers= 1.1.1.1",
        "/ip dns set servers = \"1.1.1.1\"",
        "/ip dns set servers= $x",
        "/ip dns { set servers= 1.1.1.1 }",
    ] {
        assert_eq!(errors(script), ["1 spaces"], "{script}");
    }
    for script in [
        "/ip dns set servers= allow-remote-requests=yes",
        "/ip dns set servers=",
        "/ip dns set servers=\\\n  1.1.1.1",
        ":put ($a = 1)",
        "/ip dns static remove [find name = a]",
        ":put [/ip/route/find dst-address = 0.0.0.0/0]",
        ":put [/interface/bridge/find name = lan]",
    ] {
        assert_eq!(errors(script), Vec::<String>::new(), "{script}");
    }
}

#[test]
fn only_plain_text_is_sent() {
    assert_eq!(errors("# caf\u{e9}\n:put \"a\u{1}\""), ["1 ascii", "2 ascii"]);
    assert_eq!(warnings("/ip pool\r\n/ip dns\r\n"), ["1 cr"]);
    assert_eq!(warnings(":put\t\"a\""), Vec::<String>::new());
    let long = ":put \"a\"\n".repeat(MAX_SCRIPT / 9 + 1);
    assert_eq!(warnings(&long), ["1 size"]);
}

#[test]
fn menus_that_do_not_exist_are_told() {
    assert_eq!(errors("/tr069 client set acs-url=\"x\""), ["1 menu"]);
    assert!(lint("/tr069 client set url=x")[0].words.contains("/tr069-client"));
    assert_eq!(errors("/ipp address\nadd address=1.2.3.4"), ["1 menu"]);
    assert_eq!(errors("add address=1.2.3.4"), ["1 menu"]);
    assert_eq!(errors("ip address add address=1.2.3.4"), Vec::<String>::new());
    assert_eq!(errors(":do { nonsense 1 } on-error={}"), ["1 menu"]);
    assert_eq!(warnings("/ip adress add address=1.2.3.4"), ["1 menu"]);
    assert_eq!(warnings("/ip/dns/flsh"), ["1 menu"]);
    assert_eq!(warnings(":loc x 1"), ["1 command"]);
    assert_eq!(warnings("/import a.rsc; :put [find \"abc\" \"b\"]"), Vec::<String>::new());
    for script in [
        "/safe-mode take",
        "/log warning message=x; /log debug \"x\"",
        "/terminal inkey timeout=5s",
        "/certificate enable-ssl-certificate dns-name=a.example",
        "/ip/ssh regenerate-host-key",
        "/system/ssh-exec address=192.0.2.1 command=\":put 1\"",
        "/interface wireguard wg-import file=a.conf",
        "/ip/socksify add name=a; /ipv6 dhcp-relay routes print",
        ":put [:tocrlf \"a\"]",
    ] {
        assert_eq!(warnings(script), Vec::<String>::new(), "{script}");
    }
}

#[test]
fn what_is_short_for_a_menu_is_no_error() {
    for script in [
        "/int bridge add name=x",
        "/sys identity set name=a",
        "/fil print",
        "/ip fire filter print",
        // Which of them is meant depends on the board.
        "/us print",
        "/exp file=a",
        "/int\nbridge",
    ] {
        assert_eq!(warnings(script)[0], "1 menu", "{script}");
    }
    assert!(lint("/ip fire filter print")[0].words.contains("`/ip/firewall`"));
    assert_eq!(warnings("/ip fire filter remove [find]"), ["1 menu", "1 dangerous"]);
    assert_eq!(warnings("/ip fire\nfilter rem [find]"), ["1 menu", "2 menu", "2 dangerous"]);
    assert_eq!(warnings("/user rem [find]"), ["1 menu", "1 dangerous"]);
    assert_eq!(warnings("/sys shut"), ["1 menu", "1 dangerous"]);
    assert_eq!(warnings("/system/reset-c no-defaults=yes"), ["1 menu", "1 dangerous"]);
    assert_eq!(warnings("/int eth set 0 mtu=1500"), ["1 menu", "1 numbers"]);
}

#[test]
fn what_is_run_is_looked_at_however_it_is_run() {
    for [before, after] in [
        [":onerror e in={", "} do={}"],
        ["onerror e in={", "} do={}"],
        ["do {", "} on-error={}"],
        ["execute {", "}"],
        [":execute script={", "}"],
    ] {
        let reset = format!("{before} /system reset-configuration {after}");
        assert_eq!(warnings(&reset), ["1 dangerous"], "{reset}");
        let unknown = format!("{before} /nope print {after}");
        assert_eq!(errors(&unknown), ["1 menu"], "{unknown}");
    }
}

#[test]
fn a_property_that_is_compared_with_itself_is_told() {
    for script in [
        ":put [/interface/lte/find where name=$name]",
        "/file print where name=$name",
        "/interface set [find name=$name] disabled=no",
    ] {
        assert_eq!(warnings(script), ["1 itself"], "{script}");
    }
    assert!(warnings(":put [/interface/lte/find where name=$modem]").is_empty());
}

#[test]
fn what_is_run_and_cannot_be_looked_at_is_told() {
    for script in [
        ":onerror e in=\"/system reset-configuration\" do={}",
        "onerror e in=\"/user remove $x\" do={}",
        ":if (true) do=\"/system shutdown\"",
        ":if (true) do=\"{ /system shutdown }\"",
        ":do {} on-error=\"/system shutdown\"",
        ":retry command=\"/disk reset usb1\" delay=1 max=2 on-error={}",
        ":execute \"/system shutdown\"",
        ":execute script=$code",
    ] {
        assert_eq!(warnings(script), ["1 hidden"], "{script}");
    }
    for script in [
        ":foreach i in=\"a,b\" do={ :put $i }",
        ":execute { :put 1 }",
        ":execute script={ :put 1 } file=a",
        ":retry command={ :put 1 } delay=1 max=2 on-error={}",
    ] {
        assert_eq!(warnings(script), Vec::<String>::new(), "{script}");
    }
}

#[test]
fn dangerous_commands_are_told() {
    for script in [
        "/system reset-configuration no-defaults=yes",
        "/system reset no-defaults=yes skip-backup=yes",
        "/system backup load name=a",
        "/disk reset usb1",
        "/system/shutdown",
        "/disk format-drive usb1",
        "/system package uninstall wireless",
        "/user add name=x group=full",
        "/user set admin password=\"\"",
        "/user remove [find name=x]",
        "/tr069-client set enabled=no",
        "/tr069-client disable",
        "/tr069-client set acs-url=\"\"",
        "/ip firewall filter remove [find]",
        "/ip firewall nat\nremove [find where !dynamic]",
        "/ip address remove [/ip address find]",
        "/ip address remove numbers=[find]",
        ":if ($x) do={ /system shutdown }",
    ] {
        let line = script.lines().count();
        assert_eq!(warnings(script), [format!("{line} dangerous")], "{script}");
    }
    for script in [
        "/user add name=x group=full password=\"y\"",
        "/ip firewall filter remove [find comment=x]",
        "/ip pool remove [find]",
        "/tr069-client set enabled=yes",
        "/tr069-client set acs-url=\"https://acs.example/\"",
        "/ip address remove numbers=[find interface=x]",
        "/system backup save name=a",
    ] {
        assert_eq!(warnings(script), Vec::<String>::new(), "{script}");
    }
}

#[test]
fn what_works_today_and_not_tomorrow_is_told() {
    assert_eq!(warnings(":do {\n:global x 1\n}"), ["2 global"]);
    assert_eq!(warnings(":global x 1"), Vec::<String>::new());
    // A function sees no global that it does not declare.
    assert_eq!(warnings(":local f do={ :global x; :put $x }"), Vec::<String>::new());
    let nested = ":global f do={ :if (true) do={ :global x; :put $x } }";
    assert_eq!(warnings(nested), Vec::<String>::new());
    assert_eq!(warnings(":local f do={ :global x 1 }"), ["1 global"]);
    assert_eq!(warnings(":local f do={ :put 1 }\n:do { :global x }"), ["2 global"]);
    assert_eq!(warnings("/interface ethernet set 0 name=x"), ["1 numbers"]);
    assert_eq!(warnings("/ip pool remove numbers=0,1"), ["1 numbers"]);
    assert_eq!(warnings("/ip pool remove 10.0.0.1"), Vec::<String>::new());
    assert_eq!(warnings("# the password: x"), ["1 secret"]);
    assert_eq!(warnings("/ip pool add name=x comment=\"psk=abc\""), ["1 secret"]);
    assert_eq!(warnings(":delay 100s"), Vec::<String>::new());
    assert_eq!(warnings(":delay 60\n:do { :delay 1m } on-error={}\n:delay 5"), ["2 delay"]);
}

#[test]
fn findings_come_by_line_and_have_an_end() {
    let script = "/nope\n".repeat(10_000) + &"/ip nope\n".repeat(10_000) + "\"";
    let findings = lint(&script);
    assert_eq!(findings.len(), 2 * MAX_FINDINGS);
    assert!(findings.is_sorted_by_key(|finding| finding.line));
}

proptest! {
    #[test]
    fn anything_may_be_looked_at(script in any::<String>()) {
        let lines = script.split(['\n', '\r']).count();
        for finding in lint(&script) {
            prop_assert!((1..=lines).contains(&finding.line));
            prop_assert!(!finding.words.is_empty());
        }
    }

    /// What is quoted is never what is wrong.
    #[test]
    fn quoted_text_has_no_findings(text in "[^\\n]{0,40}") {
        let script = format!("/system note set note={}", crate::quote::quote(&text));
        let findings = lint(&script);
        prop_assert!(findings.is_empty(), "{:?}", findings);
    }
}
