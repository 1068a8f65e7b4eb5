//! Waves as bars that fill up. Pure.

use serde::Serialize;

use crate::store::rollouts::waves::WaveRow;
use crate::web::chart::{Share, percent, share_bar};
use crate::web::format::grouped;

/// What of the devices has which colour, in the order of the bar. What is yet to come leaves it empty.
const PARTS: [(&str, &str); 7] = [
    ("healthy", "ok"),
    ("being looked at", "a2"),
    ("under way", "a1"),
    ("failed", "bad"),
    ("timed out", "warn"),
    ("left out", "idle"),
    ("waiting", "none"),
];

/// A part in the key of a bar, for `ui.key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct KeyItem {
    label: &'static str,
    href: String,
    count: String,
    tone: &'static str,
}

/// One or more waves as a bar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Bar {
    /// SVG, for `ui.picture`; empty = there is no device.
    svg: String,
    key: Vec<KeyItem>,
    /// `12 of 200 healthy`.
    words: String,
}

/// The waves together.
pub(super) fn bar(name: &str, waves: &[&WaveRow]) -> Bar {
    let sum = |of: fn(&WaveRow) -> i64| waves.iter().map(|wave| of(wave)).sum::<i64>();
    let counts: [i64; 7] = [
        sum(|w| w.healthy),
        sum(|w| w.verifying),
        sum(|w| w.active),
        sum(|w| w.failed),
        sum(|w| w.timed_out),
        sum(|w| w.skipped),
        sum(|w| w.waiting),
    ];
    let all: i64 = counts.iter().sum();
    let parts: Vec<(&'static str, &'static str, i64)> = PARTS
        .into_iter()
        .zip(counts)
        .map(|((label, tone), count)| (label, tone, count))
        .filter(|(_, _, count)| *count > 0)
        .collect();
    let share =
        |&(label, tone, count): &(&'static str, &'static str, i64)| Share { label, count, tone };
    let shares: Vec<Share<'_>> = parts.iter().map(share).collect();
    let said: Vec<String> =
        parts.iter().map(|(label, _, count)| format!("{} {label}", grouped(*count))).collect();
    let key = parts.iter().filter(|(_, tone, _)| *tone != "none");
    Bar {
        svg: match shares.is_empty() {
            true => String::new(),
            false => share_bar(&shares, &format!("{name}: {}", said.join(", "))),
        },
        key: key
            .map(|&(label, tone, count)| KeyItem {
                label,
                href: String::new(),
                count: grouped(count),
                tone,
            })
            .collect(),
        words: match all {
            0 => "no devices".to_owned(),
            all => {
                let hundredths = percent(counts[0], all);
                format!("{} of {} healthy, {hundredths} %", grouped(counts[0]), grouped(all))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::state::State;
    use crate::service::rollouts::offer::tests::view;

    #[test]
    fn a_bar_shows_each_part_and_says_it() {
        let view = view(State::Running);
        let waves: Vec<&WaveRow> = view.waves.iter().collect();
        let bar = bar("all", &waves);
        let said =
            "all: 6 healthy, 3 being looked at, 3 under way, 3 failed, 3 timed out, 12 waiting";
        assert!(bar.svg.contains(said), "{}", bar.svg);
        assert!(bar.svg.contains("tone-none"), "what waits is no gap in the bar");
        assert_eq!(bar.words, "6 of 30 healthy, 20 %");
        let keys: Vec<&str> = bar.key.iter().map(|item| item.label).collect();
        assert_eq!(keys, ["healthy", "being looked at", "under way", "failed", "timed out"]);
    }

    #[test]
    fn without_devices_there_is_nothing_to_draw() {
        let bar = bar("all", &[]);
        assert_eq!((bar.svg.as_str(), bar.words.as_str()), ("", "no devices"));
        assert!(bar.key.is_empty());
    }
}
