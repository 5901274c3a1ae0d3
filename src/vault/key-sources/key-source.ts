/** One way to keep the key outside the database. */
export interface KeySource {
  /** What `vault.key` calls it: the part before the colon. */
  readonly scheme: string
  /**
   * Reads the keys as text (base64 or hexadecimal, one per line, the one that seals first); the
   * caller zeroes the buffer. MUST have a
   * deadline and a bound, and throw a VaultError with a fix when there is no key. The text of the
   * key MUST NOT show in an error.
   */
  read(address: string, access: KeySourceAccess, signal: AbortSignal): Promise<Buffer>
}

/** What a source may use. */
export interface KeySourceAccess {
  readonly environment: EnvironmentVariables
  /** Whether a new key may be made where none is: only while nothing is sealed yet. */
  readonly mayCreate: boolean
  readonly record: KeyFileRecord
}

/** The environment, of which a secret is taken away once it is read. */
export interface EnvironmentVariables {
  take(name: string): string | undefined
}

/** What vault wants written down. */
export interface KeyFileRecord {
  keyFileCreated(path: string): void
}
