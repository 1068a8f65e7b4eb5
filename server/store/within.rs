//! Of which devices somebody is told, for the statements on devices. It asks nothing itself.

use uuid::Uuid;

/// Devices at some sites and below, and those that were put into some groups. A statement takes an
/// `Option` of it, where `None` = all devices, and narrows in this one shape, `f` being
/// `device_facts`, with what [`Within::binds`] gives:
///
/// ```text
/// ($1::text[] is null or f.site <@ any($1::text[]::ltree[])
///  or ($2::uuid[] is not null and f.device_id in (
///      select m.device_id from group_members m where m.group_id = any($2::uuid[]))))
/// ```
///
/// Without groups the second half is planned away, and without sites all of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Within {
    /// Paths.
    pub sites: Vec<String>,
    /// Ids of groups without a selector.
    pub groups: Vec<Uuid>,
}

impl Within {
    /// The sites, or null = everywhere; the groups, or null = none.
    pub fn binds(within: Option<&Self>) -> (Option<&[String]>, Option<&[Uuid]>) {
        let sites = within.map(|within| within.sites.as_slice());
        let groups = within.map(|within| within.groups.as_slice());
        (sites, groups.filter(|groups| !groups.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_of_all_binds_nothing_and_without_groups_only_sites_are_bound() {
        assert_eq!(Within::binds(None), (None, None));
        let bound = |sites: &[&str], groups: Vec<Uuid>| {
            let sites = sites.iter().map(|site| (*site).to_owned()).collect();
            let within = Within { sites, groups };
            let (sites, groups) = Within::binds(Some(&within));
            (sites.map(<[String]>::len), groups.map(<[Uuid]>::len))
        };
        assert_eq!(bound(&["eu"], Vec::new()), (Some(1), None));
        assert_eq!(bound(&["eu"], vec![Uuid::nil()]), (Some(1), Some(1)));
        // Not everywhere, but nowhere.
        assert_eq!(bound(&[], Vec::new()), (Some(0), None));
    }
}
