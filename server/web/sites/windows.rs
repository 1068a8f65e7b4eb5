//! Maintenance windows as rows of a form, and in words. Pure.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::fleet::window::{Day, TimeOfDay, Window};

/// Rows for further windows in a form.
const BLANK: usize = 2;

/// The rows as they are sent. A box that is not ticked is not sent, so each that is says in which row
/// it stands: `0.mon`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct WindowsForm {
    pub(super) version: String,
    day: Vec<String>,
    from: Vec<String>,
    minutes: Vec<String>,
}

/// A row of the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct WindowRow {
    days: Vec<DayBox>,
    from: String,
    minutes: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct DayBox {
    word: &'static str,
    checked: bool,
}

impl WindowRow {
    fn new(chosen: &[Day], from: String, minutes: String) -> Self {
        let day = |day: Day| DayBox { word: day.word(), checked: chosen.contains(&day) };
        Self { days: Day::ALL.map(day).into(), from, minutes }
    }

    fn blank() -> Self {
        Self::new(&[], String::new(), String::new())
    }

    fn is_blank(&self) -> bool {
        *self == Self::blank()
    }
}

/// The windows, and a few rows for more.
pub(super) fn rows(windows: &[Window]) -> Vec<WindowRow> {
    let row = |w: &Window| WindowRow::new(&w.days, w.from.to_string(), w.minutes.to_string());
    with_blank(windows.iter().map(row).collect())
}

fn with_blank(mut rows: Vec<WindowRow>) -> Vec<WindowRow> {
    rows.extend((0..BLANK).map(|_| WindowRow::blank()));
    rows
}

impl WindowsForm {
    /// What was sent, but for what was left empty, and a few rows for more.
    pub(super) fn rows(&self) -> Vec<WindowRow> {
        with_blank(self.filled().map(|(_, row)| row).collect())
    }

    fn filled(&self) -> impl Iterator<Item = (usize, WindowRow)> {
        let text = |texts: &[String], i: usize| {
            texts.get(i).map(|text| text.trim().to_owned()).unwrap_or_default()
        };
        let row = move |i: usize| {
            let ticked =
                |day: &Day| self.day.iter().any(|sent| *sent == format!("{i}.{}", day.word()));
            let days: Vec<Day> = Day::ALL.into_iter().filter(ticked).collect();
            (i, WindowRow::new(&days, text(&self.from, i), text(&self.minutes, i)))
        };
        (0..self.from.len().max(self.minutes.len())).map(row).filter(|(_, row)| !row.is_blank())
    }

    /// The windows; what they may be is for `fleet::window` to say.
    pub(super) fn windows(&self) -> Result<Vec<Window>, Error> {
        self.filled().map(|(i, row)| window(i, &row)).collect()
    }
}

fn window(i: usize, row: &WindowRow) -> Result<Window, Error> {
    let wrong = |why: String| Error::invalid("/windows", format!("Window {}: {why}", i + 1));
    let from: TimeOfDay = row.from.parse().map_err(wrong)?;
    let minutes = row.minutes.parse::<u16>();
    let minutes =
        minutes.map_err(|_| wrong(format!("`{}` is no number of minutes", row.minutes)))?;
    let ticked = |day: &Day| row.days.iter().any(|b| b.checked && b.word == day.word());
    Ok(Window { days: Day::ALL.into_iter().filter(ticked).collect(), from, minutes })
}

/// A window as people say it.
pub(super) fn words(window: &Window) -> String {
    let days = match window.days.len() {
        7 => "every day".to_owned(),
        _ => window.days.iter().map(|day| day.word()).collect::<Vec<_>>().join(", "),
    };
    let (hours, minutes) = (window.minutes / 60, window.minutes % 60);
    let long = match (hours, minutes) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    };
    format!("{days} from {} for {long}", window.from)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn sent(days: &[&str], from: &[&str], minutes: &[&str]) -> WindowsForm {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        WindowsForm {
            version: String::new(),
            day: texts(days),
            from: texts(from),
            minutes: texts(minutes),
        }
    }

    fn window(days: &[Day], from: &str, minutes: u16) -> Window {
        Window { days: days.to_vec(), from: from.parse().unwrap(), minutes }
    }

    #[test]
    fn rows_are_windows_and_empty_ones_are_none() {
        let form = sent(&["2.sun", "0.tue", "0.mon"], &["02:00", "", "23:30"], &["180", " ", "60"]);
        let windows = form.windows().unwrap();
        let expected =
            [window(&[Day::Mon, Day::Tue], "02:00", 180), window(&[Day::Sun], "23:30", 60)];
        assert_eq!(windows, expected);
        assert_eq!(form.rows(), rows(&expected));
        assert_eq!(form.rows().len(), 2 + BLANK);
        assert!(sent(&[], &["", ""], &["", ""]).windows().unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_names_its_row_and_stays_in_it() {
        for (form, row) in [
            (sent(&["1.mon"], &["", "25:00"], &["", "60"]), "Window 2: "),
            (sent(&["0.mon"], &["02:00"], &["long"]), "Window 1: "),
            (sent(&["0.mon"], &[""], &[""]), "Window 1: "),
        ] {
            match form.windows().unwrap_err() {
                Error::Invalid { pointer, message } => {
                    assert_eq!(pointer, "/windows");
                    assert!(message.starts_with(row), "{message}");
                }
                other => panic!("{other}"),
            }
            assert!(form.rows()[0].days[0].checked);
        }
    }

    #[test]
    fn a_window_can_be_said() {
        let said = words(&window(&[Day::Mon, Day::Fri], "02:00", 180));
        assert_eq!(said, "mon, fri from 02:00 for 3 h");
        assert_eq!(words(&window(&Day::ALL, "23:30", 90)), "every day from 23:30 for 1 h 30 min");
        assert_eq!(words(&window(&[Day::Sun], "00:00", 45)), "sun from 00:00 for 45 min");
    }
}
