//! The process that renders: it reads templates with their values from standard input, and answers on
//! standard output, one after the other.
//!
//! Owns that it has no more memory than it may, and ends with the server that started it, also while a
//! template renders without an end. It must never open anything else: it is given all that it needs.

use std::io::{self, BufReader};
use std::sync::mpsc::sync_channel;

use nix::sys::resource::{Resource, setrlimit};

use super::engine::{Engine, Refusal};
use super::frame::{self, Answer, Request};
use super::pool::DEPTH;

/// Bounds the memory of this process and of what takes its place, in MiB, and has it leave no image of
/// its memory: secrets are in it.
///
/// # Errors
/// [`io::Error`]
pub fn confine(memory_mb: u64) -> io::Result<()> {
    let bytes = memory_mb.saturating_mul(1 << 20);
    setrlimit(Resource::RLIMIT_DATA, bytes, bytes)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    Ok(())
}

/// Renders until nobody asks any more.
///
/// # Errors
/// [`io::Error`] where nobody hears the answers.
pub fn serve() -> io::Result<()> {
    let (asked, requests) = sync_channel::<Vec<u8>>(2 * DEPTH);
    std::thread::spawn(move || {
        let mut input = BufReader::new(io::stdin().lock());
        while let Ok(request) = frame::read(&mut input) {
            if asked.send(request).is_err() {
                break;
            }
        }
        // The server is gone: what is being rendered is for nobody, and may have no end.
        std::process::exit(0);
    });
    let mut output = io::stdout().lock();
    frame::write(&mut output, &Answer::Ready)?;
    let mut engine = Engine::new();
    for request in requests {
        frame::write(&mut output, &answer(&mut engine, &request))?;
    }
    Ok(())
}

fn answer(engine: &mut Engine, request: &[u8]) -> Answer {
    let request: Request<'_> = match serde_json::from_slice(request) {
        Ok(request) => request,
        Err(e) => return Answer::Mistake(format!("what was asked cannot be read: {e}")),
    };
    match engine.render(&request.template, &request.context) {
        Ok(script) => Answer::Script(script),
        Err(Refusal::Mistake(words)) => Answer::Mistake(words),
        Err(Refusal::TooMuch) => Answer::TooMuch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_answered() {
        let mut engine = Engine::new();
        let mut asked = |text: &str| answer(&mut engine, text.as_bytes());
        let good = r#"{ "template": "x={{ a }}", "context": { "a": "b" } }"#;
        assert_eq!(asked(good), Answer::Script("x=\"b\"".to_owned()));
        let bad = r#"{ "template": "x={{ b }}", "context": {} }"#;
        assert!(matches!(asked(bad), Answer::Mistake(words) if words.starts_with("line 1: ")));
        assert!(matches!(asked("{"), Answer::Mistake(_)));
    }
}
