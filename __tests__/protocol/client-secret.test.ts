import { describe, expect, it } from '@jest/globals'
import { basicCredentials, sentSecrets, withoutSecrets } from '../../lib/protocol/client-secret.js'

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

describe('P8 a message tells no secret', () => {
  const SECRET = 'abc8Q~Dgn*so (much) und ä'
  it.each([
    ['as it is', SECRET],
    ['as in a URL', encodeURIComponent(SECRET)],
    ['as in a form', new URLSearchParams({ '': SECRET }).toString().slice(1)],
    ['as in a form with small letters', 'abc8Q%7eDgn*so+%28much%29+und+%c3%a4'],
    ['as in a header', basicCredentials('app', SECRET).slice('Basic '.length)],
  ])('%s', (_rule, spelled) => {
    expect(withoutSecrets(`bad ${spelled}, and ${spelled}`, sentSecrets('app', SECRET))).toBe('bad …, and …')
  })

  it('of several, nor what is left of one within another', () => {
    expect(withoutSecrets('a code-2 code', ['', 'code', 'code-2'])).toBe('a … …')
  })

  it('where there is none', () => {
    for (const secret of [undefined, ''])
      expect(withoutSecrets('as it was', sentSecrets('app', secret))).toBe('as it was')
  })
})
