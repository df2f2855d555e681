import { describe, expect, it } from '@jest/globals'
import { isActive, parseUser } from '../../lib/authorization-server/people.js'
import { createProxyServer } from '../support/proxy-server.js'

const parse = (value: unknown): unknown => parseUser(value, 'signIn.currentUser')

describe('parseUser', () => {
  it('takes a user with what is known of one, and nothing else', () => {
    expect(parse({ subject: 'ada', name: 'Ada', claims: { role: 'editor' }, password: 'x' })).toEqual({
      subject: 'ada',
      name: 'Ada',
      claims: { role: 'editor' },
    })
    expect(parse({ subject: 'ada', name: 7, claims: ['x'] })).toEqual({ subject: 'ada' })
    expect(parse({ subject: 'ada', claims: null })).toEqual({ subject: 'ada' })
  })

  it('takes null, undefined and false for nobody', () => {
    expect([null, undefined, false].map(parse)).toEqual([undefined, undefined, undefined])
  })

  it.each([[{}], [{ subject: '' }], [{ subject: 7 }], ['ada'], [true], [7]])(
    'refuses %j, which may be a user or not',
    (value) => {
      expect(() => parse(value)).toThrow(
        'signIn.currentUser must give null or a user { subject, name?, claims? } whose subject is a string',
      )
    },
  )

  it('drops claims that only the server may make', () => {
    const claims = {
      iss: 'x',
      sub: 'x',
      scope: 'admin',
      client_id: 'x',
      exp: 1,
      jti: 'x',
      act: {},
      team: 'a',
    }
    expect(parse({ subject: 'ada', claims })).toEqual({ subject: 'ada', claims: { team: 'a' } })
  })
})

describe('isActive', () => {
  const verifyCredentials = (): null => null
  const ask = (answer?: unknown): Promise<boolean> =>
    isActive('ada', {
      signIn: { verifyCredentials, ...(answer !== undefined && { isActive: () => answer as boolean }) },
    })

  it('is what the app says, and yes where it says nothing', async () => {
    expect([await ask(), await ask(true), await ask(false), await ask(Promise.resolve(false))]).toEqual([true, true, false, false]) // prettier-ignore
  })

  it('is asked of the app also where an identity provider signs people in', async () => {
    const subjects: string[] = []
    const isAllowed = (subject: string): boolean => subjects.push(subject) > 1
    const { server } = createProxyServer({ isActive: isAllowed })
    expect([await isActive('idp|grace', server), await isActive('idp|ada', server)]).toEqual([false, true])
    expect(subjects).toEqual(['idp|grace', 'idp|ada'])
    expect(await isActive('idp|grace', createProxyServer().server)).toBe(true)
  })

  it('takes nothing else for an answer', async () => {
    for (const answer of [null, 1, '', 'no', {}])
      await expect(ask(answer)).rejects.toThrow('signIn.isActive must give true or false')
  })
})
