// Digests of secrets: what is kept, compared and looked up instead of the secret itself.
import { hash } from 'node:crypto'

/** SHA-256 in hex. Keeping it tells nobody the token, and looking it up takes as long for a near miss as for a far one. */
export function digest(secret: string): string {
  return hash('sha256', secret, 'hex')
}
