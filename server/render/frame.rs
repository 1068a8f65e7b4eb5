//! What goes between the server and a process that renders: four bytes of length, the most significant
//! first, then so many of JSON. Answers come in the order of what was asked.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::engine::MAX_OUTPUT;

/// Bytes of a frame: a script whose every byte is escaped has fewer.
pub(super) const MAX_FRAME: usize = MAX_OUTPUT * 6 + 1024;

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request<'a> {
    /// The template itself: the process keeps it ready under its own text.
    pub template: Cow<'a, str>,
    /// An object.
    pub context: Value,
}

/// What is answered.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// The process is there. Before all others, and once.
    Ready,
    /// The script.
    Script(String),
    /// Why there is none.
    Mistake(String),
    /// It is too large.
    TooMuch,
}

/// A frame of this.
///
/// # Errors
/// [`io::Error`] where it is more than a frame holds.
pub(super) fn encoded(content: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, content)?;
    let length = frame.len() - 4;
    if length > MAX_FRAME {
        return Err(too_long(length));
    }
    let length = u32::try_from(length).map_err(|_| too_long(length))?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

fn too_long(length: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes"))
}

fn length(bytes: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(bytes) as usize;
    if length > MAX_FRAME { Err(too_long(length)) } else { Ok(length) }
}

/// The content of the next frame.
///
/// # Errors
/// [`io::Error`], also at the end.
pub(super) fn read(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = [0; 4];
    input.read_exact(&mut head)?;
    let mut content = vec![0; length(head)?];
    input.read_exact(&mut content)?;
    Ok(content)
}

/// The same of the server, which has other things to do meanwhile.
///
/// # Errors
/// As [`read`].
pub(super) async fn receive(input: &mut (impl AsyncRead + Unpin)) -> io::Result<Answer> {
    let mut head = [0; 4];
    input.read_exact(&mut head).await?;
    let mut content = vec![0; length(head)?];
    input.read_exact(&mut content).await?;
    Ok(serde_json::from_slice(&content)?)
}

/// Writes a frame of this, now.
///
/// # Errors
/// [`io::Error`]
pub(super) fn write(output: &mut impl Write, content: &impl Serialize) -> io::Result<()> {
    output.write_all(&encoded(content)?)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read() {
        let request = Request { template: "a\n{{ b }}".into(), context: json!({ "b": "ā\0" }) };
        let frame = encoded(&request).unwrap();
        let content = read(&mut frame.as_slice()).unwrap();
        let back: Request<'_> = serde_json::from_slice(&content).unwrap();
        assert_eq!((back.template, back.context), (request.template, request.context));
        let mut bytes = Vec::new();
        for answer in [Answer::Ready, Answer::Script("\u{7f}".repeat(MAX_OUTPUT)), Answer::TooMuch]
        {
            write(&mut bytes, &answer).unwrap();
        }
        let mut input = bytes.as_slice();
        assert_eq!(receive(&mut input).await.unwrap(), Answer::Ready);
        let Answer::Script(script) = receive(&mut input).await.unwrap() else {
            panic!("no script")
        };
        assert_eq!(script.len(), MAX_OUTPUT);
        assert_eq!(receive(&mut input).await.unwrap(), Answer::TooMuch);
        assert!(receive(&mut input).await.is_err(), "the end");
    }

    #[tokio::test]
    async fn what_is_no_frame_is_refused_before_it_is_held() {
        let long = u32::MAX.to_be_bytes();
        assert!(read(&mut long.as_slice()).is_err());
        assert!(receive(&mut long.as_slice()).await.is_err());
        assert!(receive(&mut [0, 0, 0, 1, b'x'].as_slice()).await.is_err());
        assert!(encoded(&" ".repeat(MAX_FRAME)).is_err());
    }
}
