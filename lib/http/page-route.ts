// Pages for people: whatever goes wrong is a page too, in words that say what to do.
import type { AuthorizationServer } from '../authorization-server/server.js'
import { OAuthError } from '../protocol/errors.js'
import type { AuthRequest, AuthResponse } from '../protocol/message.js'
import { type Parameters, refuseRepeats } from '../protocol/parameters.js'
import type { MessagePage, Page } from '../pages/page.js'
import type { Route, RouteBody, RouteContext } from '../runtime/route.js'
import { MAX_BODY_BYTES } from './endpoint.js'
import { readForm } from './form.js'
import { retryAfter } from './respond.js'
import { describeThrown } from './verdicts.js'

/** A route that answers with pages. `name` is that of its rate limit. */
export function pageRoute(
  path: string,
  name: string,
  server: AuthorizationServer,
  handle: (request: AuthRequest, context: RouteContext) => Promise<AuthResponse>,
): Route {
  return {
    path,
    methods: ['GET', 'POST'],
    // RFC 9700 2.6: no other origin reads what is shown to a person.
    cors: false,
    limited: name,
    maxBodyBytes: MAX_BODY_BYTES,
    tooMany: () => messagePage(server, 'too_many_requests', 429),
    async handle(request, context) {
      try {
        return await handle(request, context)
      } catch (error) {
        if (error instanceof OAuthError && error.status < 500) {
          return messagePage(server, 'malformed_request', error.status, { detail: error.description })
        }
        const path = (request.url ?? '').split('?', 1)[0] as string
        const method = request.method ?? 'GET'
        context.report({ type: 'request.failed', method, path, message: describeThrown(error) })
        const page = messagePage(server, 'unavailable', 503)
        const wait = retryAfter(error instanceof OAuthError ? error : {})
        return { ...page, headers: { ...page.headers, 'Retry-After': wait } }
      }
    },
  }
}

/**
 * What a form of ours holds, which names everything once.
 *
 * @throws OAuthError `invalid_request`
 */
export function readOwnForm(request: AuthRequest, body: RouteBody): Parameters {
  const form = readForm(request, body)
  refuseRepeats(form)
  return form
}

/** A page as an answer. */
export function pageResponse(
  { pages }: AuthorizationServer,
  page: Page,
  status: number,
  cookies: readonly string[] = [],
): AuthResponse {
  const { html, headers } = pages.render(page)
  return { status, headers: { ...headers, ...setCookies(cookies) }, body: html }
}

/** A page that says what went wrong. */
export function messagePage(
  server: AuthorizationServer,
  message: MessagePage['message'],
  status: number,
  more: Pick<MessagePage, 'detail' | 'continueTo'> = {},
  cookies: readonly string[] = [],
): AuthResponse {
  return pageResponse(server, { kind: 'message', status, message, ...more }, status, cookies)
}

/** Sends the browser on: 303 after a form, so that nothing of it is sent along (RFC 9700 4.12). */
export function redirect(
  request: AuthRequest,
  location: string,
  cookies: readonly string[] = [],
): AuthResponse {
  const headers = { Location: location, 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' }
  return { status: request.method === 'POST' ? 303 : 302, headers: { ...headers, ...setCookies(cookies) } }
}

function setCookies(cookies: readonly string[]): { 'Set-Cookie'?: readonly string[] } {
  return cookies.length === 0 ? {} : { 'Set-Cookie': cookies }
}
