// GET /.well-known/jwks.json (RFC 7517 5): 200 with the keys that verify our access tokens.
import type { AuthorizationServer } from '../authorization-server/server.js'
import type { Route } from '../runtime/route.js'
import { json } from './respond.js'

export function jwksRoute(path: string, { keys }: AuthorizationServer): Route {
  const answer = json(200, { keys: keys.published }, { 'Cache-Control': 'public, max-age=300' })
  return { path, methods: ['GET'], handle: () => answer }
}
