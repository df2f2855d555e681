// Texts that only holders of a key can read or make, each bound to its place: AES-256-GCM (NIST SP 800-38D).
import { createCipheriv, createDecipheriv, hash, hkdfSync, randomFillSync } from 'node:crypto'

interface Key {
  /** Stands before what it sealed. */
  readonly id: string
  readonly secret: Uint8Array
}

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Seals with the newest of its keys, opens with all of them. */
export class Sealer {
  readonly #current: Key
  readonly #keys: ReadonlyMap<string, Key>

  /**
   * @param secrets at least 32 bytes each, the newest first
   * @param purpose what is sealed: each has keys of its own
   */
  constructor(secrets: readonly [Uint8Array, ...Uint8Array[]], purpose: string) {
    const keys = secrets.map((secret) => deriveKey(secret, purpose))
    this.#current = keys[0] as Key
    this.#keys = new Map(keys.map((key) => [key.id, key]))
  }

  /** @param place where it will stand: moved elsewhere, it cannot be opened */
  seal(place: string, text: string): string {
    const { id, secret } = this.#current
    const nonce = randomFillSync(Buffer.allocUnsafe(NONCE_BYTES))
    const cipher = createCipheriv('aes-256-gcm', secret, nonce)
    cipher.setAAD(Buffer.from(place))
    const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
    return `${id}.${sealed.toString('base64url')}`
  }

  /** Whether a text was sealed with the newest key. */
  isCurrent(text: string): boolean {
    return text.startsWith(`${this.#current.id}.`)
  }

  /** Undefined for whatever was not sealed for this place with one of the keys. */
  open(place: string, text: string): string | undefined {
    const dot = text.indexOf('.')
    const secret = this.#keys.get(text.slice(0, dot))?.secret
    const sealed = Buffer.from(text.slice(dot + 1), 'base64url')
    const end = sealed.length - TAG_BYTES
    if (secret === undefined || end < NONCE_BYTES) return undefined
    const cipher = createDecipheriv('aes-256-gcm', secret, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    })
    cipher.setAAD(Buffer.from(place))
    cipher.setAuthTag(sealed.subarray(end))
    try {
      return Buffer.concat([cipher.update(sealed.subarray(NONCE_BYTES, end)), cipher.final()]).toString(
        'utf8',
      )
    } catch {
      return undefined
    }
  }
}

function deriveKey(secret: Uint8Array, purpose: string): Key {
  const derived = new Uint8Array(hkdfSync('sha256', secret, 'express-mcp-auth', purpose, KEY_BYTES))
  return { id: hash('sha256', derived, 'base64url').slice(0, 8), secret: derived }
}
