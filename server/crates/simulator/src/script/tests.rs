//! Scripts on a board, both directions.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use muster_routeros::apply;
use proptest::prelude::*;

use super::*;
use crate::board::{Air, Backups, Board, Effect};
use crate::catalogue::Catalogue;
use crate::configuration::Beginnings;
use crate::menus::Configuration;
use crate::model::Model;
use crate::profile::Identity;

/// A board on a table.
struct Bench {
    model: Model,
    configuration: Configuration,
    backups: Backups,
    identity: Identity,
    air: Air,
    status: &'static str,
    log: Vec<String>,
    effect: Option<Effect>,
}

impl Bench {
    /// With MikroTik's default configuration, and with radios under `/interface/wireless`.
    fn new() -> Self {
        let identity = Identity { profile_index: 1, ..Identity::derive(1, 1) };
        let catalogue = Arc::new(Catalogue::new(identity.profile()));
        Self {
            configuration: Beginnings::new(1, &catalogue).defaults,
            model: Model::new(catalogue),
            backups: Backups::new(),
            identity,
            air: Air { menu: Some("/interface/wireless"), split: true },
            status: "running",
            log: Vec::new(),
            effect: None,
        }
    }

    fn blank() -> Self {
        let mut bench = Self::new();
        bench.configuration = Configuration::blank(bench.identity.profile());
        bench
    }

    fn on<T>(&mut self, work: impl FnOnce(&mut Board<'_>) -> T) -> T {
        let mut board = Board {
            model: &mut self.model,
            configuration: &mut self.configuration,
            backups: &mut self.backups,
            identity: &self.identity,
            air: self.air,
            status: self.status,
            mode: Some("home"),
            log: Vec::new(),
            effect: None,
        };
        let done = work(&mut board);
        (self.log, self.effect) = (board.log, board.effect);
        done
    }

    fn run(&mut self, text: &str) -> Result<(), String> {
        self.on(|board| run(text, board))
    }

    /// Runs a script that must not fail.
    fn must(&mut self, text: &str) -> &mut Self {
        assert_eq!(self.run(text), Ok(()), "{text}");
        self
    }

    fn export(&mut self) -> String {
        self.on(|board| board.export("2026-11-22 10:00:00"))
    }

    /// The lines of an export that are not in another.
    fn news(&mut self, before: &str) -> Vec<String> {
        let after = self.export();
        let known: Vec<&str> = before.lines().collect();
        after.lines().filter(|line| !known.contains(line)).map(str::to_owned).collect()
    }
}

#[test]
fn every_way_to_write_a_menu_is_the_same() {
    for text in [
        "/system identity set name=\"a b\"",
        "/system/identity/set name=\"a b\" # the name",
        "# comment; set\n/system identity\nset name=\"a b\"",
        "/system identity { set name=\"a\\_b\" }",
        "/system identity set \\\n   name=\"a\\20b\"\r\n",
        "/system\nidentity\nset name=\"a b\"",
        "/ip dns\n/system identity; set name=\"a b\"",
        "{ :local x \"a b\"; /system identity set name=$x }",
        ":local x a; /system identity set name=\"$x b\"",
    ] {
        let mut bench = Bench::new();
        bench.must(text);
        assert_eq!(bench.model.value(names::IDENTITY), "a b", "{text}");
    }
}

#[test]
fn a_script_changes_what_it_names() {
    let mut bench = Bench::new();
    bench.must(
        "/system identity set name=core\n/ip dns set servers=9.9.9.9,1.1.1.1 cache-size=4096\n\
         /tr069-client set periodic-inform-interval=00:01:30 provisioning-code=\"x\\\"y\"",
    );
    let model = &bench.model;
    assert_eq!(model.value(names::IDENTITY), "core");
    assert_eq!(model.value(names::INTERVAL), "90");
    assert_eq!(model.value(names::PROVISIONING_CODE), "x\"y");
    assert_eq!(model.value("Device.DNS.Client.ServerNumberOfEntries"), "2");
    assert_eq!(model.value("Device.DNS.Client.Server.3.DNSServer"), "1.1.1.1");
    assert!(bench.export().contains("cache-size=4096 servers=9.9.9.9,1.1.1.1"));
}

#[test]
fn items_are_added_found_changed_and_removed() {
    let mut bench = Bench::new();
    let before = bench.export();
    bench.must(
        "/ip pool add name=guests ranges=10.9.0.10-10.9.0.99\n\
         /ip pool set [find name=guests] comment=\"for guests\"\n\
         /ip address add address=10.9.0.1/24 interface=bridge\n\
         /interface ethernet set ether3 disabled=yes\n\
         /interface ethernet set [find default-name=ether4] name=\"to the barn\"\n\
         :foreach i in=[/ip firewall nat find where comment~\"^def\"] do={\n\
             /ip firewall nat set $i disabled=yes }",
    );
    let news = bench.news(&before);
    assert_eq!(
        news,
        [
            "/interface ethernet",
            "set [ find default-name=ether3 ] disabled=yes",
            "set [ find default-name=ether4 ] name=\"to the barn\"",
            "add comment=\"for guests\" name=guests ranges=10.9.0.10-10.9.0.99",
            "add address=10.9.0.1/24 interface=bridge network=10.9.0.0",
            "add action=masquerade chain=srcnat comment=defconf disabled=yes \\",
            "    out-interface=ether1",
        ]
        .map(str::to_owned)
    );
    bench.must(
        "/ip pool remove guests; /ip address remove [find address=10.9.0.1/24]\n\
         /interface ethernet set [find default-name=ether4] name=ether4\n\
         /interface ethernet set ether3,ether4 disabled=no\n\
         /ip firewall nat enable [find]",
    );
    assert_eq!(bench.export(), before);
}

#[test]
fn a_script_that_may_run_twice_changes_nothing_the_second_time() {
    let script = ":if ([:len [/interface bridge find name=guests]]=0) do={\n\
                      /interface bridge add name=guests\n\
                  } else={ /interface bridge set [find name=guests] comment=again }";
    let mut bench = Bench::new();
    bench.must(script);
    let once = bench.export();
    assert!(once.contains("\nadd name=guests\n"), "{once}");
    bench.must(script);
    assert_eq!(bench.news(&once), ["add comment=again name=guests".to_owned()]);
}

#[test]
fn what_routeros_refuses_ends_the_script_there_unless_it_is_caught() {
    for (text, why) in [
        ("/interface bridge add name=bridge", "already have such bridge"),
        ("/interface bridge port add bridge=bridge interface=ether2", "already have such port"),
        ("/ip address add address=10.0.0.1/8 interface=nowhere", "any value of interface"),
        ("/ip pool set nothing ranges=1.1.1.1", "no such item"),
        ("/ip pool set ranges=1.1.1.1", "missing value"),
        ("/interface ethernet remove ether1", "cannot be removed"),
        ("/tr069-client set periodic-inform-interval=soon", "invalid time value"),
        (":error \"so be it\"", "so be it"),
        (":if (5) do={}", "not boolean"),
        (":while (true) do={}", "timeout"),
        ("frobnicate", "bad command name frobnicate"),
        ("add x=1", "bad command name add"),
        ("/interface wifi set wifi1 disabled=no", "bad command name"),
    ] {
        let mut bench = Bench::new();
        bench.air.split = false;
        let done = bench.run(&format!("/system identity set name=before\n{text}\n/ip dns set x=y"));
        let words = done.unwrap_err();
        assert!(words.contains(why) && words.contains("(line 2)"), "{text}: {words}");
        assert!(!bench.export().contains("x=y"), "{text}");

        let mut bench = Bench::new();
        let caught =
            format!(":do {{\n{text}\n}} on-error={{ :log error \"muster-apply: t failed\" }}");
        let done = bench.run(&caught);
        // Out of time, there is none left to catch it.
        assert_eq!(done.is_err(), text.starts_with(":while"), "{text}: {done:?}");
        if done.is_ok() {
            assert_eq!(bench.log, ["script,error muster-apply: t failed"], "{text}");
        }
    }
}

#[test]
fn a_text_that_is_no_script_is_refused_as_a_whole() {
    for text in [":if (1=1", "{", "}", "/ip dns set servers=\"1.1.1.1", "[", "(", ":put (1 +)"] {
        let mut bench = Bench::new();
        let done = bench.run(&format!("/system identity set name=x\n{text}"));
        assert!(done.unwrap_err().starts_with("syntax error"), "{text}");
        assert_ne!(bench.model.value(names::IDENTITY), "x", "{text}");
    }
    // So is one that names a menu that is not there, unless it is parsed later.
    let mut bench = Bench::new();
    bench.air = Air { menu: None, split: true };
    let script = "/system identity set name=x\n:if (false) do={ /interface wireless print }";
    assert!(bench.run(script).unwrap_err().contains("/interface/wireless"));
    assert_ne!(bench.model.value(names::IDENTITY), "x");
    bench.must(":do { :local f [:parse \"/interface wireless print\"] } on-error={ :log info no }");
    assert_eq!(bench.log, ["script,info no"]);
}

#[test]
fn variables_functions_and_loops() {
    let mut bench = Bench::new();
    bench.must(
        ":local add do={ :return ($a + $b) }\n\
         :local seven [$add a=3 b=4]\n\
         :local text \"\"\n\
         :for i from=1 to=3 do={ :set text ($text . $i . \",\") }\n\
         :foreach k,v in=[:toarray \"x,y\"] do={ :set text ($text . $k . $v) }\n\
         :local part [:pick $text 0 [:find $text \",\"]]\n\
         :local f [:parse \":return (\\\"got \\\" . \\$what)\"]\n\
         :local said [$f what=\"a \\\"b\\\"\"]\n\
         :if ($seven = 7 && [:len $text] > 3) do={ :log info \"$text $part $said\" } else={ :log info no }\n\
         :if ([:typeof [:find abc z]] = \"nil\") do={ :log warning nothing }\n\
         /log info message=(\"a\" . 1 + 1)",
    );
    assert_eq!(
        bench.log,
        ["script,info 1,2,3,0x1y 1 got a \"b\"", "script,warning nothing", "script,info a2"]
    );
    bench.must("/system reboot\n:log info never");
    assert_eq!((bench.effect.take(), bench.log.len()), (Some(Effect::Reboot), 0));
}

#[test]
fn interfaces_of_all_menus_are_found_together_and_a_property_can_be_taken_away() {
    let mut bench = Bench::new();
    bench.must(
        "/interface ethernet set ether1 name=uplink\n\
         :local found [/interface find where default-name=ether1]\n\
         :log info ([:len $found] . [/interface get $found name])\n\
         :log info ([:len [/interface find where name=wlan2]] . [:len [/interface find where name=x]])",
    );
    assert_eq!(bench.log, ["script,info 1uplink", "script,info 10"]);
    assert!(bench.run("/interface get \"none of this name\" name").is_err());

    bench.must("/ip pool add name=p comment=a ranges=10.0.0.1");
    bench.must("/ip pool unset p value-name=comment\n/ip pool unset [find name=p] next-pool");
    assert!(bench.export().contains("add name=p ranges=10.0.0.1"));
}

#[test]
fn what_is_in_the_data_model_is_the_same_in_both() {
    let mut bench = Bench::new();
    bench.must(
        "/interface wireless set wlan2 ssid=five\n\
         /interface wireless security-profiles set default wpa2-pre-shared-key=\"12345678\"\n\
         /interface pppoe-client add name=pppoe-out1 interface=ether1 user=me password=them",
    );
    assert_eq!(bench.model.value("Device.WiFi.SSID.2.SSID"), "five");
    assert_eq!(bench.model.value("Device.WiFi.AccessPoint.1.Security.KeyPassphrase"), "12345678");
    assert_eq!(bench.model.value("Device.PPP.Interface.12.Username"), "me");
    assert_eq!(bench.model.value("Device.PPP.Interface.12.Status"), "Up");
    bench.model.put("Device.WiFi.SSID.1.SSID", "two point four");
    bench.model.put("Device.Ethernet.Interface.2.X_MIKROTIK_Comment", "desk");
    let text = bench.export();
    for line in [
        "set [ find default-name=wlan1 ] ssid=\"two point four\"",
        "set [ find default-name=wlan2 ] ssid=five",
        "set [ find default-name=ether2 ] comment=desk",
        "add interface=ether1 name=pppoe-out1 user=me",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("12345678") && !text.contains("them"), "{text}");

    // Under the other driver the same networks are in another menu.
    bench.air = Air { menu: Some("/interface/wifi"), split: true };
    let text = bench.export();
    assert!(text.contains("set [ find default-name=wifi2 ] configuration.ssid=five"), "{text}");
    assert!(!text.contains("/interface wireless"), "{text}");
    bench.air = Air { menu: Some("/interface/wifiwave2"), split: false };
    bench.must("/interface wifiwave2 set wifi1 ssid=other");
    assert_eq!(bench.model.value("Device.WiFi.SSID.1.SSID"), "other");
    assert!(bench.export().contains("\n/interface wifiwave2\n"));
}

#[test]
fn a_backup_is_kept_until_it_is_loaded() {
    let mut bench = Bench::new();
    bench.must("/system identity set name=before\n/system backup save name=b dont-encrypt=yes");
    bench.must("/system identity set name=after\n/ip pool add name=x");
    bench.must("/system backup load name=b password=\"\"");
    assert_eq!(bench.effect, Some(Effect::Load("b".to_owned())));
    let (model, configuration) = &**bench.backups.get("b").unwrap();
    assert_eq!(model.value(names::IDENTITY), "before");
    assert_ne!(configuration, &bench.configuration);
    assert!(bench.run("/system backup load name=c").is_err());
    bench.must("/file remove [find name=b.backup]");
    assert!(bench.backups.is_empty());
    for n in 0..4 {
        bench.must(&format!("/system backup save name=b{n}"));
    }
    assert!(bench.run("/system backup save name=b4").is_err());
    bench.must("/system backup save name=b3");
}

#[test]
fn a_framed_script_tells_what_failed_and_a_rescue_is_set_before_it() {
    let script = "/ip pool add name=p ranges=10.0.0.1\n/ip pool add name=p ranges=10.0.0.2\n\
                  { :local x 5; /ip pool set [find name=p] comment=$x }";
    let mut bench = Bench::new();
    bench.must(&apply::wrap(script, "t1", Some(apply::Rescue { minutes: 5 })));
    let log: String = bench.log.iter().map(|line| format!("00:00:01 {line}\n")).collect();
    let report = apply::report(&log, "t1").unwrap();
    assert!(report.done);
    assert_eq!(report.failed.iter().map(|failed| failed.line).collect::<Vec<_>>(), [2]);
    assert!(bench.export().contains("add comment=5 name=p ranges=10.0.0.1"));
    assert!(bench.export().contains("interval=5m name=muster-rescue"), "{}", bench.export());
    assert!(bench.backups.contains_key("muster-rescue"));

    let event = bench.on(|board| {
        let entries = board.items("/system/scheduler");
        board.read("/system/scheduler", &entries[0], "on-event")
    });
    bench.status = "error";
    bench.must(&event);
    assert_eq!(bench.effect, Some(Effect::Load("muster-rescue".to_owned())));
    bench.status = "running";
    bench.must(&event);
    assert!(bench.effect.is_none() && bench.backups.is_empty());
    assert!(!bench.export().contains("muster-rescue"));
}

#[test]
fn reads_routeros_times_and_writes_them() {
    let cases = [
        ("90", Some(90)),
        ("10s", Some(10)),
        ("1m30s", Some(90)),
        ("1d2h", Some(93_600)),
        ("1w", Some(604_800)),
        ("01:00:05", Some(3_605)),
        ("soon", None),
        ("99999999999s", None),
    ];
    for (text, expected) in cases {
        assert_eq!(seconds(text), expected, "{text}");
    }
    for (text, expected) in [(300, "5m"), (90, "1m30s"), (93_600, "1d2h"), (0, "0s")] {
        assert_eq!(duration(text), expected);
        assert_eq!(seconds(expected), Some(text));
    }
}

#[test]
fn an_export_restores_all_but_secrets() {
    let mut before = Bench::new();
    before.must(&factory("http://acs:7547/?a=$b", "user\\1", "s3cret \"quoted\"", 300));
    before
        .must("/ip firewall filter add chain=forward action=drop comment=\"a, b; {c} [d] \\24e\"");
    assert_eq!(before.model.value(names::PASSWORD), "s3cret \"quoted\"");
    before.model.put(names::IDENTITY, "caf\u{e9} \u{b2}");

    let text = before.export();
    assert!(text.starts_with("# 2026-11-22 10:00:00 by RouterOS "));
    assert!(text.contains(&before.identity.serial));
    assert!(!text.contains("s3cret"));
    let mut after = Bench::blank();
    after.must(&text);
    assert_eq!(after.export(), text);
    for name in [names::IDENTITY, names::URL, names::USERNAME, names::INTERVAL] {
        assert_eq!(after.model.value(name), before.model.value(name), "{name}");
    }
    assert_eq!(after.model.value(names::PASSWORD), "");
}

proptest! {
    #[test]
    fn a_quoted_value_comes_back(value in "\\PC{0,40}") {
        let mut bench = Bench::new();
        bench.must(&format!("/system identity set name={} w=1", quote(&value)));
        prop_assert_eq!(bench.model.value(names::IDENTITY), value);
        prop_assert!(bench.export().contains(" w=1\n"));
    }

    #[test]
    fn any_text_ends(text in "[ -~\n]{0,200}") {
        let _ = Bench::new().run(&text);
    }

    #[test]
    fn any_pieces_end(pieces in proptest::collection::vec(
        proptest::sample::select(vec![
            "/ip pool", " add", " set", " [find", "]", " name=x", "{", "}", ";", "\n", ":do ",
            " on-error=", ":if (", ")", " do=", "$x", ":local x ", "\"", "\\", "1", " = ", "[:len ",
            ":foreach i in=", ":while (", "true", ":return ", ":parse ", "!", " . ", "remove ",
        ]),
        0..40,
    )) {
        let _ = Bench::new().run(&pieces.concat());
    }
}
