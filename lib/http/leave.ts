// The browser leaves for the identity provider, with a cookie by which it is known when it comes back.
import type { Report } from '../authorization-server/server.js'
import { type Departure, type TripPlan, beginTrip } from '../authorization-server/trip.js'
import type { AuthRequest, AuthResponse } from '../protocol/message.js'
import type { Interaction } from './interaction.js'
import { redirect } from './page-route.js'

/** Begins a trip, and sends the browser on it. */
export async function leave(
  request: AuthRequest,
  interaction: Interaction,
  plan: TripPlan,
  report: Report,
  cookies: readonly string[] = [],
): Promise<AuthResponse> {
  return depart(request, interaction, await beginTrip(plan, interaction.server, report), cookies)
}

/** Sends the browser on a trip that has begun. */
export function depart(
  request: AuthRequest,
  interaction: Interaction,
  { state, url }: Departure,
  cookies: readonly string[] = [],
): AuthResponse {
  return redirect(request, url, [...cookies, ...interaction.cookies.tripCookies(request, state)])
}
