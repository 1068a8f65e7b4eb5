//! `muster render-worker`: the process in which templates are rendered. The server starts it; people do
//! not.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use clap::Args;
use muster::render::worker;

/// `muster render-worker`
#[derive(Debug, Args)]
pub struct RenderWorker {
    /// Start once more with so many MiB of memory at most.
    #[arg(long)]
    memory_mb: Option<u64>,
}

/// Renders what is asked on standard input. Must come before anything else of a process: no runtime,
/// no configuration.
pub fn render_worker(w: &RenderWorker) -> ExitCode {
    let done = match w.memory_mb {
        Some(memory_mb) => again(memory_mb),
        None => worker::serve(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("muster: render-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The same program within bounds: the allocator has taken memory before `main`, by the gigabyte, and
/// would not ask for more.
fn again(memory_mb: u64) -> std::io::Result<()> {
    worker::confine(memory_mb)?;
    Err(Command::new("/proc/self/exe").arg0("muster").arg("render-worker").exec())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        worker: RenderWorker,
    }

    #[test]
    fn it_is_started_as_the_server_starts_it() {
        let parsed = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap().worker.memory_mb;
        assert_eq!(parsed("muster --memory-mb=256"), Some(256));
        assert_eq!(parsed("muster"), None);
    }
}
