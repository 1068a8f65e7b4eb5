//! The client on the command line, and what it says.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use super::Muster;

/// What a command wrote.
pub struct Said {
    /// To its standard output.
    pub out: String,
    /// To its standard error.
    pub err: String,
}

impl Said {
    /// Its output as one value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }

    /// One value per line.
    pub fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The cells of each line.
    pub fn cells(&self) -> Vec<Vec<&str>> {
        self.out.lines().map(|line| line.split_whitespace().collect()).collect()
    }
}

/// Runs a command as an admin; it must end with this code. Not blocking: simulated devices live on
/// the test's own thread.
pub async fn run(muster: &mut Muster, args: &[&str], code: i32) -> Said {
    let token = muster.token();
    run_with(muster, &[("MUSTER_TOKEN", token.as_str())], args, code).await
}

/// Runs a command with these variables of its environment, among which there may be a token.
pub async fn run_with(muster: &Muster, env: &[(&str, &str)], args: &[&str], code: i32) -> Said {
    let output = Command::from(muster.command())
        .args(args)
        .env("MUSTER_SERVER", format!("http://{}", muster.web))
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "muster {args:?}\n{out}\n{err}");
    Said { out, err }
}
