import { describe, expect, it } from '@jest/globals'
import { testClock } from 'express-mcp-auth/testing'
import { RegistrationBudget } from '../../lib/authorization-server/registration-budget.js'
import { OAuthError } from '../../lib/protocol/errors.js'

const HOUR = 3600

describe('RegistrationBudget', () => {
  it('D1 is spent, says when to come again, and is full in the next hour', () => {
    const clock = testClock(HOUR * 1000 * 1000)
    const budget = new RegistrationBudget(2, clock.now)
    clock.advance(600)
    budget.spend()
    budget.spend()
    const spend = (): void => budget.spend()
    let thrown: unknown
    try {
      spend()
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(OAuthError)
    expect(thrown).toMatchObject({ code: 'temporarily_unavailable', status: 429, retryAfterSeconds: 3000 })
    clock.advance(2999)
    expect(spend).toThrow(OAuthError)
    clock.advance(1)
    expect(spend).not.toThrow()
    expect(spend).not.toThrow()
    expect(spend).toThrow(OAuthError)
  })
})
