import { describe, expect, it } from '@jest/globals'
import { grantedScopes } from '../../lib/authorization-server/scopes.js'
import { OAuthError } from '../../lib/protocol/errors.js'
import { APP, createServer } from '../support/server.js'

const settings = (options: Parameters<typeof createServer>[0] = {}) => createServer(options).server.settings
const LIMITED = { ...APP, scopes: ['read'] }

describe('grantedScopes', () => {
  it('gives what is asked for and known, in the order that it was asked for', () => {
    expect(grantedScopes('write read', APP, settings())).toEqual(['write', 'read'])
    expect(grantedScopes('read read', APP, settings())).toEqual(['read'])
  })

  it('passes over what does not exist here', () => {
    expect(grantedScopes('claudeai read admin', APP, settings())).toEqual(['read'])
  })

  it('gives the defaults where nothing is asked for that exists: what is required, or else everything', () => {
    for (const asked of [undefined, '', ' ', 'claudeai']) {
      expect(grantedScopes(asked, APP, settings())).toEqual(['read', 'write'])
      expect(grantedScopes(asked, APP, settings({ requiredScopes: ['read'] }))).toEqual(['read'])
      expect(grantedScopes(asked, APP, settings({ defaultScopes: ['write'] }))).toEqual(['write'])
    }
  })

  it('gives offline_access where it is asked for', () => {
    expect(grantedScopes('read offline_access', APP, settings())).toEqual(['read', 'offline_access'])
  })

  it('gives what every request needs, whatever is asked for', () => {
    expect(grantedScopes('write', APP, settings({ requiredScopes: ['read'] }))).toEqual(['read', 'write'])
    expect(grantedScopes('write', { ...APP, scopes: ['write'] }, settings({ requiredScopes: ['read'] }))).toEqual(['write']) // prettier-ignore
  })

  it('gives offline_access to a limited client that may refresh', () => {
    expect(grantedScopes('read offline_access', LIMITED, settings())).toEqual(['read', 'offline_access'])
    const once = { ...LIMITED, grantTypes: ['authorization_code'] }
    expect(() => grantedScopes('read offline_access', once, settings())).toThrow(OAuthError)
  })

  it('A14 never gives a client more than it may have', () => {
    expect(grantedScopes(undefined, LIMITED, settings())).toEqual(['read'])
    expect(grantedScopes('read', LIMITED, settings())).toEqual(['read'])
    const ask = (): unknown => grantedScopes('read write', LIMITED, settings())
    expect(ask).toThrow(OAuthError)
    expect(ask).toThrow('This client may not have the scope write')
  })
})
