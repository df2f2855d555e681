import { describe, expect, it } from '@jest/globals'
import { challengeOf, isCodeChallenge, isCodeVerifier } from '../../lib/protocol/pkce.js'

// RFC 7636 appendix B
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

describe('PKCE', () => {
  it('has the challenge of RFC 7636 appendix B for its verifier', () => {
    expect(challengeOf(VERIFIER)).toBe(CHALLENGE)
  })

  it.each([CHALLENGE, 'A'.repeat(43), `${'a_-9'.repeat(10)}abc`])('takes %s for a challenge', (text) => {
    expect(isCodeChallenge(text)).toBe(true)
  })

  it.each([
    '',
    'A'.repeat(42),
    'A'.repeat(44),
    `${'A'.repeat(43)}=`,
    `${'A'.repeat(42)}+`,
    `${'A'.repeat(42)}~`,
    `${CHALLENGE}\n`,
  ])('A9 does not take %j for a challenge', (text) => {
    expect(isCodeChallenge(text)).toBe(false)
  })

  it.each([VERIFIER, 'a'.repeat(43), 'a'.repeat(128), `-._~${'Z9'.repeat(20)}`])(
    'takes %s for a verifier',
    (text) => {
      expect(isCodeVerifier(text)).toBe(true)
    },
  )

  it.each([
    '',
    'a'.repeat(42),
    'a'.repeat(129),
    `${'a'.repeat(43)}+`,
    `${'a'.repeat(43)} `,
    `${VERIFIER}\n`,
    'ü'.repeat(43),
  ])('A9 does not take %j for a verifier', (text) => {
    expect(isCodeVerifier(text)).toBe(false)
  })
})
