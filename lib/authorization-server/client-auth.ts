// RFC 6749 2.3 and 3.2.1, RFC 7523 2.2: who calls the token endpoint. One method a request, and only one the client registered for.
import { timingSafeEqual } from 'node:crypto'
import { OAuthError } from '../protocol/errors.js'
import type { Parameters } from '../protocol/parameters.js'
import { digest } from '../runtime/digest.js'
import { ASSERTION_TYPE, checkAssertion, subjectOf } from './client-assertion.js'
import type { Client, ClientAuthMethod } from './records.js'
import type { AuthorizationServer, Report } from './server.js'

/** What a request shows to prove who it comes from. */
interface Credentials {
  readonly clientId: string
  readonly method: ClientAuthMethod
  /** Secret or assertion. */
  readonly proof: string
  /** A secret as it came: many clients leave out the encoding that RFC 6749 2.3.1 wants. */
  readonly unencoded?: string
}

/**
 * The client that a request comes from.
 *
 * @throws OAuthError `invalid_client`, in the same words whatever was wrong; why is for events
 */
export async function authenticateClient(
  authorization: string | undefined,
  parameters: Parameters,
  server: AuthorizationServer,
  report: Report,
): Promise<Client> {
  const credentials = readCredentials(authorization, parameters)
  const client = await server.clients.find(credentials.clientId, report)
  const { method, proof, unencoded = proof } = credentials
  // A client that does not exist costs the same work as a wrong secret, and gets the same answer.
  const expected = client?.secretDigest ?? NOBODY
  const isSecret = method === 'client_secret_basic' || method === 'client_secret_post'
  const proven = !isSecret || [proof, unencoded].map((secret) => isSecretOf(secret, expected)).includes(true)
  if (client === undefined) throw refused(`there is no client ${credentials.clientId.slice(0, 200)}`)
  if (!client.authMethods.includes(method))
    throw refused(`${method} is not how this client registered`, client)
  if (!proven) throw refused('the secret is wrong', client)
  if (method === 'private_key_jwt') await checkAssertion(proof, client, server, report)
  return client
}

const NOBODY = digest('')

function isSecretOf(secret: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(digest(secret)), Buffer.from(expected))
}

/** Exactly one of: Basic, secret in the body, assertion, or the bare ID of a public client. */
function readCredentials(authorization: string | undefined, parameters: Parameters): Credentials {
  const clientId = parameters.get('client_id')
  const secret = parameters.get('client_secret')
  const assertion = parameters.get('client_assertion')
  const shown = [authorization, secret, assertion].filter((credential) => credential !== undefined)
  if (shown.length > 1) throw refused('more than one way to authenticate')
  if (authorization !== undefined) return sameClient(readBasic(authorization), clientId)
  if (assertion !== undefined) {
    const type = parameters.get('client_assertion_type')
    if (type !== ASSERTION_TYPE) throw refused('the type of the assertion is not known')
    return sameClient(
      { clientId: subjectOf(assertion), method: 'private_key_jwt', proof: assertion },
      clientId,
    )
  }
  if (clientId === undefined) throw refused('no client is named')
  return secret === undefined
    ? { clientId, method: 'none', proof: '' }
    : { clientId, method: 'client_secret_post', proof: secret }
}

function sameClient(credentials: Credentials, stated: string | undefined): Credentials {
  if (stated !== undefined && stated !== credentials.clientId)
    throw refused('two different clients are named')
  return credentials
}

/** RFC 6749 2.3.1: ID and secret are form-encoded before they are joined. */
function readBasic(authorization: string): Credentials {
  const [, encoded] = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization) ?? []
  if (encoded === undefined) throw refused('the Authorization header is not Basic')
  const text = decodeUtf8(Buffer.from(encoded, 'base64'))
  const colon = text?.indexOf(':') ?? -1
  if (text === undefined || colon === -1) throw refused('the Basic credentials are malformed')
  const clientId = decodeForm(text.slice(0, colon))
  if (clientId === undefined) throw refused('the Basic credentials are not form-encoded')
  const unencoded = text.slice(colon + 1)
  return { clientId, method: 'client_secret_basic', proof: decodeForm(unencoded) ?? unencoded, unencoded }
}

function decodeUtf8(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8')
  return Buffer.from(text).equals(bytes) ? text : undefined
}

function decodeForm(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/** @param client named where it is known, for events */
function refused(detail: string, client?: Client): OAuthError {
  const whom = client === undefined ? '' : `${client.clientId}: `
  return new OAuthError('invalid_client', undefined, { detail: `${whom}${detail}` })
}
