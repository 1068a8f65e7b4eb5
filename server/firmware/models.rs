//! Which radios a board has, by its model (`RBD52G-5HacD2HnD`) or by the name it is sold under
//! (`hAP ac²`). Decides the driver package where a device has not said which it has.
//!
//! A model's name says it: behind a dash stand the bands, each with its power, its standard and its
//! chains: `5HaxD2HaxD` is 5 GHz and 2.4 GHz, both 802.11ax. The rest is a short list of families.

/// The newest standard that a board's radios have. The order of the variants is that in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Radio {
    /// It has none.
    None,
    /// Up to 802.11n, or 60 GHz.
    Legacy,
    /// 802.11ac
    Ac,
    /// 802.11ax
    Ax,
    /// 802.11be
    Be,
}

/// Families without radios; a member with one has its bands in its model.
const WIRED: [&str; 17] = [
    "CCR", "CHR", "CRS", "CSS", "E50UG", "E60iUG", "L009UiGS", "RB1100", "RB2011", "RB3011",
    "RB4011", "RB5009", "RB750", "RB760", "RDS", "hEX", "PowerBox",
];

/// Families with 802.11ac whose name does not say so.
const AC: [&str; 2] = ["Audience", "Chateau"];

/// The radios of a board by its model, else by its name; `None` where neither is known.
pub fn radio(model: Option<&str>, product_class: Option<&str>) -> Option<Radio> {
    let names = || [model, product_class].into_iter().flatten();
    let first = |read: fn(&str) -> Option<Radio>| names().find_map(read);
    first(by_bands).or_else(|| first(by_words)).or_else(|| first(by_family))
}

/// From the bands in a model.
fn by_bands(model: &str) -> Option<Radio> {
    (0..model.len()).filter_map(|at| band(&model.as_bytes()[at..])).max()
}

/// One band at the beginning of the text.
fn band(text: &[u8]) -> Option<Radio> {
    let text = text.strip_prefix(b"60").or(match text {
        [b'2' | b'5' | b'6', rest @ ..] => Some(rest),
        _ => None,
    })?;
    // The power: H, HP, SHP.
    let power = text.iter().take_while(|byte| matches!(byte, b'S' | b'H' | b'P')).count();
    let text = &text[power..];
    let standard = text.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    let radio = match &text[..standard] {
        b"n" | b"ad" | b"ay" => Radio::Legacy,
        b"ac" => Radio::Ac,
        b"ax" => Radio::Ax,
        b"be" => Radio::Be,
        _ => return None,
    };
    // Then the chains, or another band.
    text.get(standard)
        .is_none_or(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        .then_some(radio)
}

/// From a word such as `ax`, `ax²` or `be3` in a name.
fn by_words(name: &str) -> Option<Radio> {
    let of = |word: &str| {
        [("ac", Radio::Ac), ("ax", Radio::Ax), ("be", Radio::Be)].into_iter().find_map(
            |(standard, radio)| {
                let rest = word.strip_prefix(standard)?;
                rest.chars().all(char::is_numeric).then_some(radio)
            },
        )
    };
    name.split([' ', '_', '-']).filter_map(of).max()
}

fn by_family(name: &str) -> Option<Radio> {
    let one_of = |families: &[&str]| families.iter().any(|family| name.starts_with(family));
    if one_of(&WIRED) {
        Some(Radio::None)
    } else if one_of(&AC) {
        Some(Radio::Ac)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_model_says_its_radios() {
        for (model, expected) in [
            ("RB941-2nD", Some(Radio::Legacy)),
            ("RBwAPR-2nD&R11e-LTE", Some(Radio::Legacy)),
            ("RBSXTsq5nD", Some(Radio::Legacy)),
            ("RBwAPG-60ad", Some(Radio::Legacy)),
            ("CRS109-8G-1S-2HnD-IN", Some(Radio::Legacy)),
            ("RB952Ui-5ac2nD", Some(Radio::Ac)),
            ("RBD52G-5HacD2HnD", Some(Radio::Ac)),
            ("RB921GS-5HPacD", Some(Radio::Ac)),
            ("RB4011iGS+5HacQ2HnD-IN", Some(Radio::Ac)),
            ("RBD53iG-5HacD2HnD-TC", Some(Radio::Ac)),
            ("cAPGi-5HaxD2HaxD", Some(Radio::Ax)),
            ("C52iG-5HaxD2HaxD-TC", Some(Radio::Ax)),
            ("L41G-2axD", Some(Radio::Ax)),
            ("E62iUGS-2axD5axT", Some(Radio::Ax)),
            ("L009UiGS-2HaxD-IN", Some(Radio::Ax)),
            ("L009UiGS-RM", Some(Radio::None)),
            ("RB4011iGS+RM", Some(Radio::None)),
            ("CCR2004-1G-12S+2XS", Some(Radio::None)),
            ("CRS326-24G-2S+RM", Some(Radio::None)),
            ("RB5009UG+S+IN", Some(Radio::None)),
            ("RB750Gr3", Some(Radio::None)),
            ("RBM33G", None),
            ("", None),
        ] {
            assert_eq!(radio(Some(model), None), expected, "{model}");
        }
    }

    #[test]
    fn a_name_says_what_the_model_does_not() {
        for (name, expected) in [
            ("hAP ac\u{b2}", Some(Radio::Ac)),
            ("hAP ac lite", Some(Radio::Ac)),
            ("hAP ax\u{b3}", Some(Radio::Ax)),
            ("cAP ax", Some(Radio::Ax)),
            ("Chateau LTE18 ax", Some(Radio::Ax)),
            ("hAP be3", Some(Radio::Be)),
            ("Audience", Some(Radio::Ac)),
            ("hEX S", Some(Radio::None)),
            ("RB4011iGS+", Some(Radio::None)),
            ("hAP lite", None),
            ("axle", None),
        ] {
            assert_eq!(radio(None, Some(name)), expected, "{name}");
            assert_eq!(radio(Some("RBM33G"), Some(name)), expected, "{name}");
        }
        // A model's bands stand above its name.
        assert_eq!(radio(Some("RB4011iGS+5HacQ2HnD-IN"), Some("RB4011iGS+")), Some(Radio::Ac));
    }

    proptest! {
        #[test]
        fn no_name_breaks_it(model in "\\PC{0,30}", name in "[A-Za-z0-9 +-]{0,30}") {
            radio(Some(&model), Some(&name));
        }
    }
}
