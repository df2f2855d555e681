import { createPublicKey } from 'node:crypto'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { JWTVerifier } from 'express-mcp-auth'
import { RSAKeyPair, testClock } from 'express-mcp-auth/testing'
import { type JWK, calculateJwkThumbprint, decodeJwt, decodeProtectedHeader } from 'jose'

describe('RSAKeyPair', () => {
  let keys: RSAKeyPair

  beforeAll(async () => {
    keys = await RSAKeyPair.generate()
  })

  it('has its public key as PEM and as JWK set, named by its thumbprint (RFC 7638)', async () => {
    expect(createPublicKey(keys.publicKey).asymmetricKeyDetails).toMatchObject({ modulusLength: 2048 })
    const [jwk] = keys.jwks.keys
    expect(jwk).toMatchObject({
      kty: 'RSA',
      alg: 'RS256',
      use: 'sig',
      kid: await calculateJwkThumbprint(jwk as unknown as JWK),
    })
    expect(
      createPublicKey({ key: { ...jwk } as never, format: 'jwk' }).equals(createPublicKey(keys.publicKey)),
    ).toBe(true)
    expect(Object.keys(jwk ?? {}).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use'])
  })

  it('makes tokens that a verifier takes, by PEM and by JWK set', async () => {
    const issuer = 'https://login.example.com'
    const audience = 'https://api.example.com/mcp'
    const token = keys.createToken({ issuer, audience, subject: 'alice', scopes: ['a', 'b'] })
    for (const publicKey of [keys.publicKey, keys.jwks]) {
      const verifier = new JWTVerifier({ publicKey, issuer, audience })
      expect(await verifier.verifyToken(token)).toMatchObject({ subject: 'alice', scopes: ['a', 'b'] })
    }
  })

  it('makes one that says little where nothing is stated', () => {
    const token = keys.createToken()
    const claims = decodeJwt(token)
    expect(decodeProtectedHeader(token)).toEqual({
      alg: 'RS256',
      typ: 'JWT',
      kid: keys.jwks.keys[0]?.['kid'],
    })
    expect(claims).toEqual({
      iss: 'https://issuer.example.com',
      sub: 'test-user',
      iat: expect.any(Number),
      exp: Number(claims.iat) + 3600,
    })
    expect(Math.abs(Number(claims.iat) - Date.now() / 1000)).toBeLessThan(5)
  })

  it('makes one that has expired, of another key ID, with other claims', () => {
    const token = keys.createToken({
      expiresInSeconds: -1,
      kid: 'other',
      audience: ['a', 'b'],
      additionalClaims: { sub: 'bob', x: 1 },
    })
    const claims = decodeJwt(token)
    expect(decodeProtectedHeader(token).kid).toBe('other')
    expect(claims).toMatchObject({ sub: 'bob', x: 1, aud: ['a', 'b'], exp: Number(claims.iat) - 1 })
  })

  it('has its times from a clock that the test moves, and the type that is asked for', async () => {
    const clock = testClock(1_700_000_000_000)
    const timed = await RSAKeyPair.generate({ deps: clock })
    clock.advance(5)
    const token = timed.createToken({ type: 'at+jwt' })
    expect(decodeJwt(token)).toMatchObject({ iat: 1_700_000_005, exp: 1_700_003_605 })
    expect(decodeProtectedHeader(token).typ).toBe('at+jwt')
  })

  it('makes different pairs', async () => {
    const other = await RSAKeyPair.generate()
    expect(other.publicKey).not.toBe(keys.publicKey)
    expect(other.jwks.keys[0]?.['kid']).not.toBe(keys.jwks.keys[0]?.['kid'])
  })

  it('shows no private key', () => {
    expect(JSON.stringify(keys)).not.toMatch(/"d":|PRIVATE/)
  })
})
