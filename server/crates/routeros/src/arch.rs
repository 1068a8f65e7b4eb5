//! The architectures that RouterOS packages are made for, and the names that boards, files and
//! download pages give them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most characters of a text that an error repeats.
const SHOWN: usize = 64;

/// An architecture, as packages know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 32-bit ARM.
    Arm,
    /// 64-bit ARM.
    Arm64,
    /// Big-endian MIPS.
    Mipsbe,
    /// MIPS with several threads (MT7621).
    Mmips,
    /// The smallest MIPS boards (hAP lite, hAP mini).
    Smips,
    /// Tilera.
    Tile,
    /// PowerPC.
    Ppc,
    /// PCs and CHR, of either width.
    X86,
}

impl Arch {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Arm,
        Self::Arm64,
        Self::Mipsbe,
        Self::Mmips,
        Self::Smips,
        Self::Tile,
        Self::Ppc,
        Self::X86,
    ];

    /// As it is stored and as file names have it: `arm`, `ppc`, `x86` ...
    pub fn word(self) -> &'static str {
        match self {
            Self::Arm => "arm",
            Self::Arm64 => "arm64",
            Self::Mipsbe => "mipsbe",
            Self::Mmips => "mmips",
            Self::Smips => "smips",
            Self::Tile => "tile",
            Self::Ppc => "ppc",
            Self::X86 => "x86",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The text names no architecture that packages are made for; holds its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no architecture of RouterOS: one of arm, arm64, mipsbe, mmips, smips, tile, ppc, x86"
)]
pub struct NotAnArch(String);

impl FromStr for Arch {
    type Err = NotAnArch;

    /// Reads any of its names in any case: the word itself, what boards say of themselves
    /// (`powerpc`, `x86_64`), and the labels of the download page (`ARM64 / AMPERE`): of those the
    /// first word counts.
    fn from_str(text: &str) -> Result<Self, NotAnArch> {
        let first = text.trim().split([' ', '/', ',', '(']).next().unwrap_or_default();
        Ok(match first.to_ascii_lowercase().as_str() {
            "arm" | "arm32" | "armv7" => Self::Arm,
            "arm64" | "aarch64" => Self::Arm64,
            "mipsbe" => Self::Mipsbe,
            "mmips" => Self::Mmips,
            "smips" => Self::Smips,
            "tile" | "tilegx" => Self::Tile,
            "ppc" | "powerpc" => Self::Ppc,
            "x86" | "x86_64" | "x86-64" | "i386" | "amd64" | "chr" => Self::X86,
            _ => return Err(NotAnArch(text.chars().take(SHOWN).collect())),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_has_a_word_that_is_read_back() {
        let words: BTreeSet<&str> = Arch::ALL.iter().map(|arch| arch.word()).collect();
        assert_eq!(words.len(), Arch::ALL.len());
        for arch in Arch::ALL {
            assert_eq!(arch.to_string().parse(), Ok(arch));
            assert_eq!(arch.word().to_uppercase().parse(), Ok(arch));
        }
    }

    #[test]
    fn other_names_are_understood() {
        for (text, arch) in [
            ("powerpc", Arch::Ppc),
            ("PowerPC", Arch::Ppc),
            ("x86_64", Arch::X86),
            ("CHR", Arch::X86),
            (" ARM64 / AMPERE..", Arch::Arm64),
            ("ARM64/AMPERE", Arch::Arm64),
            ("MIPSBE", Arch::Mipsbe),
            ("arm (32 bit)", Arch::Arm),
        ] {
            assert_eq!(text.parse(), Ok(arch), "{text:?}");
        }
    }

    #[test]
    fn what_is_none_is_refused_in_few_words() {
        for text in ["", " ", "mips", "mipsle", "arm128", "riscv", "ärm", "/arm"] {
            assert!(text.parse::<Arch>().is_err(), "{text:?}");
        }
        let long = "x".repeat(10_000).parse::<Arch>().unwrap_err().to_string();
        assert!(long.len() < 200);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,20}") {
            if let Ok(arch) = text.parse::<Arch>() {
                prop_assert_eq!(arch.word().parse::<Arch>(), Ok(arch));
            }
        }
    }
}
