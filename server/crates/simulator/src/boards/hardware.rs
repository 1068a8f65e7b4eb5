//! What the devices of a fleet are for a bench.
//!
//! Pure, and the same for a seed in every run. Only the hardware address is the device's own; what
//! boards say of themselves otherwise is made up, and says so.

use muster_netboot::booter::Hardware;
use muster_netboot::mac::Mac;
use muster_netboot::netinstall::Announcement;

use crate::profile::Identity;

/// Bytes that boards have for a configuration: enough for one of 4,000 bytes.
const FREE: u32 = 4040;

/// The board that becomes this device.
pub(super) fn hardware(identity: &Identity) -> Hardware {
    let (profile, path) = (identity.profile(), &identity.request_path);
    let digits: String = profile
        .board
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    Hardware {
        mac: mac(identity),
        board_id: format!("{digits}-sim"),
        free: FREE,
        class: class(profile.arch).to_owned(),
        announcement: Announcement {
            software_id: format!("{}-{}", path[..4].to_uppercase(), path[4..8].to_uppercase()),
            key: path[8..24].to_owned(),
            model: profile.board.to_owned(),
            arch: profile.arch.to_owned(),
            min_version: profile.versions.first().copied().unwrap_or(identity.version).to_owned(),
            version: Some(identity.version.to_owned()),
        },
    }
}

/// Its hardware address: that of its first port, which claims name.
pub(super) fn mac(identity: &Identity) -> Mac {
    identity.mac(1).parse().expect("a device's address is one")
}

/// What boards of an architecture call themselves in Etherboot.
fn class(arch: &str) -> &'static str {
    match arch {
        "arm64" => "ARM64__boot",
        "arm" => "ARM__boot",
        "mmips" => "MMipsBoot",
        "tile" => "tile_boot",
        "ppc" => "Powerboot",
        // Both kinds of MIPS boards say the same.
        _ => "Mips_boot",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use muster_netboot::vendor::arch_of;

    use super::*;

    #[test]
    fn each_board_has_the_address_that_its_claim_names() {
        let claims = crate::claims::csv(5, 50, &[]);
        let boards: Vec<Hardware> = (0..50).map(|i| hardware(&Identity::derive(5, i))).collect();
        for (board, row) in boards.iter().zip(claims.lines().skip(1)) {
            assert!(row.contains(&format!(",{},", board.mac)), "{row}");
            assert!(board.mac.is_single());
        }
        let macs: BTreeSet<Mac> = boards.iter().map(|board| board.mac).collect();
        assert_eq!(macs.len(), 50);
    }

    #[test]
    fn each_says_what_it_is_made_for_and_that_it_is_simulated() {
        for identity in (0..100).map(|index| Identity::derive(3, index)) {
            let board = hardware(&identity);
            let arch = match identity.profile().arch {
                "smips" => "mipsbe",
                arch => arch,
            };
            assert_eq!(arch_of(&board.class), Some(arch));
            assert!(board.board_id.len() > 4 && board.board_id.ends_with("-sim"));
            assert_eq!(board.announcement.arch, identity.profile().arch);
        }
    }
}
