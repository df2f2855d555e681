import { describe, expect, it } from '@jest/globals'
import { basicCredentials } from '../../lib/protocol/client-secret.js'

const decoded = (header: string): string =>
  Buffer.from(header.slice('Basic '.length), 'base64').toString('latin1')

describe('the credentials of a client', () => {
  it.each<[rule: string, clientId: string, secret: string, pair: string]>([
    ['are joined by a colon', 'app', 'secret', 'app:secret'],
    ['have no other colon in them', 'a:p', 's:t', 'a%3Ap:s%3At'],
    ['are form-encoded', 'a+p p', '100%&=', 'a%2Bp+p:100%25%26%3D'],
    ['are UTF-8', 'café', 'ключ', 'caf%C3%A9:%D0%BA%D0%BB%D1%8E%D1%87'],
    ['keep dashes, dots and lines as they are', '1-a.apps_b', 'x-y.z_*', '1-a.apps_b:x-y.z_*'],
  ])('FM 8.1.6 %s (RFC 6749 2.3.1)', (_rule, clientId, secret, pair) => {
    const header = basicCredentials(clientId, secret)
    expect(header).toMatch(/^Basic [A-Za-z0-9+/]+=*$/)
    expect(decoded(header)).toBe(pair)
  })
})
