//! How many, in the words of rollouts. Pure.

/// So many of a thing: `1 device`, `2 devices`.
pub fn count_of(count: u64, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        n => format!("{n} {thing}s"),
    }
}

/// So many of so many of a thing: `1 of 2 devices`.
pub(crate) fn part_of(part: u64, whole: u64, thing: &str) -> String {
    format!("{part} of {}", count_of(whole, thing))
}

/// What so many of them do: `is` or `are`.
pub(crate) fn are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_all_others_are_many() {
        let said = [0, 1, 2].map(|n| format!("{} {} left", count_of(n, "device"), are(n)));
        assert_eq!(said, ["0 devices are left", "1 device is left", "2 devices are left"]);
        assert_eq!(part_of(1, 1, "device"), "1 of 1 device");
        assert_eq!(part_of(1, 30, "device"), "1 of 30 devices");
    }
}
