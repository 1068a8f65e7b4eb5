//! `muster benchmark render`: scripts a second, out of a template of 50 lines.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use futures_util::StreamExt;
use futures_util::stream;
use muster::render::{Renderer, Settings};
use serde_json::{Value, json};

/// Scripts that are asked for at a time, for each process.
const AHEAD: usize = 32;

/// `muster benchmark render`
#[derive(Debug, Args)]
pub(super) struct Render {
    /// Seconds measured.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Processes that render.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
    /// Different templates.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    templates: u32,
}

/// Measures, and prints what came out.
pub(super) async fn render(r: &Render) -> anyhow::Result<()> {
    let renderer = Renderer::start(Settings {
        program: PathBuf::from("/proc/self/exe"),
        workers: r.workers,
        patience: Duration::from_secs(5),
        memory_mb: 256,
    });
    let templates: Vec<String> = (0..r.templates).map(template).collect();
    // Processes start, and templates are made ready.
    let warm = (0..u64::from(r.workers) * 200).map(|n| one(&renderer, &templates, n));
    let (_, bytes) = counted(warm, r.workers).await?;
    let begin = Instant::now();
    let end = begin + Duration::from_secs(r.seconds);
    let asked = (0..).take_while(|_| Instant::now() < end).map(|n| one(&renderer, &templates, n));
    let (mut took, _) = counted(asked, r.workers).await?;
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(!took.is_empty(), "nothing was rendered");
    took.sort_unstable();
    let milliseconds = |share: usize| took[took.len() * share / 100].as_secs_f64() * 1e3;
    println!(
        "render: {:.0} scripts a second of 50 lines and {bytes} bytes, {} processes; p50 {:.2} ms, \
         p99 {:.2} ms with {} asked for at a time",
        took.len() as f64 / seconds,
        r.workers,
        milliseconds(50),
        milliseconds(99),
        AHEAD * r.workers as usize,
    );
    Ok(())
}

/// Renders them, so many at a time; how long each took, and the bytes of the largest.
async fn counted<F: Future<Output = anyhow::Result<(Duration, usize)>>>(
    all: impl Iterator<Item = F>,
    workers: u32,
) -> anyhow::Result<(Vec<Duration>, usize)> {
    let mut done = stream::iter(all).buffer_unordered(AHEAD * workers as usize);
    let (mut took, mut largest) = (Vec::new(), 0);
    while let Some(finished) = done.next().await {
        let (duration, bytes) = finished?;
        took.push(duration);
        largest = largest.max(bytes);
    }
    Ok((took, largest))
}

async fn one(
    renderer: &Renderer,
    templates: &[String],
    n: u64,
) -> anyhow::Result<(Duration, usize)> {
    let template = &templates[n as usize % templates.len()];
    let begin = Instant::now();
    let script = renderer.render("benchmark", template, context(n)).await?;
    Ok((begin.elapsed(), script.len()))
}

/// A template of 50 lines, as a home's configuration has them.
fn template(n: u32) -> String {
    let mut lines = vec![format!("# home {n}")];
    lines.push("/system/identity/set name={{ device.serial ~ \"-\" ~ customer }}".to_owned());
    lines.push("/interface/wifi/set [find] ssid={{ ssid }} disabled=no".to_owned());
    lines.push("/interface/wifi/security/set [find] passphrase={{ wifi_password }}".to_owned());
    lines.push("/ip/dns/set servers={{ dns | join(sep=\",\") }}".to_owned());
    lines.push("{% for port in ports %}".to_owned());
    lines.push("/interface/bridge/port/add bridge=bridge interface={{ port }}".to_owned());
    lines.push("{% endfor %}".to_owned());
    lines.push("{% if guest %}/interface/wifi/add name=guest{% endif %}".to_owned());
    for line in lines.len()..50 {
        lines.push(format!(
            "/ip/firewall/address-list/add list=\"allowed {line}\" address={{{{ lan | host(n={line}) }}}}"
        ));
    }
    lines.join("\n")
}

fn context(n: u64) -> Value {
    json!({
        "ssid": format!("home \"{n}\""), "wifi_password": format!("pass$word{n}"),
        "dns": ["9.9.9.9", "1.1.1.1"], "ports": ["ether2", "ether3", "ether4", "ether5"],
        "guest": n & 1 == 0, "lan": "192.168.88.1/24", "customer": format!("C-{n}"),
        "device": { "serial": format!("{n:012X}") },
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use muster::render::engine::Engine;

    use super::*;

    #[test]
    fn what_is_measured_is_a_script() {
        let template = template(1);
        assert_eq!(template.lines().count(), 50);
        let script = Engine::new().render(&template, &context(2)).unwrap();
        assert!(script.contains("ssid=\"home \\\"2\\\"\""), "{script}");
        assert!(script.contains("address=\"192.168.88.49\""), "{script}");
    }
}
