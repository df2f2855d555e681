import { describe, expect, it } from '@jest/globals'
import { sendSecured } from '../../lib/express/headers.js'
import { startServer } from '../support/site.js'
import { cleanUp } from './stand.js'

describe('sendSecured', () => {
  it('lets nothing be rendered, framed, run or sniffed, and leaves transport security to the app', async () => {
    const { url, close } = await startServer((request, response) => {
      sendSecured(request, response, { status: 200, headers: {}, body: 'document' }, false)
    })
    cleanUp.push(close)
    const response = await fetch(url)
    expect(await response.text()).toBe('document')
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'cross-origin-resource-policy': 'cross-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
    })
    expect(response.headers.has('strict-transport-security')).toBe(false)
  })
})
