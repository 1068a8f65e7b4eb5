//! The upgrade XML: what a device is told to fetch and install.
//!
//! Whatever is in one is of one version and one architecture, with the main package and the TR-069
//! client: without that the device would be out of reach for good. No other can be made.

use muster_routeros::package::{CLIENT, MAIN};

use crate::firmware::catalogue::Stored;
use crate::firmware::hops::Hop;
use crate::firmware::refusal::Refusal;

/// The packages of one upgrade, of which each device is told by links of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    packages: Vec<Stored>,
}

impl Manifest {
    /// Of the packages of one hop.
    ///
    /// # Errors
    /// [`Refusal::BadSet`]: the main package or the TR-069 client is not among them, one is there
    /// twice, or they are of several versions or architectures.
    pub fn new(hop: &Hop) -> Result<Self, Refusal> {
        let bad = |why: String| Err(Refusal::BadSet(why));
        for needed in [MAIN, CLIENT] {
            if !hop.packages.iter().any(|package| package.name == needed) {
                return bad(format!("{needed} is not among them, and a device needs it"));
            }
        }
        let arch = hop.packages.first().map(|package| package.arch);
        for (at, package) in hop.packages.iter().enumerate() {
            let file = &package.file_name;
            if package.version != hop.version {
                return bad(format!("{file} is not of {}", hop.version));
            }
            if Some(package.arch) != arch {
                return bad(format!("{file} is for another architecture than the rest"));
            }
            if hop.packages[..at].iter().any(|other| other.name == package.name) {
                return bad(format!("{} is there twice", package.name));
            }
        }
        Ok(Self { packages: hop.packages.clone() })
    }

    /// What is in it, in the order of the links.
    pub fn packages(&self) -> &[Stored] {
        &self.packages
    }

    /// The document, with the link of each package. A link's last part must be the package's
    /// `file_name`.
    pub fn xml(&self, url_of: impl Fn(&Stored) -> String) -> String {
        let mut xml = String::from(r#"<upgrade version="1" type="links"><config/><links>"#);
        for package in &self.packages {
            xml.push_str("<link><url>");
            escape(&url_of(package), &mut xml);
            xml.push_str("</url></link>");
        }
        xml.push_str("</links></upgrade>");
        xml
    }
}

/// The document of a hop.
///
/// # Errors
/// As [`Manifest::new`].
pub fn compile(hop: &Hop, url_of: impl Fn(&Stored) -> String) -> Result<String, Refusal> {
    Ok(Manifest::new(hop)?.xml(url_of))
}

fn escape(text: &str, xml: &mut String) {
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            other => xml.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use muster_routeros::arch::Arch;
    use muster_routeros::version::RosVersion;
    use proptest::prelude::*;

    use super::*;
    use crate::firmware::catalogue::tests::stored;

    const VERSION: RosVersion = RosVersion::release(7, 16, 1);

    fn hop(names: &[&str]) -> Hop {
        let packages = names.iter().map(|name| stored(name, &VERSION, Arch::Arm)).collect();
        Hop { version: VERSION, packages }
    }

    #[test]
    fn a_document_is_as_routeros_reads_it() {
        let hop = hop(&["routeros", "tr069-client"]);
        let link = |package: &Stored| format!("https://h/f/a&b<c>/{}", package.file_name);
        assert_eq!(
            compile(&hop, link).unwrap(),
            "<upgrade version=\"1\" type=\"links\"><config/><links>\
             <link><url>https://h/f/a&amp;b&lt;c&gt;/routeros-7.16.1-arm.npk</url></link>\
             <link><url>https://h/f/a&amp;b&lt;c&gt;/tr069-client-7.16.1-arm.npk</url></link>\
             </links></upgrade>"
        );
    }

    #[test]
    fn what_would_harm_a_device_cannot_be_made() {
        let why = |hop: &Hop| match Manifest::new(hop) {
            Err(Refusal::BadSet(why)) => why,
            other => panic!("{other:?}"),
        };
        assert!(why(&hop(&["routeros"])).starts_with("tr069-client is not among them"));
        assert!(why(&hop(&["tr069-client"])).starts_with("routeros is not among them"));
        assert!(why(&hop(&[])).starts_with("routeros is not"));
        assert!(why(&hop(&["routeros", "tr069-client", "ups", "ups"])).contains("twice"));
        let mut mixed = hop(&["routeros", "tr069-client"]);
        mixed.packages.push(stored("ups", &RosVersion::release(7, 16, 0), Arch::Arm));
        assert_eq!(why(&mixed), "ups-7.16-arm.npk is not of 7.16.1");
        mixed.packages[2] = stored("ups", &VERSION, Arch::Arm64);
        assert!(why(&mixed).contains("another architecture"));
        assert_eq!(Manifest::new(&hop(&["tr069-client", "routeros"])).unwrap().packages().len(), 2);
    }

    proptest! {
        #[test]
        fn no_link_breaks_the_document(path in "\\PC{0,40}") {
            let hop = hop(&["routeros", "tr069-client"]);
            let xml = compile(&hop, |_| path.clone()).unwrap();
            let mut links = xml.split("<url>").skip(1);
            let first = links.next().unwrap().split_once("</url>").unwrap().0;
            prop_assert!(!first.contains(['<', '>']));
            let read = first.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            prop_assert_eq!(read, path);
            prop_assert_eq!(links.count(), 1);
        }
    }
}
