import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { OAuthProvider, type OAuthProviderOptions } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { REDIRECT_URI, clientsOf, signIn } from '../support/authorization-server.js'
import { configErrorOf } from '../support/config-error.js'
import { type Site, startServer, startSite } from '../support/site.js'

const environment = process.env['NODE_ENV']
let directory: string
beforeEach(() => {
  process.env['NODE_ENV'] = 'development'
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'mcp-auth-secret-')))
  writeFileSync(join(directory, 'package.json'), '{}')
  jest.spyOn(process, 'cwd').mockReturnValue(directory)
})
afterEach(() => {
  process.env['NODE_ENV'] = environment
  jest.restoreAllMocks()
  rmSync(directory, { recursive: true })
})

const create = (options: Partial<OAuthProviderOptions> = {}): OAuthProvider =>
  new OAuthProvider({
    baseUrl: 'http://127.0.0.1:3000',
    signIn,
    scopesSupported: ['read'],
    clients: [{ clientId: 'app', redirectUris: [REDIRECT_URI] }],
    ...options,
  })
const kidOf = (provider: OAuthProvider): string => provider.authorizationServer.keys.signing.kid
const hintOf = ({ notices }: OAuthProvider): string => {
  const [hint] = notices
  if (hint?.type !== 'hint' || hint.code !== 'random_secret') throw new Error('no hint')
  return hint.message
}

describe('without a secret, while developing', () => {
  it('F6 a restart with the default store signs nobody out', async () => {
    const reserved = await startServer(() => undefined)
    await reserved.close()
    const baseUrl = reserved.url
    const start = async (port?: number): Promise<[OAuthProvider, Site]> => {
      const provider = create({ baseUrl })
      return [provider, await startSite(provider, { rateLimit: false }, undefined, port)]
    }
    const [first, before] = await start(Number(new URL(baseUrl).port))
    const tokens = await clientsOf(before.url).signIn({ client_id: 'app' })
    await before.close()
    await first.close()

    const [second, after] = await start()
    const requests = clientsOf(after.url)
    expect((await requests.call(tokens.access_token)).status).toBe(200)
    const { refresh_token } = tokens
    const form = { grant_type: 'refresh_token', client_id: 'app', refresh_token }
    expect((await requests.post('/token', form)).status).toBe(200)
    expect(kidOf(second)).toBe(kidOf(first))
    expect(after.events.filter((event) => event.type === 'hint').map(({ code }) => code)).toEqual(['random_secret']) // prettier-ignore
    await after.close()
    await second.close()
  })

  it('tells that one is kept, where, and that this is for development', () => {
    expect(hintOf(create())).toMatch(
      /^no "secret" is set, so one is kept in \.mcp-auth\/secret, which is for development: write at least 32 random bytes/,
    )
  })

  it('tells that everybody is signed out where none can be kept', () => {
    writeFileSync(join(directory, '.mcp-auth'), 'a file in its place')
    const [one, other] = [create(), create()]
    expect(hintOf(one)).toMatch(
      /^no "secret" is set, so everybody is signed out when this process ends: write at least 32 random bytes/,
    )
    expect(kidOf(one)).not.toBe(kidOf(other))
  })

  it('keeps none beside a store that is not the default one', () => {
    const [one, other] = [create({ store: new MemoryStore() }), create({ store: new MemoryStore() })]
    expect(hintOf(one)).toContain('everybody is signed out')
    expect(kidOf(one)).not.toBe(kidOf(other))
  })

  it('says nothing where there is one, and takes it', () => {
    const secret = 'a secret of thirty-two bytes or more'
    expect(create({ secret }).notices).toEqual([])
    expect(kidOf(create({ secret }))).toBe(kidOf(create({ secret })))
    expect(kidOf(create({ secret }))).not.toBe(kidOf(create()))
  })

  it('is not made in production, also where one was kept before', () => {
    create()
    process.env['NODE_ENV'] = 'production'
    expect(configErrorOf(create).code).toBe('ERR_MCP_AUTH_MISSING_OPTION')
  })
})
