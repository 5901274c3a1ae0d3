import { VaultError } from '../errors.ts'
import type { KeySource } from './key-source.ts'

/** `env:NAME`: the key in an environment variable, which is removed once read. */
export const envKeySource: KeySource = {
  scheme: 'env',
  read: async (name, { environment }) => {
    const text = environment.take(name)
    if (text !== undefined && text !== '') return Buffer.from(text)
    throw new VaultError('vault/missing-key', `The environment variable ${name} holds no key.`, {
      fix: `Set ${name} to the key, or point vault.key to where the key is.`,
    })
  },
}
