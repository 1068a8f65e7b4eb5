//! What package files are called: `routeros-7.16.1-arm.npk`.
//!
//! Owns the names of both generations. RouterOS 6 has the architecture of its main package before
//! the version, and PowerPC's is `powerpc` there; all other packages, and all of RouterOS 7, have it
//! after the version. x86 is left out there, but for the main package of RouterOS 6. Case does not
//! matter, so that a file that was renamed on its way is still understood.

use crate::arch::Arch;
use crate::version::RosVersion;

/// The package that is the system itself.
pub const MAIN: &str = "routeros";
/// The package without which a board cannot be reached over CWMP.
pub const CLIENT: &str = "tr069-client";

/// Longest file name that is looked at, in bytes.
const MAX_NAME: usize = 128;

/// What a package file's name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageName {
    /// `routeros`, `tr069-client`, `wifi-qcom-ac` ...
    pub name: String,
    /// Its version.
    pub version: RosVersion,
    /// For which architecture; none = the name does not say: x86, as a rule.
    pub arch: Option<Arch>,
}

/// The name of a package's file, as RouterOS of this version expects it.
pub fn file_name(name: &str, version: &RosVersion, arch: Arch) -> String {
    match (version.major() < 7 && name == MAIN, arch) {
        (true, Arch::Ppc) => format!("{name}-powerpc-{version}.npk"),
        (true, _) => format!("{name}-{arch}-{version}.npk"),
        (false, Arch::X86) => format!("{name}-{version}.npk"),
        (false, _) => format!("{name}-{version}-{arch}.npk"),
    }
}

/// What a file's name says, in either order; none where it is no package's. A path before it does
/// not matter.
pub fn parse_file_name(path: &str) -> Option<PackageName> {
    let file = path.rsplit(['/', '\\']).next()?;
    if file.len() > MAX_NAME {
        return None;
    }
    let lower = file.to_ascii_lowercase();
    let parts: Vec<&str> = lower.strip_suffix(".npk")?.split('-').collect();
    let (at, version) = parts.iter().enumerate().rev().find_map(|(at, part)| {
        let version = part.contains('.').then(|| part.parse::<RosVersion>().ok()).flatten();
        // A version may be followed by a space and anything: not in a name.
        version.filter(|_| !part.contains(' ')).map(|version| (at, version))
    })?;
    let (before, after) = (&parts[..at], &parts[at + 1..]);
    let (name, arch) = match after {
        [arch] => (before, Some(arch.parse::<Arch>().ok()?)),
        [] => leading_arch(before),
        _ => return None,
    };
    let name = name.join("-");
    is_name(&name).then_some(PackageName { name, version, arch })
}

/// Version 6 has the main package's architecture in front.
fn leading_arch<'a, 'b>(before: &'a [&'b str]) -> (&'a [&'b str], Option<Arch>) {
    match before {
        [MAIN, arch] => match arch.parse() {
            Ok(arch) => (&before[..1], Some(arch)),
            Err(_) => (before, None),
        },
        _ => (before, None),
    }
}

/// Whether this can be a package's name: letters, digits, `-`, `_`, `.` and `+`, with a letter or
/// digit first.
pub fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+'))
}

/// A package's name apart from architectures: boards and files of RouterOS 6 call the main package
/// `routeros-arm` and the like.
pub fn plain_name(name: &str) -> &str {
    match name.strip_prefix(MAIN).and_then(|rest| rest.strip_prefix('-')) {
        Some(arch) if arch.parse::<Arch>().is_ok() => MAIN,
        _ => name,
    }
}

/// The name that a file is kept under, from its header and what its file name says. Some main
/// packages of RouterOS 6 have the header of their first part, `system`; that part also exists alone,
/// and is no main package then.
pub fn kept_name(header: &str, file: Option<&PackageName>) -> String {
    match file {
        Some(file) if header == "system" && file.name == MAIN => MAIN.to_owned(),
        _ => plain_name(header).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn v(text: &str) -> RosVersion {
        text.parse().unwrap()
    }

    #[test]
    fn names_of_both_generations() {
        for (name, version, arch, file) in [
            ("routeros", "7.16.1", Arch::Arm, "routeros-7.16.1-arm.npk"),
            ("routeros", "7.24rc1", Arch::X86, "routeros-7.24rc1.npk"),
            ("routeros", "7.16.1", Arch::Ppc, "routeros-7.16.1-ppc.npk"),
            ("wifi-qcom-ac", "7.16.1", Arch::Arm, "wifi-qcom-ac-7.16.1-arm.npk"),
            ("container", "7.16.1", Arch::X86, "container-7.16.1.npk"),
            ("routeros", "6.49.10", Arch::Smips, "routeros-smips-6.49.10.npk"),
            ("routeros", "6.49.10", Arch::X86, "routeros-x86-6.49.10.npk"),
            ("routeros", "6.49.10", Arch::Ppc, "routeros-powerpc-6.49.10.npk"),
            ("tr069-client", "6.49.10", Arch::Ppc, "tr069-client-6.49.10-ppc.npk"),
            ("tr069-client", "6.49.10", Arch::X86, "tr069-client-6.49.10.npk"),
        ] {
            assert_eq!(file_name(name, &v(version), arch), file);
            let said = parse_file_name(file).unwrap();
            assert_eq!((said.name.as_str(), said.version), (name, v(version)), "{file}");
            assert!(
                said.arch == Some(arch) || (said.arch.is_none() && arch == Arch::X86),
                "{file}"
            );
        }
    }

    #[test]
    fn paths_case_and_the_other_order_are_understood() {
        let said = parse_file_name("C:\\Downloads\\RouterOS-7.16.1-ARM64.NPK").unwrap();
        assert_eq!((said.name.as_str(), said.arch), ("routeros", Some(Arch::Arm64)));
        let said = parse_file_name("/tmp/routeros-arm-7.1.npk").unwrap();
        assert_eq!((said.name.as_str(), said.arch), ("routeros", Some(Arch::Arm)));
        let said = parse_file_name("routeros-x86_64-7.1.npk").unwrap();
        assert_eq!(said.arch, Some(Arch::X86));
    }

    #[test]
    fn what_is_no_package_is_none() {
        for file in [
            "",
            ".npk",
            "routeros.npk",
            "7.16.1.npk",
            "7.16.1-arm.npk",
            "routeros-7.16.1-arm.zip",
            "routeros-7.16.1-arm-extra.npk",
            "routeros-7.16.1-vax.npk",
            "routeros-7.16.1 (1)-arm.npk",
            "-7.16.1-arm.npk",
            "r\u{f6}uteros-7.16.1-arm.npk",
        ] {
            assert_eq!(parse_file_name(file), None, "{file:?}");
        }
        assert_eq!(parse_file_name(&format!("{}-7.1-arm.npk", "x".repeat(200))), None);
    }

    #[test]
    fn the_main_package_has_one_name() {
        for name in ["routeros", "routeros-arm", "routeros-powerpc", "routeros-x86"] {
            assert_eq!(plain_name(name), "routeros");
        }
        for name in ["wireless", "routeros-extra", "routerosarm", "system"] {
            assert_eq!(plain_name(name), name);
        }
    }

    #[test]
    fn the_first_part_of_a_main_package_is_told_from_the_package() {
        let bundle = parse_file_name("routeros-arm-6.49.10.npk");
        let part = parse_file_name("system-6.49.10-arm.npk");
        assert_eq!(kept_name("system", bundle.as_ref()), "routeros");
        assert_eq!(kept_name("system", part.as_ref()), "system");
        assert_eq!(kept_name("system", None), "system");
        assert_eq!(kept_name("routeros-arm", None), "routeros");
        assert_eq!(kept_name("wireless", bundle.as_ref()), "wireless");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            name in "[a-z][a-z0-9]{0,8}(-[a-z]{1,8}){0,2}",
            major in 5..9_u16, minor in 0..60_u16, patch in 0..30_u16,
            arch in proptest::sample::select(Arch::ALL.to_vec()),
        ) {
            let version = RosVersion::release(major, minor, patch);
            let said = parse_file_name(&file_name(&name, &version, arch)).unwrap();
            // A package that is called as the main one of version 6 is, with its architecture.
            prop_assume!(plain_name(&name) == name);
            prop_assert_eq!(said.name, name);
            prop_assert_eq!(said.version, version);
            prop_assert_eq!(said.arch.unwrap_or(Arch::X86), arch);
        }

        #[test]
        fn no_text_breaks_it(text in "[a-z0-9.-]{0,30}(\\.npk)?|\\PC{0,30}") {
            if let Some(said) = parse_file_name(&text) {
                prop_assert!(is_name(&said.name));
            }
        }
    }
}
