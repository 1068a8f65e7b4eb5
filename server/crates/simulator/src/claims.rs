//! The claims of a fleet: the list that its owner would import before the boards are powered on.
//!
//! Pure, and the same for a seed in every run. The columns are those that Muster imports; those with
//! `var.` are variables of the shipped templates.

use rand::RngExt;
use rand::rngs::SmallRng;

use crate::profile::{Identity, device_rng};

/// Keeps what a customer is given apart from who the device is.
const STREAM: u64 = 0x00C1_A135_0000_0001;
const COLUMNS: &str = "serial,mac,model,site,customer,var.pppoe_user,var.pppoe_password,\
                       var.wifi_name,var.wifi_password\n";
/// No two of these look alike on a sticker.
const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The claims of the first `devices` boards of a seed as CSV, on these sites in turn; without sites
/// that column is empty.
pub fn csv(seed: u64, devices: u32, sites: &[String]) -> String {
    let mut text = COLUMNS.to_owned();
    for index in 0..devices {
        let identity = Identity::derive(seed, index);
        let mut rng = device_rng(seed ^ STREAM, index);
        let site = sites.get(index as usize % sites.len().max(1)).map_or("", String::as_str);
        let digits = &identity.serial[8..];
        let row = [
            identity.serial.clone(),
            identity.mac(1),
            identity.profile().board.to_owned(),
            site.to_owned(),
            format!("C-{:06}", 1_000 + index),
            format!("c{:06}@isp.example", 1_000 + index),
            password(&mut rng),
            format!("Home-{digits}"),
            password(&mut rng),
        ];
        text += &row.map(|cell| quoted(&cell)).join(",");
        text.push('\n');
    }
    text
}

fn password(rng: &mut SmallRng) -> String {
    (0..12).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect()
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_board_has_a_row_of_its_own_the_same_each_time() {
        let sites = ["riga.a", "riga.b", "x,\"y\""].map(str::to_owned);
        let text = csv(5, 50, &sites);
        assert_eq!(text, csv(5, 50, &sites));
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 51);
        assert_eq!(rows[0], COLUMNS.trim_end());
        let serials: BTreeSet<&str> =
            rows[1..].iter().filter_map(|r| r.split(',').next()).collect();
        assert_eq!(serials.len(), 50);
        let first = Identity::derive(5, 0);
        assert!(rows[1].starts_with(&format!("{},{},", first.serial, first.mac(1))), "{}", rows[1]);
        assert_eq!(rows.iter().filter(|row| row.contains(",riga.b,")).count(), 17);
        assert!(rows[3].contains(",\"x,\"\"y\"\"\",C-001002,"), "{}", rows[3]);
        assert!(csv(5, 1, &[]).contains(",,C-001000,"));
    }
}
