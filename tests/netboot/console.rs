//! The serial console of a virtual machine: what it says is waited for, what is typed is typed as by hand.

use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::wire::PATIENCE;

/// A machine with its console on standard input and output; it ends with this.
pub struct Console {
    _machine: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    /// What was said and not yet waited for.
    said: Vec<u8>,
}

impl Console {
    /// Switches it on.
    pub fn start(mut machine: Command) -> Self {
        let mut machine = machine.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (keys, screen) = (machine.stdin.take().unwrap(), machine.stdout.take().unwrap());
        Self { _machine: machine, keys, screen, said: Vec::new() }
    }

    /// Waits until it says this; gives all that it said up to there.
    pub async fn expect(&mut self, text: &str) -> String {
        if let Ok(told) = timeout(PATIENCE, self.up_to(text.as_bytes())).await {
            return told;
        }
        panic!("`{text}` was not said: {}", String::from_utf8_lossy(&self.said));
    }

    async fn up_to(&mut self, text: &[u8]) -> String {
        loop {
            if let Some(at) = self.said.windows(text.len()).position(|part| part == text) {
                let rest = self.said.split_off(at + text.len());
                let told = std::mem::replace(&mut self.said, rest);
                return String::from_utf8_lossy(&told).into_owned();
            }
            let mut bytes = [0; 4_096];
            let count = self.screen.read(&mut bytes).await.unwrap();
            assert!(count > 0, "it went off: {}", String::from_utf8_lossy(&self.said));
            self.said.extend_from_slice(&bytes[..count]);
        }
    }

    /// Presses a key.
    pub async fn press(&mut self, key: u8) {
        self.keys.write_all(&[key]).await.unwrap();
        self.keys.flush().await.unwrap();
    }

    /// Types a command, each letter when the one before has come back, for there is nothing else that
    /// keeps a console from losing some; and waits for what it says up to this.
    pub async fn run(&mut self, command: &str, up_to: &str) -> String {
        for key in command.bytes() {
            self.press(key).await;
            self.expect(&char::from(key).to_string()).await;
        }
        self.press(b'\r').await;
        self.expect(up_to).await
    }
}
