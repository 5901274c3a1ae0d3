import { createHmac, createSecretKey } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Hostname, parseWireHostname } from '../../../src/kernel/index.ts'
import {
  type LinkDraft,
  type LinkKey,
  openLink,
  parseLinkTarget,
  signLink,
} from '../../../src/tracking/index.ts'

const HOST = host('email.customer.test')
const KEY = aKey('k1AAAAAA', 1)
const KEYS = new Map([[KEY.id, KEY]])
const TARGET = 'https://shop.customer.test/sale?a=1&b=%20x#top'

function host(text: string): Hostname {
  const hostname = parseWireHostname(text)
  if (!hostname) throw new TypeError(text)
  return hostname
}

function aKey(id: string, fill: number): LinkKey {
  return { id, secret: createSecretKey(Buffer.alloc(32, fill)) }
}

function aDraft(wishes: Partial<LinkDraft> = {}): LinkDraft {
  return { hostname: HOST, kind: 'click', target: TARGET, reference: 'message-1/3', ...wishes }
}

const isOpened = (path: string): boolean => openLink(path, HOST, KEYS).kind === 'opened'

/** The path with one character there replaced, preceded by another, dropped or doubled. */
function variantsOf(path: string, at: number): readonly string[] {
  const [before, here, after] = [path.slice(0, at), path.slice(at, at + 1), path.slice(at + 1)]
  const others = [...'ABab01-_/.=%~oc'].flatMap((other) => [
    before + other + after,
    before + other + here + after,
  ])
  return [...others, before + after, before + here + here + after]
}

describe('a signed link', () => {
  it('says what was put in: a click', () => {
    expect(openLink(signLink(aDraft(), KEY), HOST, KEYS)).toEqual({
      kind: 'opened',
      link: { kind: 'click', target: TARGET, reference: 'message-1/3' },
    })
  })

  it('says what was put in: an open, with or without a reference', () => {
    for (const reference of ['', 'r', '~'.repeat(64)]) {
      const path = signLink(aDraft({ kind: 'open', target: undefined, reference }), KEY)
      expect(openLink(path, HOST, KEYS)).toEqual({
        kind: 'opened',
        link: { kind: 'open', reference },
      })
    }
  })

  it('has a form that never changes, because it is in mail already', () => {
    // The MAC was made with `openssl dgst -sha256 -mac HMAC`.
    expect(signLink(aDraft({ target: 'https://a.test/', reference: 'r' }), KEY)).toBe(
      '/c/k1AAAAAA/cgpodHRwczovL2EudGVzdC8/-7orU5EYXmu2HnYIygv30Q',
    )
  })

  it('is made of characters that no mail client changes', () => {
    expect(signLink(aDraft(), KEY)).toMatch(/^[A-Za-z0-9_/-]+$/)
  })

  it('opens under retired keys that are still known, and no others', () => {
    const path = signLink(aDraft(), KEY)
    const newer = aKey('k2AAAAAA', 2)
    expect(openLink(path, HOST, new Map([...KEYS, [newer.id, newer]])).kind).toBe('opened')
    expect(openLink(path, HOST, new Map([[newer.id, newer]]))).toEqual({
      kind: 'refused',
      why: 'unknown-key',
    })
    const impostor = aKey(KEY.id, 2)
    expect(openLink(path, HOST, new Map([[KEY.id, impostor]]))).toEqual({
      kind: 'refused',
      why: 'wrong-mac',
    })
  })

  it('opens for its own host only', () => {
    const path = signLink(aDraft(), KEY)
    expect(openLink(path, host('email.other.test'), KEYS).kind).toBe('refused')
  })

  it('is refused with any one character changed, dropped, doubled or added, at any position', () => {
    for (const draft of [aDraft(), aDraft({ kind: 'open', reference: 'abcd' })]) {
      const path = signLink(draft, KEY)
      const odd = Array.from({ length: path.length + 1 }, (_, at) => variantsOf(path, at)).flat()
      expect(odd.filter((variant) => variant !== path && isOpened(variant))).toEqual([])
    }
  })

  it('is refused with any one bit flipped', () => {
    const path = Buffer.from(signLink(aDraft(), KEY), 'latin1')
    const flipped = Array.from({ length: path.length * 8 }, (_, bit) => {
      const copy = Buffer.from(path)
      copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      return copy.toString('latin1')
    })
    expect(flipped.filter(isOpened)).toEqual([])
  })

  it('is nothing that a stranger makes up', () => {
    fc.assert(
      fc.property(fc.webPath(), fc.string(), (path, text) => {
        expect(openLink(path, HOST, KEYS).kind).toBe('refused')
        expect(openLink(`/c/${KEY.id}/${text}`, HOST, KEYS).kind).toBe('refused')
      }),
    )
  })

  it.each([
    ['c', 'r\njavascript:alert(1)'],
    ['c', 'r\n//evil.test/'],
    ['c', 'no target'],
    ['c', `${'r'.repeat(65)}\nhttps://a.test/`],
    ['o', 'two\nlines'],
  ])(
    'is refused with content that is never signed (%s %j), though the MAC be right',
    (letter, content) => {
      const payload = Buffer.from(content).toString('base64url')
      const mac = createHmac('sha256', KEY.secret)
        .update(['postern/link/1', letter, KEY.id, HOST, payload].join('\n'))
        .digest()
        .toString('base64url', 0, 16)
      expect(openLink(`/${letter}/${KEY.id}/${payload}/${mac}`, HOST, KEYS)).toEqual({
        kind: 'refused',
        why: 'wrong-content',
      })
    },
  )

  it('opens whatever could be signed', () => {
    const reference = fc.string({ unit: 'grapheme-ascii', maxLength: 64 })
    fc.assert(
      fc.property(
        fc.webUrl({ withFragments: true, withQueryParameters: true }),
        reference,
        (target, ref) => {
          const opened = openLink(signLink(aDraft({ target, reference: ref }), KEY), HOST, KEYS)
          expect(opened).toEqual({
            kind: 'opened',
            link: { kind: 'click', target, reference: ref },
          })
        },
      ),
    )
  })
})

describe('signing', () => {
  it.each([undefined, 'javascript:alert(1)', 'ftp://a.test/', '/relative'])(
    'refuses the target %s',
    (target) => {
      expect(() => signLink(aDraft({ target }), KEY)).toThrow(
        expect.objectContaining({ code: 'tracking/bad-target' }),
      )
    },
  )

  it.each(['x'.repeat(65), 'line\nfeed', 'ünïcode'])('refuses the reference %j', (reference) => {
    expect(() => signLink(aDraft({ reference }), KEY)).toThrow(
      expect.objectContaining({ code: 'tracking/bad-reference' }),
    )
  })
})

describe('a target', () => {
  it.each([
    'https://a.test',
    'http://a.test:8080/x?y=//z@w\\#f',
    'HTTPS://A.test/{{unmerged}}',
    'https://[2001:db8::1]/',
    'https://a.test/?next=https://b.test/@c',
  ])('%s stays as it is', (target) => {
    expect(parseLinkTarget(target)).toBe(target)
  })

  it('outside ASCII takes the form that browsers send', () => {
    expect(parseLinkTarget('https://münchen.test/straße?q=ä b')).toBe(
      'https://xn--mnchen-3ya.test/stra%C3%9Fe?q=%C3%A4%20b',
    )
  })

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'mailto:a@b.test',
    '//evil.test/',
    '/path',
    'https:evil.test',
    'https:/evil.test',
    'https:///evil.test',
    'https://user@evil.test/',
    'https://user:secret@evil.test/',
    'https://good.test\\@evil.test/',
    'https://good.test@evil.test/',
    'https://a.test/\r\nSet-Cookie: x=1',
    'https://a.test/\tb',
    'https://a.test/\0',
    'java\nscript:alert(1)',
    ' https://a.test/',
    'https://a b.test/',
    'https://a.test:99999/',
    `https://a.test/${'x'.repeat(2000)}`,
    `https://a.test/${'ä'.repeat(400)}`,
    '',
  ])('%j is refused', (target) => {
    expect(parseLinkTarget(target)).toBeUndefined()
  })
})
