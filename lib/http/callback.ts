// GET /auth/callback, the redirect URI at the identity provider: 302 to the client with a code or an error (RFC 6749 4.1.2), 302 to
// /connections, 400 for what is unknown, over or garbled, 403 for a browser that did not leave from here, 503 where it may try again.
import { type Arrived, arrive } from '../authorization-server/arrival.js'
import { findTrip } from '../authorization-server/trip.js'
import type { AuthRequest, AuthResponse } from '../protocol/message.js'
import { refuseRepeats } from '../protocol/parameters.js'
import type { Route } from '../runtime/route.js'
import { type Interaction, queryOf, searchOf } from './interaction.js'
import { depart } from './leave.js'
import { messagePage, pageRoute, redirect } from './page-route.js'
import { methodNotAllowed } from './respond.js'

export function callbackRoute(path: string, interaction: Interaction): Route {
  const { server, cookies } = interaction
  const route = pageRoute(path, 'callback', server, async (request, { report }) => {
    // RFC 9110 9.3.2: whoever only looks changes nothing, and a code is good once.
    if (request.method === 'HEAD') return methodNotAllowed(['GET', 'OPTIONS'])
    const parameters = queryOf(request)
    refuseRepeats(parameters)
    // Before anything else that is said: whoever does not know the state has nothing to say.
    const trip = await findTrip(parameters.get('state'), server)
    if (trip === undefined) return messagePage(server, 'expired', 400)
    if (!cookies.isOnTrip(request, trip.state)) return messagePage(server, 'other_browser', 403)
    const arrived = await arrive(trip, searchOf(request), server, report)
    const answer = await answerTo(request, arrived, interaction)
    // While there is something to go on with, perhaps in another tab, it is needed.
    return 'page' in arrived ? answer : withCookie(answer, cookies.endedTripCookie(trip.state))
  })
  return { ...route, methods: ['GET'] }
}

async function answerTo(
  request: AuthRequest,
  arrived: Arrived,
  interaction: Interaction,
): Promise<AuthResponse> {
  if ('sendTo' in arrived) return redirect(request, arrived.sendTo)
  if ('ask' in arrived) {
    return redirect(request, interaction.urlOf('consent', { transaction: arrived.ask }))
  }
  if ('leave' in arrived) return depart(request, interaction, arrived.leave)
  if ('page' in arrived) {
    const { page, detail, continueTo } = arrived
    return messagePage(interaction.server, page, 400, { detail, continueTo })
  }
  await interaction.endSession(request)
  const session = await interaction.beginSession(arrived.signedIn)
  return redirect(request, interaction.urlOf('connections'), [session])
}

function withCookie(answer: AuthResponse, cookie: string): AuthResponse {
  const set = answer.headers['Set-Cookie'] ?? []
  return {
    ...answer,
    headers: { ...answer.headers, 'Set-Cookie': [...(typeof set === 'string' ? [set] : set), cookie] },
  }
}
