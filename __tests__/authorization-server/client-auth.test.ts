import { describe, expect, it } from '@jest/globals'
import { authenticateClient } from '../../lib/authorization-server/client-auth.js'
import { createServer, parametersOf, refusal } from '../support/server.js'

const CLIENTS = [
  { clientId: 'app' },
  { clientId: 'service', clientSecret: 'p:ä +%' },
  { clientId: 'https://api.example.com/mcp', clientSecret: 'rs' },
]
const test = createServer({ clients: CLIENTS })

const authenticate = (
  form: Record<string, string>,
  authorization?: string,
): ReturnType<typeof authenticateClient> =>
  authenticateClient(authorization, parametersOf(form), test.server, test.report)

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`

describe('authenticateClient', () => {
  it('takes the bare ID of a public client', async () => {
    expect((await authenticate({ client_id: 'app' })).clientId).toBe('app')
  })

  it('takes a secret in the body, and by Basic', async () => {
    expect((await authenticate({ client_id: 'service', client_secret: 'p:ä +%' })).clientId).toBe('service')
    for (const credentials of ['service:p%3A%C3%A4+%2B%25', 'service:p:%c3%a4%20%2b%25'])
      expect((await authenticate({}, basic(credentials))).clientId).toBe('service')
  })

  it('takes a secret by Basic that was not encoded, as many clients send it', async () => {
    expect((await authenticate({}, basic('service:p:ä +%'))).clientId).toBe('service')
  })

  it('takes a client that is called as a URL, form-encoded', async () => {
    const encoded = `${encodeURIComponent('https://api.example.com/mcp')}:rs`
    expect((await authenticate({}, basic(encoded))).clientId).toBe('https://api.example.com/mcp')
  })

  it('tells operators why, and names the client where there is one', async () => {
    const wrong: [Record<string, string>, string | undefined, string][] = [
      [{}, undefined, 'no client is named'],
      [{ client_id: 'x'.repeat(300) }, undefined, `there is no client ${'x'.repeat(200)}`],
      [{ client_id: 'service' }, undefined, 'service: none is not how this client registered'],
      [{ client_id: 'service', client_secret: 'x' }, undefined, 'service: the secret is wrong'],
      [{ client_id: 'app' }, basic('service:x'), 'two different clients are named'],
      [{ client_secret: 'x' }, basic('service:x'), 'more than one way to authenticate'],
      [{ client_assertion: 'x' }, undefined, 'the type of the assertion is not known'],
      [{}, 'Bearer x', 'the Authorization header is not Basic'],
      [
        {},
        `Basic ${Buffer.from([0x73, 0x3a, 0xff]).toString('base64')}`,
        'the Basic credentials are malformed',
      ],
      [{}, basic('service'), 'the Basic credentials are malformed'],
      [{}, basic('%:x'), 'the Basic credentials are not form-encoded'],
      [{}, basic('service:%'), 'service: the secret is wrong'],
      [{}, basic('service:'), 'service: the secret is wrong'],
      [{}, basic('nobody:'), 'there is no client nobody'],
      [{}, basic('app:'), 'app: client_secret_basic is not how this client registered'],
    ]
    for (const [form, header, why] of wrong)
      expect(await refusal(authenticate(form, header))).toEqual(['invalid_client', why])
  })

  it('G7 an outage is no refusal', async () => {
    test.store.before = () => {
      throw new Error('away')
    }
    await expect(authenticate({ client_id: 'x'.repeat(24) })).rejects.toThrow('away')
    test.store.before = undefined
  })
})
