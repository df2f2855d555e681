// POST /register (RFC 7591 3): 201 with the client, 400 with what cannot be registered, 401 without the initial access token, 429.
import { mayRegister, registerClient } from '../authorization-server/register.js'
import type { AuthorizationServer, RegistrationSettings } from '../authorization-server/server.js'
import { readBearer } from '../protocol/bearer.js'
import { OAuthError } from '../protocol/errors.js'
import type { Route } from '../runtime/route.js'
import { MAX_BODY_BYTES } from './endpoint.js'
import { readJson } from './form.js'
import { NEVER_STORED, json } from './respond.js'

export function registerRoute(
  path: string,
  server: AuthorizationServer,
  settings: RegistrationSettings,
): Route {
  return {
    path,
    methods: ['POST'],
    limited: 'register',
    maxBodyBytes: MAX_BODY_BYTES,
    async handle(request, context) {
      const token = readBearer(request)
      if (!mayRegister(typeof token === 'string' ? token : undefined, settings)) {
        return json(401, NO_TOKEN, { ...NEVER_STORED, 'WWW-Authenticate': 'Bearer realm="register"' })
      }
      try {
        const answer = await registerClient(readJson(request, context.body), server, context.report)
        return json(201, answer, NEVER_STORED)
      } catch (error) {
        if (error instanceof OAuthError && error.code === 'invalid_request' && error.status === 400) {
          // RFC 7591 3.2.2 has its own word for it.
          throw new OAuthError('invalid_client_metadata', error.description)
        }
        throw error
      }
    },
  }
}

const NO_TOKEN = {
  error: 'invalid_token',
  error_description: 'Registration needs the initial access token, as "Authorization: Bearer <token>"',
}
