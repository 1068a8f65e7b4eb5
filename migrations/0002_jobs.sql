-- Work on devices, what happened to them, and the files they fetch and send.

create table jobs (
    device_id       uuid not null,
    -- UUIDv7: the order in which a device's jobs run. Its 32 hex digits are the CommandKey.
    job_id          uuid not null,
    kind            text not null,
    args            jsonb not null,
    state           text not null
        check (state in ('queued', 'running', 'waiting', 'done', 'failed', 'cancelled', 'expired')),
    not_before      timestamptz not null,
    expires_at      timestamptz not null,
    -- Sent and accepted, the proof is still due: until when it is waited for.
    confirm_by      timestamptz,
    attempts        integer not null default 0,
    max_attempts    integer not null,
    -- The session that runs it, and until when it may.
    lease           uuid,
    leased_until    timestamptz,
    idempotency_key text,
    created_by      text not null,
    created_at      timestamptz not null,
    finished_at     timestamptz,
    result          jsonb,
    fault           jsonb,
    -- Why it is in this state, in words.
    note            text,
    primary key (device_id, job_id)
);
-- Asking twice for the same open work is one job.
create unique index jobs_idempotency on jobs (device_id, idempotency_key)
    where idempotency_key is not null and state in ('queued', 'running', 'waiting');
create index jobs_open on jobs (device_id, job_id) where state in ('queued', 'running', 'waiting');
create index jobs_leases on jobs (leased_until) where state = 'running';
-- When the sweep must look at it: a queued job expires, a waiting one's report fails to come.
create index jobs_deadlines on jobs
    ((case when state = 'waiting' then coalesce(confirm_by, expires_at) else expires_at end))
    where state in ('queued', 'waiting');
create index jobs_newest on jobs (job_id);
create index jobs_ended on jobs (finished_at) where finished_at is not null;
-- Lists of what is rare.
create index jobs_state on jobs (state, job_id) where state in ('queued', 'running', 'waiting', 'failed', 'expired');
-- "Was this refused lately?"
create index jobs_refused on jobs (device_id, idempotency_key, finished_at)
    where state = 'failed' and idempotency_key is not null;

-- Append-only; partitions are made ahead and dropped by month.
create table events (
    device_id uuid not null,
    at        timestamptz not null,
    event_id  uuid not null,
    kind      text not null,
    job_id    uuid,
    detail    jsonb not null,
    primary key (device_id, at, event_id)
) partition by range (at);

create function muster_event_partitions(today date, ahead integer) returns void
language plpgsql
-- Bounds are instants: they must not move with the caller's zone.
set timezone = 'UTC' as $$
declare
    first date := date_trunc('month', today);
    month date;
begin
    for i in 0 .. ahead loop
        month := first + make_interval(months => i);
        execute format(
            'create table if not exists events_%s partition of events for values from (%L) to (%L)',
            to_char(month, 'YYYY_MM'), month::timestamptz, (month + interval '1 month')::timestamptz);
    end loop;
end $$;

create function muster_drop_event_partitions(before date) returns void
language plpgsql
set timezone = 'UTC' as $$
declare
    old record;
begin
    for old in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'events'::regclass
          and to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= before
    loop
        execute format('drop table %I', old.relname);
    end loop;
end $$;

-- Files that operators stored: firmware, scripts, configurations. Bytes live in the file store.
create table artifacts (
    artifact_id  uuid primary key,
    name         text not null,
    size         bigint not null,
    sha256       bytea not null,
    content_type text not null,
    created_by   text not null,
    created_at   timestamptz not null
);

-- Files that devices sent.
create table device_artifacts (
    device_id    uuid not null,
    artifact_id  uuid not null,
    job_id       uuid not null,
    file_type    text not null,
    name         text not null,
    size         bigint not null,
    sha256       bytea not null,
    created_at   timestamptz not null,
    primary key (device_id, artifact_id)
);
create index device_artifacts_job on device_artifacts (device_id, job_id);

-- Devices that are to be woken; one row each, so that asking often is one request.
create table connection_requests (
    device_id    uuid primary key,
    asked_at     timestamptz not null,
    not_before   timestamptz not null,
    attempts     integer not null default 0,
    leased_until timestamptz,
    sent_at      timestamptz,
    last_error   text
);
create index connection_requests_due on connection_requests (not_before);
