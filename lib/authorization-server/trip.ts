// A browser's way to the identity provider and back: begun only once a person has agreed, bound to that browser, and finished once
// (RFC 6749 10.12, RFC 9700 4.7, MCP "confused deputy").
import type { Stored } from '../stores/collection.js'
import { asking, upstreamOf } from './ask-upstream.js'
import { keyOf } from './clients.js'
import type { AuthorizationRequest, TripRecord } from './records.js'
import type { AuthorizationServer, Report } from './server.js'
import type { UpstreamTrip } from './upstream.js'

/** A trip as it was read. */
export interface Trip {
  readonly state: string
  readonly stored: Stored<TripRecord>
}

/** What a browser is sent there for. */
export type TripPlan = Pick<TripRecord, 'purpose' | 'asked' | 'scopes' | 'resource' | 'prompt'>

/** The trip that an authorization request needs, with what a person agreed to. */
export function planTrip(
  transaction: string,
  { prompt, namesResource }: AuthorizationRequest,
  { scopes, asked }: Pick<TripPlan, 'scopes' | 'asked'>,
  server: AuthorizationServer,
): TripPlan {
  const tellsResource = namesResource === true && upstreamOf(server).forwardsResource
  return {
    purpose: { kind: 'grant', transaction },
    asked,
    scopes,
    resource: tellsResource ? server.settings.resource : undefined,
    prompt: prompt === 'login' || prompt === 'select_account' ? prompt : undefined,
  }
}

/** Where a browser is sent, and the state by which it is known again. */
export interface Departure {
  readonly state: string
  readonly url: string
}

/** Begins a trip. Nothing is written where the identity provider cannot be reached. */
export async function beginTrip(
  plan: TripPlan,
  server: AuthorizationServer,
  report: Report,
): Promise<Departure> {
  const { deps, settings, trips, transactions } = server
  const { purpose, asked, scopes, resource, prompt } = plan
  const state = deps.randomId()
  // RFC 7636 4.1: at least 43 letters; a random of its own, which stands in no URL.
  const secrets = { verifier: deps.randomId() + deps.randomId(), nonce: deps.randomId() }
  const upstream = upstreamOf(server)
  const url = await asking(server, report, 'sign_in', () =>
    upstream.authorizationUrl({ state, ...secrets, scopes, resource, prompt }, callbackUrl(server)),
  )
  const sealed = server.keys.sealer.seal(placeOf(state), JSON.stringify(secrets))
  const until = deps.now() + settings.transactionSeconds * 1000
  await trips.put(keyOf(state), { purpose, asked, sealed, scopes, resource, prompt }, until)
  if (purpose.kind === 'grant') {
    // It has as long again, from here: people look for their passwords.
    const key = keyOf(purpose.transaction)
    const waiting = await transactions.get(key)
    if (waiting !== undefined) await transactions.replace(key, waiting, waiting.data, until)
  }
  return { state, url }
}

/** The redirect URI that is registered at the identity provider. */
export function callbackUrl(server: AuthorizationServer): string {
  return `${server.settings.baseUrl}${upstreamOf(server).callbackPath}`
}

/** Finds a trip by what came back. */
export async function findTrip(
  state: string | undefined,
  server: AuthorizationServer,
): Promise<Trip | undefined> {
  const stored = state === undefined ? undefined : await server.trips.get(keyOf(state))
  return state === undefined || stored === undefined ? undefined : { state, stored }
}

/** What the request to the identity provider was bound to; undefined where no secret of ours opens it any more. */
export function openTrip({ state, stored }: Trip, server: AuthorizationServer): UpstreamTrip | undefined {
  const secrets = server.keys.sealer.open(placeOf(state), stored.data.sealed)
  if (secrets === undefined) return undefined
  const { scopes, resource, prompt } = stored.data
  return {
    state,
    ...(JSON.parse(secrets) as Pick<UpstreamTrip, 'verifier' | 'nonce'>),
    scopes,
    resource,
    prompt,
  }
}

/** Longer than letting somebody in can take, and by what clocks of replicas may differ, so that it ends only where the process did. */
const CLAIM_MILLISECONDS = 150_000

/** Makes sure that nobody else finishes the trip meanwhile. Undefined where somebody does, or did. */
export async function claimTrip(
  { state, stored }: Trip,
  server: AuthorizationServer,
): Promise<Trip | undefined> {
  const now = server.deps.now()
  if ((stored.data.claimedUntil ?? 0) > now) return undefined
  const claimed = { ...stored.data, claimedUntil: now + CLAIM_MILLISECONDS }
  const written = await server.trips.replace(keyOf(state), stored, claimed)
  return written && { state, stored: written }
}

/** Lets the same browser try again, with what it brought back. */
export async function releaseTrip({ state, stored }: Trip, server: AuthorizationServer): Promise<void> {
  await server.trips.replace(keyOf(state), stored, { ...stored.data, claimedUntil: undefined })
}

/** Ends a trip: what came back is of no more use. */
export async function endTrip({ state }: Trip, server: AuthorizationServer): Promise<void> {
  await server.trips.remove(keyOf(state))
}

function placeOf(state: string): string {
  return `trip ${state}`
}
