//! Plays the recorded sessions (`tests/recordings/sessions`) to a real server.

use std::path::{Path, PathBuf};

use crate::harness::cpe::Cpe;
use crate::harness::{LAB, Muster};

#[tokio::test]
async fn recorded_sessions_are_answered_as_recorded() {
    let muster = Muster::start(LAB).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let mut sessions: Vec<PathBuf> = std::fs::read_dir(root.join("sessions"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "session"))
        .collect();
    sessions.sort();
    assert!(sessions.len() >= 3);
    for session in sessions {
        let name = session.file_name().unwrap().to_string_lossy().into_owned();
        let mut cpe = Cpe::connect(muster.cwmp).await;
        let script = std::fs::read_to_string(&session).unwrap();
        for (number, line) in script.lines().enumerate().filter(|(_, l)| !l.starts_with('#')) {
            let mut words = line.split_whitespace();
            let body = match words.next().unwrap() {
                "-" => Vec::new(),
                file => std::fs::read(root.join(file)).unwrap(),
            };
            let reply = cpe.post_with(&body, &[]).await;
            let at = format!("{name}, line {}: {reply:?}", number + 1);
            assert_eq!(reply.status.to_string(), words.next().unwrap(), "{at}");
            words.for_each(|word| assert!(reply.body.contains(word), "no {word} in {at}"));
        }
    }
}
