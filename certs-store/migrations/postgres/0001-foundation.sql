-- The foundation. Instants are whole milliseconds since 1970, truth values 0 or 1, JSON is text.
-- sealed… columns hold envelopes (certs-store/README.md).

-- One sealed known value per key-encryption key.
create table key_checks (
  key_id text not null primary key,
  sealed bytea not null,
  created_at bigint not null
);

-- Tracking hostnames and where each stands in its life.
create table hosts (
  hostname text not null primary key,
  domain text not null,
  state text not null
    check (state in ('waiting-for-dns', 'issuing', 'active', 'failing', 'paused', 'retired')),
  reason_code text,
  reason_sentence text,
  reason_fix text,
  checks text not null default '[]',
  https_safe bigint not null default 0 check (https_safe in (0, 1)),
  failures bigint not null default 0,
  next_attempt_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  -- Who works on the host now. A writer must name the fence it was given.
  lease_holder text,
  lease_until bigint,
  lease_fence bigint not null default 0
);
create index hosts_by_next_attempt on hosts (next_attempt_at) where next_attempt_at is not null;
create index hosts_by_state on hosts (state, hostname);
-- Read from end to end when an edge worker starts.
create index hosts_live on hosts (hostname) where state <> 'retired';

-- Every step of every host, with its reason. Append only.
create table host_history (
  id text not null primary key,
  hostname text not null,
  at bigint not null,
  step text not null,
  outcome text not null,
  code text,
  sentence text not null
);
create index host_history_by_host on host_history (hostname, id);

-- Certificates we hold. At most one per host is current: the one the edge serves.
create table certificates (
  id text not null primary key,
  hostname text not null,
  serial text not null,
  issuer text not null,
  not_before bigint not null,
  not_after bigint not null,
  renew_at bigint not null,
  renew_because text not null,
  chain_pem text not null,
  sealed_key bytea not null,
  source text not null,
  is_current bigint not null default 0 check (is_current in (0, 1)),
  created_at bigint not null
);
create unique index certificates_current on certificates (hostname) where is_current = 1;
create index certificates_by_host on certificates (hostname, created_at);
create index certificates_by_expiry on certificates (not_after) where is_current = 1;

-- One account per CA, whoever registers first.
create table acme_accounts (
  id text not null primary key,
  directory_url text not null unique,
  sealed_key bytea not null,
  url text,
  created_at bigint not null
);

-- Orders, written before the CA hears of them. At most one per host is open.
create table acme_orders (
  id text not null primary key,
  account_id text not null,
  hostname text not null,
  state text not null check (state in ('intended', 'placed', 'finalizing', 'issued', 'failed')),
  url text,
  sealed_key bytea not null,
  certificate_id text,
  problem text,
  created_at bigint not null,
  updated_at bigint not null
);
create unique index acme_orders_open on acme_orders (hostname)
  where state in ('intended', 'placed', 'finalizing');
create index acme_orders_by_host on acme_orders (hostname, created_at);

-- The tokens shown right now (RFC 8555 §8.3), and our own probes.
create table challenges (
  hostname text not null,
  token text not null,
  key_authorization text not null,
  expires_at bigint not null,
  primary key (hostname, token)
);
create index challenges_by_expiry on challenges (expires_at);

-- Keys that sign links. Retired ones still open old links.
create table link_keys (
  id text not null primary key,
  sealed bytea not null,
  created_at bigint not null,
  retired_at bigint
);

-- Opens and clicks.
create table hits (
  id text not null primary key,
  at bigint not null,
  kind text not null,
  hostname text not null,
  reference text not null,
  target text,
  address text not null,
  user_agent text not null
);
create index hits_by_host on hits (hostname, id);

-- Nodes with edge workers, and which certificate each has served to a handshake of its own.
create table edge_nodes (
  id text not null primary key,
  started_at bigint not null,
  seen_at bigint not null
);
create table edge_confirmations (
  hostname text not null,
  node_id text not null,
  certificate_id text not null,
  confirmed_at bigint not null,
  primary key (hostname, node_id)
);
