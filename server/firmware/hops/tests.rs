#![expect(clippy::unwrap_used, reason = "tests")]

use muster_routeros::arch::Arch;
use muster_routeros::inspect::Installed;
use muster_routeros::package::{CLIENT, MAIN, parse_file_name};
use proptest::prelude::*;

use super::*;
use crate::firmware::catalogue::tests::stored;
use crate::firmware::manifest::Manifest;

const VERSIONS: [&str; 12] = [
    "6.48.4",
    "6.49.10",
    "7.1.5",
    "7.12.1",
    "7.13rc1",
    "7.13",
    "7.16",
    "7.16.1",
    "7.17",
    "7.18.2",
    "7.24beta1",
    "7.24",
];

fn v(text: &str) -> RosVersion {
    text.parse().unwrap()
}

/// All packages that there are, of all these versions.
fn full(versions: &[&str]) -> Catalogue {
    let of = |version: RosVersion| {
        Arch::ALL.into_iter().flat_map(move |arch| {
            let names = std::iter::once(MAIN).chain(extras::of(&version, arch));
            names.map(move |name| stored(name, &version, arch)).collect::<Vec<_>>()
        })
    };
    Catalogue::new(versions.iter().flat_map(|version| of(v(version))), [])
}

fn arm(version: &str) -> Known<'_> {
    Known {
        arch: Some("arm"),
        model: Some("RBD52G-5HacD2HnD"),
        version: Some(version),
        ..Known::default()
    }
}

fn versions(path: &Path) -> Vec<String> {
    path.hops.iter().map(|hop| hop.version.to_string()).collect()
}

fn names(hop: &Hop) -> Vec<&str> {
    hop.packages.iter().map(|package| package.name.as_str()).collect()
}

#[test]
fn version_6_stops_on_its_way_up() {
    let catalogue = full(&VERSIONS);
    let path = plan(&arm("6.48.4 (long-term)"), &v("7.16.1"), false, &catalogue).unwrap();
    assert_eq!(versions(&path), ["7.12.1", "7.16.1"]);
    assert_eq!(names(&path.hops[0]), ["routeros", "tr069-client"]);
    assert_eq!(names(&path.hops[1]), ["routeros", "tr069-client", "wireless"]);
    assert_eq!((path.bytes, path.assumed), (5_000, true));
    for (from, target, expected) in [
        ("6.48.4", "6.49.10", vec!["6.49.10"]),
        ("6.48.4", "7.1.5", vec!["7.1.5"]),
        ("6.49.10", "7.12.1", vec!["7.12.1"]),
        ("6.49.10", "7.13rc1", vec!["7.12.1", "7.13rc1"]),
        ("7.1.5", "7.16.1", vec!["7.16.1"]),
        ("7.12.1", "7.24", vec!["7.24"]),
    ] {
        let path = plan(&arm(from), &v(target), false, &catalogue).unwrap();
        assert_eq!(versions(&path), expected, "{from} to {target}");
    }
}

#[test]
fn a_device_that_is_there_or_beyond_stays() {
    let catalogue = full(&VERSIONS);
    let kind = |from, target, downgrade| {
        plan(&arm(from), &v(target), downgrade, &catalogue).map_err(|refusal| refusal.kind())
    };
    assert_eq!(kind("7.16.0", "7.16", false), Err("already_there"));
    assert_eq!(kind("7.16.1", "7.16", false), Err("newer"));
    // As decimals it would be the other way round.
    assert_eq!(kind("7.16", "7.1.5", false), Err("newer"));
    assert_eq!(kind("7.24", "7.24beta1", false), Err("newer"));
    assert_eq!(versions(&kind("7.16.1", "6.49.10", true).unwrap()), ["6.49.10"]);
}

#[test]
fn what_is_not_stored_is_asked_for_by_its_file() {
    let some = ["routeros", "tr069-client"].map(|name| stored(name, &v("7.16.1"), Arch::Arm));
    let catalogue = Catalogue::new(some, []);
    let refusal = plan(&arm("6.49.10"), &v("7.16.1"), false, &catalogue).unwrap_err();
    let files =
        ["routeros-7.12.1-arm.npk", "tr069-client-7.12.1-arm.npk", "wireless-7.16.1-arm.npk"];
    assert_eq!(refusal, Refusal::MissingPackage(files.map(str::to_owned).to_vec()));
    // Nobody needs what does nothing.
    let installed = ["routeros", "lora"].map(|name| Installed {
        name: name.to_owned(),
        version: "7.16".to_owned(),
        enabled: true,
    });
    let known = Known { installed: Some(&installed), ..arm("7.16") };
    let path = plan(&known, &v("7.16.1"), false, &catalogue).unwrap();
    assert_eq!((names(&path.hops[0]), path.assumed), (vec!["routeros", "tr069-client"], false));
}

#[test]
fn no_way_leads_over_a_withdrawn_release() {
    let mut packages = Vec::new();
    for version in ["7.12.1", "7.16.1"] {
        packages.extend(
            ["routeros", "tr069-client", "wireless"]
                .map(|name| stored(name, &v(version), Arch::Arm)),
        );
    }
    let catalogue = Catalogue::new(packages, [(v("7.12.1"), "it loops".to_owned())]);
    let refusal = plan(&arm("6.49.10"), &v("7.16.1"), false, &catalogue).unwrap_err();
    assert_eq!(refusal.to_string(), "7.12.1 was withdrawn: it loops");
    assert!(plan(&arm("7.1.5"), &v("7.16.1"), false, &catalogue).is_ok());
}

#[test]
fn a_device_takes_what_it_lets_be_installed() {
    let catalogue = full(&VERSIONS);
    let usual = "7.13+,6.49.8+";
    let ask = |from, list, target| {
        let known = Known { allowed_versions: list, device_mode: Some("home"), ..arm(from) };
        plan(&known, &v(target), true, &catalogue).map(|_| ()).map_err(|refusal| refusal.kind())
    };
    for (from, list, target, expected) in [
        ("7.18.2", Some(usual), "7.13", Ok(())),
        ("7.18.2", Some(usual), "6.49.10", Ok(())),
        ("7.18.2", Some(usual), "7.13rc1", Err("not_allowed")),
        ("7.18.2", Some(usual), "7.12.1", Err("not_allowed")),
        ("7.18.2", Some(usual), "6.48.4", Err("not_allowed")),
        ("7.18.2", Some("any"), "6.48.4", Ok(())),
        // It has not said its list, and has one.
        ("7.18.2", None, "7.12.1", Err("not_allowed")),
        ("7.18.2", None, "7.13", Ok(())),
        ("7.18.2", None, "7.24", Ok(())),
        // It has none.
        ("7.16.1", None, "7.12.1", Ok(())),
        // A list outlives a downgrade, and then stands in the way up, too.
        ("6.49.10", Some(usual), "7.16.1", Err("not_allowed")),
        // Nobody can read it.
        ("7.18.2", Some("all but 7.9"), "7.13", Err("not_allowed")),
        ("7.18.2", Some("all but 7.9"), "7.24", Ok(())),
    ] {
        assert_eq!(ask(from, list, target), expected, "{from} {list:?} {target}");
    }
    let unsaid = plan(&arm("7.18.2"), &v("7.13"), true, &catalogue).unwrap();
    assert!(unsaid.assumed);
}

#[test]
fn who_a_device_is_must_be_known() {
    let catalogue = full(&["7.16.1"]);
    let nobody = Known { arch: None, ..arm("7.1.5") };
    let kind = |known: &Known<'_>| plan(known, &v("7.16.1"), false, &catalogue).unwrap_err().kind();
    assert_eq!(kind(&nobody), "unknown_architecture");
    assert_eq!(kind(&Known { version: None, ..arm("") }), "unknown_version");
    assert_eq!(kind(&arm("BETA")), "not_routeros");
}

fn any_version() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(VERSIONS.to_vec())
}

/// A device, as far as the way depends on it.
#[derive(Debug, Clone)]
struct Device {
    arch: Arch,
    model: &'static str,
    version: &'static str,
    installed: Option<Vec<Installed>>,
    allowed: Option<&'static str>,
}

impl Device {
    fn known(&self) -> Known<'_> {
        Known {
            arch: Some(self.arch.word()),
            model: Some(self.model),
            version: Some(self.version),
            installed: self.installed.as_deref(),
            allowed_versions: self.allowed,
            ..Known::default()
        }
    }
}

prop_compose! {
    fn any_device()(
        arch in proptest::sample::select(Arch::ALL.to_vec()),
        model in proptest::sample::select(vec![
            "RB941-2nD", "RBD52G-5HacD2HnD", "cAPGi-5HaxD2HaxD", "RB4011iGS+RM", "RBSXTLTE3-7", "?",
        ]),
        version in any_version(),
        names in proptest::option::of(proptest::sample::subsequence(
            vec!["container", "lora", "ntp", "ups", "wifiwave2", "wifi-qcom", "wireless"], 0..7,
        )),
        allowed in proptest::option::of(proptest::sample::select(vec![
            "7.13+,6.49.8+", "any", "7.16+", "?",
        ])),
    ) -> Device {
        let one = |name: &str| Installed {
            name: name.to_owned(), version: version.to_owned(), enabled: true,
        };
        let installed = names.map(|names| {
            ["routeros", "tr069-client"].into_iter().chain(names).map(one).collect()
        });
        Device { arch, model, version, installed, allowed }
    }
}

/// A way is one that RouterOS lets a device go.
fn check(
    device: &Device,
    target: &RosVersion,
    catalogue: &Catalogue,
    path: &Path,
) -> Result<(), TestCaseError> {
    let from = v(device.version);
    prop_assert_eq!(path.hops.last().map(|hop| hop.version), Some(*target));
    let mut at = from;
    for hop in &path.hops {
        let onward = if *target > from { hop.version > at } else { hop.version < at };
        prop_assert!(onward, "{} to {}", at, hop.version);
        prop_assert!(at.major() >= 7 || hop.version <= STOP, "{} to {}", at, hop.version);
        prop_assert!(catalogue.withdrawn(&hop.version).is_none());
        if let Some(Ok(list)) = device.allowed.map(str::parse::<Allowed>) {
            prop_assert!(list.permits(&hop.version));
        }
        prop_assert_eq!(&names(hop)[..2], [MAIN, CLIENT]);
        for package in &hop.packages {
            prop_assert_eq!((package.version, package.arch), (hop.version, device.arch));
        }
        prop_assert!(Manifest::new(hop).is_ok());
        at = hop.version;
    }
    let sizes: u64 = path.hops.iter().flat_map(|hop| &hop.packages).map(|p| p.size).sum();
    prop_assert_eq!(path.bytes, sizes);
    Ok(())
}

proptest! {
    #[test]
    fn a_way_is_one_that_can_be_gone(
        device in any_device(),
        target in any_version(),
        downgrade in any::<bool>(),
        withdrawn in proptest::option::of(any_version()),
        holes in proptest::collection::vec(0..400_usize, 0..40),
    ) {
        let all = full(&VERSIONS);
        let kept = all.packages().enumerate().filter(|(n, _)| !holes.contains(n));
        let kept: Vec<Stored> = kept.map(|(_, stored)| stored.clone()).collect();
        let withdrawn = withdrawn.map(|version| (v(version), String::new()));
        let catalogue = Catalogue::new(kept, withdrawn);
        let target = v(target);
        if let Ok(path) = plan(&device.known(), &target, downgrade, &catalogue) {
            prop_assert!(downgrade || target > v(device.version));
            check(&device, &target, &catalogue, &path)?;
        }
    }

    #[test]
    fn where_all_is_stored_nothing_is_missing(
        device in any_device(),
        target in any_version(),
        downgrade in any::<bool>(),
    ) {
        let answer = plan(&device.known(), &v(target), downgrade, &full(&VERSIONS));
        let kind = answer.map_err(|refusal| refusal.kind()).err();
        prop_assert!(
            matches!(kind, None | Some("already_there" | "newer" | "not_allowed" | "no_path")),
            "{:?}", kind
        );
    }

    #[test]
    fn what_is_asked_for_is_enough(device in any_device(), target in any_version()) {
        let target = v(target);
        let asked = plan(&device.known(), &target, true, &Catalogue::default());
        if let Err(Refusal::MissingPackage(files)) = asked {
            let uploaded = files.iter().map(|file| {
                let said = parse_file_name(file).unwrap();
                stored(&said.name, &said.version, said.arch.unwrap_or(Arch::X86))
            });
            let catalogue = Catalogue::new(uploaded, []);
            let path = plan(&device.known(), &target, true, &catalogue).unwrap();
            check(&device, &target, &catalogue, &path)?;
        }
    }
}
