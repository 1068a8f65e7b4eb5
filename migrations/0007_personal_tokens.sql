-- Tokens that people have for themselves, whose a file is, and the versions of saved views.

alter table api_tokens
    -- Whose it is: it may then do what both its scopes say and its user may, wherever they may;
    -- null = a program's. No release came before this column, so no node runs that would take a
    -- person's token for a program's.
    add column user_id uuid references users on delete cascade,
    add constraint api_tokens_personal check (user_id is null or (site_id is null and group_id is null));
create index api_tokens_user on api_tokens (user_id) where user_id is not null;

-- The user or the token that stored it; null = not known, or nobody who has an id.
alter table artifacts add column maker_id uuid;

alter table saved_views add column updated_at timestamptz not null default now();
update saved_views set updated_at = created_at;
