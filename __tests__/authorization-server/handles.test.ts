import { describe, expect, it } from '@jest/globals'
import {
  codeOf,
  readCode,
  readRefreshToken,
  readTokenId,
  refreshTokenOf,
} from '../../lib/authorization-server/handles.js'
import { deriveKeys } from '../../lib/runtime/keys.js'

const [old, current] = ['the old secret', 'the current secret'].map((secret) =>
  Buffer.from(secret.padEnd(32)),
)
const keys = deriveKeys([current!])
const rotated = deriveKeys([Buffer.alloc(32, 1), current!])
const others = deriveKeys([old!])
const ID = 'AAAABBBBCCCCDDDDEEEEFFFF'

describe('codes', () => {
  it('stand for a grant, for whoever has the keys, also after they were rotated', () => {
    expect(readCode(keys, codeOf(keys, ID))).toBe(ID)
    expect(readCode(rotated, codeOf(keys, ID))).toBe(ID)
    expect(readCode(others, codeOf(keys, ID))).toBeUndefined()
  })

  it('are no refresh tokens, and the other way round', () => {
    const refreshToken = refreshTokenOf(keys, ID, 1)
    const mac = refreshToken.split('.')[2]
    expect(readRefreshToken(keys, codeOf(keys, ID))).toBeUndefined()
    expect(readCode(keys, refreshToken)).toBeUndefined()
    expect(readCode(keys, `${ID}.${mac}`)).toBeUndefined()
  })
})

describe('refresh tokens', () => {
  it('stand for a grant and a generation', () => {
    expect(readRefreshToken(keys, refreshTokenOf(keys, ID, 12))).toEqual({ grantId: ID, generation: 12 })
    expect(readRefreshToken(rotated, refreshTokenOf(keys, ID, 1))).toEqual({ grantId: ID, generation: 1 })
    expect(readRefreshToken(others, refreshTokenOf(keys, ID, 1))).toBeUndefined()
  })

  it('have one spelling, and a generation that fits a number', () => {
    const mac = refreshTokenOf(keys, ID, 1).split('.')[2]
    for (const generation of ['0', '01', '+1', '1e0', '', '2', '1234567890'])
      expect(readRefreshToken(keys, `${ID}.${generation}.${mac}`)).toBeUndefined()
    const far = refreshTokenOf(keys, ID, 1_000_000_000)
    expect(readRefreshToken(keys, far)).toBeUndefined()
  })
})

describe('IDs of access tokens', () => {
  it('name a grant and a generation, which is 0 without refresh tokens', () => {
    expect(readTokenId(`${ID}.0.${ID}`)).toEqual({ grantId: ID, generation: 0 })
    expect(readTokenId(`${ID}.31.${ID}`)).toEqual({ grantId: ID, generation: 31 })
  })

  it('are nothing else', () => {
    for (const jti of [undefined, 7, '', ID, `${ID}.00.${ID}`, `${ID}.1.`, `x${ID}.1.${ID}`, [`${ID}.1.${ID}`]])
      expect(readTokenId(jti)).toBeUndefined() // prettier-ignore
  })
})
