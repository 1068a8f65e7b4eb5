//! Tests that hold the templates and the style sheet to `docs/design-system.md`.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use super::views;

fn asset(path: &str) -> String {
    let file = views::static_file(path).unwrap();
    String::from_utf8(file.data.into_owned()).unwrap()
}

/// Each colour of the sheet, in light and in dark.
fn colours() -> BTreeMap<String, [String; 2]> {
    let sheet = asset("muster.css");
    let mut colours = BTreeMap::new();
    for line in sheet.lines() {
        let Some((name, rest)) = line.trim().split_once(": light-dark(#") else { continue };
        let Some(name) = name.strip_prefix("--") else { continue };
        let (light, rest) = rest.split_once(", #").unwrap();
        let dark = rest.split_once(')').unwrap().0;
        colours.insert(name.to_owned(), [light.to_owned(), dark.to_owned()]);
    }
    colours
}

/// Relative luminance of six hex digits (WCAG 2.2).
fn luminance(hex: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn the_contrast_is_computed_as_the_standard_says() {
    assert!((contrast("000000", "ffffff") - 21.0).abs() < 0.01);
    assert!((contrast("777777", "ffffff") - 4.48).abs() < 0.01);
}

#[test]
fn whatever_meets_can_be_told_apart_in_light_and_in_dark() {
    let colours = colours();
    let grounds = ["ground", "surface", "sunk", "soft"];
    let below = &grounds[..3];
    // Text 4.5 to 1 (WCAG 1.4.3), shapes and edges of controls 3 to 1 (1.4.11).
    let mut pairs: Vec<(&str, &str, f64)> = Vec::new();
    for text in ["text", "quiet", "accent", "bad", "warn"] {
        pairs.extend(grounds.iter().map(|ground| (text, *ground, 4.5)));
    }
    pairs.extend([("on-accent", "accent", 4.5), ("on-bad", "bad", 4.5)]);
    for shape in ["ok", "idle", "new", "edge", "a1", "a2", "a3", "a4", "a5", "a6"] {
        pairs.extend(below.iter().map(|ground| (shape, *ground, 3.0)));
    }
    for (front, back, least) in pairs {
        for theme in [0, 1] {
            let found = contrast(&colours[front][theme], &colours[back][theme]);
            assert!(found >= least, "--{front} on --{back}, theme {theme}: {found:.2}");
        }
    }
}

#[test]
fn templates_stay_within_the_policy_and_fetch_nothing_from_elsewhere() {
    for (name, text) in views::sources() {
        for bad in [
            "style=",
            "<style",
            "onclick",
            "onchange",
            "onsubmit",
            "hx-on",
            "javascript:",
            "<script>",
            "http://",
            "https://",
            "src=\"//",
        ] {
            assert!(!text.contains(bad), "{name} holds {bad}");
        }
    }
}

#[test]
fn only_pictures_are_not_escaped() {
    for (name, text) in views::sources() {
        let marks = text.matches("safe }}").count();
        let expected = usize::from(name == "parts/ui.html");
        assert_eq!(marks, expected, "{name}: what Rust drew goes through `ui.picture`");
    }
}

#[test]
fn the_pieces_are_small() {
    for (path, most) in
        [("muster.css", 30_000), ("muster.js", 25_000), ("theme.js", 1_000), ("icons.svg", 5_000)]
    {
        let size = asset(path).len();
        assert!(size < most, "{path} has {size} bytes, at most {most}");
    }
}

#[test]
fn the_sheet_has_no_font_and_nothing_from_elsewhere() {
    let sheet = asset("muster.css");
    for bad in ["@font-face", "@import", "url(", "http"] {
        assert!(!sheet.contains(bad), "{bad}");
    }
}

#[test]
fn every_icon_that_is_named_is_there() {
    let icons = asset("icons.svg");
    for (name, text) in views::sources() {
        for part in text.split("<ui.icon name=\"").skip(1) {
            let icon = part.split('"').next().unwrap();
            assert!(icons.contains(&format!("<symbol id=\"{icon}\"")), "{name}: {icon}");
        }
    }
}
