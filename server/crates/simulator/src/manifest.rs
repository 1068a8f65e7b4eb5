//! RouterOS firmware: the upgrade XML and package file names (routeros.md sections 6 and 7).
//!
//! Pure. Owns what a board makes of a manifest: which version it boots, and whether its TR-069
//! client is still there afterwards.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

/// Packages in one manifest; a real one has a handful.
const MAX_LINKS: usize = 64;
const ARCHES: [&str; 9] =
    ["arm", "arm64", "mipsbe", "mmips", "smips", "tile", "ppc", "x86", "x86_64"];

/// Why a manifest is no good; the device reports fault 9018 with this text.
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

/// What a package file's name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// `routeros`, `tr069-client`, `wifi-qcom-ac` ...
    pub name: String,
    /// `7.16.1`, `6.49.10`, `7.24rc1`.
    pub version: String,
    /// `None` in v7's x86 names and v6's CHR names.
    pub arch: Option<String>,
}

impl Package {
    /// Reads the last path segment of a URL in either generation's order
    /// (`routeros-arm-6.48.4.npk`, `routeros-7.16.1-arm.npk`); `None` when it is no package.
    pub fn from_url(url: &str) -> Option<Self> {
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let stem = path.rsplit('/').next()?.strip_suffix(".npk")?;
        let parts: Vec<&str> = stem.split('-').collect();
        let at = parts.iter().rposition(|part| {
            part.contains('.') && part.starts_with(|c: char| c.is_ascii_digit())
        })?;
        let (before, after) = (&parts[..at], parts.get(at + 1).copied());
        let (name, arch) = match (before.split_last(), after) {
            (_, Some(arch)) => (before, Some(arch)),
            (Some((arch, name)), None) if ARCHES.contains(arch) && !name.is_empty() => {
                (name, Some(*arch))
            }
            (_, None) => (before, None),
        };
        (!name.is_empty()).then(|| Self {
            name: name.join("-"),
            version: parts[at].to_owned(),
            arch: arch.map(str::to_owned),
        })
    }
}

/// What a board boots after it was given these packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Install {
    /// No main package for this architecture: it comes back as it was.
    Unchanged,
    /// A new system.
    Version {
        /// The main package's version.
        version: String,
        /// Whether `tr069-client` of that version and architecture came along; without it the box
        /// goes dark.
        managed: bool,
    },
}

/// Decides as RouterOS does: all packages of the board's architecture and of one version.
pub fn install(packages: &[Package], arch: &str) -> Install {
    // A name without architecture is x86's in v7, but v6's CHR names lack it too.
    let fits = |package: &&Package| package.arch.as_deref().is_none_or(|a| a == arch);
    let main = packages.iter().filter(fits).find(|p| p.name == "routeros" || p.name == "system");
    let Some(main) = main.filter(|main| main.arch.is_some() || arch.starts_with("x86")) else {
        return Install::Unchanged;
    };
    let managed = packages
        .iter()
        .filter(fits)
        .any(|package| package.name == "tr069-client" && package.version == main.version);
    Install::Version { version: main.version.clone(), managed }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn package(name: &str, version: &str, arch: Option<&str>) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            arch: arch.map(str::to_owned),
        }
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
    fn reads_package_names_of_both_generations() {
        let cases = [
            ("routeros-arm-6.48.4.npk", package("routeros", "6.48.4", Some("arm"))),
            ("routeros-7.16.1-arm64.npk", package("routeros", "7.16.1", Some("arm64"))),
            ("routeros-7.24rc1.npk", package("routeros", "7.24rc1", None)),
            ("tr069-client-6.48.4-mipsbe.npk", package("tr069-client", "6.48.4", Some("mipsbe"))),
            ("tr069-client-6.48.4.npk", package("tr069-client", "6.48.4", None)),
            ("wifi-qcom-ac-7.16.1-arm.npk", package("wifi-qcom-ac", "7.16.1", Some("arm"))),
        ];
        for (name, expected) in cases {
            let url = format!("https://host:1/f/7.0-x/{name}?token=1.2");
            assert_eq!(Package::from_url(&url), Some(expected), "{name}");
        }
        for name in ["routeros.npk", "7.16.1.npk", "routeros-7.16.1-arm.zip", ""] {
            assert_eq!(Package::from_url(name), None, "{name}");
        }
    }

    #[test]
    fn a_board_boots_what_fits_it() {
        let main = package("routeros", "7.16.1", Some("arm"));
        let client = package("tr069-client", "7.16.1", Some("arm"));
        let version = |managed| Install::Version { version: "7.16.1".to_owned(), managed };
        assert_eq!(install(&[client.clone(), main.clone()], "arm"), version(true));
        assert_eq!(install(std::slice::from_ref(&main), "arm"), version(false));
        let old = package("tr069-client", "7.12.1", Some("arm"));
        assert_eq!(install(&[main.clone(), old], "arm"), version(false));
        assert_eq!(install(&[main, client], "arm64"), Install::Unchanged);
        let plain = [package("routeros", "7.16.1", None)];
        assert_eq!(install(&plain, "arm"), Install::Unchanged);
        assert_eq!(install(&plain, "x86_64"), version(false));
    }
}
