//! The benches and their boards as they come: drawn anew on a terminal, told in lines elsewhere.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use reqwest::{Method, Response, header};
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use super::view::{BENCH, BOARD, Bench, Board};
use crate::cli::client::http::{Answer, Api, Page};
use crate::cli::client::output::{clean, hint, maybe, print, safe_json, table, time};

/// Between two looks, at least; and before a stream that has ended is asked for again.
const PAUSE: Duration = Duration::from_secs(1);
/// Boards that are shown.
const SHOWN: &str = "40";
/// Boards that are looked at where they are told in lines.
const LOOKED_AT: &str = "1000";
/// To the upper left corner, and nothing below it.
const AFRESH: &str = "\u{1b}[H\u{1b}[J";

/// Shows benches and boards, once or until it is interrupted.
pub(super) async fn show(api: &Api, follow: bool) -> anyhow::Result<()> {
    if !follow {
        return once(api).await;
    }
    let on_screen = io::stdout().is_terminal() && !api.json;
    let mut followed = Followed { api, on_screen, told: Told::default(), seen: false, away: false };
    loop {
        match followed.watch().await {
            // The server ends each stream after a while.
            Ok(()) => {}
            // One that is started anew is there again soon.
            Err(error) if followed.seen && error.downcast_ref::<reqwest::Error>().is_some() => {
                if !followed.away {
                    hint("the server does not answer: asking again until it does");
                }
                followed.away = true;
            }
            Err(error) => return Err(error),
        }
        sleep(PAUSE).await;
    }
}

/// What is followed, and what was told of it.
struct Followed<'a> {
    api: &'a Api,
    on_screen: bool,
    told: Told,
    /// There was an answer once.
    seen: bool,
    /// There is none now, and that was said.
    away: bool,
}

impl Followed<'_> {
    /// Looks, and again whenever there is a reason, until the stream of changes ends.
    async fn watch(&mut self) -> anyhow::Result<()> {
        let request = self.api.request(Method::GET, &["bench", "events"], &[]);
        let request = request.header(header::ACCEPT, "text/event-stream");
        // Before the first look, so that no change falls between both.
        let mut changes = self.api.send(request).await?;
        loop {
            self.tell().await?;
            if !is_reason(&mut changes).await {
                return Ok(());
            }
        }
    }

    async fn tell(&mut self) -> anyhow::Result<()> {
        let limit = if self.on_screen { SHOWN } else { LOOKED_AT };
        let (benches, answer) = look(self.api, limit).await?;
        (self.seen, self.away) = (true, false);
        if self.on_screen {
            let boards: Page<Board> = answer.read()?;
            return Ok(draw(&picture(&benches, &boards.items))?);
        }
        let news = self.told.news(self.api.json, &answer)?;
        Ok(news.iter().try_for_each(|line| print(line))?)
    }
}

/// Waits for a reason to look again; false = the stream has ended. What comes within [`PAUSE`] is one
/// reason; so is the sign of life between events, for the minutes that a bench has left go by without any.
async fn is_reason(changes: &mut Response) -> bool {
    let pause = Instant::now() + PAUSE;
    let mut came = false;
    loop {
        tokio::select! {
            chunk = changes.chunk() => match chunk {
                Ok(Some(_)) => came = true,
                Ok(None) | Err(_) => return false,
            },
            () = sleep_until(pause), if came => return true,
        }
    }
}

async fn once(api: &Api) -> anyhow::Result<()> {
    let answer = api.get(&["bench"], &[]).await?;
    if api.json {
        return Ok(print(&safe_json(answer.text()))?);
    }
    let benches: Page<Bench> = answer.read()?;
    let boards: Page<Board> = boards(api, SHOWN).await?.read()?;
    print(&picture(&benches.items, &boards.items))?;
    for warning in benches.items.iter().flat_map(Bench::warnings) {
        hint(&warning);
    }
    Ok(())
}

async fn look(api: &Api, limit: &str) -> anyhow::Result<(Vec<Bench>, Answer)> {
    let benches: Page<Bench> = api.get(&["bench"], &[]).await?.read()?;
    Ok((benches.items, boards(api, limit).await?))
}

/// Those that were seen last.
async fn boards(api: &Api, limit: &str) -> anyhow::Result<Answer> {
    api.get(&["bench", "boards"], &[("limit", limit)]).await
}

/// Both tables.
fn picture(benches: &[Bench], boards: &[Board]) -> String {
    if benches.is_empty() {
        return "no node has a bench: name its interfaces in [bench]".to_owned();
    }
    let benches: Vec<Vec<String>> = benches.iter().map(Bench::row).collect();
    let mut text = table(&BENCH, &benches);
    if !boards.is_empty() {
        let boards: Vec<Vec<String>> = boards.iter().map(Board::row).collect();
        text.push_str("\n\n");
        text.push_str(&table(&BOARD, &boards));
    }
    text
}

fn draw(picture: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(AFRESH.as_bytes())?;
    out.write_all(picture.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// What was told already of each board.
#[derive(Debug, Default)]
struct Told(BTreeMap<String, String>);

impl Told {
    /// What is new: a line for each board that changed, the oldest first.
    fn news(&mut self, json: bool, answer: &Answer) -> anyhow::Result<Vec<String>> {
        let page: Page<Value> = answer.read()?;
        let mut lines = Vec::new();
        for item in page.items.into_iter().rev() {
            let board: Board = serde_json::from_value(item.clone())?;
            let line = if json { safe_json(&item.to_string()) } else { line(&board) };
            if self.is_new(&board.mac, &line) {
                lines.push(line);
            }
        }
        Ok(lines)
    }

    fn is_new(&mut self, mac: &str, line: &str) -> bool {
        let had = self.0.insert(mac.to_owned(), line.to_owned());
        had.as_deref() != Some(line)
    }
}

fn line(board: &Board) -> String {
    let words = maybe(board.words.clone());
    clean(&format!("{}  {}  {}  {words}", time(board.seen_at), board.mac, board.standing()))
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{bench, board};
    use super::*;

    #[test]
    fn benches_stand_above_their_boards() {
        let text = picture(&[bench(None)], &[board("E4:8D:8C:00:00:01", "delivered")]);
        let (above, below) = text.split_once("\n\n").expect("two tables");
        assert!(above.starts_with("interface"), "{text}");
        assert!(below.starts_with("mac"), "{text}");
        assert!(picture(&[], &[]).contains("[bench]"));
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let mut told = Told::default();
        let seen = line(&board("M\u{1b}", "seen"));
        assert!(!seen.contains('\u{1b}') && seen.starts_with("2030-01-01"), "{seen}");
        assert!(told.is_new("M", &seen));
        assert!(!told.is_new("M", &seen) && told.is_new("N", &seen));
        assert!(told.is_new("M", &line(&board("M", "delivered"))));
    }
}
