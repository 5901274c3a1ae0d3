import { HOSTNAMES_PER_BATCH, type HotPaths, type ServedCertificateRow } from '../hot-paths.ts'
import type { HitRow } from '../schema.ts'
import type { DeadlinePool } from './pool.ts'

/** Named statements: the server parses and plans them once per connection. */
export function createPostgresHotPaths({ run }: Pick<DeadlinePool, 'run'>): HotPaths {
  return {
    servedCertificate: async (hostname) => {
      const rows = await run<ServedCertificateRow>({ ...SERVED_CERTIFICATE, values: [hostname] })
      return rows[0]
    },
    keyAuthorization: async (hostname, token, nowMs) => {
      const values = [hostname, token, nowMs]
      const rows = await run<{ key_authorization: string }>({ ...KEY_AUTHORIZATION, values })
      return rows[0]?.key_authorization
    },
    hasHost: async (hostname) => (await run({ ...HAS_HOST, values: [hostname] })).length > 0,
    hostnames: async function* () {
      let last = ''
      for (;;) {
        const values = [last, HOSTNAMES_PER_BATCH]
        const rows = await run<{ hostname: string }>({ ...HOSTNAMES_AFTER, values })
        const next = rows.at(-1)
        if (!next) return
        yield rows.map((row) => row.hostname)
        if (rows.length < HOSTNAMES_PER_BATCH) return
        last = next.hostname
      }
    },
    appendHits: async (hits) => {
      if (hits.length > 0) await run({ ...APPEND_HITS, values: toColumns(hits) })
    },
  }
}

const SERVED_CERTIFICATE = {
  name: 'postern-served-certificate',
  text: `
    select c.id, c.serial, c.not_after, c.chain_pem, c.sealed_key, c.key_type, c.revoked_at
    from certificates c join hosts h on h.hostname = c.hostname
    where c.hostname = $1 and c.is_current = 1 and h.state <> 'retired'
      and h.claim_token is null`,
}

const KEY_AUTHORIZATION = {
  name: 'postern-key-authorization',
  text: `
    select key_authorization from challenges
    where hostname = $1 and token = $2 and expires_at > $3`,
}

const HAS_HOST = {
  name: 'postern-has-host',
  text: `
    select 1 from hosts where hostname = $1 and state <> 'retired' and claim_token is null`,
}

const HOSTNAMES_AFTER = {
  name: 'postern-hostnames-after',
  text: `
    select hostname from hosts
    where hostname > $1 and state <> 'retired' and claim_token is null
    order by hostname limit $2`,
}

/** One statement, so one transaction; arrays, so one plan for any number of hits. */
const APPEND_HITS = {
  name: 'postern-append-hits',
  text: `
    insert into hits (id, at, kind, hostname, reference, target, address, user_agent)
    select * from unnest(
      $1::text[], $2::bigint[], $3::text[], $4::text[],
      $5::text[], $6::text[], $7::text[], $8::text[])
    on conflict (id) do nothing`,
}

function toColumns(hits: readonly HitRow[]): readonly unknown[] {
  return [
    hits.map((hit) => hit.id),
    hits.map((hit) => hit.at),
    hits.map((hit) => hit.kind),
    hits.map((hit) => hit.hostname),
    hits.map((hit) => hit.reference),
    hits.map((hit) => hit.target),
    hits.map((hit) => hit.address),
    hits.map((hit) => hit.user_agent),
  ]
}
