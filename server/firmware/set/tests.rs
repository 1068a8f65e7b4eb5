#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn v(text: &str) -> RosVersion {
    text.parse().unwrap()
}

fn list(version: &str, names: &[&str]) -> Vec<Installed> {
    let one = |name: &&str| Installed {
        name: (*name).to_owned(),
        version: version.to_owned(),
        enabled: true,
    };
    names.iter().map(one).collect()
}

/// What the set has beside the two that each has, and whether it is assumed.
fn more(known: &Known<'_>, target: &str) -> (Vec<String>, bool) {
    let set = package_set(known, &v(target)).unwrap();
    assert_eq!(set.names[..2], ["routeros", "tr069-client"], "{set:?}");
    (set.names[2..].to_vec(), set.assumed)
}

fn known<'a>(arch: &'a str, model: &'a str) -> Known<'a> {
    Known { arch: Some(arch), model: Some(model), ..Known::default() }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_device_that_said_nothing_gets_what_its_model_needs() {
    let cases: [(&str, &str, &str, &[&str]); 11] = [
        ("arm", "RBD52G-5HacD2HnD", "7.16.1", &["wireless"]),
        ("arm", "RBD52G-5HacD2HnD", "7.12.1", &[]),
        ("arm", "RB4011iGS+RM", "7.16.1", &[]),
        ("arm64", "cAPGi-5HaxD2HaxD", "7.16.1", &["wifi-qcom"]),
        ("arm64", "cAPGi-5HaxD2HaxD", "7.12.1", &["wifiwave2"]),
        ("mipsbe", "RBwAPR-2nD&R11e-LTE", "7.13", &["wireless"]),
        ("mipsbe", "RBSXTLTE3-7", "7.16.1", &["lte", "wireless"]),
        ("mipsbe", "RBSXTLTE3-7", "6.49.10", &[]),
        ("smips", "RB941-2nD", "7.16.1", &[]),
        ("powerpc", "RB850Gx2", "7.16.1", &["wireless"]),
        ("x86_64", "CHR", "7.16.1", &[]),
    ];
    for (arch, model, target, expected) in cases {
        let found = more(&known(arch, model), target);
        assert_eq!(found, (owned(expected), true), "{model} {target}");
    }
    let class = Known { model: None, product_class: Some("hAP be3"), ..known("arm64", "") };
    assert_eq!(more(&class, "7.18").0, ["wifi-qcom-be"]);
}

#[test]
fn what_is_on_a_device_stays_and_what_is_not_of_the_release_does_not() {
    let mut installed =
        list("7.16.1", &["wireless", "routeros", "container", "tr069-client", "of-ours"]);
    installed[2].enabled = false;
    installed.extend(list("1.0", &["branding"]));
    let known = Known { installed: Some(&installed), ..known("arm", "RBD52G-5HacD2HnD") };
    assert_eq!(more(&known, "7.18"), (owned(&["container", "of-ours", "wireless"]), false));
    // Version 6 has no containers, and its main package drives radios.
    assert_eq!(more(&known, "6.49.10"), (owned(&["of-ours"]), false));
    assert_eq!(more(&known, "7.12.1"), (owned(&["container", "of-ours"]), false));
}

#[test]
fn the_parts_of_version_6_are_in_the_main_package_of_version_7() {
    let parts = ["routeros-arm", "system", "wireless", "dhcp", "lte", "ntp", "multicast", "ups"];
    let installed = list("6.49.10", &parts);
    let known = Known { installed: Some(&installed), ..known("arm", "RBD52G-5HacD2HnD") };
    assert_eq!(more(&known, "6.49.11"), (owned(&["multicast", "ntp", "ups"]), false));
    assert_eq!(more(&known, "7.12.1"), (owned(&["ups"]), false));
    // Nobody can tell from the parts whether the board has radios: its model says it.
    assert_eq!(more(&known, "7.16.1"), (owned(&["ups", "wireless"]), true));
    let apart = list("6.49.10", &["system", "dhcp", "ppp"]);
    assert_eq!(more(&Known { installed: Some(&apart), ..known }, "7.12.1"), (vec![], false));
}

#[test]
fn wifiwave2_becomes_what_the_radios_need_and_back() {
    for (arch, model, new, sure) in [
        ("arm", "RBD53iG-5HacD2HnD", "wifi-qcom-ac", true),
        ("arm", "C52iG-5HaxD2HaxD", "wifi-qcom", true),
        ("arm", "of nobody", "wifi-qcom", false),
        ("arm64", "of nobody", "wifi-qcom", true),
    ] {
        let old = list("7.12.1", &["routeros", "wifiwave2", "tr069-client"]);
        let before = Known { installed: Some(&old), ..known(arch, model) };
        assert_eq!(more(&before, "7.16.1"), (owned(&[new]), !sure), "{model}");
        let now = list("7.16.1", &["routeros", new, "tr069-client"]);
        let after = Known { installed: Some(&now), ..known(arch, model) };
        assert_eq!(more(&after, "7.18"), (owned(&[new]), false), "{model}");
        assert_eq!(more(&after, "7.12.1"), (owned(&["wifiwave2"]), false), "{model}");
    }
    // On other boards it only managed the radios of others.
    let tile = list("7.12.1", &["routeros", "wifiwave2"]);
    let known = Known { installed: Some(&tile), ..known("tile", "CCR1009-7G-1C-1S+") };
    assert_eq!(more(&known, "7.16.1"), (vec![], false));
}

#[test]
fn radios_that_a_release_cannot_drive_are_refused() {
    let be = list("7.20", &["routeros", "wifi-qcom-be"]);
    let ax = list("7.16.1", &["routeros", "wifi-qcom"]);
    let ac = list("7.16.1", &["routeros", "wifi-qcom-ac"]);
    let with = |installed| Known { installed: Some(installed), ..known("arm", "") };
    for (known, target) in [
        (with(&be), "7.12.1"),
        (with(&ax), "6.49.10"),
        (known("arm64", "cAPGi-5HaxD2HaxD"), "6.49.10"),
        (Known { product_class: Some("hAP be3"), ..known("arm64", "") }, "7.12.1"),
    ] {
        let refusal = package_set(&known, &v(target)).unwrap_err();
        assert_eq!(refusal.kind(), "no_path", "{refusal}");
    }
    assert_eq!(more(&with(&ac), "6.49.10"), (vec![], false));
}

#[test]
fn who_a_device_is_must_be_known() {
    let arch = |arch| package_set(&Known { arch, ..Known::default() }, &v("7.16.1"));
    for said in [None, Some("vax")] {
        assert_eq!(arch(said).unwrap_err().kind(), "unknown_architecture");
    }
    let version = |version| Known { version, ..Known::default() }.version();
    assert_eq!(version(Some("7.16.1 (stable)")), Ok(v("7.16.1")));
    for said in [None, Some(" ")] {
        assert_eq!(version(said), Err(Refusal::UnknownVersion));
    }
    assert_eq!(version(Some("V1.0")).unwrap_err().kind(), "not_routeros");
}

#[test]
fn a_list_that_cannot_be_right_is_not_believed() {
    for installed in [list("7.16.1", &["container"]), list("old", &["routeros"]), vec![]] {
        let known = Known { installed: Some(&installed), ..known("arm", "RB941-2nD") };
        assert_eq!(more(&known, "7.18"), (owned(&["wireless"]), true));
    }
}

proptest! {
    #[test]
    fn a_set_is_never_without_what_keeps_a_device_in_reach(
        arch in proptest::sample::select(Arch::ALL.to_vec()),
        model in "(RB|C)[0-9]{2,4}(-[25]H?(n|ac|ax|be)D)?|\\PC{0,10}",
        from in proptest::sample::select(vec!["6.49.10", "7.12.1", "7.13rc1", "7.16.1"]),
        target in proptest::sample::select(vec!["6.48.4", "7.1", "7.12.1", "7.13beta1", "7.24rc1"]),
        names in proptest::collection::vec("routeros|system|wireless|wifi-qcom(-ac|-be)?|wifiwave2\
                                            |ntp|container|lora|[a-z]{1,6}", 0..8),
        known_list in any::<bool>(),
    ) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let installed = list(from, &names);
        let known = Known {
            installed: known_list.then_some(installed.as_slice()),
            ..known(arch.word(), &model)
        };
        let target = v(target);
        match package_set(&known, &target) {
            Err(refusal) => prop_assert_eq!(refusal.kind(), "no_path"),
            Ok(set) => {
                prop_assert_eq!(set.arch, arch);
                prop_assert_eq!(&set.names[..2], ["routeros", "tr069-client"]);
                let once: BTreeSet<&String> = set.names.iter().collect();
                prop_assert_eq!(once.len(), set.names.len());
                let fits = |name: &String| name == MAIN || extras::can_exist(name, &target, arch);
                prop_assert!(set.names.iter().all(fits), "{:?}", set.names);
                prop_assert!(known_list || set.assumed);
            }
        }
    }
}
