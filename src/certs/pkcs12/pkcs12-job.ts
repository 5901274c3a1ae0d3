/** What was in a file, or why it cannot be used. */
export type Pkcs12Content =
  | {
      readonly kind: 'opened'
      /** In the order of the file, DER. */
      readonly certificates: readonly Uint8Array[]
      /** PKCS#8. */
      readonly keyDer: Buffer
    }
  | { readonly kind: 'refused'; readonly why: Pkcs12Refusal }

/** Why a file cannot be used. */
export type Pkcs12Refusal =
  | 'not-pkcs12'
  | 'not-opened' // the password, or a protection that is unknown to us
  | 'too-slow'
  | 'no-key'
  | 'several-keys'
  | 'no-certificate'
  | 'too-many-certificates'

/** What a file is made of. */
export interface Pkcs12Draft {
  /** Leaf first, DER. */
  readonly chain: readonly Uint8Array[]
  /** PKCS#8. */
  readonly keyDer: Buffer
  readonly password: string
  /** What programs show of the key. */
  readonly name: string
}

/** What the thread is started with. */
export type Pkcs12Job =
  | { readonly kind: 'read'; readonly file: Uint8Array; readonly password: string }
  | ({ readonly kind: 'write' } & Omit<Pkcs12Draft, 'keyDer'> & { readonly keyDer: Uint8Array })

/** What the thread says, once. */
export type Pkcs12Answer =
  | (Omit<Extract<Pkcs12Content, { kind: 'opened' }>, 'keyDer'> & {
      readonly keyDer: Uint8Array<ArrayBuffer>
    })
  | Extract<Pkcs12Content, { kind: 'refused' }>
  | { readonly kind: 'written'; readonly file: Uint8Array }
