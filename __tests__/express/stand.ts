// What the tests of this folder share: a provider, its one token, and apps that are closed after each test.
import { afterEach } from '@jest/globals'
import {
  type AuthHandler,
  type AuthProvider,
  type McpAuthOptions,
  type ProviderLike,
  RemoteAuthProvider,
  StaticTokenVerifier,
} from 'express-mcp-auth'
import { type Handler, type Host, type HostName, startHost } from '../support/hosts.js'
import { type Site, startSite } from '../support/site.js'

export const TOKEN = 'opaque-credential-1'
export const BEARER = { authorization: `Bearer ${TOKEN}` }
export const METADATA = 'https://api.example.com/.well-known/oauth-protected-resource/mcp'
export const POINTER = `resource_metadata="${METADATA}"`

/** Keeps hints off the terminal. */
export const silent = { onEvent: (): void => undefined }

/** A verifier that knows the token. */
export const known = (scopes: string[] = []): StaticTokenVerifier =>
  new StaticTokenVerifier({ tokens: { [TOKEN]: { clientId: 'c', subject: 'user-1', scopes } } })

/** The same, or another verifier, with discovery. */
export const remote = (tokenVerifier: ProviderLike = known(), requiredScopes: string[] = []): AuthProvider =>
  new RemoteAuthProvider({
    baseUrl: 'https://api.example.com',
    authorizationServers: ['https://login.example.com'],
    tokenVerifier,
    requiredScopes,
  })

/** To be closed after the test. */
export const cleanUp: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of cleanUp.splice(0)) await close()
})

export const site = async (
  provider: ProviderLike,
  options: McpAuthOptions = {},
  extend?: Parameters<typeof startSite>[2],
): Promise<Site> => {
  const started = await startSite(provider, options, extend)
  cleanUp.push(() => started.close())
  return started
}

export const host = async (
  name: HostName,
  handlers: AuthHandler[],
  last?: Handler,
  at?: string,
): Promise<Host> => {
  const started = await startHost(name, handlers, last, at)
  cleanUp.push(() => started.close())
  return started
}
