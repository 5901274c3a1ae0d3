-- What an edge needs to be warm: the secrets of TLS session tickets, and who was visited last.

-- Secrets of tickets, shared by all nodes: one per epoch of twelve hours.
create table ticket_secrets (
  -- The instant at which its epoch begins, as 2026-11-22T12:00Z.
  id text not null primary key,
  -- The same in milliseconds: what is over is judged by the database's clock.
  starts_at bigint not null,
  sealed bytea not null,
  created_at bigint not null,
  sealed_with bytea not null generated always as (substr(sealed, 2, 8)) stored
);

-- An edge that starts makes ready what it finds here first.
create index hosts_by_visit on hosts (visited_at) where visited_at is not null;
