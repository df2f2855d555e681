// Whether a person has to be asked, and what they answered.
import { buildAuthorizationResponse } from '../protocol/authorization-response.js'
import { plainText } from '../protocol/challenge.js'
import { OAuthError } from '../protocol/errors.js'
import { describeRedirect } from '../protocol/redirect-uri.js'
import { missingScopes } from '../protocol/scopes.js'
import { wantsSignIn } from './authorize.js'
import { keyOf } from './clients.js'
import { type Granted, beginGrant } from './begin-grant.js'
import { codeOf } from './handles.js'
import type { UpstreamSession } from './kept-upstream.js'
import type { Arrival, AuthorizationRequest, Client, Decision, RememberedRecord, User } from './records.js'
import type { AuthorizationServer, Report } from './server.js'
import { type Transaction, decideTransaction } from './transaction.js'

/** Who decides: a user, or before anybody knows whose it is, a browser. */
export type Whose = { readonly subject: string } | { readonly browser: string }

/** Whether a request may be granted without asking. Where another site sent the browser, nobody has seen who asks. */
export async function isConsentKnown(
  client: Client,
  request: AuthorizationRequest,
  whose: Whose,
  arrival: Arrival,
  server: AuthorizationServer,
): Promise<boolean> {
  const { consent, isLocal } = server.settings
  if (consent === 'external') return true
  if (request.prompt === 'consent') return false
  if (consent === 'never') {
    if (client.origin === 'configured') return true
    // A client that nobody configured may be any web page: what it asks for unseen must stay on this machine.
    const stays = arrival !== 'other_site' || describeRedirect(request.redirectUri).kind === 'loopback'
    return isLocal && stays
  }
  if (consent === 'always' || arrival !== 'user') return false
  // Whoever signs in as somebody else has agreed to nothing yet.
  if ('browser' in whose && wantsSignIn(request)) return false
  const remembered = await server.remembered.get(rememberedKey(whose, client.clientId))
  if (remembered === undefined) return false
  const { redirectUri, scopes, grantId } = remembered.data
  const isSame = redirectUri === request.redirectUri && missingScopes(scopes, request.scopes).length === 0
  // What a browser agreed to holds for as long as what came of it: whoever disconnected the client is asked again.
  return isSame && (grantId === undefined || (await server.grants.get(grantId)) !== undefined)
}

/** Whether what a browser is remembered for was agreed to by the user who signed in now. If not, it is forgotten. */
export async function isAgreedBy(
  subject: string,
  clientId: string,
  browser: string,
  server: AuthorizationServer,
): Promise<boolean> {
  const key = rememberedKey({ browser }, clientId)
  const remembered = await server.remembered.get(key)
  const grantId = remembered?.data.grantId
  const grant = grantId === undefined ? undefined : await server.grants.get(grantId)
  if (grant?.data.subject === subject) return true
  await server.remembered.remove(key)
  return false
}

function rememberedKey(whose: Whose, clientId: string): string {
  return 'subject' in whose ? keyOf(whose.subject, clientId) : keyOf('browser', whose.browser, clientId)
}

/** Grants without asking, and says where to send the browser. */
export async function grantUnasked(
  granted: Granted,
  server: AuthorizationServer,
  report: Report,
): Promise<string> {
  const code = await beginGrant(granted, server.deps.randomId(), server, report)
  tellGranted(granted, false, report)
  return answerTo(granted.request, { code }, server)
}

/** What became of a decision. */
export type Outcome =
  | { readonly sendTo: string }
  /** It was decided before. `sendTo` where the same person decided the same just now, as a form that is sent twice does. */
  | { readonly again: true; readonly sendTo: string | undefined }

/** What is to be carried out. */
export interface Answer {
  readonly allow: boolean
  readonly scopes: readonly string[]
  /** Whether a person was asked just now, and did not decide before. */
  readonly asked: boolean
  /** What the identity provider gave, where there is one; it may have granted less than the person agreed to. */
  readonly upstream?: (UpstreamSession & { readonly agreed: readonly string[] }) | undefined
}

/** Carries out what a person decided, once. */
export async function decide(
  transaction: Transaction,
  client: Client,
  user: User | undefined,
  answer: Answer,
  server: AuthorizationServer,
  report: Report,
): Promise<Outcome> {
  const { request, decided, browser } = transaction.stored.data
  const { allow, scopes, asked, upstream } = answer
  const decision: Decision = {
    subject: user?.subject,
    allow,
    scopes,
    grantId: allow && user !== undefined ? server.deps.randomId() : undefined,
  }
  if (decided !== undefined) return repeated(request, decided, decision, server)
  const { grantId } = decision
  const granted = user && { client, request, user, scopes, upstream }
  const begun = granted !== undefined && grantId !== undefined ? { ...granted, grantId } : undefined
  // The grant first: whoever reads a decision then finds the grant that came of it, or knows that it has ended.
  const code = begun && (await beginGrant(begun, begun.grantId, server, report))
  if (!(await decideTransaction(transaction, decision, server))) {
    if (grantId !== undefined) await server.grants.remove(grantId)
    const faster = await server.transactions.get(keyOf(transaction.handle))
    return repeated(request, faster?.data.decided, decision, server)
  }
  if (begun === undefined || code === undefined) {
    report({ type: 'authorization.denied', clientId: client.clientId, subject: user?.subject })
    return { sendTo: refusalTo(request, new OAuthError('access_denied'), server) }
  }
  tellGranted(begun, asked, report)
  if (server.settings.consent === 'remember') {
    await (upstream === undefined
      ? remember({ subject: begun.user.subject }, begun, server)
      : remember({ browser }, { ...begun, scopes: upstream.agreed }, server, begun.grantId))
  }
  return { sendTo: answerTo(request, { code }, server) }
}

/** A button pressed twice: the browser dropped the first answer, so the person would be stuck without this one. */
async function repeated(
  request: AuthorizationRequest,
  decided: Decision | undefined,
  decision: Decision,
  server: AuthorizationServer,
): Promise<Outcome> {
  if (
    decided === undefined ||
    decided.subject !== decision.subject ||
    decided.allow !== decision.allow ||
    decided.scopes.join(' ') !== decision.scopes.join(' ')
  )
    return { again: true, sendTo: undefined }
  return { again: true, sendTo: await decidedBefore(request, decided, server) }
}

/** Where the browser goes on that decided this before; undefined where the client has had its answer. */
export async function decidedBefore(
  request: AuthorizationRequest,
  { grantId }: Decision,
  server: AuthorizationServer,
): Promise<string | undefined> {
  if (grantId === undefined) return refusalTo(request, new OAuthError('access_denied'), server)
  // A code that was used must not reach the client again: to use it twice ends the grant.
  const grant = await server.grants.get(grantId)
  return grant?.data.waits === true
    ? answerTo(request, { code: codeOf(server.keys, grantId) }, server)
    : undefined
}

/** Remembered as long as a grant lives that nobody uses. */
async function remember(
  whose: Whose,
  { request, scopes }: Granted,
  server: AuthorizationServer,
  grantId?: string,
): Promise<void> {
  const { clientId, redirectUri } = request
  const record: RememberedRecord = { redirectUri, scopes, grantId }
  const until = server.deps.now() + server.settings.refreshTokenSeconds * 1000
  await server.remembered.put(rememberedKey(whose, clientId), record, until)
}

function tellGranted({ client, user, scopes }: Granted, asked: boolean, report: Report): void {
  report({ type: 'authorization.granted', clientId: client.clientId, subject: user.subject, scopes, asked })
}

/** RFC 6749 4.1.2 with RFC 9207 2. */
function answerTo(
  { redirectUri, state }: AuthorizationRequest,
  { code }: { readonly code: string },
  { settings }: AuthorizationServer,
): string {
  return buildAuthorizationResponse(redirectUri, { code, state, iss: settings.issuer })
}

/** RFC 6749 4.1.2.1 with RFC 9207 2. */
export function refusalTo(
  { redirectUri, state }: { readonly redirectUri: string; readonly state?: string | undefined },
  error: OAuthError,
  { settings }: AuthorizationServer,
): string {
  const { code, description } = error
  const said = { error: code, error_description: plainText(description), state, iss: settings.issuer }
  return buildAuthorizationResponse(redirectUri, said)
}
