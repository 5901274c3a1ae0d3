import { describe, expect, it } from 'vitest'
import { vaultOptions } from '../../../src/vault/options.ts'

describe('vault.key', () => {
  it('is a file beside the database unless told otherwise', () => {
    expect(vaultOptions.parse({}).key).toEqual([
      { scheme: 'file', rest: 'certs-store/data/master.key' },
    ])
  })

  it('names several sources, and leaves commas inside a command alone', () => {
    expect(
      vaultOptions.parse({ key: 'command:kms get a,b --as x:y, env:OLD,file:/k,1' }).key,
    ).toEqual([
      { scheme: 'command', rest: 'kms get a,b --as x:y' },
      { scheme: 'env', rest: 'OLD' },
      { scheme: 'file', rest: '/k,1' },
    ])
  })

  it.each(['', 'file:', 'kms:arn', '/etc/key', 'file:/k,env:'])(
    'refuses %j and says what it takes, without repeating it',
    (key) => {
      expect(vaultOptions.safeParse({ key }).error?.message).toContain('file:…, env:…, command:…')
    },
  )
})
