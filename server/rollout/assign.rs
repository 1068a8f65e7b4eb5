//! Which device is in which wave, and when its turn comes. Pure.

use std::collections::HashMap;

use uuid::Uuid;

use super::plan::{Order, Take, Wave};

/// What of a device decides its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed<'a> {
    /// Whose.
    pub device_id: Uuid,
    /// Where it stands.
    pub site: Option<&'a str>,
    /// How many devices it reaches the network through.
    pub depth: u32,
}

/// The order in which devices are taken: positions in `devices`, the first one first.
pub fn order(rollout_id: Uuid, by: Order, devices: &[Placed<'_>]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(devices.len()).unwrap_or(u32::MAX)).collect();
    let device = |at: &u32| &devices[*at as usize];
    let spread = |at: &u32| spread(rollout_id, device(at).device_id);
    match by {
        Order::Spread => order.sort_unstable_by_key(spread),
        Order::Site => order
            .sort_unstable_by(|a, b| (device(a).site, spread(a)).cmp(&(device(b).site, spread(b)))),
        Order::Topology => order.sort_unstable_by(|a, b| {
            (device(b).depth, spread(a)).cmp(&(device(a).depth, spread(b)))
        }),
    }
    order
}

/// A place in an order that has nothing to do with what devices are like, another one for each
/// rollout: the same customers should not be the first ones each time. (The mixing of MurmurHash3.)
fn spread(rollout_id: Uuid, device_id: Uuid) -> (u64, Uuid) {
    let (high, low) = (device_id.as_u128() ^ rollout_id.as_u128().rotate_left(17)).into_parts();
    let mut h = high ^ low.rotate_left(32);
    for factor in [0xff51_afd7_ed55_8ccd_u64, 0xc4ce_b9fe_1a85_ec53] {
        h ^= h >> 33;
        h = h.wrapping_mul(factor);
    }
    (h ^ (h >> 33), device_id)
}

trait Parts {
    fn into_parts(self) -> (u64, u64);
}

impl Parts for u128 {
    fn into_parts(self) -> (u64, u64) {
        let bytes = self.to_be_bytes();
        let half = |at: usize| {
            let mut half = [0; 8];
            half.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(half)
        };
        (half(0), half(8))
    }
}

/// How many devices each one reaches the network through, as far as they are known; a ring counts
/// as 64.
pub fn depth(device_id: Uuid, uplinks: &HashMap<Uuid, Uuid>) -> u32 {
    let mut at = device_id;
    for depth in 0..64 {
        match uplinks.get(&at) {
            Some(uplink) => at = *uplink,
            None => return depth,
        }
    }
    64
}

/// The wave of each device, by its position in `order`. What no wave takes is in one more, behind
/// the last. `matches` says whether the device at this place of `order` is one that the wave names
/// (devices, group, site).
pub fn waves(waves: &[Wave], total: usize, matches: impl Fn(usize, usize) -> bool) -> Vec<u32> {
    const NONE: u32 = u32::MAX;
    let mut taken = vec![NONE; total];
    for (number, wave) in waves.iter().enumerate() {
        let number_of = u32::try_from(number).expect("plans have few waves");
        let room = match &wave.take {
            Take::Count(count) => *count as usize,
            Take::Percent(percent) => share(total, *percent),
            Take::Devices(_) | Take::Group(_) | Take::Site(_) | Take::Rest => total,
        };
        let named = is_named(&wave.take);
        let free = taken.iter_mut().enumerate().filter(|(_, wave)| **wave == NONE);
        for (_, wave) in free.filter(|(at, _)| !named || matches(number, *at)).take(room) {
            *wave = number_of;
        }
    }
    let last = u32::try_from(waves.len()).expect("plans have few waves");
    for wave in taken.iter_mut().filter(|wave| **wave == NONE) {
        *wave = last;
    }
    taken
}

/// Whether a wave is for certain devices, and not for some of those that are left.
pub fn is_named(take: &Take) -> bool {
    matches!(take, Take::Devices(_) | Take::Group(_) | Take::Site(_))
}

/// So many of a hundred, rounded up; at least one.
fn share(total: usize, percent: f64) -> usize {
    // Fleets are far below 2^52, where a float is exact.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of devices, never negative"
    )]
    let share = (total as f64 * percent / 100.0).ceil() as usize;
    share.clamp(1, total.max(1))
}

/// The names of the waves, with the one behind the last.
pub fn names(waves: &[Wave]) -> Vec<String> {
    let name =
        |(i, wave): (usize, &Wave)| wave.name.clone().unwrap_or_else(|| format!("wave {}", i + 1));
    let mut names: Vec<String> = waves.iter().enumerate().map(name).collect();
    if !waves.iter().any(|wave| wave.take == Take::Rest) {
        names.push("rest".to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wave(take: Take) -> Wave {
        Wave { name: None, take, approval: false, soak_minutes: None }
    }

    fn sizes(takes: Vec<Take>, total: usize, named: impl Fn(usize, usize) -> bool) -> Vec<usize> {
        let plan: Vec<Wave> = takes.into_iter().map(wave).collect();
        let assigned = waves(&plan, total, named);
        let most = names(&plan).len();
        (0..most).map(|w| assigned.iter().filter(|a| **a as usize == w).count()).collect()
    }

    #[test]
    fn waves_take_what_is_left_in_order() {
        let none = |_: usize, _: usize| false;
        assert_eq!(sizes(vec![Take::Percent(1.0), Take::Percent(10.0)], 200, none), [2, 20, 178]);
        assert_eq!(sizes(vec![Take::Count(5), Take::Rest], 3, none), [3, 0]);
        assert_eq!(sizes(vec![Take::Percent(0.1), Take::Rest], 5, none), [1, 4]);
        // A list takes its own, but not what a wave before it took.
        let listed = |wave: usize, at: usize| wave == 1 && at < 4;
        let takes = vec![Take::Count(2), Take::Devices(Vec::new()), Take::Rest];
        assert_eq!(sizes(takes, 10, listed), [2, 2, 6]);
        assert_eq!(sizes(Vec::new(), 7, none), [7]);
        assert_eq!(sizes(vec![Take::Rest], 0, none), [0]);
    }

    #[test]
    fn the_farthest_go_first_and_rings_end() {
        let id = Uuid::from_u128;
        let uplinks =
            HashMap::from([(id(3), id(2)), (id(2), id(1)), (id(8), id(9)), (id(9), id(8))]);
        let depths = [1, 2, 3, 8].map(|d| depth(id(d), &uplinks));
        assert_eq!(depths, [0, 1, 2, 64]);
        let placed =
            |d: u128| Placed { device_id: id(d), site: None, depth: depth(id(d), &uplinks) };
        let devices = [placed(1), placed(3), placed(2)];
        assert_eq!(order(Uuid::nil(), Order::Topology, &devices), [1, 2, 0]);
    }

    #[test]
    fn one_site_comes_after_the_other() {
        let rollout = Uuid::from_u128(7);
        let sites = [Some("lv.riga"), Some("ee"), None];
        let devices: Vec<Placed> = (0..30)
            .map(|n| {
                let site = sites[usize::try_from(n % 3).unwrap_or_default()];
                Placed { device_id: Uuid::from_u128(n), site, depth: 0 }
            })
            .collect();
        let taken = order(rollout, Order::Site, &devices);
        let of = |at: &u32| devices[*at as usize].site;
        let mut stands: Vec<_> = taken.iter().map(of).collect();
        stands.dedup();
        assert_eq!(stands, [None, Some("ee"), Some("lv.riga")]);
        // At one site as everywhere else: others first in each rollout.
        let spread = order(rollout, Order::Spread, &devices);
        let at_one = |order: &[u32]| -> Vec<u32> {
            order.iter().copied().filter(|at| of(at) == Some("ee")).collect()
        };
        assert_eq!(at_one(&taken), at_one(&spread));
    }

    proptest! {
        /// Every device is in one wave, and the same ones each time; another rollout begins with
        /// others.
        #[test]
        fn each_device_has_its_place(ids in proptest::collection::hash_set(any::<u128>(), 50..200), rollout: u128) {
            let devices: Vec<Placed> = ids.iter().map(|id| Placed { device_id: Uuid::from_u128(*id), site: None, depth: 0 }).collect();
            let once = order(Uuid::from_u128(rollout), Order::Spread, &devices);
            let mut sorted = once.clone();
            sorted.sort_unstable();
            prop_assert!(sorted.iter().enumerate().all(|(i, at)| i == *at as usize));
            prop_assert_eq!(&once, &order(Uuid::from_u128(rollout), Order::Spread, &devices));
            prop_assert_ne!(&once, &order(Uuid::from_u128(rollout.wrapping_add(1)), Order::Spread, &devices));
            let plan = [wave(Take::Percent(10.0)), wave(Take::Rest)];
            prop_assert!(waves(&plan, devices.len(), |_, _| false).iter().all(|w| *w < 2));
        }
    }
}
