//! The arguments of an RPC, one by one: what a leaf means when it is odd, and when it is missing.
//!
//! Nothing here can fail: odd values become defaults. Whoever needs an argument says so.

use crate::fault::{Fault, FaultCode};
use crate::rpc::Status;
use crate::value::{ParameterValue, Timestamp, ValueType};
use crate::xml::{Node, SPACE};

/// Text of a child; empty when missing. White space belongs to the value, unless it is the layout
/// of a pretty-printer: a line break both before and after the text.
pub(super) fn text(node: Node<'_>, name: &str) -> String {
    node.child(name).map(|c| unframed(c.text()).to_owned()).unwrap_or_default()
}

/// Like [`text`], but tells a missing child from an empty one.
pub(super) fn optional(node: Node<'_>, name: &str) -> Option<String> {
    node.child(name).map(|c| unframed(c.text()).to_owned())
}

/// Like [`text`], with a missing and an empty child being the same.
pub(super) fn non_empty(node: Node<'_>, name: &str) -> Option<String> {
    optional(node, name).filter(|t| !t.is_empty())
}

/// Text in which surrounding white space can never be meant: identities and times.
pub(super) fn token(node: Node<'_>, name: &str) -> String {
    node.child(name).map(|c| c.text().trim_matches(SPACE).to_owned()).unwrap_or_default()
}

/// A parameter or object name. Such names hold no white space, so a line wrap inside one is mended.
pub(super) fn name(node: Node<'_>, name: &str) -> String {
    node.child(name).map(|c| path(c.text())).unwrap_or_default()
}

/// See [`name`].
pub(super) fn path(text: &str) -> String {
    let text = text.trim_matches(SPACE);
    if text.contains('\n') { text.replace(SPACE, "") } else { text.to_owned() }
}

/// An event code: words with one space between them.
pub(super) fn event_code(node: Node<'_>, name: &str) -> String {
    let code = token(node, name);
    if code.contains('\n') { code.split_whitespace().collect::<Vec<_>>().join(" ") } else { code }
}

/// A whole number; missing, negative, too large or no number at all is 0.
pub(super) fn uint(node: Node<'_>, name: &str) -> u32 {
    u32::try_from(integer(node, name)).unwrap_or(0)
}

/// A signed number, with the same leniency.
pub(super) fn int(node: Node<'_>, name: &str) -> i32 {
    i32::try_from(integer(node, name)).unwrap_or(0)
}

/// A number of an enumeration, with the same leniency.
pub(super) fn small(node: Node<'_>, name: &str) -> u8 {
    u8::try_from(integer(node, name)).unwrap_or(0)
}

fn integer(node: Node<'_>, name: &str) -> i64 {
    node.child(name).map_or(0, |c| parse_integer(c.text()))
}

/// The leading digits of the text; a number too long for an `i64` is 0 like one that is none.
fn parse_integer(text: &str) -> i64 {
    let text = text.trim_start_matches(SPACE);
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse::<i64>().map_or(0, |n| sign * n)
}

/// A boolean; missing or odd is false.
pub(super) fn boolean(node: Node<'_>, name: &str) -> bool {
    node.child(name).is_some_and(|c| parse_bool(c.text()))
}

/// `1` or `true` in any letter case.
pub(super) fn parse_bool(text: &str) -> bool {
    let text = text.trim_matches(SPACE);
    text == "1" || text.eq_ignore_ascii_case("true")
}

/// A time, kept as sent (A2).
pub(super) fn time(node: Node<'_>, name: &str) -> Timestamp {
    Timestamp(token(node, name))
}

/// `Status`; anything but 1 is applied.
pub(super) fn status(node: Node<'_>) -> Status {
    if uint(node, "Status") == 1 { Status::Pending } else { Status::Applied }
}

/// `FaultCode`; none when missing or 0.
pub(super) fn fault_code(node: Node<'_>) -> Option<FaultCode> {
    Some(uint(node, "FaultCode")).filter(|&code| code != 0).map(FaultCode)
}

/// A fault structure inside a method call; code 0 or no structure means no fault.
pub(super) fn fault(node: Node<'_>, name: &str) -> Option<Fault> {
    let structure = node.child(name)?;
    Some(Fault::new(fault_code(structure)?, text(structure, "FaultString")))
}

/// The members of an array, whatever they are called and whatever arrayType says.
pub(super) fn items<'d>(node: Node<'d>, name: &str) -> impl Iterator<Item = Node<'d>> + use<'d> {
    node.child(name).into_iter().flat_map(Node::children)
}

/// An array of strings.
pub(super) fn strings(node: Node<'_>, name: &str) -> Vec<String> {
    items(node, name).map(|s| unframed(s.text()).to_owned()).collect()
}

/// An array of parameter or object names.
pub(super) fn names(node: Node<'_>, name: &str) -> Vec<String> {
    items(node, name).map(|s| path(s.text())).collect()
}

/// A `ParameterList` of names and values.
pub(super) fn values(node: Node<'_>) -> Vec<ParameterValue> {
    let value = |item: Node<'_>| ParameterValue {
        name: name(item, "Name"),
        value: text(item, "Value"),
        kind: item
            .child("Value")
            .and_then(Node::xsi_type)
            .map_or(ValueType::String, ValueType::from_xsi),
    };
    items(node, "ParameterList").map(value).collect()
}

/// [`values`] as a CPE reports them: an entry without a name says nothing and is left out, since an
/// Inform must not fail for it (N11).
pub(super) fn reported_values(node: Node<'_>) -> Vec<ParameterValue> {
    let mut values = values(node);
    values.retain(|p| !p.name.is_empty());
    values
}

fn unframed(text: &str) -> &str {
    let head = text.len() - text.trim_start_matches(SPACE).len();
    let tail = text.trim_end_matches(SPACE).len();
    let framed = text[..head].contains('\n') && text[tail..].contains('\n');
    if framed { text.trim_matches(SPACE) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_forgiven() {
        for (text, number) in [
            ("00", 0),
            ("942", 942),
            (" +7\n", 7),
            ("9003 Invalid", 9003),
            ("-1", -1),
            ("", 0),
            ("(null)", 0),
            ("99999999999999999999", 0),
        ] {
            assert_eq!(parse_integer(text), number, "{text:?}");
        }
    }

    #[test]
    fn booleans_in_any_letter_case() {
        for text in ["1", "true", "TRUE", " True\n"] {
            assert!(parse_bool(text), "{text:?}");
        }
        for text in ["0", "false", "False", "", "(null)", "yes"] {
            assert!(!parse_bool(text), "{text:?}");
        }
    }

    #[test]
    fn only_a_frame_of_line_breaks_is_layout() {
        assert_eq!(unframed("\n   two words\n  "), "two words");
        assert_eq!(unframed("\n  "), "");
        assert_eq!(unframed(" kept "), " kept ");
        assert_eq!(unframed("script\nlines\n"), "script\nlines\n");
        assert_eq!(unframed("\n a\n b \n"), "a\n b");
    }

    #[test]
    fn a_wrapped_name_is_mended() {
        assert_eq!(path("\n Device.\n   Info.X \n"), "Device.Info.X");
        assert_eq!(path("odd name"), "odd name");
    }
}
