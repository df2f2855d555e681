import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, it } from '@jest/globals'
import { type AuthEvent, EVENT_CHANNEL } from 'express-mcp-auth'
import { STANDALONE } from '../../lib/verifiers/verifier.js'

describe('STANDALONE, for a verifier without a guard', () => {
  it('publishes events on the diagnostics channel', () => {
    const event: AuthEvent = { type: 'service.failed', url: 'https://a.example', message: 'm' }
    const published: unknown[] = []
    const take = (told: unknown): void => void published.push(told)
    subscribe(EVENT_CHANNEL, take)
    try {
      STANDALONE.report(event)
    } finally {
      unsubscribe(EVENT_CHANNEL, take)
    }
    expect(published).toEqual([event])
  })

  it('refuses, and keeps the reason to itself', () => {
    expect(STANDALONE.refuse({ stage: 'audience' })).toBeNull()
  })
})
