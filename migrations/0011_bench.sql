-- The bench: interfaces on which factory-fresh boards are served, and what each board got.

-- An interface of a node that was told to serve boards there.
create table benches (
    -- UUIDv5 of host and interface: the same after a restart.
    bench_id   uuid primary key,
    host       text not null,
    interface  text not null,
    -- Its own address with the length of its network; null = it has none.
    address    inet,
    -- Why nothing can be served there, in words.
    problem    text,
    -- When its node said so last.
    heard_at   timestamptz not null,
    -- Other BOOTP or DHCP servers that were heard there: netboot::bench::Other.
    others     jsonb not null default '[]',
    -- Armed until then, since when, by whom, and for what (netboot::arming::Arming; values of secrets sealed).
    armed_until timestamptz,
    armed_at   timestamptz,
    armed_by   text,
    arming     jsonb,
    -- The hardware address that the interface had then: another one is not what was armed.
    armed_mac  text,
    -- Its hardware address now.
    mac        text,
    updated_at timestamptz not null,
    unique (host, interface)
);

-- A board as the bench knows it, by its MAC address. It moves from bench to bench.
create table bench_boards (
    -- E4:8D:8C:00:00:01
    mac        text primary key,
    bench_id   uuid not null references benches,
    kind       text not null check (kind in ('flashboot', 'etherboot', 'dhcp', 'other')),
    state      text not null check (state in ('seen', 'refused', 'offered', 'transferring',
        'delivered', 'redirected', 'installing', 'installed', 'timed_out', 'failed', 'confirmed')),
    -- Why it is refused or failed: a code for programs, words for people.
    reason     text,
    words      text,
    -- What it says of itself: 952-hb; option 60; the architecture that this names; free bytes.
    board_id   text,
    vendor_class text,
    arch       text,
    free_bytes integer,
    -- Options that nobody knows, hexadecimal by number.
    options    jsonb not null default '{}',
    -- Whom it is taken for.
    claim_id   uuid,
    device_id  uuid,
    site       ltree,
    -- What it was given: profile of the boot protocol and how sure we are of it, strategy, template.
    profile    text,
    profile_status text,
    strategy   text,
    template   text,
    template_version integer,
    -- The script with its secrets masked; keyed hash of it as it was sent.
    script     text,
    script_sha256 bytea,
    size       integer,
    address    inet,
    -- Of the transfer or the installation under way.
    step       text,
    sent_bytes bigint not null default 0,
    total_bytes bigint not null default 0,
    requests   integer not null default 0,
    retries    integer not null default 0,
    duration_ms integer,
    first_seen_at timestamptz not null,
    seen_at    timestamptz not null,
    offered_at timestamptz,
    delivered_at timestamptz,
    confirmed_at timestamptz,
    -- It had its delivery, and gets no other before somebody says so.
    done       boolean not null default false,
    deliveries integer not null default 0,
    -- When somebody said that it is served once more.
    rearmed_at timestamptz,
    -- Armed by name for an installation, which formats it: netboot::arming::Install.
    install    jsonb,
    install_until timestamptz,
    updated_at timestamptz not null
);
create index bench_boards_seen on bench_boards (seen_at desc, mac);
create index bench_boards_updated on bench_boards (updated_at desc);
-- Delivered, and to be confirmed by their first inform.
create index bench_boards_waiting on bench_boards (delivered_at) where state in ('delivered', 'installed');

-- What happened to each board; append-only.
create table bench_log (
    -- UUIDv7: the order.
    log_id     uuid primary key,
    mac        text not null,
    bench_id   uuid not null,
    at         timestamptz not null,
    state      text not null,
    words      text,
    -- Where the board belonged then.
    site       ltree,
    -- netboot::record::Detail; no secrets.
    detail     jsonb not null default '{}'
);
create index bench_log_mac on bench_log (mac, log_id);

-- Boards that are served without a claim.
create table bench_allowed (
    allowed_id uuid primary key,
    -- A MAC address, its first three bytes, or the board identifier that boards announce.
    kind       text not null check (kind in ('mac', 'oui', 'board')),
    value      text not null,
    note       text not null default '',
    created_by text not null,
    created_at timestamptz not null,
    unique (kind, value)
);

-- Boot images that an operator has got from the vendor; the bytes are in the file store.
create table boot_images (
    -- As RouterOS calls the architecture: arm64.
    arch       text primary key,
    name       text not null,
    size       bigint not null,
    sha256     bytea not null,
    created_by text not null,
    created_at timestamptz not null
);

-- How boards of a kind are served: muster_netboot::profile, as TOML.
create table netboot_profiles (
    name       text primary key,
    body       text not null,
    status     text not null check (status in ('unverified', 'captured', 'hardware-verified')),
    -- Comes with Muster.
    builtin    boolean not null default false,
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- A template for the bench: it must fit into what a board takes, which is checked when it is saved.
alter table templates add column bench boolean not null default false;
-- Whether there are claims that name no board on the wire.
create index claims_serial_only on claims (claim_id) where mac is null and device_id is null;
