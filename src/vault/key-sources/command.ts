import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { seconds } from '../../kernel/index.ts'
import { VaultError } from '../errors.ts'
import type { KeySource } from './key-source.ts'

/** `command:…`: what a shell command prints, for password stores and key services. */
export const commandKeySource: KeySource = {
  scheme: 'command',
  read: async (command, _access, signal) => {
    try {
      const { stdout, stderr } = await run('/bin/sh', ['-c', command], {
        encoding: 'buffer',
        timeout: COMMAND_DEADLINE,
        killSignal: 'SIGKILL',
        maxBuffer: OUTPUT_BYTES_MAX,
        signal,
      })
      stderr.fill(0)
      return stdout
    } catch (error) {
      signal.throwIfAborted()
      throw commandFailed(error)
    }
  },
}

const run = promisify(execFile)

/** Key services answer in a second or two; a start that hangs helps nobody. */
const COMMAND_DEADLINE = seconds(10)
/** A key is 64 characters; a warning or two on standard error may come with it. */
const OUTPUT_BYTES_MAX = 16 * 1024

/** The cause is left out: it holds what was printed, which may be the key. */
function commandFailed(error: unknown): VaultError {
  const facts = typeof error === 'object' && error !== null ? error : {}
  const killed = 'killed' in facts && facts.killed === true
  const how = killed
    ? `took longer than ${COMMAND_DEADLINE / seconds(1)} s or printed too much`
    : `ended with ${'code' in facts ? String(facts.code) : 'an error'}`
  return new VaultError('vault/key-command-failed', `The command of vault.key ${how}.`, {
    fix: 'Run it by hand as the user Postern runs as: it must print the key and nothing else.',
  })
}
