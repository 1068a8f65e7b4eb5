//! Grants: rights at a place. The only rule of who may do what where.

use std::fmt;

use uuid::Uuid;

use super::right::Right;
use crate::fleet::selector::{Expr, SiteTest, Test};
use crate::fleet::site::SitePath;
use crate::store::within::Within;

/// What stands before the name of a group where a place is one word.
pub const GROUP: &str = "group:";

/// Some rights at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What.
    pub rights: Vec<Right>,
    /// Where.
    pub place: Place,
}

/// Where a grant holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Everywhere, also where devices have no site.
    Everywhere,
    /// At a site and all below it.
    Site(SitePath),
    /// Of the devices that were put into a group, wherever they stand.
    Group(GroupName),
}

/// A group that bounds a grant. It has no selector: that follows tags and parameters, which who
/// operates a device changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName {
    /// Which.
    pub group_id: Uuid,
    /// For people.
    pub name: String,
}

/// All that somebody was granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(pub Vec<Grant>);

/// Where somebody may do one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Everywhere, and whatever belongs to no site.
    Everywhere,
    /// Within these places; of none: nowhere.
    Within {
        /// All at these sites and below.
        sites: Vec<SitePath>,
        /// The devices of these groups, and nothing else there: no site, no window.
        groups: Vec<GroupName>,
    },
}

impl Grants {
    /// All rights, everywhere.
    pub fn all() -> Self {
        Self(vec![Grant { rights: vec![Right::Admin], place: Place::Everywhere }])
    }

    /// Where this right holds.
    pub fn reach(&self, right: Right) -> Reach {
        let holds = |grant: &&Grant| grant.rights.iter().any(|has| has.includes(right));
        let mut reach = Reach::nowhere();
        for grant in self.0.iter().filter(holds) {
            reach = reach.or(Reach::at(grant.place.clone()));
        }
        reach
    }

    /// Whether any of it is for a group: only then it matters in which groups a device is.
    pub fn names_groups(&self) -> bool {
        self.0.iter().any(|grant| matches!(grant.place, Place::Group(_)))
    }
}

impl Reach {
    /// No place at all.
    pub fn nowhere() -> Self {
        Self::Within { sites: Vec::new(), groups: Vec::new() }
    }

    /// One place.
    pub fn at(place: Place) -> Self {
        match place {
            Place::Everywhere => Self::Everywhere,
            Place::Site(site) => Self::Within { sites: vec![site], groups: Vec::new() },
            Place::Group(group) => Self::Within { sites: Vec::new(), groups: vec![group] },
        }
    }

    /// This and the other together.
    pub fn or(self, other: Self) -> Self {
        let (Self::Within { mut sites, mut groups }, Self::Within { sites: more, groups: others }) =
            (self, other)
        else {
            return Self::Everywhere;
        };
        for site in more {
            // A subtree within another one adds nothing.
            if !sites.iter().any(|had| site.is_under(had)) {
                sites.retain(|had| !had.is_under(&site));
                sites.push(site);
            }
        }
        for group in others {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        Self::Within { sites, groups }
    }

    /// Whether there is no place at all.
    pub fn is_nowhere(&self) -> bool {
        matches!(self, Self::Within { sites, groups } if sites.is_empty() && groups.is_empty())
    }

    /// Whether it covers a site, or what has none: all but devices, which may also be in a group.
    pub fn covers(&self, site: Option<&str>) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Within { sites, .. } => site
                .and_then(|site| site.parse::<SitePath>().ok())
                .is_some_and(|site| sites.iter().any(|top| site.is_under(top))),
        }
    }

    /// Whether it covers a device that stands at this site and was put into these groups.
    pub fn covers_device(&self, site: Option<&str>, in_groups: &[Uuid]) -> bool {
        let group = |group: &GroupName| in_groups.contains(&group.group_id);
        self.covers(site) || matches!(self, Self::Within { groups, .. } if groups.iter().any(group))
    }

    /// Whether it names groups: only then it matters in which ones a device is.
    pub fn names_groups(&self) -> bool {
        matches!(self, Self::Within { groups, .. } if !groups.is_empty())
    }

    /// The paths of the sites, for statements on what only has a site; `None` = everywhere.
    pub fn paths(&self) -> Option<Vec<String>> {
        match self {
            Self::Everywhere => None,
            Self::Within { sites, .. } => Some(sites.iter().map(SitePath::to_string).collect()),
        }
    }

    /// The devices, for statements; `None` = all of them.
    pub fn within(&self) -> Option<Within> {
        match self {
            Self::Everywhere => None,
            Self::Within { groups, .. } => Some(Within {
                sites: self.paths().unwrap_or_default(),
                groups: groups.iter().map(|group| group.group_id).collect(),
            }),
        }
    }

    /// The condition that a device is within; `None` = everywhere.
    pub fn expr(&self) -> Option<Expr> {
        let Self::Within { sites, groups } = self else { return None };
        let under = sites.iter().map(|site| Test::Site(SiteTest::Under(site.clone())));
        let members = groups.iter().map(|group| Test::Member(group.group_id));
        Some(Expr::Any(under.chain(members).map(Expr::Test).collect()))
    }

    /// The places; `None` = everywhere.
    pub fn places(&self) -> Option<Vec<Place>> {
        let Self::Within { sites, groups } = self else { return None };
        let sites = sites.iter().cloned().map(Place::Site);
        Some(sites.chain(groups.iter().cloned().map(Place::Group)).collect())
    }
}

impl Place {
    /// In one word, for programs: as `eu.lv` or `group:vip`, for no path of a site has a colon.
    pub fn word(&self) -> String {
        match self {
            Self::Group(group) => format!("{GROUP}{}", group.name),
            Self::Everywhere | Self::Site(_) => self.to_string(),
        }
    }
}

/// As people read it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => f.write_str("everywhere"),
            Self::Site(site) => f.write_str(site.as_str()),
            Self::Group(group) => write!(f, "group {}", group.name),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(site: &str, right: Right) -> Grant {
        let place = match site {
            "" => Place::Everywhere,
            site => Place::Site(site.parse().unwrap()),
        };
        Grant { rights: vec![right], place }
    }

    fn of(group: u128, right: Right) -> Grant {
        let name = GroupName { group_id: Uuid::from_u128(group), name: format!("g{group}") };
        Grant { rights: vec![right], place: Place::Group(name) }
    }

    #[test]
    fn a_grant_holds_at_its_site_and_below() {
        let grants = Grants(vec![at("eu.lv", Right::Operate), at("", Right::Audit)]);
        let reach = grants.reach(Right::Read);
        for (site, covered) in [
            (Some("eu.lv"), true),
            (Some("eu.lv.riga"), true),
            (Some("eu"), false),
            (Some("eu.lvx"), false),
            (None, false),
        ] {
            assert_eq!(reach.covers(site), covered, "{site:?}");
            assert_eq!(reach.covers_device(site, &[Uuid::nil()]), covered, "{site:?}");
        }
        assert_eq!(grants.reach(Right::Audit), Reach::Everywhere);
        assert!(grants.reach(Right::Admin).is_nowhere());
        assert!(Grants::default().reach(Right::Support).is_nowhere());
    }

    #[test]
    fn a_grant_for_a_group_holds_for_its_devices_wherever_they_stand_and_for_no_site() {
        let grants = Grants(vec![of(1, Right::Operate), at("eu", Right::Read)]);
        let [own, other] = [1, 2].map(Uuid::from_u128);
        let operate = grants.reach(Right::Operate);
        assert!(!operate.is_nowhere() && operate.names_groups() && grants.names_groups());
        for (site, groups, covered) in [
            (None, vec![own], true),
            (Some("us"), vec![other, own], true),
            (Some("us"), vec![other], false),
            (Some("eu.lv"), Vec::new(), false),
            (None, Vec::new(), false),
        ] {
            assert_eq!(operate.covers_device(site, &groups), covered, "{site:?} {groups:?}");
            assert!(!operate.covers(site), "{site:?}");
        }
        assert_eq!(operate.paths(), Some(Vec::new()), "no site, and not everywhere");
        let read = grants.reach(Right::Read);
        assert!(read.covers_device(Some("eu.lv"), &[]) && read.covers_device(None, &[own]));
        assert!(read.covers(Some("eu.lv")) && !read.covers_device(Some("us"), &[other]));
        // What is granted for one group says nothing of the rights at another place.
        assert!(!grants.reach(Right::Operate).covers_device(Some("eu"), &[other]));
        assert!(grants.reach(Right::Admin).is_nowhere());
    }

    #[test]
    fn statements_and_selectors_are_told_of_sites_and_groups() {
        let grants = Grants(vec![of(1, Right::Read), at("eu.lv", Right::Read), of(1, Right::Read)]);
        let reach = grants.reach(Right::Read);
        let id = Uuid::from_u128(1);
        let within = Within { sites: vec!["eu.lv".to_owned()], groups: vec![id] };
        assert_eq!(reach.within(), Some(within));
        let under = Test::Site(SiteTest::Under("eu.lv".parse().unwrap()));
        let tests = [under, Test::Member(id)].map(Expr::Test);
        assert_eq!(reach.expr(), Some(Expr::Any(tests.into())));
        let places = reach.places().unwrap();
        assert_eq!(places.iter().map(Place::word).collect::<Vec<_>>(), ["eu.lv", "group:g1"]);
        assert_eq!(places[1].to_string(), "group g1");
        assert_eq!(Reach::Everywhere.places(), None);
        let without = Grants(vec![at("eu", Right::Read)]).reach(Right::Read);
        assert!(!without.names_groups() && without.within().unwrap().groups.is_empty());
    }

    #[test]
    fn the_widest_grant_wins_and_nested_ones_add_nothing() {
        for (one, two) in [("eu.lv.riga", "eu.lv"), ("eu.lv", "eu.lv.riga"), ("eu.lv", "eu.lv")] {
            let grants = Grants(vec![at(one, Right::Operate), at(two, Right::Operate)]);
            assert_eq!(grants.reach(Right::Read).paths().unwrap(), ["eu.lv"], "{one} {two}");
        }
        let grants = Grants(vec![at("eu.lv.riga", Right::Read), at("eu.lv", Right::Operate)]);
        assert_eq!(grants.reach(Right::Operate).paths().unwrap(), ["eu.lv"]);
        for wide in [vec![of(1, Right::Read), at("", Right::Read)], Grants::all().0] {
            assert_eq!(Grants(wide).reach(Right::Read), Reach::Everywhere);
        }
        assert_eq!(Grants::all().reach(Right::Secrets).within(), None);
    }

    #[test]
    fn nowhere_is_a_condition_that_never_holds() {
        let nowhere = Grants::default().reach(Right::Read);
        assert_eq!(nowhere.expr(), Some(Expr::Any(Vec::new())));
        assert_eq!(nowhere.paths(), Some(Vec::new()));
        assert_eq!(Grants::all().reach(Right::Read).expr(), None);
    }
}
