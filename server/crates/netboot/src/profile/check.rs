//! The bounds of a profile: what a reader of TOML cannot say.

use super::{Number, Payload, Profile, Wrong};

/// Most bytes of a prefix, a suffix or a separator.
const MAX_AROUND: usize = 256;
/// Most bytes of what sends a board into Etherboot mode.
const MAX_REDIRECT: usize = 1024;
/// Largest filling and overhead.
const MAX_EXTRA: u16 = 4096;
/// The options that the answer to a plain request may have.
const OPTIONS: [u8; 2] = [1, 3];

/// Whether what was read can be served.
pub(super) fn check(profile: &Profile) -> Result<(), Wrong> {
    let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name = &profile.name;
    want(
        (1..=40).contains(&name.len()) && name.chars().all(named) && !name.starts_with('-'),
        "name",
        "1 to 40 small letters, digits and hyphens, not a hyphen first",
    )?;
    let evidence = &profile.evidence;
    want(
        evidence.chars().count() <= 400 && !evidence.chars().any(char::is_control),
        "evidence",
        "at most 400 characters on one line",
    )?;
    request(profile)?;
    answer(profile)?;
    payload(&profile.payload)?;
    if let Some(mode) = &profile.mode {
        want(mode.separator.len() <= MAX_AROUND, "mode.separator_hex", "at most 256 bytes")?;
    }
    if let Some(redirect) = &profile.redirect {
        let length = (1..=MAX_REDIRECT).contains(&redirect.payload.len());
        want(length, "redirect.payload_hex", "1 to 1024 bytes")?;
    }
    Ok(())
}

fn request(profile: &Profile) -> Result<(), Wrong> {
    let (matching, limits) = (&profile.matching, &profile.limits);
    let class = &matching.option60;
    want(
        (1..=64).contains(&class.len()) && printable(class),
        "match.option60",
        "1 to 64 printable ASCII characters",
    )?;
    want(is_option(matching.board_id_option), "match.board_id_option", "1 to 254")?;
    want(is_option(limits.free_space_option), "limits.free_space_option", "1 to 254")?;
    want(
        limits.free_space_option.is_some() == (limits.free_space_encoding != Number::None),
        "limits.free_space_encoding",
        "given where limits.free_space_option is, and only there",
    )?;
    want(limits.max_script > 0, "limits.max_script", "at least 1")?;
    want((1..=MAX_EXTRA).contains(&limits.pad), "limits.pad", "1 to 4096")?;
    want(limits.overhead <= MAX_EXTRA, "limits.overhead", "at most 4096")
}

fn answer(profile: &Profile) -> Result<(), Wrong> {
    let (reply, tftp) = (&profile.reply, &profile.tftp);
    want(
        reply.boot_file.len() <= 127 && printable(&reply.boot_file),
        "reply.boot_file",
        "at most 127 printable ASCII characters",
    )?;
    let (known, once) = (
        reply.options.iter().all(|option| OPTIONS.contains(option)),
        reply.options.len() <= OPTIONS.len() && reply.options.first() != reply.options.get(1),
    );
    want(reply.options.is_empty() || (known && once), "reply.options", "1 and 3, each once")?;
    want((8..=65464).contains(&tftp.max_blksize), "tftp.max_blksize", "8 to 65464")?;
    let deadline = (1..=10_000).contains(&tftp.answer_deadline_ms);
    want(deadline, "tftp.answer_deadline_ms", "1 to 10000")
}

fn payload(payload: &Payload) -> Result<(), Wrong> {
    want(payload.prefix.len() <= MAX_AROUND, "payload.prefix_hex", "at most 256 bytes")?;
    want(payload.suffix.len() <= MAX_AROUND, "payload.suffix_hex", "at most 256 bytes")?;
    let end = usize::from(payload.length_offset) + payload.length_field.width();
    want(
        end <= payload.prefix.len(),
        "payload.length_offset",
        "a place for the length within the prefix",
    )
}

fn is_option(code: Option<u8>) -> bool {
    code.is_none_or(|code| (1..=254).contains(&code))
}

fn printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn want(good: bool, key: &str, what: &str) -> Result<(), Wrong> {
    if good { Ok(()) } else { Err(Wrong(format!("profile.{key} is to be: {what}"))) }
}
