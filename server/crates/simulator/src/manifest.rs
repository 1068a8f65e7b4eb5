//! RouterOS firmware: the upgrade XML, and what a board makes of the packages that it names
//! (routeros.md sections 6 to 8).
//!
//! Pure. Owns which system a board boots, and which packages are part of it.

use muster_routeros::allowed::Allowed;
use muster_routeros::arch::Arch;
use muster_routeros::npk::Npk;
use muster_routeros::package::{MAIN, kept_name, parse_file_name, plain_name};
use muster_routeros::version::RosVersion;
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

/// Packages in one manifest; a real one has a handful.
const MAX_LINKS: usize = 64;
/// The newest version that RouterOS 6 can become at once.
const LAST_STEP: RosVersion = RosVersion::release(7, 12, 1);

/// Why a manifest, or a package in it, is no good; the device reports fault 9018 with this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not XML.
    #[error("manifest is not XML: {0}")]
    Xml(String),
    /// Not `<upgrade version="1" type="links">`.
    #[error("manifest is not <upgrade version=\"1\" type=\"links\">")]
    Root,
    /// No `<link><url>`, or too many.
    #[error("manifest has {0} links")]
    Links(usize),
    /// A link whose end is no name of a package.
    #[error("{0} is no package")]
    Name(String),
    /// A package whose header says something else than its name.
    #[error("{0} is not what its name says but {1}")]
    Lies(String, String),
}

/// The package URLs of an upgrade manifest, in order.
pub fn parse(text: &str) -> Result<Vec<String>, ManifestError> {
    let xml = |error: &dyn std::fmt::Display| ManifestError::Xml(error.to_string());
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut urls = Vec::new();
    let mut url = String::new();
    loop {
        match reader.read_event().map_err(|error| xml(&error))? {
            Event::Start(start) => {
                let name = start.local_name().into_inner().to_owned();
                if path.is_empty() {
                    let attribute = |wanted: &str| {
                        start
                            .try_get_attribute(wanted)
                            .ok()
                            .flatten()
                            .map(|attribute| attribute.value.into_owned())
                    };
                    let version = attribute("version");
                    let kind = attribute("type");
                    if name != "upgrade"
                        || version.as_deref() != Some("1")
                        || kind.as_deref() != Some("links")
                    {
                        return Err(ManifestError::Root);
                    }
                }
                path.push(name);
            }
            Event::End(_) => {
                if path.join("/") == "upgrade/links/link/url" {
                    urls.push(std::mem::take(&mut url).trim().to_owned());
                }
                path.pop();
            }
            Event::Text(part) => url.push_str(&part),
            Event::CData(part) => url.push_str(&part),
            Event::GeneralRef(reference) => {
                match reference.resolve_char_ref().map_err(|error| xml(&error))? {
                    Some(character) => url.push(character),
                    None => url.push_str(resolve_xml_entity(&reference).unwrap_or_default()),
                }
            }
            Event::Eof => break,
            Event::Empty(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_) => {}
        }
        if path.last().is_none_or(|name| name != "url") {
            url.clear();
        }
    }
    if urls.is_empty() || urls.len() > MAX_LINKS {
        return Err(ManifestError::Links(urls.len()));
    }
    Ok(urls)
}

/// A package that came, by what its header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// `routeros`, `tr069-client`, `wifi-qcom-ac` ...
    pub name: String,
    /// All of one system have the same.
    pub version: RosVersion,
    /// For which boards.
    pub arch: Arch,
}

impl Package {
    /// The package at this URL; refused where its header is not what the end of the URL says.
    pub fn new(url: &str, npk: &Npk) -> Result<Self, ManifestError> {
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let lies = |header: String| ManifestError::Lies(path.to_owned(), header);
        let said = parse_file_name(path).ok_or_else(|| ManifestError::Name(path.to_owned()))?;
        let name = kept_name(&npk.name, Some(&said));
        if name != plain_name(&said.name) || npk.version != said.version {
            return Err(lies(format!("{name} {}", npk.version)));
        }
        let arch = match (npk.arch, said.arch) {
            (Some(inside), Some(outside)) if inside != outside => {
                return Err(lies(inside.to_string()));
            }
            // Only x86 goes without.
            (inside, outside) => inside.or(outside).unwrap_or(Arch::X86),
        };
        Ok(Self { name, version: npk.version, arch })
    }
}

/// The board that is given packages.
#[derive(Debug, Clone, Copy)]
pub struct Board {
    /// Its own.
    pub arch: Arch,
    /// What it runs.
    pub version: RosVersion,
    /// What its device-mode lets be installed; `None` = anything.
    pub allowed: Option<&'static str>,
}

/// What a board boots after it was given packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Install {
    /// It comes back as it was.
    Unchanged,
    /// A new system.
    System {
        /// The main package's version.
        version: RosVersion,
        /// All packages of it. Without `tr069-client` the box goes dark.
        packages: Vec<String>,
    },
}

impl Board {
    /// Decides as RouterOS does: the system is what the main package of the board's architecture
    /// is, and packages of other versions or architectures are not part of it.
    pub fn install(&self, packages: &[Package]) -> Install {
        let fits = || packages.iter().filter(|package| package.arch == self.arch);
        let Some(main) = fits().find(|package| package.name == MAIN) else {
            return Install::Unchanged;
        };
        let too_far = self.version.major() < 7 && main.version > LAST_STEP;
        let allowed = |list: &str| {
            list.parse::<Allowed>().is_ok_and(|allowed| allowed.permits(&main.version))
        };
        if too_far || !self.allowed.is_none_or(allowed) {
            return Install::Unchanged;
        }
        let system = fits().filter(|package| package.version == main.version);
        let packages = system.map(|package| package.name.clone()).collect();
        Install::System { version: main.version, packages }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::Cursor;

    use muster_routeros::npk::{NewNpk, build, read};

    use super::*;

    fn package(name: &str, version: &str, arch: Arch) -> Package {
        Package { name: name.to_owned(), version: version.parse().unwrap(), arch }
    }

    fn npk(name: &str, version: &str, arch: Option<Arch>) -> Npk {
        let (version, description) = (version.parse().unwrap(), String::new());
        let new =
            NewNpk { name: name.to_owned(), version, arch, built_at: 0, description, payload: 9 };
        read(Cursor::new(build(&new))).unwrap()
    }

    #[test]
    fn reads_the_urls_of_a_manifest() {
        let text = "<?xml version='1.0'?>\n<upgrade version=\"1\" type=\"links\">\n <config/>\n\
                    <links><link><url> https://h/a.npk?x=1&amp;y=2 </url></link>\
                    <link><url>https://h/b.npk</url></link></links></upgrade>";
        assert_eq!(parse(text).unwrap(), ["https://h/a.npk?x=1&y=2", "https://h/b.npk"]);
    }

    #[test]
    fn refuses_what_is_no_manifest() {
        assert_eq!(parse("<html><body/></html>"), Err(ManifestError::Root));
        assert_eq!(
            parse("<upgrade version='2' type='links'><links/></upgrade>"),
            Err(ManifestError::Root)
        );
        assert_eq!(
            parse("<upgrade version='1' type='links'><links/></upgrade>"),
            Err(ManifestError::Links(0))
        );
        assert!(matches!(parse("<upgrade <"), Err(ManifestError::Xml(_))));
        assert_eq!(parse(""), Err(ManifestError::Links(0)));
    }

    #[test]
    fn a_package_is_what_name_and_header_say() {
        let arm = Some(Arch::Arm);
        for (file, header, expected) in [
            (
                "routeros-arm-6.48.4.npk",
                npk("routeros-arm", "6.48.4", None),
                package("routeros", "6.48.4", Arch::Arm),
            ),
            (
                "routeros-6.48.4-arm.npk",
                npk("system", "6.48.4", arm),
                package("routeros", "6.48.4", Arch::Arm),
            ),
            (
                "routeros-7.24rc1.npk",
                npk("routeros", "7.24rc1", None),
                package("routeros", "7.24rc1", Arch::X86),
            ),
            (
                "wifi-qcom-ac-7.16.1-arm.npk",
                npk("wifi-qcom-ac", "7.16.1", arm),
                package("wifi-qcom-ac", "7.16.1", Arch::Arm),
            ),
        ] {
            let url = format!("https://host:1/f/7.0-x/{file}?token=1.2");
            assert_eq!(Package::new(&url, &header), Ok(expected), "{file}");
        }
    }

    #[test]
    fn a_package_that_lies_is_refused() {
        let url = "http://h/routeros-7.16.1-arm.npk";
        for (name, version, arch) in [
            ("tr069-client", "7.16.1", Arch::Arm),
            ("routeros", "7.16.2", Arch::Arm),
            ("routeros", "7.16.1", Arch::Arm64),
        ] {
            let refused = Package::new(url, &npk(name, version, Some(arch)));
            assert!(matches!(refused, Err(ManifestError::Lies(..))), "{refused:?}");
        }
        for url in ["http://h/upgrade.npk", "http://h/7.16.1.npk", "http://h/a-7.16.1-arm.zip", ""]
        {
            let refused = Package::new(url, &npk("routeros", "7.16.1", None));
            assert!(matches!(refused, Err(ManifestError::Name(_))), "{refused:?}");
        }
    }

    fn board(arch: Arch, version: &str, allowed: Option<&'static str>) -> Board {
        Board { arch, version: version.parse().unwrap(), allowed }
    }

    fn system(version: &str, packages: &[&str]) -> Install {
        let packages = packages.iter().map(|&name| name.to_owned()).collect();
        Install::System { version: version.parse().unwrap(), packages }
    }

    #[test]
    fn a_board_boots_what_fits_it() {
        let main = package("routeros", "7.16.1", Arch::Arm);
        let client = package("tr069-client", "7.16.1", Arch::Arm);
        let old = package("tr069-client", "7.12.1", Arch::Arm);
        let arm = board(Arch::Arm, "7.12.1", None);
        let both = [client.clone(), main.clone()];
        assert_eq!(arm.install(&both), system("7.16.1", &["tr069-client", "routeros"]));
        assert_eq!(arm.install(&[main, old]), system("7.16.1", &["routeros"]));
        assert_eq!(arm.install(&[client]), Install::Unchanged);
        assert_eq!(board(Arch::Arm64, "7.12.1", None).install(&both), Install::Unchanged);
    }

    #[test]
    fn a_step_too_far_changes_nothing() {
        let to = |board: Board, version: &str| {
            board.install(&[package("routeros", version, Arch::Arm)]) != Install::Unchanged
        };
        let six = board(Arch::Arm, "6.49.10", None);
        assert!(to(six, "7.12.1") && to(six, "6.49.17"));
        assert!(!to(six, "7.12.2") && !to(six, "7.16.1"));
        let seven = board(Arch::Arm, "7.17", Some("7.13+,6.49.8+"));
        assert!(to(seven, "7.13") && to(seven, "7.18"));
        assert!(!to(seven, "7.12.1") && !to(seven, "6.48.4"));
    }
}
