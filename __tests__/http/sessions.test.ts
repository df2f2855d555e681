import { describe, expect, it } from '@jest/globals'
import { AccessToken, type AccessTokenFields } from 'express-mcp-auth'
import { SessionBindings } from '../../lib/http/sessions.js'

const caller = (fields: Partial<AccessTokenFields & { token: string }> = {}): AccessToken =>
  new AccessToken({ token: 't', clientId: 'c', issuer: 'https://i.example', subject: 's', ...fields })

describe('SessionBindings', () => {
  it('know a session by who opened it', () => {
    const bindings = new SessionBindings()
    expect(bindings.standing('session', caller())).toBe('unknown')
    bindings.open('session', caller())
    expect(bindings.standing('session', caller())).toBe('own')
    expect(bindings.standing('sessiom', caller())).toBe('unknown')
    expect(bindings.standing('__proto__', caller())).toBe('unknown')
  })

  it('know the same principal by another token', () => {
    const bindings = new SessionBindings()
    bindings.open('session', caller({ token: 'old', scopes: ['a'] }))
    expect(bindings.standing('session', caller({ token: 'new', scopes: [] }))).toBe('own')
  })

  it.each<[rule: string, other: AccessToken | undefined]>([
    ['another client', caller({ clientId: 'd' })],
    ['another issuer', caller({ issuer: 'https://j.example' })],
    ['no issuer', caller({ issuer: undefined })],
    ['another subject', caller({ subject: 'r' })],
    ['no subject', caller({ subject: undefined })],
    ['nobody', undefined],
    ['parts that only read alike when joined', caller({ clientId: 'c","https://i.example', issuer: 's' })],
  ])('know %s for somebody else', (_rule, other) => {
    const bindings = new SessionBindings()
    bindings.open('session', caller())
    expect(bindings.standing('session', other)).toBe('foreign')
  })

  it('let the first word count', () => {
    const bindings = new SessionBindings()
    bindings.open('session', caller())
    bindings.open('session', caller({ subject: 'thief' }))
    expect(bindings.standing('session', caller())).toBe('own')
  })

  it('know anonymous callers as one, and as nobody else', () => {
    const bindings = new SessionBindings()
    bindings.open('session', undefined)
    expect(bindings.standing('session', undefined)).toBe('own')
    expect(bindings.standing('session', caller())).toBe('foreign')
    expect(bindings.standing('session', caller({ clientId: 'anonymous' }))).toBe('foreign')
  })

  it('tell callers apart by their tokens where these name neither client nor subject', () => {
    const nameless = (token: string): AccessToken =>
      caller({ token, clientId: 'unknown', subject: undefined })
    const bindings = new SessionBindings()
    bindings.open('session', nameless('one'))
    expect(bindings.standing('session', nameless('one'))).toBe('own')
    expect(bindings.standing('session', nameless('two'))).toBe('foreign')
  })

  it.each([
    ['a client without a subject', { subject: undefined }],
    ['a subject without a client', { clientId: 'unknown' }],
  ])('know %s by whatever token', (_rule, named) => {
    const bindings = new SessionBindings()
    bindings.open('session', caller({ ...named, token: 'one' }))
    expect(bindings.standing('session', caller({ ...named, token: 'two' }))).toBe('own')
  })

  it('forget the least recently used beyond their bound', () => {
    const bindings = new SessionBindings({ maxSessions: 2 })
    for (const session of ['1', '2']) bindings.open(session, caller())
    bindings.standing('1', caller())
    bindings.open('3', caller())
    expect(['1', '2', '3'].map((session) => bindings.standing(session, caller()))).toEqual([
      'own',
      'unknown',
      'own',
    ])
  })
})
