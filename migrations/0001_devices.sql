-- Devices, what is known of them, and what they may log in with.
-- Rules (migrations/README.md): device_id leads every per-device key, so that each of these tables
-- can be hash-distributed by it; the hot row carries no index but its key, so that an inform is a
-- heap-only update.

-- One row per device, rewritten by every inform.
create table devices (
    device_id    uuid primary key,
    first_inform timestamptz not null,
    last_inform  timestamptz not null,
    -- The session that owns the device now: whoever stores a result must still hold it.
    session_id   uuid not null,
    node         text not null,
    remote_addr  inet not null,
    events       text not null,
    retry_count  integer not null,
    -- Hash of the identity and parameters of the Inform that was last merged; null = never merged.
    inform_hash  bytea,
    -- Earliest time at which one of its jobs may run; null = no open job.
    next_due     timestamptz
) with (fillfactor = 60);

-- What lists, look-ups and selectors use; rewritten only when it changes.
create table device_facts (
    device_id              uuid primary key,
    manufacturer           text not null,
    oui                    text not null,
    product_class          text not null,
    serial                 text not null,
    root                   text,
    namespace              text not null,
    model                  text,
    arch                   text,
    identity               text,
    hardware_version       text,
    software_version       text,
    provisioning_code      text,
    parameter_key          text,
    connection_request_url text,
    -- Methods the device said it has (GetRPCMethods); null = not asked or refused.
    methods                text[],
    -- How the last session was authenticated: none, enrolment, device, certificate.
    auth                   text not null,
    last_boot              timestamptz,
    last_bootstrap         timestamptz,
    updated_at             timestamptz not null
);
create index device_facts_serial on device_facts (serial);
create index device_facts_model on device_facts (product_class);
create index device_facts_version on device_facts (software_version);

-- The data model as last read: {name: {"v": value, "t": type, "w": writable or null, "at": epoch}}.
create table device_parameters (
    device_id    uuid primary key,
    doc          jsonb not null,
    -- When the whole model was last read; null = never.
    refreshed_at timestamptz,
    changed_at   timestamptz not null
);
alter table device_parameters alter column doc set compression lz4;

-- Counters and gauges ({name: value}), apart, so that they never rewrite the document above.
create table device_counters (
    device_id uuid primary key,
    doc       jsonb not null,
    at        timestamptz not null
);
alter table device_counters alter column doc set compression lz4;

-- What a device logs in with, and what Muster wakes it with. HA1 only where it is verified;
-- sealed whole (key outside the database) where it must be written to the device or used towards it.
create table device_credentials (
    device_id           uuid primary key,
    username            text not null,
    ha1_md5             text not null,
    ha1_sha256          text not null,
    sealed              bytea not null,
    -- False until the device has logged in with it once; until then enrolment stays open to it.
    confirmed           boolean not null,
    wake_username       text not null,
    wake_sealed         bytea not null,
    -- Until when the device may enrol again (factory reset ordered or approved); null = it may not.
    enrol_until         timestamptz,
    -- The device knocked with the enrolment credential although it has one of its own.
    reenrol_asked_at    timestamptz,
    updated_at          timestamptz not null
);
