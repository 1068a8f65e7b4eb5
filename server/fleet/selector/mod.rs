//! The selector: the one query language over devices, used by lists, groups, rollouts, roles, API
//! and command line alike.
//!
//! ```text
//! model ~ "hAP*" and version < 7.16 and site under eu.lv and tag = pilot and not online
//! ```
//!
//! [`parse()`] makes a typed [`Expr`] of a text, or a [`SelectorError`] that shows the place and says
//! what would be right; [`push_where`] makes SQL of it, and [`evaluate()`] says of one device what
//! that SQL says of all (a property test holds the two together). [`complete()`] tells somebody who
//! writes one what can come next. Pure: groups, values and the time are arguments.
//!
//! What a missing value means: a comparison with it is false, and `!=`, `!~` and `not in` are the
//! negation of `=`, `~` and `in`, so they are true. There is no third value: `not x` holds exactly
//! where `x` does not. A field that stands alone (`site`, `last_boot`) asks whether it has a value.
//!
//! `=` and `in` compare exactly; `~` takes `*` and `?`, matches the whole value, and does not mind
//! the case of the letters A to Z.

mod complete;
mod error;
mod evaluate;
mod expr;
mod field;
mod glob;
mod parse;
mod sql;
mod token;
mod typing;
mod value;

#[cfg(test)]
mod tests;

pub use complete::{Kind, Known, Source, Suggestion, Wanted, complete, wanted};
pub use error::SelectorError;
pub use evaluate::{View, evaluate};
pub use expr::{
    Expr, Flag, Order, ParameterTest, SiteTest, Test, TextField, TextTest, TimeField, TimeTest,
    VersionTest, VersionValue,
};
pub use field::{FIELDS, FieldInfo};
pub use glob::Glob;
pub use parse::{GroupMeaning, parse};
pub use sql::push_where;
pub use value::{Number, ParameterPath};

/// Most bytes of a selector's text.
pub const MAX_TEXT: usize = 4 * 1024;
/// Most bytes of a selector's text with those of all groups that it names.
pub const MAX_EXPANDED: usize = 64 * 1024;
/// Most comparisons in one text.
pub const MAX_COMPARISONS: usize = 100;
/// Deepest nesting of parentheses, `not` and groups.
pub const MAX_DEPTH: usize = 20;

/// A value as a selector's text holds it, whatever is in it.
pub fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
