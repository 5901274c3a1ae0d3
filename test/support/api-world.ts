import type {
  AccountView,
  AcmePort,
  ApiPorts,
  AuthorityView,
  CertificatesPort,
  CertificateView,
  EventView,
  HistoryView,
  HostLifePort,
  HostsPort,
  HostView,
  WebhooksPort,
  WebhookView,
} from '../../src/api/index.ts'
import { AppError, type Hostname, hours, parseHostname, Redacted } from '../../src/kernel/index.ts'

const PRIVATE_KEY_PEM = '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n'

export function aHostname(text = 'email.customer.test'): Hostname {
  const parsed = parseHostname(text)
  if (!parsed) throw new Error(`${text} is not a hostname`)
  return parsed
}

export function aHost(overrides: Partial<HostView> = {}): HostView {
  return {
    hostname: aHostname(),
    domain: 'customer.test',
    state: 'active',
    reason: undefined,
    httpsSafe: true,
    checks: [{ name: 'cname', ok: true, seen: 'edge.test' }],
    nextAttemptAt: new Date('2026-12-22T12:00:00Z'),
    account: 'default',
    certificateFrom: 'acme',
    takeOver: false,
    ...overrides,
  }
}

export function aCertificate(overrides: Partial<CertificateView> = {}): CertificateView {
  return {
    id: '019ab2c300000000000000000000cafe',
    hostname: aHostname(),
    serial: '0A1B2C',
    issuer: 'Test CA 1',
    notBefore: new Date('2026-11-22T11:00:00Z'),
    notAfter: new Date('2027-02-20T11:00:00Z'),
    renewAt: new Date('2027-01-21T11:00:00Z'),
    renewBecause: 'ca-suggested-it',
    chainPem: '-----BEGIN CERTIFICATE-----\nY2hhaW4=\n-----END CERTIFICATE-----\n',
    source: 'letsencrypt',
    isCurrent: true,
    createdAt: new Date('2026-11-22T12:00:00Z'),
    ...overrides,
  }
}

export function anAccount(overrides: Partial<AccountView> = {}): AccountView {
  const createdAt = new Date('2026-11-22T12:00:00Z')
  return { id: 'default', name: 'default', createdAt, ...overrides }
}

export function anEvent(overrides: Partial<EventView> = {}): EventView {
  return {
    id: '019ab2c300000000000000000000beef',
    at: new Date('2026-11-22T12:00:00Z'),
    account: 'default',
    kind: 'issued',
    hostname: aHostname(),
    data: { sentence: 'Test CA 1 issued a certificate.' },
    ...overrides,
  }
}

export function anAuthority(overrides: Partial<AuthorityView> = {}): AuthorityView {
  return {
    name: 'letsencrypt',
    directoryUrl: 'https://ca.test/directory',
    health: 'up',
    accountUrl: 'https://ca.test/account/1',
    profile: 'classic',
    budgets: [
      {
        limit: 'new-orders',
        per: hours(3),
        capacity: 300,
        left: 12,
        fullAt: new Date('2026-11-22T14:52:48Z'),
      },
    ],
    pausedNames: [],
    ...overrides,
  }
}

/** Everything behind the API, in memory: a test puts things in, and may replace single ports. */
export interface World {
  readonly accounts: Map<string, AccountView>
  readonly webhooks: Map<string, WebhookView>
  readonly events: EventView[]
  readonly hosts: Map<string, HostView>
  readonly certificates: Map<string, CertificateView>
  readonly history: Map<string, HistoryView[]>
  readonly deeds: string[]
  readonly logLines: string[]
}

/** What a part behind a port throws. */
export class TestPartError extends AppError {}

/** The ports, over what a test put into its world. */
export function portsTo(world: World): ApiPorts {
  return {
    hosts: hostsIn(world),
    hostLife: hostLifeIn(world),
    certificates: certificatesIn(world),
    acme: ACME,
    accounts: {
      ensure: async (id) => {
        if (!world.accounts.has(id)) world.accounts.set(id, anAccount({ id, name: id }))
      },
      find: async (id) => world.accounts.get(id),
      page: async () => ({ items: [...world.accounts.values()] }),
    },
    webhooks: webhooksIn(world),
    events: {
      page: async ({ account, hostname, kind, limit }) => ({
        items: world.events
          .filter((event) => account === undefined || event.account === account)
          .filter((event) => hostname === undefined || event.hostname === hostname)
          .filter((event) => kind === undefined || event.kind === kind)
          .slice(0, limit),
      }),
    },
    links: {
      sign: async ({ hostname, secure, kind, target }) =>
        `${secure ? 'https' : 'http'}://${hostname}/${kind}/${target ?? ''}`,
    },
    hits: { page: async () => ({ items: [] }) },
    keys: {
      status: async () => ({
        keys: [{ keyId: 'k1', use: 'seals', secrets: 3, source: 'file:/etc/postern/master.key' }],
        rotation: undefined,
      }),
      rotate: async () => ({ kind: 'nothing-to-do' }),
    },
    health: { live: () => true, readiness: async () => ({ ready: true, reasons: [] }) },
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'postern_up 1\n' }),
  }
}

function hostsIn({ hosts, history }: World): HostsPort {
  return {
    find: async (hostname) => hosts.get(hostname),
    page: async ({ state, q, account, limit, cursor }) => {
      const found = [...hosts.values()]
        .filter((host) => state === undefined || host.state === state)
        .filter((host) => q === undefined || host.hostname.includes(q))
        .filter((host) => account === undefined || host.account === account)
        .filter((host) => cursor === undefined || host.hostname > cursor)
        .sort((one, other) => (one.hostname < other.hostname ? -1 : 1))
      const page = found.slice(0, limit)
      const nextCursor = found.length > limit ? page.at(-1)?.hostname : undefined
      return { hosts: page, nextCursor }
    },
    history: async (hostname) => history.get(hostname) ?? [],
  }
}

function hostLifeIn({ hosts, certificates, deeds }: World): HostLifePort {
  return {
    add: async (hostname, domain, account) => {
      const known = hosts.get(hostname)
      if (known && known.account !== account) {
        throw new TestPartError('hosts/other-account', `${hostname} is another account's.`, {
          fix: `Publish _postern.${hostname}. IN TXT "postern-claim=t0ken", then add it again.`,
        })
      }
      deeds.push(`add ${hostname} ${domain}${account === 'default' ? '' : ` for ${account}`}`)
      if (known) return
      const state = 'waiting-for-dns'
      hosts.set(hostname, aHost({ hostname, domain, account, state, httpsSafe: false }))
    },
    checkNow: async (hostname) => void deeds.push(`check ${hostname}`),
    renewNow: async (hostname) => void deeds.push(`renew ${hostname}`),
    retire: async (hostname) => {
      deeds.push(`retire ${hostname}`)
      certificates.delete(hostname)
      hosts.set(hostname, aHost({ hostname, state: 'retired', httpsSafe: false }))
    },
    bringCertificate: async (hostname, { upload, whenItEnds }) => {
      const what =
        'pem' in upload
          ? `${upload.pem.chain.length} + ${upload.pem.key.length} characters`
          : `${upload.pkcs12.toString()} under ${upload.password}`
      const then = whenItEnds === 'take-over' ? ', then take over' : ''
      deeds.push(`bring ${hostname} ${what}${then}`)
      const takeOver = whenItEnds === 'take-over'
      hosts.set(hostname, aHost({ hostname, certificateFrom: 'customer', takeOver }))
      certificates.set(hostname, aCertificate({ hostname, source: 'customer' }))
    },
    handOver: async (hostname) => {
      deeds.push(`hand over ${hostname}`)
      hosts.set(hostname, aHost({ hostname, certificateFrom: 'acme' }))
    },
    revoke: async (certificateId, reason) => {
      deeds.push(`revoke ${certificateId} ${reason}`)
      for (const [hostname, certificate] of certificates) {
        if (certificate.id !== certificateId) continue
        const revokedAt = new Date('2026-11-22T12:00:00Z')
        certificates.set(hostname, { ...certificate, revokedAt })
      }
      return { kind: 'revoked' }
    },
  }
}

function certificatesIn({ certificates }: World): CertificatesPort {
  return {
    current: async (hostname) => certificates.get(hostname),
    find: async (id) => [...certificates.values()].find((each) => each.id === id),
    page: async ({ expiringBefore, limit }) => ({
      items: [...certificates.values()]
        .filter(({ notAfter }) => expiringBefore === undefined || notAfter < expiringBefore)
        .slice(0, limit),
    }),
    exportKey: async () => new Redacted(PRIVATE_KEY_PEM),
    exportPkcs12: async (id, password) => new Redacted(Buffer.from(`${id} under ${password}`)),
  }
}

const ACME: AcmePort = {
  describe: async () => ({
    authority: { name: 'letsencrypt', directoryUrl: 'https://ca.test/directory' },
    accounts: [],
    openOrders: [],
    authorities: [anAuthority()],
  }),
  queue: async () => [
    { urgency: 'first', count: 3, oldest: new Date('2026-11-22T11:00:00Z') },
    { urgency: 'renewal', count: 0, oldest: undefined },
  ],
  forecast: async () => ({
    from: new Date('2026-11-22T12:00:00Z'),
    hours: [0, 4, 2, 0],
    ...{ longestWait: hours(0), isCarried: true },
    profiles: [
      {
        ...{ name: 'shortlived', lifetime: hours(160), renewalsPerDay: 1.8, peakPerHour: 4 },
        ...{ longestWait: hours(30), isCarried: false },
      },
    ],
  }),
}

function webhooksIn({ webhooks, deeds }: World): WebhooksPort {
  return {
    set: async (account, url) => {
      const createdAt = new Date('2026-11-22T12:00:00Z')
      webhooks.set(account, { ...{ url, createdAt }, waiting: 0, givenUp: 0, failures: 0 })
      return { signingKey: new Redacted('whsec_c2VjcmV0') }
    },
    show: async (account) => webhooks.get(account),
    remove: async (account) => webhooks.delete(account),
    status: async () => ({ waiting: 4, waitingSince: undefined, failing: 1 }),
    test: async (account) => {
      deeds.push(`test webhook of ${account}`)
      const isBroken = webhooks.get(account)?.url.includes('broken')
      const eventId = '019ab2c300000000000000000000f00d'
      return isBroken
        ? { eventId, ms: 12, status: 500, problem: 'The receiver answered with status 500.' }
        : { eventId, ms: 12, status: 200 }
    },
  }
}
