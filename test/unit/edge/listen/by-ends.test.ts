import type { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { createByEnds } from '../../../../src/edge/listen/by-ends.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'

const aSocket = (remotePort: number, remoteAddress = '192.0.2.1') =>
  ({ remoteAddress, remotePort, localAddress: '192.0.2.9', localPort: 443 }) as Socket

it('finds what belongs to the same ends, and to no others', () => {
  const byEnds = createByEnds<number>({ random: createSeededRandom() })
  for (let port = 1; port <= 20_000; port += 1) byEnds.put(aSocket(port), port)
  for (let port = 1; port <= 20_000; port += 1) expect(byEnds.get(aSocket(port))).toBe(port)
  expect(byEnds.get(aSocket(1, '192.0.2.2'))).toBe(undefined)
})

it('forgets what is taken out, and nothing that has taken its place', () => {
  const byEnds = createByEnds<string>({ random: createSeededRandom() })
  const forgetOld = byEnds.put(aSocket(1), 'old')
  const forgetNew = byEnds.put(aSocket(1), 'new')
  expect(byEnds.get(aSocket(1))).toBe('new')
  forgetOld()
  forgetOld()
  expect(byEnds.get(aSocket(1))).toBe('new')
  forgetNew()
  expect(byEnds.get(aSocket(1))).toBe(undefined)
})
