//! Small pictures of numbers, as SVG text for a page.
//!
//! Pure. Colours come by class from `muster.css`, never by `style`, which the pages' policy forbids.
//! What is drawn is also said: in a label for who cannot see it, and in numbers beside it.

use std::fmt::Write as _;

/// The drawing's own units; the page scales it to the room there is.
const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 32.0;
/// The line keeps off the edges, which would cut half of its width.
const EDGE: f64 = 1.0;
/// Units of a share bar, and of the gap between two of its parts.
const BAR: f64 = 1_000.0;
const GAP: f64 = 4.0;

/// A line over values at equal distances, the oldest first, from zero upwards; `None` is a gap, as
/// nothing was measured then. `tone` is `""`, `ok`, `warn` or `bad`.
pub(super) fn sparkline(values: &[Option<f64>], label: &str, tone: &str) -> String {
    let top = values.iter().flatten().copied().fold(0.0_f64, f64::max);
    let step = WIDTH / (values.len().max(2) - 1) as f64;
    let point = |(index, value): (usize, &f64)| {
        let share = if top > 0.0 { value.max(0.0) / top } else { 0.0 };
        (index as f64 * step, HEIGHT - EDGE - share * (HEIGHT - 2.0 * EDGE))
    };
    let (mut line, mut area) = (String::new(), String::new());
    for run in runs(values) {
        let points: Vec<(f64, f64)> = run.into_iter().map(point).collect();
        for (i, (x, y)) in points.iter().enumerate() {
            write(&mut line, if i == 0 { 'M' } else { 'L' }, *x, *y);
        }
        if let [(first, _), .., (last, _)] = points[..] {
            for (i, (x, y)) in points.iter().enumerate() {
                write(&mut area, if i == 0 { 'M' } else { 'L' }, *x, *y);
            }
            write(&mut area, 'L', last, HEIGHT);
            write(&mut area, 'L', first, HEIGHT);
            area.push('Z');
        } else if let [(x, y)] = points[..] {
            // One value alone is no line: a short stroke shows it.
            write(&mut line, 'L', x + step.min(2.0), y);
        }
    }
    let class = if tone.is_empty() { "spark".to_owned() } else { format!("spark tone-{tone}") };
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" \
         role=\"img\" aria-label=\"{}\"><path class=\"area\" d=\"{area}\"/><path class=\"line\" \
         d=\"{line}\"/></svg>",
        escaped(label)
    )
}

/// The values that follow each other without a gap, with their places.
fn runs<T>(values: &[Option<T>]) -> Vec<Vec<(usize, &T)>> {
    let mut runs = vec![Vec::new()];
    for (index, value) in values.iter().enumerate() {
        match value {
            Some(value) => {
                let run = runs.last_mut().expect("there is one from the beginning");
                run.push((index, value));
            }
            None => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

fn write(path: &mut String, command: char, x: f64, y: f64) {
    // To a String it cannot fail.
    let _ = write!(path, "{command}{x:.1} {y:.1}");
}

/// Parts of a whole at equal distances, the oldest first, one upon the other; `None` is a gap, as
/// nothing was counted then. Each column has a count for each of the `parts`, which are their names and
/// tones, from the bottom up.
pub(super) fn stacked(columns: &[Option<Vec<i64>>], parts: &[(&str, &str)], label: &str) -> String {
    let top = columns.iter().flatten().map(|column| sum(column)).fold(1.0_f64, f64::max);
    let step = WIDTH / (columns.len().max(2) - 1) as f64;
    let runs = runs(columns);
    let mut shapes = String::new();
    for (part, (name, tone)) in parts.iter().enumerate() {
        let mut path = String::new();
        for run in &runs {
            edge(&mut path, run, part, step, top);
        }
        if !path.is_empty() {
            let name = escaped(name);
            shapes.push_str(&format!(
                "<path class=\"tone-{tone}\" d=\"{path}\"><title>{name}</title></path>"
            ));
        }
    }
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" \
         role=\"img\" aria-label=\"{}\">{shapes}</svg>",
        escaped(label)
    )
}

/// Draws around a part of columns that follow each other: along its top, and back along its bottom.
fn edge(path: &mut String, run: &[(usize, &Vec<i64>)], part: usize, step: f64, top: f64) {
    let count = |column: &[i64]| column.get(part).copied().unwrap_or_default();
    if run.iter().all(|(_, column)| count(column) <= 0) {
        return;
    }
    let y = |column: &[i64], parts: usize| {
        HEIGHT - sum(&column[..parts.min(column.len())]) / top * HEIGHT
    };
    let mut places: Vec<(f64, &[i64])> =
        run.iter().map(|(index, column)| (*index as f64 * step, column.as_slice())).collect();
    // One column alone has no width: a short one shows it.
    if let [(x, column)] = places[..] {
        places.push(((x + step.min(2.0)).min(WIDTH), column));
        places[0].0 = x.min(WIDTH - step.min(2.0));
    }
    for (i, (x, column)) in places.iter().enumerate() {
        write(path, if i == 0 { 'M' } else { 'L' }, *x, y(column, part + 1));
    }
    for (x, column) in places.iter().rev() {
        write(path, 'L', *x, y(column, part));
    }
    path.push('Z');
}

/// All of them; less than none is none.
fn sum(counts: &[i64]) -> f64 {
    counts.iter().map(|count| (*count).max(0) as f64).sum()
}

/// A part of a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share<'a> {
    /// What it is.
    pub(super) label: &'a str,
    /// How many.
    pub(super) count: i64,
    /// `ok`, `warn`, `bad`, `idle`, `new`, or `a1` to `a6` for what is neither good nor bad.
    pub(super) tone: &'a str,
}

/// Parts of a whole side by side. What is there is seen, however small its part.
pub(super) fn share_bar(shares: &[Share<'_>], label: &str) -> String {
    let shown: Vec<&Share<'_>> = shares.iter().filter(|share| share.count > 0).collect();
    let all: i64 = shown.iter().map(|share| share.count).sum();
    let room = BAR - GAP * shown.len().saturating_sub(1) as f64;
    // Each gets a little; the rest is divided.
    let least = GAP * 2.0;
    let divided = room - least * shown.len() as f64;
    let mut x = 0.0;
    let mut parts = String::new();
    for share in shown {
        let width = least + divided * share.count as f64 / all as f64;
        let name = escaped(share.label);
        parts.push_str(&format!(
            "<rect class=\"tone-{}\" x=\"{x:.1}\" width=\"{width:.1}\" height=\"10\"><title>{name}: \
             {} ({} %)</title></rect>",
            share.tone,
            share.count,
            percent(share.count, all)
        ));
        x += width + GAP;
    }
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 {BAR} 10\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{}\">{parts}</svg>",
        escaped(label)
    )
}

/// A part in hundredths of a whole, rounded; 0 and 100 are kept for none and all.
pub(super) fn percent(part: i64, all: i64) -> i64 {
    if part <= 0 || all <= 0 {
        return 0;
    }
    if part >= all {
        return 100;
    }
    // In i128: a hundredfold of what is counted must not overflow.
    let rounded = (i128::from(part) * 200 + i128::from(all)) / (i128::from(all) * 2);
    i64::try_from(rounded).unwrap_or(100).clamp(1, 99)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_from_edge_to_edge_and_from_zero_to_the_greatest() {
        let svg = sparkline(&[Some(0.0), Some(5.0), Some(10.0)], "informs", "");
        assert!(svg.contains("class=\"line\" d=\"M0.0 31.0L60.0 16.0L120.0 1.0\""), "{svg}");
        assert!(svg.contains("L120.0 32.0L0.0 32.0Z"), "{svg}");
        assert!(svg.contains("aria-label=\"informs\""), "{svg}");
    }

    #[test]
    fn a_gap_stays_a_gap() {
        let svg = sparkline(&[Some(1.0), Some(1.0), None, Some(1.0), Some(1.0)], "", "bad");
        assert_eq!(svg.matches('M').count(), 4, "two runs, each with a line and an area: {svg}");
        assert!(svg.contains("class=\"spark tone-bad\""), "{svg}");
    }

    #[test]
    fn what_is_no_line_is_drawn_all_the_same() {
        let nothing = sparkline(&[], "none", "");
        assert!(nothing.contains("class=\"line\" d=\"\""), "{nothing}");
        let one = sparkline(&[None, Some(3.0), None], "one", "");
        assert!(one.contains("d=\"M60.0 1.0L62.0 1.0\""), "{one}");
        let flat = sparkline(&[Some(0.0), Some(0.0)], "flat", "");
        assert!(flat.contains("M0.0 31.0L120.0 31.0") && !flat.contains("NaN"), "{flat}");
    }

    #[test]
    fn parts_stand_upon_each_other() {
        let columns = [Some(vec![3, 1, 0]), Some(vec![1, 3, 0])];
        let parts = [("7.12.1", "a1"), ("7.16.1", "a2"), ("none", "a3")];
        let svg = stacked(&columns, &parts, "versions");
        let lower = "class=\"tone-a1\" d=\"M0.0 8.0L120.0 24.0L120.0 32.0L0.0 32.0Z\"";
        let upper = "class=\"tone-a2\" d=\"M0.0 0.0L120.0 0.0L120.0 24.0L0.0 8.0Z\"";
        assert!(svg.contains(lower) && svg.contains(upper), "{svg}");
        assert!(svg.contains("<title>7.16.1</title>"), "{svg}");
        assert_eq!(svg.matches("<path").count(), 2, "what nobody has is not drawn: {svg}");
    }

    #[test]
    fn what_was_not_counted_is_a_gap_between_the_parts() {
        let one = || Some(vec![1]);
        let svg = stacked(&[one(), one(), None, one()], &[("a & b", "a1")], "\">");
        assert_eq!(svg.matches('M').count(), 2, "{svg}");
        assert!(svg.contains("M118.0 0.0L120.0 0.0L120.0 32.0L118.0 32.0Z"), "{svg}");
        assert!(svg.contains("<title>a &amp; b</title>") && svg.contains("&quot;&gt;"), "{svg}");
        for nothing in [stacked(&[], &[], ""), stacked(&[Some(vec![0])], &[("a", "a1")], "")] {
            assert!(!nothing.contains("<path") && !nothing.contains("NaN"), "{nothing}");
        }
        let short = stacked(&[Some(vec![1]), Some(Vec::new())], &[("a", "a1")], "");
        assert!(short.contains("M0.0 0.0L120.0 32.0"), "{short}");
    }

    #[test]
    fn parts_fill_the_bar_and_none_is_too_small_to_see() {
        let share = |label, count, tone| Share { label, count, tone };
        let shares = [share("a & b", 999_999, "ok"), share("c", 1, "bad"), share("none", 0, "a1")];
        let svg = share_bar(&shares, "jobs");
        assert_eq!(svg.matches("<rect").count(), 2, "{svg}");
        assert!(svg.contains("class=\"tone-bad\" x=\"992.0\" width=\"8.0\""), "{svg}");
        assert!(svg.contains("<title>a &amp; b: 999999 (99 %)</title>"), "{svg}");
        assert!(!share_bar(&[], "empty").contains("<rect"));
    }

    #[test]
    fn hundredths_say_all_and_none_only_of_all_and_none() {
        for (part, all, expected) in [
            (0, 10, 0),
            (1, 1_000_000, 1),
            (1, 3, 33),
            (2, 3, 67),
            (999_999, 1_000_000, 99),
            (5, 5, 100),
            (1, 0, 0),
            (i64::MAX - 1, i64::MAX, 99),
        ] {
            assert_eq!(percent(part, all), expected, "{part} of {all}");
        }
    }

    #[test]
    fn a_label_cannot_become_markup() {
        let svg = sparkline(&[], "\"><script>", "");
        assert!(svg.contains("&quot;&gt;&lt;script&gt;") && !svg.contains("<script"), "{svg}");
    }
}
