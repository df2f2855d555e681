// GET or POST /authorize (RFC 6749 3.1): 302 to the client with a code or an error, 302 to a page of ours where a person has to be asked,
// 400 with a page where the client or its address is not known.
import { checkAuthorization, wantsSignIn } from '../authorization-server/authorize.js'
import { grantUnasked, isConsentKnown, refusalTo } from '../authorization-server/consent.js'
import type { Arrival, AuthorizationRequest, Client } from '../authorization-server/records.js'
import type { Report } from '../authorization-server/server.js'
import { beginTransaction } from '../authorization-server/transaction.js'
import { planTrip } from '../authorization-server/trip.js'
import { OAuthError } from '../protocol/errors.js'
import type { AuthRequest, AuthResponse } from '../protocol/message.js'
import { digest } from '../runtime/digest.js'
import type { Route } from '../runtime/route.js'
import { arrivalOf } from './browser.js'
import { readForm } from './form.js'
import { type Interaction, queryOf } from './interaction.js'
import { leave } from './leave.js'
import { messagePage, pageRoute, redirect } from './page-route.js'

export function authorizeRoute(path: string, interaction: Interaction): Route {
  const { server } = interaction
  return pageRoute(path, 'authorize', server, async (request, context) => {
    const parameters = request.method === 'POST' ? readForm(request, context.body) : queryOf(request)
    const checked = await checkAuthorization(parameters, server, context.report)
    if ('page' in checked) {
      const { page, detail } = checked
      context.report({ type: 'authorization.refused', error: page, detail })
      return messagePage(server, page, 400, { detail })
    }
    const refuse = (
      error: OAuthError,
      to: { readonly redirectUri: string; readonly state?: string | undefined },
    ) => {
      const clientId = parameters.get('client_id')
      const detail = error.detail ?? error.description
      context.report({ type: 'authorization.refused', clientId, error: error.code, detail })
      return redirect(request, refusalTo(to, error, server))
    }
    if ('error' in checked) return refuse(checked.error, checked)

    const { client, request: asked } = checked
    const arrival = arrivalOf(request)
    if (server.upstream !== undefined) {
      // Who somebody is, is asked elsewhere, on pages.
      if (asked.prompt === 'none') return refuse(new OAuthError('login_required'), asked)
      return askBrowser(request, interaction, client, asked, arrival, context.report)
    }
    const signedIn = wantsSignIn(asked) ? undefined : await interaction.currentUser(request)
    if (signedIn !== undefined) {
      const { user } = signedIn
      if (await isConsentKnown(client, asked, user, arrival, server)) {
        const granted = { client, request: asked, user, scopes: asked.scopes }
        return redirect(request, await grantUnasked(granted, server, context.report))
      }
    }
    if (asked.prompt === 'none') {
      return refuse(new OAuthError(signedIn === undefined ? 'login_required' : 'consent_required'), asked)
    }
    return askPerson(request, interaction, asked, arrival, signedIn !== undefined)
  })
}

/** Where people sign in elsewhere, they are asked before they go there: by then it knows this app, and not who is behind it. */
async function askBrowser(
  request: AuthRequest,
  interaction: Interaction,
  client: Client,
  asked: AuthorizationRequest,
  arrival: Arrival,
  report: Report,
): Promise<AuthResponse> {
  const { cookies, server } = interaction
  const browser = cookies.nameBrowser(request)
  const transaction = await beginTransaction(asked, browser.id, arrival, server)
  if (await isConsentKnown(client, asked, { browser: digest(browser.id) }, arrival, server)) {
    const plan = planTrip(transaction, asked, { scopes: asked.scopes, asked: false }, server)
    return leave(request, interaction, plan, report, browser.cookies)
  }
  return redirect(request, interaction.urlOf('consent', { transaction }), browser.cookies)
}

/** Puts the request aside and shows a page. */
async function askPerson(
  request: AuthRequest,
  interaction: Interaction,
  asked: AuthorizationRequest,
  arrival: Arrival,
  isSignedIn: boolean,
): Promise<AuthResponse> {
  const { cookies, server } = interaction
  const browser = cookies.nameBrowser(request)
  const transaction = await beginTransaction(asked, browser.id, arrival, server)
  const next = isSignedIn
    ? interaction.urlOf('consent', { transaction })
    : interaction.signInUrl('consent', { transaction })
  return redirect(request, next, browser.cookies)
}
