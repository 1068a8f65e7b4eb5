//! Grants: rights at a place. The only rule of who may do what where.

use crate::fleet::selector::{Expr, SiteTest, Test};
use crate::fleet::site::SitePath;

use super::right::Right;

/// Some rights at a site and all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What.
    pub rights: Vec<Right>,
    /// Where; `None` = everywhere, also where devices have no site.
    pub site: Option<SitePath>,
}

/// All that somebody was granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(pub Vec<Grant>);

/// Where somebody may do one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Everywhere, and whatever belongs to no site.
    Everywhere,
    /// At these sites and below; of none: nowhere.
    Under(Vec<SitePath>),
}

impl Grants {
    /// All rights, everywhere.
    pub fn all() -> Self {
        Self(vec![Grant { rights: vec![Right::Admin], site: None }])
    }

    /// Where this right holds.
    pub fn reach(&self, right: Right) -> Reach {
        let mut under: Vec<SitePath> = Vec::new();
        for grant in &self.0 {
            if !grant.rights.iter().any(|has| has.includes(right)) {
                continue;
            }
            match &grant.site {
                None => return Reach::Everywhere,
                Some(site) => under.push(site.clone()),
            }
        }
        // A subtree within another one adds nothing.
        let all = under.clone();
        under.retain(|site| !all.iter().any(|other| other != site && site.is_under(other)));
        under.dedup();
        Reach::Under(under)
    }
}

impl Reach {
    /// Whether there is no place at all.
    pub fn is_nowhere(&self) -> bool {
        matches!(self, Self::Under(sites) if sites.is_empty())
    }

    /// Whether it covers a site, or what has none.
    pub fn covers(&self, site: Option<&str>) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Under(sites) => site
                .and_then(|site| site.parse::<SitePath>().ok())
                .is_some_and(|site| sites.iter().any(|top| site.is_under(top))),
        }
    }

    /// The paths, for statements: `None` = everywhere.
    pub fn paths(&self) -> Option<Vec<String>> {
        match self {
            Self::Everywhere => None,
            Self::Under(sites) => Some(sites.iter().map(SitePath::to_string).collect()),
        }
    }

    /// The condition that a device stands within; `None` = everywhere.
    pub fn expr(&self) -> Option<Expr> {
        match self {
            Self::Everywhere => None,
            Self::Under(sites) => {
                let tests =
                    sites.iter().map(|s| Expr::Test(Test::Site(SiteTest::Under(s.clone()))));
                Some(Expr::Any(tests.collect()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(site: &str, right: Right) -> Grant {
        let site = (!site.is_empty()).then(|| site.parse().unwrap());
        Grant { rights: vec![right], site }
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
        }
        assert_eq!(grants.reach(Right::Audit), Reach::Everywhere);
        assert!(grants.reach(Right::Admin).is_nowhere());
        assert!(Grants::default().reach(Right::Support).is_nowhere());
    }

    #[test]
    fn the_widest_grant_wins_and_nested_ones_add_nothing() {
        let grants = Grants(vec![at("eu.lv.riga", Right::Read), at("eu.lv", Right::Operate)]);
        assert_eq!(grants.reach(Right::Read).paths().unwrap(), ["eu.lv"]);
        assert_eq!(grants.reach(Right::Operate).paths().unwrap(), ["eu.lv"]);
        let twice = Grants(vec![at("a", Right::Read), at("a", Right::Operate)]);
        assert_eq!(twice.reach(Right::Read).paths().unwrap(), ["a"]);
        assert_eq!(Grants::all().reach(Right::Secrets).paths(), None);
    }

    #[test]
    fn nowhere_is_a_condition_that_never_holds() {
        assert_eq!(Grants::default().reach(Right::Read).expr(), Some(Expr::Any(Vec::new())));
        assert_eq!(Grants::all().reach(Right::Read).expr(), None);
    }
}
