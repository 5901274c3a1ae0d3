import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createChallengeResponder,
  readChallengePath,
} from '../../../src/edge/request/challenge-responder.ts'
import { parseWireHostname } from '../../../src/kernel/index.ts'

describe("the CA's corner", () => {
  it('is one exact path with a token', () => {
    const token = 'LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0'
    expect(readChallengePath(`/.well-known/acme-challenge/${token}`)).toEqual({
      kind: 'token',
      token,
    })
    expect(readChallengePath(`/.well-known/acme-challenge/${'a'.repeat(128)}`).kind).toBe('token')
  })

  it.each([
    `/.well-known/acme-challenge/${'a'.repeat(129)}`,
    '/.well-known/acme-challenge/a/b',
    '/.well-known/acme-challenge/a?b',
    '/.well-known/acme-challenge/é',
    '/.well-known/acme-challenge',
    '/.well-known/acme-challenge?x',
    '//.well-known//acme-challenge/a',
    '/./.well-known/./acme-challenge/a',
    '/a/../.well-known/acme-challenge/a',
    '/../../.well-known/acme-challenge/a',
    '/%2e%77ell-known/acme-challenge/a',
    '/%252ewell-known/acme-challenge/a',
    '/.well-known%2facme-challenge%2Fa',
    '/.well-known\\acme-challenge\\a',
    '/.well-known%5cacme-challenge/a',
    '/.Well-Known/ACME-challenge/a',
  ])('%s is malformed, and no backend sees it', (target) => {
    expect(readChallengePath(target).kind).toBe('malformed')
  })

  it.each([
    '/',
    '/c/k/p/m',
    '/?/.well-known/acme-challenge/a',
    '/x/.well-known/acme-challenge/a',
    '/.well-known/security.txt',
    '/.well-known/acme-challenger/a',
  ])('%s is elsewhere', (target) => {
    expect(readChallengePath(target).kind).toBe('elsewhere')
  })
})

const piece = fc.oneof(
  fc.constantFrom('/', '//', '/.', '/..', '/.well-known', 'acme-challenge', '?', '%', '%2', '%25'),
  fc.constantFrom(
    '%61',
    '%2D',
    '%2e',
    '%5c',
    '\\',
    'ACME-',
    'Challenge',
    '/%2Ewell-known/',
    'x',
    '-',
  ),
  fc.string({ maxLength: 4 }),
)

it('finds every odd spelling, however few it looks at closely', () => {
  // Without the glance that comes first: decoded twice, whatever is in it.
  const looksLikeIt = (target: string): boolean => {
    const [path = ''] = target.split('?')
    const decode = (text: string): string =>
      text.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      )
    const segments: string[] = []
    for (const segment of decode(decode(path)).toLowerCase().replaceAll('\\', '/').split('/')) {
      if (segment === '..') segments.pop()
      else if (segment !== '' && segment !== '.') segments.push(segment)
    }
    return segments[0] === '.well-known' && segments[1] === 'acme-challenge'
  }
  let found = 0
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 9 }), (pieces) => {
      const target = `/${pieces.join('')}`
      if (looksLikeIt(target)) found += 1
      expect(readChallengePath(target).kind !== 'elsewhere').toBe(looksLikeIt(target))
    }),
    { numRuns: 20_000 },
  )
  expect(found).toBeGreaterThan(5)
})

it('bounds the look-ups for hosts that nobody has heard of', async () => {
  const gate = Promise.withResolvers<string | undefined>()
  let asked = 0
  const responder = createChallengeResponder({
    challenges: {
      answer: () => {
        asked += 1
        return gate.promise
      },
    },
    membership: { has: (hostname) => hostname === 'known.test' },
    record: { challengeAsked: () => undefined },
  })
  const ask = (name: string) => {
    const hostname = parseWireHostname(name)
    if (!hostname) throw new TypeError(name)
    return responder.respond(hostname, 'token')
  }
  const asking = Array.from({ length: 20 }, (_, index) => ask(`stranger-${index}.test`))
  expect(asked).toBe(8)
  asking.push(ask('known.test'))
  expect(asked).toBe(9)
  gate.resolve('proof')
  const answers = await Promise.all(asking)
  expect(answers.filter(Boolean)).toHaveLength(9)
  await ask('stranger.test')
  expect(asked).toBe(10)
})
