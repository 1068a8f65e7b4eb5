//! What boot loaders call the architectures that they are of (option 60), which boot image each takes,
//! and where the vendor publishes one.
//!
//! From several open implementations, which agree. Boot images are the vendor's, and are passed on by
//! nobody: an operator gets their own.

use muster_routeros::version::{RosVersion, Stage};

/// A name that boot loaders give themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Option 60, whole.
    pub option60: &'static str,
    /// What packages for it are made for. The boards of `smips` say `Mips_boot`, too: which of both it
    /// is, the board announces when its boot image runs.
    pub arch: &'static str,
    /// The boot image that it takes. PowerPC has three for one architecture.
    pub image: &'static str,
}

/// The names, without those of PCs, which [`arch_of`] reads in the form of PXE.
pub const TABLE: [Name; 9] = [
    name("Powerboot", "ppc", "ppc-e300"),
    name("e500_boot", "ppc", "ppc-e500"),
    name("e500sboot", "ppc", "ppc-e500"),
    name("Mips_boot", "mipsbe", "mipsbe"),
    name("440__boot", "ppc", "ppc-440"),
    name("tile_boot", "tile", "tile"),
    name("ARM__boot", "arm", "arm"),
    name("MMipsBoot", "mmips", "mmips"),
    name("ARM64__boot", "arm64", "arm64"),
];

/// The boot images that PCs take, by the number of their kind (RFC 4578 section 2.1).
const PXE: [(&str, Name); 5] = [
    ("00000", name("PXEClient", "x86", "x86")),
    ("00006", name("PXEClient", "x86", "x86")),
    ("00007", name("PXEClient", "x86", "x86")),
    ("00009", name("PXEClient", "x86", "x86")),
    ("00011", name("PXEClient", "arm64", "arm64-uefi")),
];

/// The images whose addresses are published.
const PUBLISHED: [&str; 2] = ["arm64", "arm64-uefi"];

const fn name(option60: &'static str, arch: &'static str, image: &'static str) -> Name {
    Name { option60, arch, image }
}

/// The architecture of a boot loader that calls itself so: `arm64` of `ARM64__boot`. None: it is no boot
/// loader that takes a boot image.
pub fn arch_of(option60: &str) -> Option<&'static str> {
    find(option60).map(|name| name.arch)
}

/// The boot image that a boot loader takes which calls itself so: `ppc-e500` of `e500_boot`. Where an
/// architecture has one image alone, it is called as the architecture is.
pub fn image_of(option60: &str) -> Option<&'static str> {
    find(option60).map(|name| name.image)
}

/// All boot images that boot loaders are known to take, each once.
pub fn images() -> Vec<&'static str> {
    let pcs = PXE.iter().map(|(_, name)| name.image);
    let mut images: Vec<&str> = TABLE.iter().map(|name| name.image).chain(pcs).collect();
    images.sort_unstable();
    images.dedup();
    images
}

/// Where the vendor has the boot image of a version, if the address is published: for two images, and
/// since 7.24beta1.
pub fn vendor_url(image: &str, version: RosVersion) -> Option<String> {
    let named = (version.major(), version.minor()) >= (7, 24);
    let alpha = matches!(version.stage(), Stage::Alpha(_));
    let image = PUBLISHED.into_iter().find(|published| *published == image)?;
    (named && !alpha)
        .then(|| format!("https://upgrade.mikrotik.com/routeros/{version}/netinstk/linux.{image}"))
}

fn find(option60: &str) -> Option<Name> {
    if let Some(kind) = option60.strip_prefix("PXEClient:Arch:") {
        let number = kind.split(':').next().unwrap_or_default();
        return PXE.into_iter().find(|(pc, _)| *pc == number).map(|(_, name)| name);
    }
    TABLE.into_iter().find(|name| name.option60 == option60)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use muster_routeros::arch::Arch;

    use super::*;

    #[test]
    fn each_name_is_of_an_architecture_that_packages_are_made_for() {
        let names: BTreeSet<&str> = TABLE.iter().map(|name| name.option60).collect();
        assert_eq!(names.len(), TABLE.len());
        for name in TABLE {
            assert_eq!(arch_of(name.option60), Some(name.arch));
            assert_eq!(image_of(name.option60), Some(name.image));
            assert_eq!(name.arch.parse::<Arch>().unwrap().word(), name.arch);
        }
    }

    #[test]
    fn names_count_whole_and_as_they_are_written() {
        assert_eq!(arch_of("ARM64__boot"), Some("arm64"));
        for none in
            ["", "Flashboot", "arm64__boot", "ARM64__boot2", "ARM", "Etherboot", "Mikroboot"]
        {
            assert_eq!(arch_of(none), None, "{none}");
        }
    }

    #[test]
    fn pcs_say_what_they_are_behind_the_word_of_pxe() {
        assert_eq!(arch_of("PXEClient:Arch:00000:UNDI:002001"), Some("x86"));
        assert_eq!(image_of("PXEClient:Arch:00011:UNDI:003000"), Some("arm64-uefi"));
        assert_eq!(arch_of("PXEClient:Arch:00016:UNDI:003000"), None);
        assert_eq!(arch_of("PXEClient"), None);
    }

    #[test]
    fn addresses_are_told_where_they_are_published() {
        let url = "https://upgrade.mikrotik.com/routeros/7.24/netinstk/linux.arm64";
        assert_eq!(vendor_url("arm64", "7.24".parse().unwrap()).as_deref(), Some(url));
        assert!(vendor_url("arm64", "7.24beta1".parse().unwrap()).is_some());
        assert_eq!(vendor_url("arm64", "7.23.2".parse().unwrap()), None);
        assert_eq!(vendor_url("arm", "7.24".parse().unwrap()), None);
        assert!(PUBLISHED.iter().all(|image| images().contains(image)));
    }
}
