import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { type AuthEvent, EVENT_CHANNEL } from 'express-mcp-auth'
import { createReporter } from '../../lib/runtime/events.js'

const allowed: AuthEvent = { type: 'request.allowed', method: 'GET', path: '/', cached: false }
const danger: AuthEvent = { type: 'danger', option: 'dangerouslyAllowAnyAudience', message: 'Careful' }

describe('createReporter', () => {
  let warnings: jest.SpiedFunction<typeof process.emitWarning>

  beforeEach(() => {
    warnings = jest.spyOn(process, 'emitWarning').mockReturnValue()
  })

  afterEach(() => {
    jest.restoreAllMocks()
  })

  it('hands every event to the listener', () => {
    const events: AuthEvent[] = []
    const { report, listening } = createReporter((event) => events.push(event))
    report(allowed)
    report(danger)
    expect(listening).toBe(true)
    expect(events).toEqual([allowed, danger])
    expect(warnings).not.toHaveBeenCalled()
  })

  it('publishes every event on the diagnostics channel, with a listener or without', () => {
    const published: unknown[] = []
    const take = (event: unknown): void => void published.push(event)
    const reporter = createReporter()
    expect(reporter.listening).toBe(false)
    subscribe(EVENT_CHANNEL, take)
    try {
      expect(reporter.listening).toBe(true)
      reporter.report(allowed)
      createReporter(() => undefined).report(danger)
    } finally {
      unsubscribe(EVENT_CHANNEL, take)
    }
    reporter.report(allowed)
    expect(published).toEqual([allowed, danger])
  })

  it('is named as it is documented', () => {
    expect(EVENT_CHANNEL).toBe('express-mcp-auth')
  })

  it('prints hints and dangers as process warnings where nobody listens, and nothing else', () => {
    const { report, hint } = createReporter()
    report(allowed)
    report(danger)
    hint('no_discovery', 'Wrap it')
    expect(warnings.mock.calls).toEqual([
      ['Careful', { type: 'McpAuthWarning', code: 'MCP_AUTH_DANGEROUSLYALLOWANYAUDIENCE' }],
      ['Wrap it', { type: 'McpAuthWarning', code: 'MCP_AUTH_NO_DISCOVERY' }],
    ])
  })

  it('tells each hint once', () => {
    const events: AuthEvent[] = []
    const { hint } = createReporter((event) => events.push(event))
    hint('no_discovery', 'first')
    hint('no_discovery', 'second')
    hint('trust_proxy_off', 'third')
    expect(events).toEqual([
      { type: 'hint', code: 'no_discovery', message: 'first' },
      { type: 'hint', code: 'trust_proxy_off', message: 'third' },
    ])
  })

  it('tells it once a guard', () => {
    const events: AuthEvent[] = []
    for (const { hint } of [1, 2].map(() => createReporter((event) => events.push(event))))
      hint('no_discovery', 'm')
    expect(events).toHaveLength(2)
  })

  it('lets nothing that a listener throws reach the request, and warns of it once', () => {
    const { report } = createReporter(() => {
      throw new Error('full disk')
    })
    expect(() => {
      report(allowed)
      report(allowed)
    }).not.toThrow()
    expect(warnings.mock.calls).toEqual([
      ['onEvent threw: Error: full disk', { type: 'McpAuthWarning', code: 'MCP_AUTH_LISTENER_THREW' }],
    ])
  })

  it('takes a rejection of an asynchronous listener for a throw', async () => {
    const failure = Promise.reject(new Error('full disk'))
    failure.catch(() => undefined)
    const { report } = createReporter(() => failure)
    report(allowed)
    report(allowed)
    await new Promise(setImmediate)
    expect(warnings.mock.calls).toEqual([
      ['onEvent threw: Error: full disk', { type: 'McpAuthWarning', code: 'MCP_AUTH_LISTENER_THREW' }],
    ])
  })
})
