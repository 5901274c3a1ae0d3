-- Certificates for years: whose a host is, in which order hosts come to a CA, what a CA suggests and
-- allows, what happens when customers leave, and who is told.

-- Tenants. A host belongs to one; 'default' is the operator's own.
create table accounts (
  id text not null primary key,
  name text not null,
  created_at integer not null
) strict, without rowid;
insert into accounts (id, name, created_at) values ('default', 'default', 0);

alter table hosts add column account text not null default 'default';
-- 0 expiring, 1 to be replaced now, 2 first certificate, 3 renewal, 4 renewal of a host nobody visits.
alter table hosts add column priority integer not null default 2 check (priority between 0 and 4);
-- Ready for a CA whose budget has no room yet: its place among those of the same priority.
alter table hosts add column queue_rank integer;
alter table hosts add column queued_at integer;
-- A new certificate was asked for although the old one would do.
alter table hosts add column renewal_asked_at integer;
-- Since when looks at a host that was active find that DNS leads elsewhere.
alter table hosts add column away_at integer;
-- Since when that is certain: the host has left.
alter table hosts add column left_at integer;
-- When its authorizations are to be deactivated, as it has left or was retired; empty: done.
alter table hosts add column leave_at integer;
-- The owner had its certificate revoked because the name is over: no CA is asked for another.
alter table hosts add column ceased_at integer;
-- Since when it has been ready for a CA; empty: it waits for DNS, or is retired.
alter table hosts add column ready_at integer;
update hosts set ready_at = updated_at where state not in ('waiting-for-dns', 'retired');
alter table hosts add column looked_at integer;
-- Roughly when somebody last opened a link, to the day.
alter table hosts add column visited_at integer;
alter table hosts add column certificate_from text not null default 'acme'
  check (certificate_from in ('acme', 'customer'));
-- Whether a CA is asked when the customer's own certificate ends.
alter table hosts add column take_over integer not null default 0 check (take_over in (0, 1));
-- What its account was told of the trouble it is in: once is enough.
alter table hosts add column told text;
-- Set while a TXT record has to prove that the name was not taken over from another account.
alter table hosts add column claim_token text;
-- Until then: the account that had the name before, and needs no proof to come back.
alter table hosts add column released_by text;
-- The edge answers for none that is retired or yet to be proven.
drop index hosts_live;
create index hosts_live on hosts (hostname) where state <> 'retired' and claim_token is null;
drop index hosts_by_next_attempt;
create index hosts_due on hosts (priority, next_attempt_at)
  where next_attempt_at is not null and queue_rank is null and ready_at is not null;
-- Apart from the others: many of them must not keep anybody else waiting.
create index hosts_to_look_at on hosts (next_attempt_at)
  where next_attempt_at is not null and queue_rank is null and ready_at is null;
create index hosts_queued on hosts (priority, queue_rank) where queue_rank is not null;
create index hosts_by_account on hosts (account, hostname);
create index hosts_to_leave on hosts (leave_at) where leave_at is not null;
create index hosts_left on hosts (left_at) where left_at is not null;
create index hosts_by_reason on hosts (reason_code, hostname) where reason_code is not null;
create index hosts_to_take_over on hosts (hostname) where take_over = 1;
create index hosts_to_prove on hosts (claim_token) where claim_token is not null;
create index hosts_retired on hosts (updated_at) where next_attempt_at is null;

-- Proofs that another account was asked for, of names it does not have yet.
create table host_claims (
  hostname text not null,
  account text not null,
  token text not null,
  created_at integer not null,
  primary key (hostname, account)
) strict, without rowid;

-- The place of the last host of this priority that each account put into the queue.
create table fair_shares (
  priority integer not null,
  account text not null,
  last_rank integer not null,
  primary key (priority, account)
) strict, without rowid;

-- An entry with a notice is told to the host's account, once it is written.
alter table host_history add column notice text;
-- Whom: the account that had the host then.
alter table host_history add column account text;
alter table host_history add column certificate_id text;
alter table host_history add column told_at integer;
create index host_history_untold on host_history (id) where notice is not null and told_at is null;

-- When the CA suggests to renew (RFC 9773), and when to ask it again.
alter table certificates add column window_start integer;
alter table certificates add column window_end integer;
alter table certificates add column window_url text;
alter table certificates add column ask_at integer;
alter table certificates add column revoked_at integer;
-- When it was first put to use. One with a key that never was waits for that.
alter table certificates add column activated_at integer;
-- The owner of a certificate of their own has been warned that so many days are left.
alter table certificates add column warned_days integer;
-- Until now all keys were ours, and of P-256.
alter table certificates add column key_type text not null default 'ec'
  check (key_type in ('ec', 'rsa'));
update certificates set activated_at = created_at;
update certificates set ask_at = created_at where is_current = 1;
-- What is looked through for what nobody needs any more.
create index certificates_ended on certificates (not_after, id) where is_current = 0;
create index certificates_never_used on certificates (created_at) where activated_at is null;
create index certificates_to_ask on certificates (ask_at) where ask_at is not null;
-- Wide enough that counting reads no rows: of a million, these have gigabytes.
create index certificates_by_renewal on certificates (renew_at, not_before, not_after, source)
  where is_current = 1;
-- Those of whose end nobody has been told.
create index certificates_to_warn on certificates (not_after)
  where is_current = 1 and warned_days is null;
create index certificates_by_source on certificates (source, key_type, not_after, revoked_at)
  where is_current = 1;

-- The authorizations of an order, to be deactivated when its host leaves: a JSON array of URLs.
alter table acme_orders add column authorizations text;
-- Not only of some states: with parameters, SQLite cannot see that such an index would do.
create index acme_orders_by_state on acme_orders (state, updated_at);
create index acme_orders_by_url on acme_orders (url) where url is not null;

-- The CA's token buckets as we count them: when each will be full again. A full one has no row.
create table acme_ledger (
  ca text not null,
  limit_name text not null,
  bucket text not null,
  full_at integer not null,
  primary key (ca, limit_name, bucket)
) strict, without rowid;
create index acme_ledger_by_full on acme_ledger (full_at);

-- Failures in a row of one name at one CA, and whether the CA has paused it for that.
create table acme_names (
  ca text not null,
  hostname text not null,
  failures integer not null default 0,
  paused_at integer,
  unpause_url text,
  updated_at integer not null,
  primary key (ca, hostname)
) strict, without rowid;

-- What is wrong with a CA as a whole: away since, not to be asked before, and why.
create table acme_authorities (
  ca text not null primary key,
  down_since integer,
  held_until integer,
  code text,
  sentence text,
  updated_at integer not null
) strict, without rowid;

-- What happened, for an account to see.
create table events (
  id text not null primary key,
  at integer not null,
  account text not null,
  kind text not null,
  hostname text,
  data text not null
) strict, without rowid;
create index events_by_account on events (account, id);
create index events_by_hostname on events (hostname, id);

-- Where an account wants to be told, and the key that signs it.
create table webhooks (
  account text not null primary key,
  url text not null,
  sealed_key blob not null,
  created_at integer not null,
  -- When there is something to deliver; empty: nothing waits.
  due_at integer,
  -- How often in a row it went wrong, and what was last seen.
  failures integer not null default 0,
  problem text,
  problem_at integer,
  -- The receiver is left alone until then.
  held_until integer,
  -- How long it was left alone, all its life, and how long its last answer took.
  paused_ms integer not null default 0,
  answer_ms integer not null default 0,
  delivered_at integer,
  lease_until integer,
  lease_fence integer not null default 0
) strict, without rowid;
create index webhooks_due on webhooks (due_at) where due_at is not null;

-- Events on their way to a webhook.
create table webhook_deliveries (
  event_id text not null primary key,
  account text not null,
  state text not null check (state in ('waiting', 'delivered', 'given-up')),
  attempts integer not null default 0,
  next_attempt_at integer,
  problem text,
  created_at integer not null,
  updated_at integer not null,
  -- The receiver's paused_ms when the event came: its own pauses are those since then.
  paused_before_ms integer not null
) strict, without rowid;
create index webhook_deliveries_by_state on webhook_deliveries (state, account, event_id);

-- Rewrapping of all secrets under another master key, and how far it has come.
create table key_rotations (
  id text not null primary key,
  to_key_id text not null,
  started_at integer not null,
  updated_at integer not null,
  finished_at integer,
  secrets_total integer not null,
  secrets_done integer not null,
  -- Secrets that no key at hand opens; they stay as they are.
  unreadable integer not null default 0,
  -- Whether keys under which nothing rests any more are taken away at the end.
  retire_old integer not null default 0 check (retire_old in (0, 1)),
  -- What went wrong at the end, as a sentence.
  problem text,
  lease_holder text,
  lease_until integer
) strict, without rowid;

-- One at a time.
create unique index key_rotations_under_way on key_rotations ((finished_at is null))
  where finished_at is null;
-- The id of the master key that sealed it: bytes 2 to 9 of the envelope, nothing if it was destroyed.
-- Kept by triggers, because with an index on the expression SQLite reads every row to count them.
-- (Of an empty blob substr makes a null.)
alter table certificates add column sealed_with blob not null default x'';
alter table acme_orders add column sealed_with blob not null default x'';
alter table acme_accounts add column sealed_with blob not null default x'';
alter table link_keys add column sealed_with blob not null default x'';
alter table webhooks add column sealed_with blob not null default x'';
update certificates set sealed_with = coalesce(substr(sealed_key, 2, 8), x'');
update acme_orders set sealed_with = coalesce(substr(sealed_key, 2, 8), x'');
update acme_accounts set sealed_with = coalesce(substr(sealed_key, 2, 8), x'');
update link_keys set sealed_with = coalesce(substr(sealed, 2, 8), x'');
create index certificates_by_key on certificates (sealed_with, id);
create index acme_orders_by_key on acme_orders (sealed_with, id);
create trigger certificates_sealed after insert on certificates begin
  update certificates set sealed_with = coalesce(substr(new.sealed_key, 2, 8), x'') where id = new.id;
end;
create trigger certificates_sealed_anew after update of sealed_key on certificates begin
  update certificates set sealed_with = coalesce(substr(new.sealed_key, 2, 8), x'') where id = new.id;
end;
create trigger acme_orders_sealed after insert on acme_orders begin
  update acme_orders set sealed_with = coalesce(substr(new.sealed_key, 2, 8), x'') where id = new.id;
end;
create trigger acme_orders_sealed_anew after update of sealed_key on acme_orders begin
  update acme_orders set sealed_with = coalesce(substr(new.sealed_key, 2, 8), x'') where id = new.id;
end;
create trigger acme_accounts_sealed after insert on acme_accounts begin
  update acme_accounts set sealed_with = coalesce(substr(new.sealed_key, 2, 8), x'') where id = new.id;
end;
create trigger acme_accounts_sealed_anew after update of sealed_key on acme_accounts begin
  update acme_accounts set sealed_with = coalesce(substr(new.sealed_key, 2, 8), x'') where id = new.id;
end;
create trigger link_keys_sealed after insert on link_keys begin
  update link_keys set sealed_with = coalesce(substr(new.sealed, 2, 8), x'') where id = new.id;
end;
create trigger link_keys_sealed_anew after update of sealed on link_keys begin
  update link_keys set sealed_with = coalesce(substr(new.sealed, 2, 8), x'') where id = new.id;
end;
create trigger webhooks_sealed after insert on webhooks begin
  update webhooks set sealed_with = coalesce(substr(new.sealed_key, 2, 8), x'') where account = new.account;
end;
create trigger webhooks_sealed_anew after update of sealed_key on webhooks begin
  update webhooks set sealed_with = coalesce(substr(new.sealed_key, 2, 8), x'') where account = new.account;
end;

-- Which master keys a node can open with, the one it seals with first: a JSON array of key ids.
alter table edge_nodes add column key_ids text not null default '[]';
-- What people call the node: its machine and process.
alter table edge_nodes add column name text not null default '';

-- What became of a certificate's handshake on each node before it is put to use.
create table edge_rehearsals (
  hostname text not null,
  node_id text not null,
  certificate_id text not null,
  -- Empty: it went well.
  problem text not null,
  rehearsed_at integer not null,
  primary key (hostname, node_id)
) strict, without rowid;
