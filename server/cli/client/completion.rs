//! `muster completion`: what a shell needs to complete commands and options.

use clap::{Args, Command};
use clap_complete::Shell;

use super::output::print;

/// `muster completion`
#[derive(Debug, Args)]
pub struct Completion {
    /// For which shell.
    shell: Shell,
}

impl Completion {
    /// Prints the script for `command`, which is the whole of `muster`.
    ///
    /// # Errors
    /// Where standard output cannot be written to.
    pub fn print(self, mut command: Command) -> anyhow::Result<()> {
        Ok(print(script(self.shell, &mut command).trim_end())?)
    }
}

fn script(shell: Shell, command: &mut Command) -> String {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "muster", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::Subcommand;

    use super::super::Remote;
    use super::*;

    #[test]
    fn every_shell_learns_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut command = Remote::augment_subcommands(Command::new("muster"));
            let script = script(shell, &mut command);
            for word in ["devices", "factory-reset", "token-file"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
