-- Tokens of the REST API, and small installation-wide settings.

create table api_tokens (
    token_id     uuid primary key,
    name         text not null,
    secret_hash  bytea not null,
    scopes       text[] not null,
    created_at   timestamptz not null,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);

create table settings (
    name  text primary key,
    value jsonb not null
);
