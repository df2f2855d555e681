// GET /connections: which clients act for a user. POST /connections: 303 to the page again, and one of them no longer does.
import { disconnect, listConnections } from '../authorization-server/connections.js'
import type { Client } from '../authorization-server/records.js'
import type { AuthorizationServer, Report } from '../authorization-server/server.js'
import type { ConnectionsPage, PageConnection } from '../pages/page.js'
import { OAuthError } from '../protocol/errors.js'
import type { AuthRequest, AuthResponse } from '../protocol/message.js'
import type { Parameters } from '../protocol/parameters.js'
import type { Route } from '../runtime/route.js'
import { describeClient } from './client-for-page.js'
import { type Interaction, type SignedIn, queryOf } from './interaction.js'
import { messagePage, pageResponse, pageRoute, readOwnForm, redirect } from './page-route.js'
import { pageOf } from './sign-in.js'

export function connectionsRoute(path: string, interaction: Interaction): Route {
  return pageRoute(path, 'connections', interaction.server, async (request, context) => {
    const signedIn = await interaction.currentUser(request)
    if (signedIn === undefined) return redirect(request, interaction.signInUrl('connections'))
    return request.method === 'POST'
      ? take(request, readOwnForm(request, context.body), signedIn, interaction, context.report)
      : show(request, signedIn, interaction, context.report)
  })
}

async function show(
  request: AuthRequest,
  { user }: SignedIn,
  interaction: Interaction,
  report: Report,
): Promise<AuthResponse> {
  const { cookies, server, signIn } = interaction
  const browser = cookies.nameBrowser(request)
  const csrf = cookies.formCode(browser.id, pageOf(undefined))
  const revoked = queryOf(request).get('revoked')
  const connections = await connectionsOf(user.subject, csrf, interaction, report)
  // Anybody can write such a link: it says nothing of a client that is still connected.
  const isOver = revoked !== undefined && !connections.some(({ client }) => client.clientId === revoked)
  const page: ConnectionsPage = {
    kind: 'connections',
    action: interaction.urlOf('connections'),
    user: { subject: user.subject, name: user.name },
    connections,
    revoked: isOver ? await nameOf(revoked, interaction, report) : undefined,
    signOut:
      'currentUser' in signIn ? undefined : { action: interaction.urlOf('sign-out'), hidden: { csrf } },
  }
  return pageResponse(server, page, 200, browser.cookies)
}

/** One entry a client, however often it was signed in to. */
async function connectionsOf(
  subject: string,
  csrf: string,
  { server }: Interaction,
  report: Report,
): Promise<PageConnection[]> {
  const byClient = new Map<string, { since: number; scopes: Set<string> }>()
  for (const { clientId, since, scopes } of await listConnections(subject, server)) {
    const entry = byClient.get(clientId)
    if (entry === undefined) byClient.set(clientId, { since, scopes: new Set(scopes) })
    else {
      entry.since = Math.min(entry.since, since)
      for (const scope of scopes) entry.scopes.add(scope)
    }
  }
  return Promise.all(
    [...byClient].map(async ([clientId, { since, scopes }]) => {
      const client = await clientOf(clientId, server, report)
      return {
        client: client === undefined ? { clientId, configured: false } : describeClient(client),
        scopes: [...scopes].map((scope) => ({ scope })),
        since,
        hidden: { client: clientId, csrf },
      }
    }),
  )
}

/** What cannot be asked for just now has no name: nobody is kept from ending it by that. */
async function clientOf(
  clientId: string,
  server: AuthorizationServer,
  report: Report,
): Promise<Client | undefined> {
  try {
    return await server.clients.find(clientId, report)
  } catch (error) {
    if (error instanceof OAuthError) return undefined
    throw error
  }
}

async function nameOf(
  clientId: string,
  { server }: Interaction,
  report: Report,
): Promise<string | undefined> {
  const client = await clientOf(clientId, server, report)
  return client && (client.name ?? client.clientId)
}

async function take(
  request: AuthRequest,
  form: Parameters,
  { user }: SignedIn,
  interaction: Interaction,
  report: Report,
): Promise<AuthResponse> {
  const { cookies, server } = interaction
  if (!cookies.isOurForm(request, cookies.browserOf(request), pageOf(undefined), form.get('csrf'))) {
    return messagePage(server, 'forged', 403)
  }
  const clientId = form.get('client')
  if (clientId === undefined)
    return messagePage(server, 'malformed_request', 400, { detail: '"client" is missing' })
  await disconnect(user.subject, clientId, server, report)
  return redirect(request, interaction.urlOf('connections', { revoked: clientId }))
}
