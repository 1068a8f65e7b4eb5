//! `muster make-packages`: packages for simulated devices, so that demos and tests need none of a
//! vendor's.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use muster_sim::packages;

/// `muster make-packages`
#[derive(Debug, Args)]
pub struct MakePackages {
    /// The directory to write them into; made where there is none.
    directory: PathBuf,
    /// Of which RouterOS, such as 7.16.1; may be given several times.
    #[arg(long = "version", value_name = "VERSION", required = true, value_delimiter = ',')]
    versions: Vec<RosVersion>,
    /// For this architecture only; may be given several times.
    #[arg(long = "arch", value_name = "ARCH", value_delimiter = ',')]
    architectures: Vec<Arch>,
    /// Packages to make besides those that every simulated device can do with, such as container.
    #[arg(long = "add", value_name = "NAME", value_delimiter = ',')]
    more: Vec<String>,
    /// KiB of each.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(..=65_536))]
    size: u32,
}

/// Writes them; files of the same name are replaced.
pub fn make_packages(m: &MakePackages) -> anyhow::Result<()> {
    let at = m.directory.display();
    std::fs::create_dir_all(&m.directory).with_context(|| format!("{at}"))?;
    let all = if m.architectures.is_empty() { &Arch::ALL[..] } else { m.architectures.as_slice() };
    let mut count = 0;
    for version in &m.versions {
        for arch in all {
            let more = m.more.iter().map(String::as_str);
            for name in packages::names(version, *arch).into_iter().chain(more) {
                let (file, content) = packages::file(name, version, *arch, m.size * 1024);
                let path = m.directory.join(&file);
                std::fs::write(&path, content).with_context(|| format!("{}", path.display()))?;
                count += 1;
            }
        }
    }
    println!(
        "{count} packages for simulated devices in {at}; they are empty and not signed: a real \
         device refuses them"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        make: MakePackages,
    }

    fn parsed(line: &str) -> Result<MakePackages, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.make)
    }

    #[test]
    fn lines_of_the_manual_are_understood() {
        let made = parsed("make-packages /tmp/p --version 7.16.1 --version 7.12.1").unwrap();
        assert_eq!(made.versions, [RosVersion::release(7, 16, 1), RosVersion::release(7, 12, 1)]);
        assert!(made.architectures.is_empty());
        let made =
            parsed("make-packages p --version 7.16.1,7.12.1 --arch arm,ppc --size 1").unwrap();
        assert_eq!((made.versions.len(), made.size), (2, 1));
        assert_eq!(made.architectures, [Arch::Arm, Arch::Ppc]);
        for line in [
            "make-packages /tmp/p",
            "make-packages --version 7.16.1",
            "make-packages p --version new",
            "make-packages p --version 7.16.1 --arch vax",
            "make-packages p --version 7.16.1 --size 65537",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn files_are_written() {
        let directory = std::env::temp_dir().join(format!("muster-{:x}", rand::random::<u64>()));
        let at = directory.to_str().unwrap();
        let line = format!("make-packages {at} --version 7.16.1 --arch tile --add dude --size 1");
        make_packages(&parsed(&line).unwrap()).unwrap();
        let mut files: Vec<String> = std::fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let expected = ["dude", "routeros", "tr069-client", "wireless"];
        assert_eq!(files, expected.map(|name| format!("{name}-7.16.1-tile.npk")));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
