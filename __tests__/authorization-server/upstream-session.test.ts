import { describe, expect, it } from '@jest/globals'
import { listConnections } from '../../lib/authorization-server/connections.js'
import { findUpstream } from '../../lib/authorization-server/upstream-session.js'
import { revokeToken } from '../../lib/authorization-server/revoke.js'
import { unreachable } from '../support/hooked-store.js'
import { createRecorder } from '../support/recorder.js'
import { type ProxyServer, type ProxyServerOptions, createProxyServer } from '../support/proxy-server.js'
import { APP, refusal } from '../support/server.js'
import { GRACE, away, gate, refusing } from '../support/upstream-double.js'

const ENDED = ['invalid_grant', 'the identity provider ended it; the grant is revoked']
const DISOWNED = [
  'invalid_grant',
  'the identity provider no longer vouches for its user; the grant is revoked',
]
const AWAY = ['temporarily_unavailable', 'Example ID: connect ECONNREFUSED 203.0.113.7:443']

const alive = async ({ server }: ProxyServer, token: string): Promise<boolean> =>
  (await server.tokens.verify(token)) !== null

/** Another process, for which time passes whenever it waits; `looked` is called before it looks again. */
const waitingReplica = (
  test: ProxyServer,
  looked: (times: number) => unknown,
  options: ProxyServerOptions = {},
): ProxyServer => {
  let times = 0
  const after: typeof test.clock.after = (milliseconds, callback) => {
    times += 1
    looked(times)
    const cancel = test.clock.after(milliseconds, callback)
    test.clock.advance(milliseconds / 1000)
    return cancel
  }
  return test.replica({ ...options, deps: { now: test.clock.now, after } })
}

describe('what is behind a grant', () => {
  it('is asked about with every request, and renewed by none while it is good', async () => {
    const test = createProxyServer()
    const { access_token: token, grantId } = await test.tokens()
    expect([await alive(test, token), await alive(test, token)]).toEqual([true, true])
    expect(test.upstream.count('identify')).toBe(3)
    expect(test.upstream.last('identify')).toMatchObject({
      tokens: { accessToken: 'upstream-access-1' },
      origin: { scopes: ['read', 'write'] },
      known: GRACE,
    })
    expect(test.upstream.count('refresh')).toBe(0)
    expect((await test.grantOf(grantId)).data.upstream?.round).toBe(0)
  })

  it('is renewed once it is about to end, and lives on', async () => {
    const test = createProxyServer({ accessTokenSeconds: 86_400 })
    const { access_token: token, grantId } = await test.tokens({ namesResource: true })
    test.clock.advance(3569)
    expect(await alive(test, token)).toBe(true)
    expect(test.upstream.count('refresh')).toBe(0)
    test.clock.advance(1)
    expect(await alive(test, token)).toBe(true)
    expect(test.upstream.last('refresh')).toMatchObject({
      tokens: { refreshToken: 'upstream-refresh-1' },
      origin: { scopes: ['read', 'write'], resource: 'https://api.example.com/mcp' },
    })
    expect((await test.grantOf(grantId)).data.upstream).toMatchObject({
      round: 1,
      obtainedAt: test.clock.now(),
      expiresAt: test.clock.now() + 3_600_000,
      resource: 'https://api.example.com/mcp',
    })
    expect(await alive(test, token)).toBe(true)
    expect(test.upstream.count('refresh')).toBe(1)
  })

  it('that lives for seconds only is used for half of them', async () => {
    const test = createProxyServer()
    test.upstream.lifeSeconds = 20
    const { access_token: token } = await test.tokens()
    test.clock.advance(9)
    await alive(test, token)
    expect(test.upstream.count('refresh')).toBe(0)
    test.clock.advance(1)
    expect(await alive(test, token)).toBe(true)
    expect(test.upstream.count('refresh')).toBe(1)
  })

  it('tells operators that it was renewed', async () => {
    const test = createProxyServer()
    const { access_token: token } = await test.tokens()
    const { context, events } = createRecorder()
    test.clock.advance(3590)
    await test.server.tokens.verify(token, context)
    expect(events).toEqual([{ type: 'upstream.renewed', clientId: 'app', subject: 'idp|grace' }])
  })

  it('that is refused before its end is renewed, at most once a minute', async () => {
    const test = createProxyServer()
    test.upstream.lifeSeconds = undefined
    const { access_token: token } = await test.tokens()
    test.upstream.endAccess()
    test.clock.advance(59)
    expect(await alive(test, token)).toBe(false)
    expect(test.upstream.count('refresh')).toBe(0)
    test.clock.advance(1)
    expect(await alive(test, token)).toBe(true)
    test.upstream.endAccess()
    expect([await alive(test, token), await alive(test, token)]).toEqual([false, false])
    expect(test.upstream.count('refresh')).toBe(1)
  })

  it('that is refused when it was just renewed is not good', async () => {
    const test = createProxyServer({ accessTokenSeconds: 7200 })
    const { access_token: token } = await test.tokens()
    test.clock.advance(3600)
    test.upstream.next('identify', () => null)
    expect(await alive(test, token)).toBe(false)
    expect(test.upstream.count('refresh')).toBe(1)
  })

  it('that cannot be renewed ends the grant with it, and tokens of ours no later', async () => {
    const test = createProxyServer()
    test.upstream.givesRefreshTokens = false
    test.upstream.lifeSeconds = 90
    const { access_token: token, refresh_token: refreshToken, expires_in: life, grantId } = await test.tokens() // prettier-ignore
    expect(life).toBe(90)
    expect((await test.grantOf(grantId)).expiresAt).toBe(test.clock.now() + 90_000)
    test.clock.advance(60)
    const second = await test.refresh(refreshToken)
    expect(second.expires_in).toBe(30)
    expect((await test.grantOf(grantId)).expiresAt).toBe(test.clock.now() + 30_000)
    test.clock.advance(29)
    expect([await alive(test, token), await alive(test, second.access_token)]).toEqual([true, true])
    test.clock.advance(1)
    expect([await alive(test, token), await alive(test, second.access_token)]).toEqual([false, false])
    expect(await refusal(test.refresh(String(second.refresh_token)))).toEqual(['invalid_grant', 'the grant was revoked or has ended']) // prettier-ignore
    expect(test.upstream.count('refresh')).toBe(0)
  })

  it('that cannot be renewed is not tried again where it is refused', async () => {
    const test = createProxyServer()
    test.upstream.givesRefreshTokens = false
    const { access_token: token } = await test.tokens()
    test.upstream.endAccess()
    test.clock.advance(60)
    expect(await alive(test, token)).toBe(false)
    expect(test.upstream.count('refresh')).toBe(0)
  })

  it('that can no longer be renewed from now on ends the grant with it', async () => {
    const test = createProxyServer()
    const { refresh_token: refreshToken, grantId } = await test.tokens()
    test.upstream.givesRefreshTokens = false
    test.upstream.lifeSeconds = 600
    expect((await test.refresh(refreshToken)).expires_in).toBe(600)
    const { expiresAt, data } = await test.grantOf(grantId)
    expect([expiresAt, data.endsAt]).toEqual([test.clock.now() + 600_000, test.clock.now() + 600_000])
  })

  it('that turns out not to be renewable while a request is served ends the grant with it too', async () => {
    const test = createProxyServer()
    const { access_token: token, grantId } = await test.tokens()
    test.clock.advance(3590)
    test.upstream.givesRefreshTokens = false
    test.upstream.lifeSeconds = 600
    expect(await alive(test, token)).toBe(true)
    expect((await test.grantOf(grantId)).expiresAt).toBe(test.clock.now() + 600_000)
  })

  it('P9 is refused once it is somebody else, whatever they are called', async () => {
    const test = createProxyServer()
    const { access_token: token, refresh_token: refreshToken } = await test.tokens()
    test.upstream.user = { ...GRACE, subject: 'idp|mallory' }
    const { context, reasons } = createRecorder()
    expect(await test.server.tokens.verify(token, context)).toBeNull()
    expect(reasons).toEqual([{ stage: 'upstream', expected: 'idp|grace', got: 'idp|mallory' }])
    expect(await refusal(test.refresh(refreshToken))).toEqual(DISOWNED)
    test.upstream.user = GRACE
    expect(await alive(test, token)).toBe(false)
  })

  it('G7 is not bad where the identity provider cannot be asked', async () => {
    const test = createProxyServer()
    const { access_token: token } = await test.tokens()
    const { context, events } = createRecorder()
    test.upstream.next('identify', away)
    expect(await refusal(test.server.tokens.verify(token, context))).toEqual(AWAY)
    expect(events).toEqual([
      {
        type: 'upstream.failed',
        name: 'Example ID',
        operation: 'identify',
        message: 'connect ECONNREFUSED 203.0.113.7:443',
      },
    ])
    test.upstream.next('identify', () => {
      // oxlint-disable-next-line typescript/only-throw-error -- what an app's own verifier may do
      throw 'a text'
    })
    expect(await refusal(test.server.tokens.verify(token))).toEqual(['temporarily_unavailable', 'Example ID: a text']) // prettier-ignore
    expect(await alive(test, token)).toBe(true)
  })

  it('a grant without anything behind it is nobody’s', async () => {
    const test = createProxyServer()
    const { grantId } = await test.tokens()
    const stored = await test.grantOf(grantId)
    const { context } = createRecorder()
    const bare = { ...stored, data: { ...stored.data, upstream: undefined } }
    expect(await findUpstream(grantId, bare, test.server, context)).toBeUndefined()
  })
})

describe('a renewal', () => {
  it('F4 is one, however many requests of one process want it', async () => {
    const test = createProxyServer()
    const { access_token: token } = await test.tokens()
    test.clock.advance(3590)
    expect(await Promise.all(Array.from({ length: 100 }, () => alive(test, token)))).not.toContain(false)
    expect(test.upstream.count('refresh')).toBe(1)
    expect(test.server.renewals.size).toBe(0)
  })

  it('F4 is one, in however many processes: the others wait for it', async () => {
    const test = createProxyServer({ accessTokenSeconds: 7200 })
    const { access_token: token, grantId } = await test.tokens()
    const slow = gate()
    const other = waitingReplica(test, (times) => {
      if (times === 3) slow.open()
    })
    test.clock.advance(3590)
    test.upstream.next('refresh', slow.step)
    const first = alive(test, token)
    await slow.reached
    expect((await test.grantOf(grantId)).data.upstream?.leasedUntil).toBe(test.clock.now() + 150_000)
    expect([await alive(other, token), await first]).toEqual([true, true])
    expect(test.upstream.count('refresh')).toBe(1)
    expect(test.upstream.last('identify').tokens?.accessToken).toBe('upstream-access-2')
    expect((await test.grantOf(grantId)).data.upstream).not.toHaveProperty('leasedUntil')
  })

  it('F4 is for one of two processes that begin at once', async () => {
    const test = createProxyServer()
    const { access_token: token } = await test.tokens()
    const processes = [1, 2, 3].map(() => waitingReplica(test, () => undefined))
    test.clock.advance(3580)
    const all = await Promise.all(processes.map((process) => alive(process, token)))
    expect(all).toEqual([true, true, true])
    expect(test.upstream.count('refresh')).toBe(1)
  })

  it('is waited for eight seconds, and then nothing is decided', async () => {
    const test = createProxyServer()
    const { access_token: token } = await test.tokens()
    const slow = gate()
    const other = waitingReplica(test, () => undefined)
    test.clock.advance(3580)
    test.upstream.next('refresh', slow.step)
    const first = alive(test, token)
    await slow.reached
    const began = test.clock.now()
    expect(await refusal(other.server.tokens.verify(token))).toEqual(['temporarily_unavailable', 'another process is renewing for too long']) // prettier-ignore
    expect(test.clock.now() - began).toBe(8050)
    slow.open()
    expect(await first).toBe(true)
    expect(await alive(other, token)).toBe(true)
    expect(test.upstream.count('refresh')).toBe(1)
  })

  it('F10 is taken over from a process that ended while it renewed, later than clocks may differ', async () => {
    const test = createProxyServer({ accessTokenSeconds: 7200 })
    const { access_token: token } = await test.tokens()
    test.clock.advance(3570)
    const never = gate()
    test.upstream.next('refresh', never.step)
    void alive(test, token)
    await never.reached
    const other = waitingReplica(test, () => undefined)
    expect((await refusal(other.server.tokens.verify(token)))[0]).toBe('temporarily_unavailable')
    test.clock.advance(142)
    expect(await alive(other, token)).toBe(true)
    expect(test.upstream.count('refresh')).toBe(2)
  })

  it('F6 is written once the store is back: nobody signs in again because it was away', async () => {
    const test = createProxyServer()
    const { access_token: token, grantId } = await test.tokens()
    test.clock.advance(3590)
    const other = waitingReplica(test, (times) => {
      if (times === 3) other.store.before = undefined
    })
    other.upstream.next('refresh', () => {
      other.store.before = unreachable
    })
    expect(await alive(other, token)).toBe(true)
    expect((await test.grantOf(grantId)).data.upstream?.round).toBe(1)
    expect(test.upstream.count('refresh')).toBe(1)
  })

  it('F6 is given up where the store stays away', async () => {
    const test = createProxyServer()
    const { access_token: token } = await test.tokens()
    test.clock.advance(3590)
    const other = waitingReplica(test, () => undefined)
    other.upstream.next('refresh', () => {
      other.store.before = unreachable
    })
    await expect(other.server.tokens.verify(token)).rejects.toThrow('ECONNREFUSED')
  })

  it('F4 that failed is tried again by whoever comes next, without a wait', async () => {
    const test = createProxyServer()
    const { access_token: token, grantId } = await test.tokens()
    test.clock.advance(3570)
    test.upstream.next('refresh', away)
    expect(await refusal(test.server.tokens.verify(token))).toEqual(AWAY)
    expect((await test.grantOf(grantId)).data.upstream).not.toHaveProperty('leasedUntil')
    expect(await alive(test.replica(), token)).toBe(true)
    expect(test.upstream.count('refresh')).toBe(2)
  })

  it('F4 that failed gives its lease up, whatever else changed in the grant meanwhile', async () => {
    const test = createProxyServer()
    const { access_token: token, grantId } = await test.tokens()
    test.clock.advance(3570)
    test.upstream.next('refresh', async () => {
      const stored = await test.grantOf(grantId)
      await test.server.grants.replace(grantId, stored, { ...stored.data, revokedGeneration: 0 })
      return away()
    })
    expect(await refusal(test.server.tokens.verify(token))).toEqual(AWAY)
    const { data } = await test.grantOf(grantId)
    expect(data.revokedGeneration).toBe(0)
    expect(data.upstream).not.toHaveProperty('leasedUntil')
  })

  it('F4 that failed gives up no lease of somebody else, and no grant that has ended comes back', async () => {
    const test = createProxyServer()
    const { access_token: token, grantId } = await test.tokens()
    test.clock.advance(3570)
    const theirs = test.clock.now() + 120_000
    test.upstream.next('refresh', async () => {
      const stored = await test.grantOf(grantId)
      const upstream = { ...stored.data.upstream!, leasedUntil: theirs }
      await test.server.grants.replace(grantId, stored, { ...stored.data, upstream })
      return away()
    })
    expect(await refusal(test.server.tokens.verify(token))).toEqual(AWAY)
    expect((await test.grantOf(grantId)).data.upstream?.leasedUntil).toBe(theirs)
    test.clock.advance(121)
    const again = await test.tokens()
    test.clock.advance(3570)
    test.upstream.next('refresh', async () => {
      await test.server.grants.remove(again.grantId)
      return away()
    })
    expect(await refusal(test.server.tokens.verify(again.access_token))).toEqual(AWAY)
    expect(await test.server.grants.get(again.grantId)).toBeUndefined()
  })

  it('of a process that came late ends nothing, where another one renewed meanwhile', async () => {
    const test = createProxyServer({ accessTokenSeconds: 7200 })
    const { access_token: token, grantId } = await test.tokens()
    const slow = gate()
    test.clock.advance(3570)
    test.upstream.next('refresh', slow.step)
    const late = alive(test, token)
    await slow.reached
    test.clock.advance(150)
    expect(await alive(test.replica(), token)).toBe(true)
    slow.open()
    expect(await late).toBe(true)
    expect((await test.grantOf(grantId)).data.upstream?.round).toBe(1)
    expect(test.upstream.count('revoke')).toBe(0)
  })

  it('that is refused where the grant ended meanwhile ends nothing else', async () => {
    const test = createProxyServer()
    const { access_token: token, grantId } = await test.tokens()
    test.clock.advance(3590)
    test.upstream.next('refresh', async () => {
      await test.server.grants.remove(grantId)
      return refusing('invalid_grant')({ report: test.report, refuse: () => null })
    })
    expect(await alive(test, token)).toBe(false)
    expect(test.events.map(({ type }) => type)).not.toContain('grant.revoked')
    expect(test.upstream.count('revoke')).toBe(0)
  })

  it('F4 that failed where the store is away too leaves the others to wait, and tells of the first', async () => {
    const test = createProxyServer()
    const { access_token: token, grantId } = await test.tokens()
    test.clock.advance(3570)
    test.upstream.next('refresh', () => {
      test.store.before = unreachable
      return away()
    })
    expect(await refusal(test.server.tokens.verify(token))).toEqual(AWAY)
    test.store.before = undefined
    expect((await test.grantOf(grantId)).data.upstream?.leasedUntil).toBe(test.clock.now() + 150_000)
  })

  it('that the identity provider refuses ends the grant, everywhere', async () => {
    const test = createProxyServer()
    const { access_token: token } = await test.tokens()
    const slow = gate()
    const other = waitingReplica(test, () => {
      slow.open()
    })
    const { context, events, reasons } = createRecorder()
    test.clock.advance(3590)
    test.upstream.next('refresh', async (asked) => {
      await slow.step(asked)
      return refusing('invalid_grant')(asked)
    })
    const first = test.server.tokens.verify(token, context)
    await slow.reached
    expect([await alive(other, token), await first]).toEqual([false, null])
    expect(test.upstream.count('refresh')).toBe(1)
    expect(reasons).toEqual([{ stage: 'upstream', got: 'a session that ended' }])
    expect(events).toEqual([
      {
        type: 'upstream.refused',
        name: 'Example ID',
        operation: 'refresh',
        error: 'invalid_grant',
        detail: 'it says invalid_grant',
      },
      { type: 'grant.revoked', clientId: 'app', subject: 'idp|grace', why: 'upstream' },
    ])
  })

  it('V1 of a grant that is revoked meanwhile gives the new tokens back', async () => {
    const test = createProxyServer()
    const { access_token: token, refresh_token: refreshToken } = await test.tokens()
    test.clock.advance(3590)
    test.upstream.next('refresh', () => {
      // Before the new tokens are written.
      test.store.before = async () => {
        test.store.before = undefined
        await revokeToken(refreshToken, APP, test.server, test.report)
      }
    })
    expect(await alive(test, token)).toBe(false)
    expect(test.upstream.count('revoke')).toBe(2)
    expect(test.upstream.living).toEqual([])
    expect(await listConnections('idp|grace', test.server)).toEqual([])
  })

  it('is written whatever else changes the grant at the same time', async () => {
    const test = createProxyServer()
    const { access_token: token, refresh_token: refreshToken, grantId } = await test.tokens()
    test.clock.advance(3590)
    const rotate = async (): Promise<void> => {
      test.store.before = undefined
      const stored = await test.grantOf(grantId)
      const next = { ...stored.data, generation: 2, rotatedAt: test.clock.now() }
      await test.server.grants.replace(grantId, stored, next)
    }
    test.upstream.next('refresh', () => {
      let reads = 0
      test.store.before = async ({ method, collection }) => {
        // Between its reading and its writing.
        if (collection.includes('.grants') && method === 'compareAndSwap' && (reads += 1) === 1)
          await rotate()
      }
    })
    expect(await alive(test, token)).toBe(true)
    const { data } = await test.grantOf(grantId)
    expect([data.generation, data.upstream?.round]).toEqual([2, 1])
    expect(test.upstream.count('refresh')).toBe(1)
    expect((await test.refresh(refreshToken)).refresh_token).toMatch(/\.2\./)
  })

  it('begins anew where somebody else changed the grant before it', async () => {
    const test = createProxyServer()
    const { access_token: token, grantId } = await test.tokens()
    test.clock.advance(3590)
    test.store.before = async ({ method, collection }) => {
      if (!collection.includes('.grants') || method !== 'compareAndSwap') return
      test.store.before = undefined
      const stored = await test.grantOf(grantId)
      await test.server.grants.replace(grantId, stored, { ...stored.data, revokedGeneration: 0 })
    }
    expect(await alive(test, token)).toBe(true)
    expect((await test.grantOf(grantId)).data).toMatchObject({ revokedGeneration: 0, upstream: { round: 1 } })
    expect(test.upstream.count('refresh')).toBe(1)
  })

  it('of a grant that ended meanwhile is none', async () => {
    const test = createProxyServer()
    const { access_token: token, grantId } = await test.tokens()
    test.clock.advance(3590)
    let reads = 0
    test.store.before = async ({ collection }) => {
      if (!collection.includes('.grants') || (reads += 1) !== 2) return
      test.store.before = undefined
      await test.server.grants.remove(grantId)
    }
    expect(await alive(test, token)).toBe(false)
    expect(test.upstream.count('refresh')).toBe(0)
  })

  it('K2 is tried where a token cannot be judged any more, once it is a minute old', async () => {
    const test = createProxyServer()
    const { access_token: token } = await test.tokens()
    test.upstream.next('identify', away)
    expect(await refusal(test.server.tokens.verify(token))).toEqual(AWAY)
    test.clock.advance(60)
    test.upstream.next('identify', away)
    expect(await alive(test, token)).toBe(true)
    expect(test.upstream.count('refresh')).toBe(1)
  })

  it('P7 that grants less takes it from the grant, also where only the verifier tells', async () => {
    const test = createProxyServer()
    const { refresh_token: refreshToken, grantId } = await test.tokens()
    test.upstream.user = { ...GRACE, scopes: ['read'] }
    expect(await test.refresh(refreshToken)).toMatchObject({ scope: 'read' })
    expect((await test.grantOf(grantId)).data.scopes).toEqual(['read'])
  })

  it('P7 that grants less takes it from the grant', async () => {
    const test = createProxyServer()
    const first = await test.tokens()
    test.upstream.tells = ['read']
    const second = await test.refresh(first.refresh_token)
    expect(second.scope).toBe('read')
    expect((await test.grantOf(first.grantId)).data.scopes).toEqual(['read'])
    test.upstream.tells = ['read', 'write']
    expect((await test.refresh(String(second.refresh_token))).scope).toBe('read')
    expect(test.upstream.last('refresh').origin?.scopes).toEqual(['read'])
  })
})

describe('a client that renews its own access', () => {
  it('has what is behind it renewed first, once', async () => {
    const test = createProxyServer()
    const first = await test.tokens()
    const second = await test.refresh(first.refresh_token)
    expect(test.upstream.count('refresh')).toBe(1)
    expect((await test.grantOf(first.grantId)).data).toMatchObject({ generation: 2, upstream: { round: 1 } })
    expect((await test.refresh(first.refresh_token)).refresh_token).toBe(second.refresh_token)
    expect(test.upstream.count('refresh')).toBe(1)
  })

  it('F4 finds it renewed for this where the answer was lost, and a minute later has it renewed again', async () => {
    const test = createProxyServer()
    const { refresh_token: refreshToken, grantId } = await test.tokens()
    const fail = async (): Promise<void> => {
      test.upstream.next('identify', away)
      expect(await refusal(test.refresh(refreshToken))).toEqual(AWAY)
    }
    await fail()
    await fail()
    test.clock.advance(59)
    await fail()
    expect(test.upstream.count('refresh')).toBe(1)
    test.clock.advance(1)
    const { refresh_token: next } = await test.refresh(refreshToken)
    expect(test.upstream.count('refresh')).toBe(2)
    expect((await test.grantOf(grantId)).data.upstream).toMatchObject({ round: 2, keptRound: 2 })
    await test.refresh(String(next))
    expect(test.upstream.count('refresh')).toBe(3)
  })

  it('R1 F4 from many processes at once gets one successor, of one renewal', async () => {
    const test = createProxyServer()
    const { refresh_token: refreshToken } = await test.tokens()
    const other = waitingReplica(test, () => undefined)
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => (n % 2 ? test : other).refresh(refreshToken)),
    )
    expect(new Set(answers.map(({ refresh_token: token }) => token)).size).toBe(1)
    expect(test.upstream.count('refresh')).toBe(1)
  })

  it('F4 has its token used up by no outage', async () => {
    const test = createProxyServer()
    const { refresh_token: refreshToken, grantId } = await test.tokens()
    const before = await test.grantOf(grantId)
    for (const operation of ['refresh', 'identify'] as const) {
      test.upstream.next(operation, away)
      expect(await refusal(test.refresh(refreshToken))).toEqual(AWAY)
    }
    expect((await test.grantOf(grantId)).data.generation).toBe(before.data.generation)
    expect((await test.refresh(refreshToken)).refresh_token).toMatch(/\.2\./)
  })

  it('F4 is refused for good where the identity provider refuses, and the rest of the grant with it', async () => {
    const test = createProxyServer()
    const { access_token: token, refresh_token: refreshToken } = await test.tokens()
    test.upstream.next('refresh', refusing('invalid_grant'))
    expect(await refusal(test.refresh(refreshToken))).toEqual(ENDED)
    expect(await alive(test.replica(), token)).toBe(false)
    expect(await refusal(test.refresh(refreshToken))).toEqual(['invalid_grant', 'the grant was revoked or has ended']) // prettier-ignore
    expect(test.events.slice(1)).toEqual([
      {
        type: 'upstream.refused',
        name: 'Example ID',
        operation: 'refresh',
        error: 'invalid_grant',
        detail: 'it says invalid_grant',
      },
      { type: 'grant.revoked', clientId: 'app', subject: 'idp|grace', why: 'upstream' },
    ])
    expect(test.upstream.count('revoke')).toBe(1)
  })

  it('is refused where the identity provider no longer knows the user', async () => {
    const test = createProxyServer()
    const { refresh_token: refreshToken } = await test.tokens()
    test.upstream.next('identify', () => null)
    expect(await refusal(test.refresh(refreshToken))).toEqual(DISOWNED)
    expect(test.events.at(-1)).toMatchObject({ type: 'grant.revoked', why: 'upstream' })
    // The one before, which ends by itself.
    expect(test.upstream.living).toEqual(['upstream-access-1'])
  })
})
