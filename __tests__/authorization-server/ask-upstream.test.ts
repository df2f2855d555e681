import { describe, expect, it } from '@jest/globals'
import { asking, unavailable, upstreamOf } from '../../lib/authorization-server/ask-upstream.js'
import { OAuthError } from '../../lib/protocol/errors.js'
import { createProxyServer } from '../support/proxy-server.js'
import { createServer, refusal } from '../support/server.js'
import { away, refusing } from '../support/upstream-double.js'

const SILENT = { report: () => undefined, refuse: () => null }

describe('asking', () => {
  it('gives the answer, and tells nothing of it', async () => {
    const { server, report, events } = createProxyServer()
    expect(await asking(server, report, 'revoke', async () => 'given')).toBe('given')
    expect(events).toEqual([])
  })

  it('tells a no from an outage, to whoever asked and to operators', async () => {
    const { server, report, events } = createProxyServer()
    const no = asking(server, report, 'refresh', async () => refusing('invalid_grant')(SILENT))
    await expect(no).rejects.toMatchObject({ name: 'UpstreamRefusal', code: 'invalid_grant' })
    const outage = asking(server, report, 'identify', async () => away())
    await expect(outage).rejects.toMatchObject({
      code: 'temporarily_unavailable',
      description: 'The identity provider cannot be reached right now, try again shortly',
      detail: 'Example ID: connect ECONNREFUSED 203.0.113.7:443',
      cause: expect.objectContaining({ message: 'connect ECONNREFUSED 203.0.113.7:443' }),
    })
    expect(events).toEqual([
      {
        type: 'upstream.refused',
        name: 'Example ID',
        operation: 'refresh',
        error: 'invalid_grant',
        detail: 'it says invalid_grant',
      },
      {
        type: 'upstream.failed',
        name: 'Example ID',
        operation: 'identify',
        message: 'connect ECONNREFUSED 203.0.113.7:443',
      },
    ])
  })

  it('takes whatever is thrown', async () => {
    const { server, report } = createProxyServer()
    const odd = asking(server, report, 'identify', () => {
      // oxlint-disable-next-line typescript/only-throw-error -- what an app's own verifier may do
      throw 'a text'
    })
    expect(await refusal(odd)).toEqual(['temporarily_unavailable', 'Example ID: a text'])
  })

  it('hands on when trying again makes sense, where somebody down there knows', () => {
    const known = new OAuthError('temporarily_unavailable', 'later', { retryAfterSeconds: 30 })
    const causes = [known, new Error('no document', { cause: known }), new Error('away'), 'a text', undefined]
    expect(causes.map((cause) => unavailable('x', cause).retryAfterSeconds)).toEqual([
      30,
      30,
      undefined,
      undefined,
      undefined,
    ])
  })

  it('says nothing of the cause on the wire', () => {
    const { description } = unavailable('the database of the identity provider')
    expect(description).not.toContain('database')
  })
})

describe('upstreamOf', () => {
  it('is the identity provider that a server was built with, and a mistake of ours elsewhere', () => {
    const { server, upstream } = createProxyServer()
    expect(upstreamOf(server)).toBe(upstream)
    expect(() => upstreamOf(createServer().server)).toThrow('this authorization server has no identity provider') // prettier-ignore
  })
})
