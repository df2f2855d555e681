// RFC 7523 3 and draft-ietf-oauth-rfc7523bis: a client proves itself by a JWT that it signed. Each can be used once.
import { OAuthError } from '../protocol/errors.js'
import { ASYMMETRIC_ALGORITHMS } from '../protocol/jwk.js'
import { type ParsedJws, parseJws } from '../protocol/jws-guard.js'
import { isSignedBy } from '../verifiers/signature.js'
import { keyOf } from './clients.js'
import type { Client } from './records.js'
import type { AuthorizationServer, Report } from './server.js'

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Algorithms that may sign an assertion. */
export const ASSERTION_ALGORITHMS: readonly string[] = ASYMMETRIC_ALGORITHMS

/** Longest life of an assertion: as long its ID has to be remembered. */
const LONGEST_SECONDS = 300
/** How far clocks may differ. */
const TOLERANCE_SECONDS = 30

/** The client that an assertion is about, before anything of it is trusted. */
export function subjectOf(assertion: string): string {
  const { sub } = parse(assertion).payload
  if (typeof sub !== 'string' || sub === '') throw refused('it names no subject')
  return sub
}

/**
 * Checks an assertion and uses it up.
 *
 * @throws OAuthError `invalid_client`
 */
export async function checkAssertion(
  assertion: string,
  client: Client,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  const { header, payload } = parse(assertion)
  const { settings, deps } = server
  if (!ASSERTION_ALGORITHMS.includes(header.alg)) throw refused(`it is signed by ${header.alg}`)
  const { clientId, assertionAlgorithm = header.alg } = client
  if (header.alg !== assertionAlgorithm) throw refused(`the client registered ${assertionAlgorithm}`)
  const { iss, sub, aud, jti } = payload
  if (iss !== clientId || sub !== clientId) throw refused('issuer and subject are not the client')
  // One audience as a plain string: a list would let another server's assertion pass for ours.
  if (aud !== settings.issuer && aud !== `${settings.baseUrl}/token`)
    throw refused('it is meant for another server')
  if (typeof jti !== 'string' || jti === '' || jti.length > 256)
    throw refused('it has no ID that could be remembered')
  const expiresAt = checkTimes(payload, deps.now() / 1000)
  const keys = await server.clients.assertionKeys(client, header, report)
  const signed = await Promise.all(keys.map(({ key }) => isSignedBy(key, header.alg, assertion)))
  if (!signed.includes(true)) throw refused('none of the keys of the client made its signature')
  const key = keyOf(clientId, jti)
  const first = await server.assertions.create(key, true, (expiresAt + TOLERANCE_SECONDS) * 1000)
  if (first === undefined) throw refused('it was used before')
}

/** Returns the expiry, in seconds. */
function checkTimes({ exp, nbf, iat }: Readonly<Record<string, unknown>>, now: number): number {
  if (!isTime(exp)) throw refused('it has no expiry')
  if (exp <= now - TOLERANCE_SECONDS) throw refused('it expired')
  if (exp > now + LONGEST_SECONDS + TOLERANCE_SECONDS)
    throw refused(`it lives longer than ${LONGEST_SECONDS} s`)
  for (const time of [nbf, iat]) {
    if (time !== undefined && !(isTime(time) && time <= now + TOLERANCE_SECONDS))
      throw refused('it is from the future')
  }
  return exp
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0
}

function parse(assertion: string): ParsedJws {
  const jws = assertion.length <= LONGEST ? parseJws(assertion) : 'too long'
  if (typeof jws === 'string') throw refused(jws)
  return jws
}

const LONGEST = 8192

function refused(detail: string): OAuthError {
  return new OAuthError('invalid_client', undefined, { detail: `client assertion: ${detail}` })
}
