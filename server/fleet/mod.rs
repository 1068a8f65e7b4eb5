//! Devices as the operator knows them: identity, place, groups, what is secret of them, what is
//! learned of them, and the language that selects them.

pub mod admission;
pub mod backup;
pub mod claim;
pub mod credentials;
pub mod facts;
pub mod group;
pub mod health;
pub mod identity;
pub mod inspection;
pub mod internet;
pub mod label;
pub mod learn;
pub mod online;
pub mod placement;
pub mod profile;
pub mod reading;
pub mod secret;
pub mod selector;
pub mod site;
pub mod template;
pub mod variables;
pub mod window;
