// GET /consent: who asks for what. POST /consent: 303 to the client with a code or access_denied. 400 for a request that expired or was
// answered before, 403 for a form that is not this browser's.
import { wantsSignIn } from '../authorization-server/authorize.js'
import { mayRedirectTo } from '../authorization-server/clients.js'
import { type Answer, decide, isConsentKnown } from '../authorization-server/consent.js'
import type { AuthorizationRequest, Client } from '../authorization-server/records.js'
import type { AuthorizationServer, Report } from '../authorization-server/server.js'
import { type Transaction, findTransaction } from '../authorization-server/transaction.js'
import { planTrip } from '../authorization-server/trip.js'
import type { ConsentPage, PageScope } from '../pages/page.js'
import type { AuthRequest, AuthResponse } from '../protocol/message.js'
import type { Parameters } from '../protocol/parameters.js'
import { describeRedirect } from '../protocol/redirect-uri.js'
import type { Route } from '../runtime/route.js'
import { describeClient } from './client-for-page.js'
import { digest } from '../runtime/digest.js'
import { type Interaction, type SignedIn, queryOf } from './interaction.js'
import { leave } from './leave.js'
import { messagePage, pageResponse, pageRoute, readOwnForm, redirect } from './page-route.js'
import { pageOf } from './sign-in.js'

export function consentRoute(path: string, interaction: Interaction): Route {
  return pageRoute(path, 'consent', interaction.server, async (request, context) => {
    const form = request.method === 'POST' ? readOwnForm(request, context.body) : undefined
    const handle = (form ?? queryOf(request)).get('transaction')
    const turn = await openTurn(request, handle, interaction, context.report)
    if ('status' in turn) return turn
    return form === undefined
      ? show(request, turn, context.report)
      : take(request, form, turn, context.report)
  })
}

/** Everything that a decision needs. */
interface Turn {
  readonly interaction: Interaction
  readonly transaction: Transaction
  readonly browserId: string
  readonly client: Client
  /** Undefined where people sign in elsewhere, after they have decided. */
  readonly signedIn: SignedIn | undefined
}

/** Finds what is to be decided, and by whom; or the answer where that cannot be. */
async function openTurn(
  request: AuthRequest,
  handle: string | undefined,
  interaction: Interaction,
  report: Report,
): Promise<Turn | AuthResponse> {
  const { server, cookies } = interaction
  const browserId = cookies.browserOf(request)
  const transaction = await findTransaction(handle, browserId, server)
  if (transaction === 'expired') return messagePage(server, 'expired', 400)
  if (transaction === 'other_browser' || browserId === undefined)
    return messagePage(server, 'other_browser', 403)
  const asked = transaction.stored.data.request
  const isElsewhere = server.upstream !== undefined
  const signedIn = isElsewhere ? undefined : await interaction.currentUser(request)
  if (!isElsewhere && (signedIn === undefined || isStale(signedIn, transaction))) {
    return redirect(request, interaction.signInUrl('consent', { transaction: transaction.handle }))
  }
  const client = await server.clients.find(asked.clientId, report)
  if (client === undefined) return messagePage(server, 'unknown_client', 400)
  // It may have changed its addresses since it asked.
  if (!mayRedirectTo(client, asked.redirectUri, server.settings)) {
    return messagePage(server, 'redirect_uri_mismatch', 400)
  }
  return { interaction, transaction, browserId, client, signedIn }
}

/** `prompt=login` wants a sign-in that came after it. The app's own sign-in page was shown, and says no more. */
function isStale({ at }: SignedIn, { stored }: Transaction): boolean {
  return wantsSignIn(stored.data.request) && at !== undefined && at < stored.data.startedAt
}

async function show(request: AuthRequest, turn: Turn, report: Report): Promise<AuthResponse> {
  const { interaction, transaction, browserId, client, signedIn } = turn
  const { server, cookies, signIn } = interaction
  const { settings } = server
  const { request: asked, arrival, decided } = transaction.stored.data
  if (decided !== undefined) return messagePage(server, 'already_decided', 400)
  const whose = signedIn?.user ?? { browser: digest(browserId) }
  if (await isConsentKnown(client, asked, whose, arrival, server)) {
    return settle(request, turn, { allow: true, scopes: asked.scopes, asked: false }, report)
  }
  const page: ConsentPage = {
    kind: 'consent',
    action: interaction.urlOf('consent'),
    hidden: {
      transaction: transaction.handle,
      csrf: cookies.formCode(browserId, pageOf(transaction.handle)),
      ...(signedIn !== undefined && { user: userCode(transaction, signedIn, server) }),
    },
    client: describeClient(client),
    redirect: describeRedirect(asked.redirectUri),
    scopes: scopesFor(asked, settings.requiredScopes),
    user: signedIn && { subject: signedIn.user.subject, name: signedIn.user.name },
    identityProvider: server.upstream?.name,
    signOutAction: 'verifyCredentials' in signIn ? interaction.urlOf('sign-out') : undefined,
    resource: settings.resource,
    resourceName: settings.resourceName,
  }
  return pageResponse(server, page, 200)
}

async function take(
  request: AuthRequest,
  form: Parameters,
  turn: Turn,
  report: Report,
): Promise<AuthResponse> {
  const { interaction, transaction, browserId, signedIn } = turn
  const { server, cookies } = interaction
  if (!cookies.isOurForm(request, browserId, pageOf(transaction.handle), form.get('csrf'))) {
    return messagePage(server, 'forged', 403)
  }
  const code = form.get('user') ?? ''
  if (signedIn !== undefined && !server.keys.isMac('browser', userStands(transaction, signedIn), code))
    return messagePage(server, 'other_user', 400)
  const decision = form.get('decision')
  if (decision !== 'allow' && decision !== 'deny') {
    return messagePage(server, 'malformed_request', 400, { detail: '"decision" must be allow or deny' })
  }
  const scopes = scopesFor(transaction.stored.data.request, server.settings.requiredScopes)
    .filter(({ field }) => field === undefined || form.get(field) === 'on')
    .map(({ scope }) => scope)
  return settle(request, turn, { allow: decision === 'allow', scopes, asked: true }, report)
}

async function settle(
  request: AuthRequest,
  { interaction, transaction, client, signedIn }: Turn,
  answer: Answer,
  report: Report,
): Promise<AuthResponse> {
  const { server } = interaction
  const { request: asked, decided } = transaction.stored.data
  if (answer.allow && server.upstream !== undefined && decided === undefined) {
    return leave(request, interaction, planTrip(transaction.handle, asked, answer, server), report)
  }
  const outcome = await decide(transaction, client, signedIn?.user, answer, server, report)
  if ('again' in outcome) return messagePage(server, 'already_decided', 400, { continueTo: outcome.sendTo })
  return redirect(request, outcome.sendTo)
}

/** What every request needs cannot be left out: the tokens would be refused. */
function scopesFor({ scopes }: AuthorizationRequest, required: readonly string[]): PageScope[] {
  return scopes.map((scope, index) => ({
    scope,
    field: required.includes(scope) ? undefined : `scope-${index}`,
  }))
}

/** Vouches for who the page was shown to, since somebody else may sign in beside it. */
function userCode(transaction: Transaction, signedIn: SignedIn, { keys }: AuthorizationServer): string {
  return keys.mac('browser', userStands(transaction, signedIn))
}

function userStands({ handle }: Transaction, { user }: SignedIn): string {
  return JSON.stringify(['user', handle, user.subject])
}
