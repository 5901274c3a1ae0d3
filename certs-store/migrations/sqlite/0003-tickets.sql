-- What an edge needs to be warm: the secrets of TLS session tickets, and who was visited last.

-- Secrets of tickets, shared by all nodes: one per epoch of twelve hours.
create table ticket_secrets (
  -- The instant at which its epoch begins, as 2026-11-22T12:00Z.
  id text not null primary key,
  -- The same in milliseconds: what is over is judged by the database's clock.
  starts_at integer not null,
  sealed blob not null,
  created_at integer not null,
  sealed_with blob not null default x''
) strict, without rowid;
create trigger ticket_secrets_sealed after insert on ticket_secrets begin
  update ticket_secrets set sealed_with = coalesce(substr(new.sealed, 2, 8), x'') where id = new.id;
end;
create trigger ticket_secrets_sealed_anew after update of sealed on ticket_secrets begin
  update ticket_secrets set sealed_with = coalesce(substr(new.sealed, 2, 8), x'') where id = new.id;
end;

-- An edge that starts makes ready what it finds here first.
create index hosts_by_visit on hosts (visited_at) where visited_at is not null;
