import { AppError } from '../kernel/index.ts'

/** Why a secret stays shut. All but `cannot-open` stop the server before it changes anything. */
export type VaultErrorCode =
  | 'vault/wrong-key' // the keys given are not the ones the database was sealed with
  | 'vault/missing-key' // a key is needed and its source has none
  | 'vault/unsafe-key-file' // others than us can read the key file
  | 'vault/bad-key' // what the source gave is not 32 bytes
  | 'vault/key-command-failed'
  | 'vault/key-file-not-written' // the old content is as it was
  | 'vault/cannot-open' // an envelope was damaged, cut, or moved to another row

export class VaultError extends AppError<VaultErrorCode> {
  override readonly name = 'VaultError'
}
