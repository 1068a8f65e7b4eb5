//! The form that changes a Wi-Fi network, with what the role allows: a list where there is one to
//! choose from, words where there is not. Pure.

use serde::Serialize;

use crate::access::role::{in_words, is_choice};
use crate::service::support::Network;
use crate::web::form::Complaints;

/// One of those that a role allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Choice {
    value: String,
    label: String,
}

impl Choice {
    /// One that is called what it is.
    pub(super) fn of(value: &str) -> Self {
        Self { value: value.to_owned(), label: value.to_owned() }
    }
}

/// The form that changes a network.
#[derive(Clone, Serialize)]
pub(super) struct Edit {
    pub(super) may_rename: bool,
    pub(super) may_set_password: bool,
    /// The names to choose from; empty = one is typed.
    pub(super) names: Vec<Choice>,
    /// What is allowed, in words.
    pub(super) name_hint: String,
    pub(super) password_hint: String,
    /// As it stands in the form.
    pub(super) name: String,
    /// As it stands in the form; empty = the password stays.
    pub(super) password: String,
    pub(super) errors: Complaints,
}

impl Edit {
    /// Before anything was typed; `None` = nothing of it may be changed.
    pub(super) fn of(network: &Network) -> Option<Self> {
        let (may_rename, may_set_password) = (network.may_rename, network.may_set_password);
        (may_rename || may_set_password).then(|| Self {
            may_rename,
            may_set_password,
            names: names(network),
            name_hint: match network.allowed_names.is_empty() {
                true => String::new(),
                false => format!("Your role allows: {}.", in_words(&network.allowed_names)),
            },
            password_hint: format!(
                "{} characters at least. Empty: it stays as it is.",
                network.min_password
            ),
            name: network.name.clone(),
            password: String::new(),
            errors: Complaints::default(),
        })
    }
}

/// The names to choose from, where each is named; the one that it has can stay.
fn names(network: &Network) -> Vec<Choice> {
    let allowed = &network.allowed_names;
    if !is_choice(allowed) {
        return Vec::new();
    }
    let label = format!("{} (as it is)", network.name);
    let stays = Choice { value: network.name.clone(), label };
    let stays = Some(stays).filter(|_| !allowed.contains(&network.name));
    stays.into_iter().chain(allowed.iter().map(|name| Choice::of(name))).collect()
}
