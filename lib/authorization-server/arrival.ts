// Somebody comes back from the identity provider: what they brought is exchanged once, verified, and becomes what they went for.
import { OAuthError } from '../protocol/errors.js'
import { asking, upstreamOf } from './ask-upstream.js'
import { mayRedirectTo } from './clients.js'
import { decide, decidedBefore, isAgreedBy, refusalTo } from './consent.js'
import type { UpstreamSession } from './kept-upstream.js'
import type { Client, TransactionRecord, User } from './records.js'
import type { AuthorizationServer, Report } from './server.js'
import { type Transaction, decideTransaction, readTransaction } from './transaction.js'
import {
  type Departure,
  type Trip,
  beginTrip,
  callbackUrl,
  claimTrip,
  endTrip,
  openTrip,
  releaseTrip,
} from './trip.js'
import { UpstreamRefusal, type UpstreamTrip } from './upstream.js'

/** What becomes of a browser that came back. */
export type Arrived =
  /** To the client, with a code or an error. */
  | { readonly sendTo: string }
  /** To the page that asks: what was remembered was somebody else's word. */
  | { readonly ask: string }
  /** To the identity provider once more. */
  | { readonly leave: Departure }
  /** It came for its own pages. */
  | { readonly signedIn: User }
  | {
      readonly page:
        | 'expired'
        | 'already_decided'
        | 'unknown_client'
        | 'redirect_uri_mismatch'
        | 'malformed_request'
        | 'sign_in_failed'
      readonly detail?: string | undefined
      readonly continueTo?: string | undefined
    }

/**
 * Lets in whoever came back, once.
 *
 * @param callback the parameters as they came
 * @throws OAuthError `temporarily_unavailable` where the identity provider could not be asked: the same browser may try again
 */
export async function arrive(
  trip: Trip,
  callback: URLSearchParams,
  server: AuthorizationServer,
  report: Report,
): Promise<Arrived> {
  const { purpose, asked = false } = trip.stored.data
  const errand = purpose.kind === 'grant' ? await openErrand(purpose.transaction, server, report) : undefined
  if (errand !== undefined && 'page' in errand) return errand
  const secrets = openTrip(trip, server)
  if (secrets === undefined) return { page: 'expired' }
  const claimed = await claimTrip(trip, server)
  if (claimed === undefined) return { page: 'already_decided' }

  let session: UpstreamSession
  try {
    session = await enter(callback, secrets, server, report)
  } catch (error) {
    if (error instanceof UpstreamRefusal) return turnAway(claimed, errand, error, server, report)
    await releaseTrip(claimed, server)
    throw error
  }
  if (errand === undefined) {
    await endTrip(claimed, server)
    return { signedIn: userOf(session) }
  }
  const { transaction, client } = errand
  const { browser, request } = transaction.stored.data
  if (server.settings.consent === 'remember' && !asked) {
    const isTheirs = await isAgreedBy(session.user.subject, request.clientId, browser, server)
    if (!isTheirs) {
      await endTrip(claimed, server)
      return { ask: transaction.handle }
    }
  }
  const scopes = upstreamOf(server).granted(secrets.scopes, session.tokens, session.user)
  const answer = { allow: true, scopes, asked, upstream: { ...session, agreed: secrets.scopes } }
  const outcome = await decide(transaction, client, userOf(session), answer, server, report)
  await endTrip(claimed, server)
  return 'again' in outcome ? { page: 'already_decided', continueTo: outcome.sendTo } : outcome
}

/** What the person agreed to, and still waits. */
interface Errand {
  readonly transaction: Transaction
  readonly client: Client
}

async function openErrand(
  handle: string,
  server: AuthorizationServer,
  report: Report,
): Promise<Errand | Extract<Arrived, { page: unknown }>> {
  const transaction = await readTransaction(handle, server)
  if (transaction === undefined) return { page: 'expired' }
  const { request, decided }: TransactionRecord = transaction.stored.data
  if (decided !== undefined) {
    return { page: 'already_decided', continueTo: await decidedBefore(request, decided, server) }
  }
  const client = await server.clients.find(request.clientId, report)
  if (client === undefined) return { page: 'unknown_client' }
  // It may have changed its addresses since it asked.
  if (!mayRedirectTo(client, request.redirectUri, server.settings)) return { page: 'redirect_uri_mismatch' }
  return { transaction, client }
}

/** Exchanges what came back, and learns whose it is. */
async function enter(
  callback: URLSearchParams,
  trip: UpstreamTrip,
  server: AuthorizationServer,
  report: Report,
): Promise<UpstreamSession> {
  const upstream = upstreamOf(server)
  const reasons: string[] = []
  const context = {
    report,
    refuse: ({ stage, expected, got }: { stage: string; expected?: string; got?: string }): null => {
      reasons.push(`${stage}: expected ${expected ?? 'something else'}, got ${got ?? 'nothing'}`)
      return null
    },
  }
  return asking(server, report, 'sign_in', async () => {
    const tokens = await upstream.exchange(callback, trip, callbackUrl(server), context)
    const { scopes, resource, nonce } = trip
    try {
      // Now, and not with the first request: whoever cannot be let in is told so while they are looking.
      const user = await upstream.identify(tokens, { scopes, resource, nonce }, undefined, context)
      if (user !== null) return { tokens, user, resource }
    } catch (error) {
      // The code is used up, so that nobody can try again with it.
      const message = error instanceof Error ? error.message : String(error)
      throw new UpstreamRefusal('temporarily_unavailable', `who signed in cannot be verified: ${message}`)
    }
    throw new UpstreamRefusal('access_denied', `the access token was refused: ${reasons.join('; ')}`)
  })
}

/** The identity provider said no: the client is told, in words of ours. */
async function turnAway(
  trip: Trip,
  errand: Errand | undefined,
  refusal: UpstreamRefusal,
  server: AuthorizationServer,
  report: Report,
): Promise<Arrived> {
  const { resource, ...plan } = trip.stored.data
  if (refusal.code === 'invalid_response') {
    // RFC 9207 2.4: garbled, or of somebody else. Ours may still come.
    await releaseTrip(trip, server)
    return {
      page: 'malformed_request',
      detail: 'The identity provider did not write this answer',
    }
  }
  // RFC 8707 2: it does not know the resource; that it is not told one, it may like better.
  const again = refusal.code === 'invalid_target' && resource !== undefined
  const departure = again ? await beginTrip(plan, server, report) : undefined
  await endTrip(trip, server)
  if (departure !== undefined) return { leave: departure }
  const said = TOLD.get(refusal.code) ?? SERVER_ERROR
  if (errand === undefined) return { page: 'sign_in_failed' }
  const { transaction } = errand
  const { request } = transaction.stored.data
  const decision = { allow: false, scopes: [] }
  if (!(await decideTransaction(transaction, decision, server))) return { page: 'already_decided' }
  report({
    type: 'authorization.refused',
    clientId: request.clientId,
    error: said.code,
    detail: refusal.message,
  })
  return { sendTo: refusalTo(request, said, server) }
}

const DENIED = new OAuthError('access_denied', 'The identity provider did not let the user in')
const SERVER_ERROR = new OAuthError('server_error', 'Signing in at the identity provider failed')
const UNAVAILABLE = new OAuthError(
  'temporarily_unavailable',
  'The identity provider cannot be reached right now',
)

/** What a client is told of an error of the identity provider (RFC 6749 4.1.2.1). The rest are mistakes of this app's operator. */
const TOLD: ReadonlyMap<string, OAuthError> = new Map([
  ['access_denied', DENIED],
  ['login_required', DENIED],
  ['consent_required', DENIED],
  ['interaction_required', DENIED],
  ['account_selection_required', DENIED],
  ['invalid_id_token', DENIED],
  ['temporarily_unavailable', UNAVAILABLE],
])

function userOf({ user: { subject, name } }: UpstreamSession): User {
  // Claims stay with the upstream session: they are told by the identity provider, and go into no token of ours.
  return { subject, name }
}
