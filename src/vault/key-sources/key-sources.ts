import { commandKeySource } from './command.ts'
import { envKeySource } from './env.ts'
import { fileKeySource } from './file.ts'
import type { KeySource } from './key-source.ts'

/** Every way to keep the key. A new one is a file beside these and a line here. */
export const keySources: readonly KeySource[] = [fileKeySource, envKeySource, commandKeySource]
