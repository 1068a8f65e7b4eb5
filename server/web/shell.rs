//! The frame of every page: who looks, where they can go, and what is to be said to them.
//!
//! Owns the sections of the dashboard and for which right each is shown. That a page is not offered
//! is no protection: its route and `service` ask for the right.

use serde::Serialize;

use super::flash::Flash;
use super::viewer::Viewer;
use crate::access::right::Right;
use crate::config::{AuthMode, Config};
use crate::ctx::Ctx;

/// A section of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// Figures of the whole fleet.
    Overview,
    /// The list of devices, and each of them.
    Devices,
    /// What a support agent sees of a device.
    Support,
    /// The tree of places.
    Sites,
    /// Named sets of devices.
    Groups,
    /// Devices that are expected, and those that nobody expected.
    Claims,
    /// Factory-fresh boards, as they come.
    Bench,
    /// What devices are to be.
    Profiles,
    /// Scripts with variables.
    Templates,
    /// What differs from what is wanted, and what changed.
    Drift,
    /// Who is told what happens.
    Webhooks,
    /// Work on devices.
    Jobs,
    /// Versions of RouterOS.
    Releases,
    /// A change brought to many devices, wave by wave.
    Rollouts,
    /// Files for devices.
    Files,
    /// People.
    Users,
    /// Sets of rights.
    Roles,
    /// Programs.
    Tokens,
    /// Who changed what.
    Audit,
    /// Nodes, queues, database.
    System,
    /// None of them, such as one's own account.
    None,
}

/// A section in the navigation.
struct Entry {
    section: Section,
    label: &'static str,
    href: &'static str,
    right: Right,
}

const fn entry(section: Section, label: &'static str, href: &'static str, right: Right) -> Entry {
    Entry { section, label, href, right }
}

/// The navigation, part by part.
static PARTS: [(&str, &[Entry]); 5] = [
    ("", &[entry(Section::Overview, "Overview", "/", Right::Read)]),
    (
        "Fleet",
        &[
            entry(Section::Devices, "Devices", "/devices", Right::Read),
            entry(Section::Support, "Support", "/support", Right::Support),
            entry(Section::Sites, "Sites", "/sites", Right::Read),
            entry(Section::Groups, "Groups", "/groups", Right::Read),
        ],
    ),
    (
        "Zero touch",
        &[
            entry(Section::Claims, "Claims", "/claims", Right::Read),
            entry(Section::Bench, "Bench", "/bench", Right::Read),
            entry(Section::Profiles, "Profiles", "/profiles", Right::Read),
            entry(Section::Templates, "Templates", "/templates", Right::Read),
            entry(Section::Drift, "Drift", "/drift", Right::Read),
        ],
    ),
    (
        "Work",
        &[
            entry(Section::Jobs, "Jobs", "/jobs", Right::Read),
            entry(Section::Releases, "Releases", "/releases", Right::Read),
            entry(Section::Rollouts, "Rollouts", "/rollouts", Right::Read),
            entry(Section::Files, "Files", "/files", Right::Read),
        ],
    ),
    (
        "Manage",
        &[
            entry(Section::Users, "Users", "/users", Right::Admin),
            entry(Section::Roles, "Roles", "/roles", Right::Admin),
            entry(Section::Tokens, "API tokens", "/tokens", Right::Admin),
            entry(Section::Webhooks, "Webhooks", "/webhooks", Right::Admin),
            entry(Section::Audit, "Audit log", "/audit", Right::Audit),
            entry(Section::System, "System", "/system", Right::Read),
        ],
    ),
];

/// Where somebody who may not see the overview begins; `None` = there is nothing for them.
pub(super) fn first_page(ctx: &Ctx) -> Option<&'static str> {
    let mut entries = PARTS.iter().flat_map(|(_, entries)| entries.iter());
    entries.find(|entry| ctx.may(entry.right)).map(|entry| entry.href)
}

/// What the frame of every page needs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Shell {
    title: String,
    version: &'static str,
    /// Devices are not asked who they are: to be shown loudly.
    unauthenticated: bool,
    /// `light`, `dark`, or empty: as the system says.
    theme: String,
    /// IANA name of the zone in which times are told; empty: the browser's.
    zone: String,
    user: Option<User>,
    nav: Vec<Part>,
    flash: Option<Flash>,
}

#[derive(Debug, Clone, Serialize)]
struct User {
    login: String,
    name: String,
}

/// Sections that belong together; the first part has no label.
#[derive(Debug, Clone, Serialize)]
struct Part {
    label: &'static str,
    items: Vec<Item>,
}

#[derive(Debug, Clone, Serialize)]
struct Item {
    label: &'static str,
    href: &'static str,
    current: bool,
}

impl Shell {
    /// For somebody's page in a section.
    pub(super) fn new(
        viewer: &Viewer,
        config: &Config,
        title: impl Into<String>,
        at: Section,
    ) -> Self {
        let session = &viewer.session;
        let name = match session.display_name.as_str() {
            "" => session.login.clone(),
            name => name.to_owned(),
        };
        let theme = viewer.preference("theme");
        Self {
            title: title.into(),
            version: env!("CARGO_PKG_VERSION"),
            unauthenticated: config.acs.auth == AuthMode::None,
            theme: if matches!(theme, "light" | "dark") { theme.to_owned() } else { String::new() },
            zone: viewer.preference("time_zone").to_owned(),
            user: Some(User { login: session.login.clone(), name }),
            nav: nav(&session.ctx, at),
            flash: viewer.flash.clone(),
        }
    }

    /// For a page that knows nobody.
    pub(super) fn bare(title: impl Into<String>, flash: Option<Flash>) -> Self {
        Self {
            title: title.into(),
            version: env!("CARGO_PKG_VERSION"),
            unauthenticated: false,
            theme: String::new(),
            zone: String::new(),
            user: None,
            nav: Vec::new(),
            flash,
        }
    }

    /// With all that a frame can have.
    #[cfg(test)]
    pub(super) fn sample() -> Self {
        let ctx = Ctx::console(chrono::DateTime::UNIX_EPOCH);
        Self {
            unauthenticated: true,
            theme: "dark".to_owned(),
            zone: "Europe/Riga".to_owned(),
            user: Some(User { login: "ann".to_owned(), name: "Ann <x-evil>".to_owned() }),
            nav: nav(&ctx, Section::Devices),
            ..Self::bare("Sample", Some(Flash::done("Done <x-evil>")))
        }
    }
}

/// What somebody may go to.
fn nav(ctx: &Ctx, at: Section) -> Vec<Part> {
    let part = |&(label, entries): &(&'static str, &'static [Entry])| {
        let shown = entries.iter().filter(|entry| ctx.may(entry.right));
        let item = |entry: &Entry| Item {
            label: entry.label,
            href: entry.href,
            current: entry.section == at,
        };
        Part { label, items: shown.map(item).collect() }
    };
    let mut parts: Vec<Part> = PARTS.iter().map(part).collect();
    parts.retain(|part| !part.items.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::access::grant::{Grant, Grants, Place};
    use crate::ctx::{Actor, ActorKind};
    use chrono::DateTime;

    fn ctx(rights: &[Right]) -> Ctx {
        let actor = Actor { kind: ActorKind::User, id: None, name: "ann".to_owned() };
        let grants = Grants(vec![Grant { rights: rights.to_vec(), place: Place::Everywhere }]);
        Ctx { actor, grants, from: None, now: DateTime::UNIX_EPOCH }
    }

    fn labels(rights: &[Right]) -> Vec<&'static str> {
        let parts = nav(&ctx(rights), Section::Devices);
        parts.iter().flat_map(|part| part.items.iter().map(|item| item.label)).collect()
    }

    #[test]
    fn the_navigation_is_what_somebody_may() {
        assert_eq!(labels(&[Right::Support]), ["Support"]);
        assert_eq!(labels(&[Right::Audit]), ["Audit log"]);
        let read = [
            "Overview",
            "Devices",
            "Sites",
            "Groups",
            "Claims",
            "Bench",
            "Profiles",
            "Templates",
            "Drift",
            "Jobs",
            "Releases",
            "Rollouts",
            "Files",
            "System",
        ];
        assert_eq!(labels(&[Right::Read]), read);
        assert_eq!(labels(&[Right::Admin]).len(), 20);
        assert!(labels(&[]).is_empty());
    }

    #[test]
    fn one_section_is_the_present_one() {
        let parts = nav(&ctx(&[Right::Admin]), Section::Devices);
        let current: Vec<&Item> =
            parts.iter().flat_map(|part| &part.items).filter(|item| item.current).collect();
        assert_eq!(current.len(), 1);
        assert_eq!(current[0].href, "/devices");
    }

    #[test]
    fn everybody_begins_somewhere() {
        assert_eq!(first_page(&ctx(&[Right::Read])).unwrap(), "/");
        assert_eq!(first_page(&ctx(&[Right::Support])).unwrap(), "/support");
        assert_eq!(first_page(&ctx(&[])), None);
    }
}
