// What a server asks to have opened is a web address, and goes to a browser as one argument.
import type { spawn } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { describe, expect, it } from '@jest/globals'
import { testClock } from 'express-mcp-auth/testing'
import { checkAuthorizationUrl, openInBrowser } from '../../lib/client/open-browser.js'

const clock = testClock()

/** Notes what would be started, and says how that went: with a number, that it ended with that. */
function starter(outcome: 'runs' | 'error' | number | null): { start: typeof spawn; started: unknown[][] } {
  const started: unknown[][] = []
  const start = (...call: unknown[]): EventEmitter => {
    started.push(call)
    const child = Object.assign(new EventEmitter(), { unref: () => undefined })
    setImmediate(() => {
      if (outcome === 'error') return child.emit('error', new Error('ENOENT'))
      child.emit('spawn')
      return outcome === 'runs' ? clock.advance(1) : child.emit('exit', outcome)
    })
    return child
  }
  return { start: start as unknown as typeof spawn, started }
}

const url = new URL('https://login.example.com/authorize?state=a%20b&x=%24(x)'.replace('(x)', '%28x%29'))
const OPTIONS = { stdio: 'ignore', detached: true, shell: false }

describe('openInBrowser', () => {
  it.each<[NodeJS.Platform, string, string[]]>([
    ['linux', 'xdg-open', []],
    ['darwin', 'open', []],
    ['win32', 'rundll32', ['url.dll,FileProtocolHandler']],
  ])(
    'L1 hands the address over as one argument, and to no shell, on %s',
    async (platform, program, before) => {
      const { start, started } = starter('runs')
      await openInBrowser(url, clock, platform, start)
      expect(started).toEqual([[program, [...before, url.href], OPTIONS]])
    },
  )

  it('tells the address where no browser can be started', async () => {
    await expect(openInBrowser(url, clock, 'linux', starter('error').start)).rejects.toMatchObject({
      code: 'no_browser',
      message: `No browser could be started (xdg-open). Open this address: ${url.href} — or pass "openBrowser"`,
    })
  })

  it.each<[NodeJS.Platform, number | null]>([
    ['linux', 3],
    ['linux', null],
    ['darwin', 1],
  ])('tells the address where what should open it on %s ends at once, with %j', async (platform, status) => {
    await expect(openInBrowser(url, clock, platform, starter(status).start)).rejects.toMatchObject({
      code: 'no_browser',
      message: expect.stringContaining(`Open this address: ${url.href}`),
    })
  })

  it.each<[NodeJS.Platform, number]>([
    ['linux', 0],
    ['win32', 1],
  ])('takes it for opened where what opens it on %s ends with %j', async (platform, status) => {
    await expect(openInBrowser(url, clock, platform, starter(status).start)).resolves.toBeUndefined()
  })

  it.each([
    'javascript:alert(1)',
    'file:///etc/passwd',
    'data:text/html,x',
    'ms-settings:x',
    'a:$(calc)',
    'http://login.example.com/',
    'ftp://127.0.0.1/',
    'https://ada:secret@login.example.com/',
    'https://$(calc)/',
    'https://login.example.com/$(calc)',
    "https://login.example.com/x'",
    'https://login.example.com/#x',
    'https://login.example.com/|calc',
    'http://127.0.0.1.evil.example/',
  ])('L1 opens nothing for %s', async (text) => {
    const { start, started } = starter('runs')
    await expect(openInBrowser(new URL(text), clock, 'linux', start)).rejects.toMatchObject({
      code: 'unsafe_url',
    })
    expect(started).toEqual([])
  })

  it.each([
    'https://login.example.com',
    'http://127.0.0.1:8080/a?b=c',
    'http://localhost/x',
    'http://[::1]:1/',
    'https://xn--bcher-kva.example/?a=%27',
  ])('C-17 lets %s through', (text) => {
    expect(() => checkAuthorizationUrl(new URL(text))).not.toThrow()
  })
})
