// Attacks on refresh tokens: threat rows R1 to R6.
import { beforeAll, describe, expect, it, test } from '@jest/globals'
import { disconnect, listConnections } from '../../lib/authorization-server/connections.js'
import type { AuthorizationSite, Registered, Tokens } from '../support/authorization-server.js'
import {
  INVALID_GRANT,
  answered,
  eventsOf,
  isActive,
  refused,
  renewal,
  seen,
  startClosing,
  startReplica,
} from './endpoint-answers.js'

const DAY = 86_400

let site: AuthorizationSite
let replica: AuthorizationSite
let app: Registered

beforeAll(async () => {
  site = await startClosing()
  replica = await startReplica(site)
  app = await site.register()
})

const renew = async (
  tokens: Tokens,
  more: Record<string, string> = {},
  at: AuthorizationSite = site,
): Promise<Tokens> => {
  const { status, body } = await at.post('/token', renewal(app, tokens, more))
  if (status !== 200) throw new Error(`refresh: ${status} ${JSON.stringify(body)}`)
  return body as Tokens
}

const tryRenew = async (
  tokens: Tokens,
  more: Record<string, string> = {},
  at: AuthorizationSite = site,
): Promise<ReturnType<typeof seen>> => seen(await at.post('/token', renewal(app, tokens, more)))

/** Uses a token many times at once, at both processes in turn. */
const atOnce = (times: number, tokens: Tokens): Promise<ReturnType<typeof seen>[]> =>
  Promise.all(Array.from({ length: times }, (_, n) => tryRenew(tokens, {}, n % 2 === 0 ? site : replica)))

describe('R1 a refresh token is raced with', () => {
  it('R1 fifty at once on two processes: one successor only, and it is good', async () => {
    const tokens = await site.signIn(app)
    const answers = await atOnce(50, tokens)
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200))
    const successors = new Set(answers.map(({ body }) => (body as Tokens).refresh_token))
    expect(successors.size).toBe(1)
    expect(successors.has(tokens.refresh_token)).toBe(false)
    for (const { body } of answers) expect(await isActive(site, body as Tokens)).toBe(true)
    expect((await renew(answers[0]?.body as Tokens)).refresh_token).not.toBe([...successors][0])
  })

  it('R1 without a grace period: one gets tokens, and since the others reused it the family is revoked', async () => {
    const strict = await startClosing({ refreshGraceSeconds: 0 })
    const other = await startReplica(strict, { refreshGraceSeconds: 0 })
    const client = await strict.register()
    const tokens = await strict.signIn(client)
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, n) =>
        seen(await (n % 2 === 0 ? strict : other).post('/token', renewal(client, tokens))),
      ),
    )
    const winners = answers.filter(({ status }) => status === 200)
    expect(winners).toHaveLength(1)
    expect(answers.filter(({ status }) => status !== 200)).toEqual(Array(49).fill(INVALID_GRANT))
    expect(await isActive(strict, winners[0]?.body as Tokens)).toBe(false)
    const revoked = [...eventsOf(strict, 'grant.revoked'), ...eventsOf(other, 'grant.revoked')]
    expect(revoked).toEqual([
      { type: 'grant.revoked', clientId: client.client_id, subject: 'id-ada', why: 'refresh_token_reused' },
    ])
  })
})

describe('R2 a refresh token is used again', () => {
  it('R2 after the grace period: refused, and everything of the family is worth nothing', async () => {
    const first = await site.signIn(app)
    const second = await renew(first)
    site.clock.advance(30)
    const before = eventsOf(site, 'grant.revoked').length
    expect(await tryRenew(first)).toEqual(INVALID_GRANT)
    expect(await isActive(site, first)).toBe(false)
    expect(await isActive(replica, second)).toBe(false)
    expect(await tryRenew(second)).toEqual(INVALID_GRANT)
    expect(eventsOf(site, 'grant.revoked').slice(before)).toEqual([
      { type: 'grant.revoked', clientId: app.client_id, subject: 'id-ada', why: 'refresh_token_reused' },
    ])
  })

  it('R2 one family dies, another of the same client and user lives', async () => {
    const [stolen, other] = [await site.signIn(app), await site.signIn(app)]
    await renew(stolen)
    site.clock.advance(31)
    expect(await tryRenew(stolen)).toEqual(INVALID_GRANT)
    expect(await isActive(site, other)).toBe(true)
    expect(await tryRenew(other)).toMatchObject({ status: 200 })
  })

  it('R2 what is no refresh token is refused in the same words, and ends nothing', async () => {
    const tokens = await site.signIn(app)
    const [id = '', generation = '', mac = ''] = tokens.refresh_token.split('.')
    const forged = [
      `${id}.2.${mac}`,
      `${id}.01.${mac}`,
      `${id}.0.${mac}`,
      `${id}.${generation}.${'A'.repeat(43)}`,
      `${'A'.repeat(24)}.${generation}.${mac}`,
      `${id}.${mac}`,
      `${tokens.refresh_token} `,
      tokens.access_token,
      'a:b',
      '../grants',
      '*',
      '__proto__',
      'x'.repeat(10_000),
    ]
    for (const token of forged) {
      const answer = await tryRenew({ ...tokens, refresh_token: token })
      expect([token, answer]).toEqual([token, INVALID_GRANT])
    }
    expect(seen(await site.post('/token', { grant_type: 'refresh_token', client_id: app.client_id }))).toEqual(
      refused('invalid_request', '"refresh_token" is missing'),
    ) // prettier-ignore
    expect(await isActive(site, tokens)).toBe(true)
    expect((await renew(tokens)).refresh_token).toMatch(/^[\w-]{24}\.2\.[\w-]{43}$/)
  })
})

describe('R3 the grace period', () => {
  it('R3 within 30 s the same client gets the same successor, with an access token that works', async () => {
    const first = await site.signIn(app)
    const second = await renew(first)
    site.clock.advance(29)
    const again = await site.post('/token', renewal(app, first))
    expect(seen(again)).toEqual(answered(again.body))
    expect(again.body).toEqual({
      access_token: expect.stringMatching(/^ey/),
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'notes:read notes:write',
      refresh_token: second.refresh_token,
    })
    expect(await isActive(site, again.body as Tokens)).toBe(true)
    expect(await isActive(site, second)).toBe(true)
  })

  it('R3 after the successor was used, the token before it revokes the family', async () => {
    const first = await site.signIn(app)
    const second = await renew(first)
    const third = await renew(second)
    const before = eventsOf(site, 'grant.revoked').length
    expect(await tryRenew(first)).toEqual(INVALID_GRANT)
    expect(eventsOf(site, 'grant.revoked').length).toBe(before + 1)
    for (const tokens of [first, second, third]) expect(await isActive(site, tokens)).toBe(false)
    expect(await tryRenew(third)).toEqual(INVALID_GRANT)
  })

  it('R3 each use does not lengthen it', async () => {
    const first = await site.signIn(app)
    await renew(first)
    site.clock.advance(20)
    await renew(first)
    site.clock.advance(11)
    expect(await tryRenew(first)).toEqual(INVALID_GRANT)
  })

  it('R3 with refreshGraceSeconds 0 there is none', async () => {
    const strict = await startClosing({ refreshGraceSeconds: 0 })
    const client = await strict.register()
    const first = await strict.signIn(client)
    const second = (await strict.post('/token', renewal(client, first))).body as Tokens
    expect(await isActive(strict, second)).toBe(true)
    expect(seen(await strict.post('/token', renewal(client, first)))).toEqual(INVALID_GRANT)
    expect(await isActive(strict, second)).toBe(false)
  })

  it('R3 a confidential client has to prove itself for it too', async () => {
    const client = await site.register({
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: ['authorization_code', 'refresh_token'],
    })
    const secret = { client_secret: String(client.client_secret) }
    const first = await site.signIn(client)
    const second = (await site.post('/token', renewal(client, first, secret))).body as Tokens
    expect((await site.post('/token', renewal(client, first))).status).toBe(401)
    const again = (await site.post('/token', renewal(client, first, secret))).body as Tokens
    expect(again.refresh_token).toBe(second.refresh_token)
  })
})

describe('R4 a refresh token of somebody else', () => {
  it('R4 is refused, and the family is intact, also where the token was used before', async () => {
    const other = await site.register({ client_name: 'Another client' })
    const first = await site.signIn(app)
    expect(seen(await site.post('/token', renewal(other, first)))).toEqual(INVALID_GRANT)
    const second = await renew(first)
    site.clock.advance(60)
    expect(seen(await site.post('/token', renewal(other, first)))).toEqual(INVALID_GRANT)
    expect(await isActive(site, second)).toBe(true)
    expect((await renew(second)).scope).toBe('notes:read notes:write')
  })
})

describe('R5 a refresh asks for more', () => {
  const beyond = refused('invalid_scope', 'A refresh cannot add scopes: ask for authorization again')

  test.each(['notes:write', 'notes:read notes:write', 'notes:read offline_access', 'unknown notes:write'])(
    'R5 the scope %s was not granted: refused, and the token still works',
    async (scope) => {
      const tokens = await site.signIn(app, { scope: 'notes:read' })
      expect(tokens.scope).toBe('notes:read')
      expect(await tryRenew(tokens, { scope })).toEqual(beyond)
      expect((await renew(tokens, { scope: 'notes:read' })).refresh_token).toMatch(/^[\w-]{24}\.2\./)
    },
  )

  it('R5 scopes that do not exist here are passed over, as they were at /authorize', async () => {
    const tokens = await site.signIn(app, { scope: 'notes:read claudeai' })
    expect(tokens.scope).toBe('notes:read')
    const renewed = await renew(tokens, { scope: 'notes:read claudeai' })
    expect(renewed.scope).toBe('notes:read')
    expect((await renew(renewed, { scope: 'admin' })).scope).toBe('notes:read')
  })

  it('R5 another resource is refused, and the token still works', async () => {
    const tokens = await site.signIn(app)
    expect(await tryRenew(tokens, { resource: 'https://evil.example/mcp' })).toEqual(
      refused('invalid_target', `Tokens are issued for ${site.issuer}/mcp only`),
    )
    expect((await renew(tokens, { resource: `${site.issuer}/mcp` })).refresh_token).toMatch(/^[\w-]{24}\.2\./)
  })

  it('R5 fewer scopes are given, and all of them again with the next token', async () => {
    const tokens = await site.signIn(app)
    const narrow = await renew(tokens, { scope: 'notes:read' })
    expect(narrow.scope).toBe('notes:read')
    const called = (await (await site.call(narrow.access_token)).json()) as { scopes: string[] }
    expect(called.scopes).toEqual(['notes:read'])
    expect((await renew(narrow)).scope).toBe('notes:read notes:write')
  })
})

describe('R6 close to the end', () => {
  it('R6 one second before the end a token is good, and lives on; at the end it is refused', async () => {
    const own = await startClosing()
    const client = await own.register()
    const first = await own.signIn(client)
    own.clock.advance(30 * DAY - 1)
    const second = await own.post('/token', renewal(client, first))
    expect(second.status).toBe(200)
    own.clock.advance(30 * DAY - 1)
    const third = await own.post('/token', renewal(client, second.body as Tokens))
    expect(third.status).toBe(200)
    own.clock.advance(30 * DAY)
    expect(seen(await own.post('/token', renewal(client, third.body as Tokens)))).toEqual(INVALID_GRANT)
  })

  it('R6 who refreshes for a year stays signed in, is listed, and can be disconnected', async () => {
    const own = await startClosing()
    const client = await own.register()
    let tokens = await own.signIn(client)
    for (let week = 0; week < 52; week++) {
      own.clock.advance(7 * DAY)
      const answer = await own.post('/token', renewal(client, tokens))
      expect([week, answer.status]).toEqual([week, 200])
      tokens = answer.body as Tokens
    }
    const server = own.provider.authorizationServer
    expect(await listConnections('id-ada', server)).toEqual([
      expect.objectContaining({ clientId: client.client_id, scopes: ['notes:read', 'notes:write'] }),
    ])
    expect(await isActive(own, tokens)).toBe(true)
    await disconnect('id-ada', client.client_id, server, () => undefined)
    expect(await isActive(own, tokens)).toBe(false)
    expect(seen(await own.post('/token', renewal(client, tokens)))).toEqual(INVALID_GRANT)
  })
})
