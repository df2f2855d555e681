// RFC 7636: who redeems a code shows the secret whose hash came with the request for it. S256 only.
import { hash } from 'node:crypto'

/** Whether text is a SHA-256 hash in base64url (RFC 7636 4.2). */
export function isCodeChallenge(text: string): boolean {
  return /^[\w-]{43}$/.test(text)
}

/** 43 to 128 unreserved letters (RFC 7636 4.1). */
export function isCodeVerifier(text: string): boolean {
  return /^[\w.~-]{43,128}$/.test(text)
}

/** The S256 challenge of a verifier. */
export function challengeOf(verifier: string): string {
  return hash('sha256', verifier, 'base64url')
}
