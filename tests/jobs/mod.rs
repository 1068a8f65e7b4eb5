//! Every kind of job through the API, its effect looked up on the device; and the line in which a
//! device's jobs stand.

mod diagnose;
mod line;
mod parameters;
mod power;
mod rare;
mod retry;
mod secrets;
mod transfers;
