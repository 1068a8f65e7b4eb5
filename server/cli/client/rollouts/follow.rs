//! A rollout as it goes: drawn anew on a terminal, told in lines elsewhere.
//!
//! Owns the one place of the command line that moves the cursor; what is drawn is cleaned before, line
//! by line, and no wider than the terminal.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use anyhow::anyhow;
use comfy_table::Table;
use uuid::Uuid;

use super::super::http::{Answer, Api, Page};
use super::super::output::{clean, hint, print, safe_json, time};
use super::view::{Event, Rollout, Wave};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Characters of a bar.
const BAR: usize = 30;
/// Waves that are drawn at a time, so that a screen is enough.
const WAVES: usize = 10;
/// Events that are drawn.
const EVENTS: usize = 6;
/// Events that are looked at.
const LOOKED_AT: &str = "50";
/// Where nobody says how wide the terminal is.
const WIDTH: usize = 80;

/// Follows a rollout until it has ended, or waits for somebody; with `stay` only to its end.
///
/// # Errors
/// Where it ended otherwise than completed, in the words of its reason.
pub(super) async fn follow(api: &Api, id: &str, stay: bool) -> anyhow::Result<()> {
    let mut display = Display::new(api.json);
    let mut seen = false;
    let mut away = false;
    loop {
        match look(api, id).await {
            Ok((answer, rollout, events)) => {
                (seen, away) = (true, false);
                display.show(&rollout, &events)?;
                if let Some(end) = end(&rollout, stay) {
                    if api.json {
                        print(&safe_json(answer.text()))?;
                    }
                    return end;
                }
            }
            // A server that is started anew is there again soon.
            Err(error) if seen && error.downcast_ref::<reqwest::Error>().is_some() => {
                if !away {
                    hint("the server does not answer: asking again until it does");
                }
                away = true;
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The rollout, and its newest events, oldest first.
async fn look(api: &Api, id: &str) -> anyhow::Result<(Answer, Rollout, Vec<Event>)> {
    let answer = api.get(&["rollouts", id], &[]).await?;
    let rollout: Rollout = answer.read()?;
    let path = ["rollouts", id, "events"];
    let page: Page<Event> = api.get(&path, &[("limit", LOOKED_AT)]).await?.read()?;
    let mut events = page.items;
    events.reverse();
    Ok((answer, rollout, events))
}

/// How following it ends; `None` = it goes on.
fn end(rollout: &Rollout, stay: bool) -> Option<anyhow::Result<()>> {
    let state = rollout.state.as_str();
    let reason = clean(rollout.reason.as_deref().unwrap_or("nobody said why"));
    let words = clean(&state.replace('_', " "));
    match state {
        "completed" => Some(Ok(())),
        "aborted" | "rolled_back" => Some(Err(anyhow!("the rollout is {words}: {reason}"))),
        "draft" => Some(Err(anyhow!("the rollout is a draft: `muster rollouts start` starts it"))),
        "paused" | "awaiting_approval" if !stay => {
            Some(Err(anyhow!("the rollout is {words}, and waits for somebody: {reason}")))
        }
        _ => None,
    }
}

/// Where it is shown.
enum Display {
    /// Nowhere, before its end.
    Json,
    /// On a terminal, this many lines of which are drawn over next time.
    Screen(usize),
    /// In lines.
    Lines(Told),
}

impl Display {
    fn new(json: bool) -> Self {
        match (json, io::stdout().is_terminal()) {
            (true, _) => Self::Json,
            (false, true) => Self::Screen(0),
            (false, false) => Self::Lines(Told::default()),
        }
    }

    fn show(&mut self, rollout: &Rollout, events: &[Event]) -> io::Result<()> {
        match self {
            Self::Json => Ok(()),
            Self::Screen(drawn) => {
                let width = Table::new().width().map_or(WIDTH, usize::from);
                let lines = frame(rollout, events, width);
                let text = over(*drawn, &lines);
                *drawn = lines.len();
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes())?;
                out.flush()
            }
            Self::Lines(told) => told.news(rollout, events).iter().try_for_each(|line| print(line)),
        }
    }
}

/// What draws these lines over so many that were drawn before.
fn over(drawn: usize, lines: &[String]) -> String {
    let mut text = String::new();
    if drawn > 0 {
        write!(text, "\u{1b}[{drawn}A\u{1b}[J").expect("writing to a String cannot fail");
    }
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// The whole picture; no line is wider than the terminal, or drawing over would miss.
fn frame(rollout: &Rollout, events: &[Event], width: usize) -> Vec<String> {
    let mut lines = vec![format!("{}  {}", rollout.name, status(rollout)), String::new()];
    let names = rollout.waves.iter().map(|wave| wave.name.chars().count()).max().unwrap_or(0);
    let first = rollout.wave.saturating_sub(WAVES / 2);
    let first = first.min(rollout.waves.len().saturating_sub(WAVES));
    let shown = rollout.waves.iter().enumerate().skip(first).take(WAVES);
    lines.extend(shown.map(|(n, wave)| wave_line(wave, n == rollout.wave, names.min(24))));
    if rollout.waves.is_empty() {
        lines.push("no devices yet".to_owned());
    }
    lines.push(String::new());
    let newest = events.iter().skip(events.len().saturating_sub(EVENTS));
    lines.extend(newest.map(event_line));
    lines.iter().map(|line| clean(line).chars().take(width).collect()).collect()
}

fn status(rollout: &Rollout) -> String {
    let mut text = rollout.state.replace('_', " ");
    if let Some(until) = rollout.soak_until.filter(|_| rollout.state == "soaking") {
        text = format!("{text} until {}", time(until));
    }
    match &rollout.reason {
        Some(reason) => format!("{text}: {reason}"),
        None => text,
    }
}

fn wave_line(wave: &Wave, current: bool, names: usize) -> String {
    let mark = if current { '>' } else { ' ' };
    let name: String = wave.name.chars().take(names).collect();
    format!("{mark} {name:<names$}  {}  {}", bar(wave), counts(wave))
}

fn event_line(event: &Event) -> String {
    format!("{}  {}  {}", time(event.at), event.actor, event.text)
}

/// How far a wave is: what is well, what is being looked at, what is under way, what failed, what was
/// left out, and what waits.
fn bar(wave: &Wave) -> String {
    let parts = [
        (wave.healthy, '█'),
        (wave.verifying, '▓'),
        (wave.active, '▒'),
        (wave.failed + wave.timed_out, 'x'),
        (wave.skipped, '-'),
    ];
    let (mut text, mut sum, mut drawn) = (String::new(), 0, 0);
    for (devices, sign) in parts {
        sum += devices;
        let end = usize::try_from(sum * BAR as u64 / wave.total.max(1)).unwrap_or(BAR).min(BAR);
        text.extend(std::iter::repeat_n(sign, end.saturating_sub(drawn)));
        drawn = drawn.max(end);
    }
    text.extend(std::iter::repeat_n('·', BAR - drawn));
    text
}

fn counts(wave: &Wave) -> String {
    let ended = wave.healthy + wave.failed + wave.timed_out + wave.skipped;
    let parts = [
        ("healthy", wave.healthy),
        ("verifying", wave.verifying),
        ("under way", wave.active),
        ("failed", wave.failed),
        ("did not come", wave.timed_out),
        ("left out", wave.skipped),
        ("waiting", wave.waiting),
    ];
    let said = parts.into_iter().filter(|(_, devices)| *devices > 0);
    let said: Vec<String> = said.map(|(what, devices)| format!("{devices} {what}")).collect();
    format!("{ended}/{}  {}", wave.total, said.join(", "))
}

/// What was told already.
#[derive(Debug, Default)]
struct Told {
    event: Option<Uuid>,
    state: String,
}

impl Told {
    /// What is new: events, and where the rollout and its wave are.
    fn news(&mut self, rollout: &Rollout, events: &[Event]) -> Vec<String> {
        let known = events.iter().position(|event| Some(event.event_id) == self.event);
        let new = &events[known.map_or(0, |at| at + 1)..];
        let mut lines: Vec<String> = new.iter().map(|event| clean(&event_line(event))).collect();
        if let Some(last) = events.last() {
            self.event = Some(last.event_id);
        }
        let wave = rollout.waves.get(rollout.wave);
        let wave = wave.map(|wave| format!("  {}  {}", wave.name, counts(wave)));
        let words = rollout.state.replace('_', " ");
        let state = clean(&format!("{words}{}", wave.unwrap_or_default()));
        if state != self.state {
            lines.push(state.clone());
            self.state = state;
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use chrono::DateTime;

    use super::super::view::tests::rollout;
    use super::*;

    fn event(n: u128, text: &str) -> Event {
        Event {
            event_id: Uuid::from_u128(n),
            at: DateTime::UNIX_EPOCH,
            kind: "state".to_owned(),
            actor: "muster".to_owned(),
            text: text.to_owned(),
        }
    }

    fn wave(healthy: u64, failed: u64, waiting: u64) -> Wave {
        Wave {
            name: "wave 1".to_owned(),
            total: healthy + failed + waiting,
            waiting,
            active: 0,
            verifying: 0,
            healthy,
            failed,
            timed_out: 0,
            skipped: 0,
            verdict: None,
        }
    }

    #[test]
    fn a_bar_fills_up_and_is_always_as_long() {
        let filled = |healthy, failed, waiting| bar(&wave(healthy, failed, waiting));
        for (healthy, failed, waiting) in [(0, 0, 0), (0, 0, 7), (1, 1, 1), (999, 1, 0), (7, 7, 0)]
        {
            assert_eq!(filled(healthy, failed, waiting).chars().count(), BAR);
        }
        assert_eq!(filled(0, 0, 5), "·".repeat(BAR));
        assert_eq!(filled(5, 0, 0), "█".repeat(BAR));
        assert_eq!(filled(1, 1, 0), format!("{}{}", "█".repeat(15), "x".repeat(15)));
    }

    #[test]
    fn a_picture_fits_the_terminal_and_steers_it_nowhere() {
        let events: Vec<Event> = (0..20).map(|n| event(n, "X\u{1b}[2J came back old")).collect();
        let lines = frame(&rollout("running"), &events, 60);
        assert!(lines.iter().all(|line| line.chars().count() <= 60), "{lines:?}");
        assert!(!lines.concat().chars().any(char::is_control), "{lines:?}");
        assert_eq!(lines.len(), 2 + 2 + 1 + EVENTS);
        assert!(lines[3].starts_with("> wave 2"), "{lines:?}");
        assert_eq!(over(0, &lines[..1]), format!("{}\n", lines[0]));
        assert!(over(9, &lines).starts_with("\u{1b}[9A\u{1b}[J"));
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let mut told = Told::default();
        let first = [event(1, "started"), event(2, "3 devices in 2 waves")];
        assert_eq!(told.news(&rollout("running"), &first).len(), 3);
        assert!(told.news(&rollout("running"), &first).is_empty());
        let next = [event(2, "3 devices in 2 waves"), event(3, "storm")];
        let news = told.news(&rollout("paused"), &next);
        assert!(news.len() == 2 && news[0].ends_with("storm"), "{news:?}");
        assert!(news[1].starts_with("paused  wave 2  12/20"), "{news:?}");
    }

    #[test]
    fn it_is_followed_until_it_ended_or_waits() {
        let ended = |state: &str, stay: bool| end(&rollout(state), stay).map(|end| end.is_ok());
        for (state, now, staying) in [
            ("completed", Some(true), Some(true)),
            ("aborted", Some(false), Some(false)),
            ("rolled_back", Some(false), Some(false)),
            ("draft", Some(false), Some(false)),
            ("paused", Some(false), None),
            ("awaiting_approval", Some(false), None),
            ("scheduled", None, None),
            ("running", None, None),
            ("soaking", None, None),
            ("rolling_back", None, None),
        ] {
            assert_eq!((ended(state, false), ended(state, true)), (now, staying), "{state}");
        }
        let why = end(&rollout("aborted"), false).unwrap().unwrap_err().to_string();
        assert_eq!(why, "the rollout is aborted: 2 of 20 failed");
    }
}
