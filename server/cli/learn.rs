//! `muster bench learn`: what an official server gives boards, from a capture or by asking it as a board
//! would, and a netboot profile of it. Runs on any machine, without a server of ours.

use std::fs::{self, File};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use muster_netboot::booter::Outcome;
use muster_netboot::learn::{Learned, Read, capture, conversation, infer, profile};
use muster_netboot::mac::Mac;
use muster_sim::boards::probe::{ProbeOptions, probe};
use tokio_util::sync::CancellationToken;

/// `muster bench learn`
#[derive(Debug, Subcommand)]
pub enum Learn {
    /// Read a capture (pcap or pcapng) of an official server and a board.
    Pcap {
        /// As `tcpdump -i INTERFACE -w FILE` writes it; not of the interface `any`.
        #[arg(value_name = "FILE")]
        capture: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Ask an official server as a board in flash-boot mode would. Needs root, or CAP_NET_RAW.
    Probe(Probe),
}

/// What to look for, and where to put what is found.
#[derive(Debug, Args)]
pub struct Target {
    /// The script that the server was given: without it what looks like one is shown, and no profile
    /// made.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Where the profile goes, and beside it, with `.bin` for its ending, the file that the board was
    /// given; the profile is printed when absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What the profile is called.
    #[arg(long, default_value = "learned")]
    name: String,
}

/// `muster bench learn probe`
#[derive(Debug, Args)]
pub struct Probe {
    /// The interface that leads to the server.
    #[arg(long, value_name = "INTERFACE")]
    interface: String,
    /// What the board says it is.
    #[arg(long, value_name = "ID", default_value = "952-hb")]
    board_id: String,
    /// Bytes that it says it has for a configuration; at most 4092 were ever seen.
    #[arg(long, value_name = "BYTES", default_value_t = 3900)]
    free: u32,
    /// Its hardware address. Another one for each try with a server that serves a board once.
    #[arg(long, default_value = "E4:8D:8C:FE:ED:01")]
    mac: Mac,
    /// For how long it asks; a board gives up after 2.4.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    #[command(flatten)]
    target: Target,
}

/// Learns, and says what.
///
/// # Errors
/// What cannot be read or written; that nothing was heard; that no profile can be made of it.
pub async fn learn(command: Learn) -> anyhow::Result<()> {
    match command {
        Learn::Pcap { capture, target } => {
            let learned = conversation(frames(&capture)?);
            let name = capture.file_name().unwrap_or_default().to_string_lossy().into_owned();
            conclude(&learned, &format!("capture {name}"), &target)
        }
        Learn::Probe(asked) => {
            let options = ProbeOptions {
                interface: asked.interface,
                mac: asked.mac,
                board_id: asked.board_id.clone(),
                free: asked.free,
                patience: Duration::from_secs(asked.patience),
            };
            let stop = CancellationToken::new();
            tokio::spawn(super::stop_on_signal(stop.clone()));
            let probed = probe(options, stop).await?;
            let learned = conversation(probed.frames);
            if let Some(words) = probed.outcome.and_then(trouble) {
                eprintln!("{words}");
            }
            conclude(&learned, &format!("probe as {}", asked.board_id), &asked.target)
        }
    }
}

/// The frames of a file, each with its time.
fn frames(path: &Path) -> anyhow::Result<Vec<(Duration, Vec<u8>)>> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    let read = capture::frames(file).map_err(|wrong| anyhow!("{name}: {wrong}"))?;
    if read.broke_off {
        eprintln!("{name} breaks off: what is before that is read");
    }
    Ok(read.frames)
}

/// What a board would make of it, where that is worth a word.
fn trouble(outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::Stored(_) | Outcome::Installed(_) => None,
        Outcome::Refused(words) => Some(format!("a board is thought to refuse this file: {words}")),
        Outcome::Nothing(words) | Outcome::Broken(words) => Some(words),
    }
}

fn conclude(learned: &Learned, source: &str, target: &Target) -> anyhow::Result<()> {
    let mut shown = std::io::stdout().lock();
    write!(shown, "{learned}")?;
    let script = target.script.as_deref().map(read).transpose()?;
    let Some(read) = learned.delivery() else {
        bail!("{}", nothing(learned));
    };
    let content = read.content().expect("a delivery is whole");
    if let Some(out) = &target.out {
        let beside = out.with_extension("bin");
        write_new(&beside, content)?;
        writeln!(shown, "the file as it was sent: {}", beside.display())?;
    }
    let inference = infer(content, script.as_deref());
    writeln!(shown, "{}", inference.words)?;
    let evidence = evidence(learned, read, source);
    let profile = profile(&target.name, &evidence, learned, read, &inference)?.write();
    match &target.out {
        Some(out) => {
            write_new(out, profile.as_bytes())?;
            writeln!(shown, "the profile: {}", out.display())?;
        }
        None if std::io::stdout().is_terminal() => write!(shown, "\n{profile}")?,
        None => write!(shown, "{profile}")?,
    }
    Ok(())
}

fn evidence(learned: &Learned, read: &Read, source: &str) -> String {
    let request = learned.request_of(read.board);
    let id = request.and_then(|request| request.option(128)).map(String::from_utf8_lossy);
    let board = id.map(|id| format!(", board {id}")).unwrap_or_default();
    let text = format!("{source}, server {}{board}", read.server);
    text.chars().filter(|c| !c.is_control()).take(400).collect()
}

/// Why there is nothing to conclude from.
fn nothing(learned: &Learned) -> &'static str {
    if learned.frames == 0 {
        "there are no frames in it"
    } else if learned.requests.is_empty() {
        "no board has asked for anything: is it the right interface, and untagged?"
    } else if learned.replies.is_empty() {
        "nobody has answered the board"
    } else if learned.reads.is_empty() {
        "the board was answered, and has read no file"
    } else {
        "no file was read whole, or frames are missing: capture all of each frame (tcpdump -s 0)"
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write_new(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::net::{Ipv4Addr, SocketAddrV4};

    use clap::Parser;
    use muster_netboot::bootp::{Reply, Request};
    use muster_netboot::profile;
    use muster_netboot::tftp::Packet;
    use muster_netboot::wire::Datagram;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(subcommand)]
        learn: Learn,
    }

    fn parsed(line: &str) -> Result<Learn, clap::Error> {
        let words = ["learn"].into_iter().chain(line.split_whitespace());
        Cli::try_parse_from(words).map(|cli| cli.learn)
    }

    #[test]
    fn the_lines_of_the_manual_are_understood() {
        let probe = "probe --interface eth1 --board-id 952-hb --free 4092 --script known.rsc --out learned.toml";
        let Learn::Probe(probe) = parsed(probe).unwrap() else { panic!("no probe") };
        assert_eq!((probe.free, probe.target.name.as_str()), (4092, "learned"));
        assert!(probe.mac.is_single());
        assert!(parsed("pcap flashfig.pcap --script known.rsc --out learned.toml").is_ok());
        for wrong in
            ["pcap", "probe", "probe --interface e --mac x", "probe --interface e --free -1"]
        {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    /// What is on the wire when a server gives a board this file.
    fn told(file: &[u8]) -> Vec<(Duration, Vec<u8>)> {
        let board = Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]);
        let (none, own) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(10, 5, 0, 20));
        let (server, mask) = (Ipv4Addr::new(10, 5, 0, 1), Ipv4Addr::new(255, 255, 255, 0));
        let options = vec![(60, b"Flashboot".to_vec()), (128, b"952-hb".to_vec())];
        let request = Request {
            xid: 1,
            secs: 0,
            flags: 0,
            ciaddr: none,
            giaddr: none,
            mac: board,
            file: Vec::new(),
            options,
        };
        let reply = Reply::plain(&request, own, server, mask, None, "x");
        let read = Packet::Read { file: b"x", mode: b"octet", options: Vec::new() };
        let data = Packet::Data { block: 1, bytes: file };
        let says = [
            ((none, 68), (Ipv4Addr::BROADCAST, 67), request.write()),
            ((server, 67), (Ipv4Addr::BROADCAST, 68), reply.write()),
            ((own, 2000), (server, 69), read.write()),
            ((server, 3000), (own, 2000), data.write()),
        ];
        let frame = |((from, port), (to, to_port), payload): ((_, _), (_, _), Vec<u8>)| {
            let datagram = Datagram {
                macs: (board, Mac::BROADCAST),
                source: SocketAddrV4::new(from, port),
                target: SocketAddrV4::new(to, to_port),
                payload: &payload,
            };
            (Duration::ZERO, datagram.write().unwrap())
        };
        says.into_iter().map(frame).collect()
    }

    #[test]
    fn a_profile_and_the_file_are_written_and_the_profile_makes_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let script = b":log info x\n";
        fs::write(at("known.rsc"), script).unwrap();
        let target = Target {
            script: Some(at("known.rsc")),
            out: Some(at("learned.toml")),
            name: "learned".to_owned(),
        };
        let file = [b"123 ".as_slice(), script].concat();
        let learned = conversation(told(&file));
        conclude(&learned, "capture x.pcap", &target).unwrap();
        assert_eq!(fs::read(at("learned.bin")).unwrap(), file);
        let made = profile::read(&fs::read_to_string(at("learned.toml")).unwrap()).unwrap();
        assert_eq!(made.evidence, "capture x.pcap, server 10.5.0.1, board 952-hb");
        assert_eq!(muster_netboot::payload::build(&made, script, None), Ok(file));

        let other = Target { out: Some(at("other.toml")), ..target };
        let learned = conversation(told(b"123 \x99\x98"));
        let refused = conclude(&learned, "capture x.pcap", &other).unwrap_err().to_string();
        assert!(refused.contains("not present verbatim"), "{refused}");
        assert!(at("other.bin").exists() && !at("other.toml").exists());
    }

    #[test]
    fn where_nothing_was_heard_it_is_said_why() {
        let target = Target { script: None, out: None, name: "x".to_owned() };
        let all = told(&[b'x'; 600]);
        for (count, words) in [
            (0, "no frames"),
            (1, "nobody has answered"),
            (2, "has read no file"),
            (4, "read whole"),
        ] {
            let learned = conversation(all[..count].to_vec());
            let refused = conclude(&learned, "x", &target).unwrap_err().to_string();
            assert!(refused.contains(words), "{count}: {refused}");
        }
        let learned = conversation([(Duration::ZERO, vec![0; 60])]);
        assert!(conclude(&learned, "x", &target).unwrap_err().to_string().contains("no board"));
    }
}
