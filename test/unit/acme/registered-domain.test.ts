import { expect, it } from 'vitest'
import { registeredDomain } from '../../../src/acme/registered-domain.ts'

it.each([
  ['email.customer.com', 'customer.com', 'a plain one'],
  ['a.b.c.customer.co.uk', 'customer.co.uk', 'below a suffix of two labels'],
  ['links.somebody.github.io', 'somebody.github.io', 'below a private suffix'],
  ['github.io', 'github.io', 'a suffix itself'],
  ['email.h1.test', 'h1.test', 'a top level that nobody registered'],
  ['email.xn--mller-kva.de', 'xn--mller-kva.de', 'an internationalised one'],
  ['customer.com', 'customer.com', 'the domain itself'],
])('%s belongs to %s: %s', (hostname, domain) => {
  expect(registeredDomain(hostname)).toBe(domain)
})
