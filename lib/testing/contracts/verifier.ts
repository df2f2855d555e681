// What every verifier has to do, as cases for any test runner.
import assert from 'node:assert/strict'
import { recognize } from '../../http/verdicts.js'
import { type VerifiedToken, parseAccessToken } from '../../protocol/access-token.js'
import { tokenForm } from '../../protocol/jws-guard.js'
import { isScope } from '../../protocol/scopes.js'
import { type SdkTokenVerifier, toProvider } from '../../providers/provider.js'
import type { Verifier, VerifyContext } from '../../verifiers/verifier.js'

/** A verifier under test, and what it says of which token. */
export interface VerifierUnderTest {
  readonly verifier: Verifier | SdkTokenVerifier
  /** A token that is good, and whose scopes are enough. */
  readonly goodToken: string
  /** What it says of that token, as far as it matters. */
  readonly expected?: {
    readonly clientId?: string
    readonly subject?: string
    readonly issuer?: string
    readonly scopes?: readonly string[]
  }
  /** Tokens that look right and are not: of another issuer, for another audience, revoked, signed by nobody. */
  readonly badTokens: readonly string[]
  /** A token that was good once, or `never expires`. */
  readonly expiredToken: string
  /** A good token without the required scopes, or `no scopes` where none are required. */
  readonly tokenWithoutScopes: string
  /** Takes away whom the verifier asks, or `asks nobody`. The case that does this has a verifier of its own. */
  readonly outage: (() => unknown) | 'asks nobody'
  /** Stops what was started for it. */
  readonly close?: () => unknown
}

/** Makes the verifier under test, anew for each case. */
export type CreateVerifier = () => VerifierUnderTest | Promise<VerifierUnderTest>

export interface VerifierCase {
  /** The rule. */
  readonly title: string
  /** Rejects where the verifier breaks it. */
  run(createVerifier: CreateVerifier): Promise<void>
}

const CALLERS = 25

/** Nothing that is a token, and nothing that may be found by accident. The guard hands on no other letters than these (RFC 6750 2.1). */
const GARBAGE = [
  '.', '..', 'a.b.c', '-', 'x'.repeat(20_000), '__proto__', 'constructor', 'null', 'undefined', 'eyJhbGciOiJub25lIn0.e30.',
] // prettier-ignore

interface Stand extends VerifierUnderTest {
  readonly asked: Verifier
  /** What the verifier told of its refusals, and its events. */
  readonly told: string[]
  readonly context: VerifyContext
  /** The facts of a token; undefined where it is bad. Rejects where that could not be decided. */
  readonly verify: (token: string) => Promise<VerifiedToken | undefined>
}

const CASES: readonly (readonly [title: string, prove: (stand: Stand) => void | Promise<void>])[] = [
  [
    'a good token is accepted, and it is said whose it is',
    async ({ verify, goodToken, expected = {} }) => {
      const verified = await verify(goodToken)
      assert.ok(verified, 'the good token was refused')
      assert.equal(verified.token, goodToken, '"token" is another one than was presented')
      for (const [name, value] of Object.entries(expected))
        assert.deepEqual(verified[name as keyof VerifiedToken], value, `"${name}" is not what was expected`)
    },
  ],
  [
    'a bad token is refused by null, or an error that speaks of the token',
    async ({ verify, badTokens }) => {
      assert.ok(badTokens.length > 0, '"badTokens" are missing')
      for (const [index, token] of badTokens.entries())
        assert.equal(await verify(token), undefined, `bad token ${index} was accepted`)
    },
  ],
  [
    'garbage, and a good token that was cut or grew, is refused and never an outage',
    async ({ verify, goodToken }) => {
      const near = [
        `${goodToken}x`,
        `x${goodToken}`,
        `${goodToken}.`,
        goodToken.slice(0, -8),
        goodToken.slice(8),
      ]
      for (const token of [...GARBAGE, ...near, goodToken.toUpperCase()].filter((one) => one !== goodToken))
        assert.equal(await verify(token), undefined, `${JSON.stringify(token.slice(0, 40))} was accepted`)
    },
  ],
  [
    'an expired token is refused, or said to have expired',
    async ({ verify, expiredToken, goodToken }) => {
      if (expiredToken === 'never expires') {
        assert.equal(
          (await verify(goodToken))?.expiresAt,
          undefined,
          'its tokens do expire: pass "expiredToken"',
        )
        return
      }
      const verified = await verify(expiredToken)
      const good = await verify(goodToken)
      // The guard compares what is said with the time.
      if (verified !== undefined)
        assert.ok(
          verified.expiresAt !== undefined && verified.expiresAt < (good?.expiresAt ?? Infinity),
          'the expired token is as good as the good one',
        )
    },
  ],
  [
    'required scopes are a list of scopes, and whoever lacks them is known all the same: the guard answers 403, not 401',
    async ({ asked, verify, tokenWithoutScopes, goodToken, context }) => {
      const { requiredScopes = [] } = asked
      assert.ok(requiredScopes.every(isScope), '"requiredScopes" holds what is no scope')
      const good = await verify(goodToken)
      const missing = requiredScopes.filter((scope) => good?.scopes.includes(scope) !== true)
      assert.deepEqual(missing, [], 'the good token lacks required scopes')
      if (tokenWithoutScopes === 'no scopes') {
        assert.deepEqual(requiredScopes, [], 'there are required scopes: pass "tokenWithoutScopes"')
        return
      }
      const held = await heldBy(tokenWithoutScopes, asked, context)
      assert.ok(held, 'a token without the required scopes was refused as a bad one')
      assert.ok(
        requiredScopes.some((scope) => !held.includes(scope)),
        '"tokenWithoutScopes" has all of them',
      )
    },
  ],
  [
    'an outage is thrown, and says nothing about the token',
    async ({ outage, asked, goodToken, context }) => {
      if (outage === 'asks nobody') return
      await outage()
      let thrown: unknown
      try {
        const verification = await asked.verifyToken(goodToken, context)
        assert.ok(verification, 'null was said while nobody could be asked: callers would lose good tokens')
        assert.fail('the token was accepted while nobody could be asked, and was never seen before')
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error
        thrown = error
      }
      const { code, status = 500 } = recognize(thrown) ?? {}
      assert.ok(status >= 500, `it was called ${String(code)} (${status}): callers would lose good tokens`)
    },
  ],
  [
    'recall says at once what was verified, or nothing, and nothing of a bad token',
    async ({ asked, verify, goodToken, badTokens, context }) => {
      if (asked.recall === undefined) return
      for (const token of [...badTokens, ...GARBAGE, `${goodToken}x`])
        assert.equal(asked.recall(token, context), undefined, 'a token is recalled that was never verified')
      const verified = await verify(goodToken)
      for (const token of badTokens) await verify(token)
      const recalled = asked.recall(goodToken, context)
      if (recalled === undefined) return
      assert.equal(typeof (recalled as { then?: unknown }).then, 'undefined', 'recall answers by a promise')
      assert.deepEqual(factsOf(parseAccessToken(recalled, goodToken)), factsOf(verified))
      for (const token of [...badTokens, `${goodToken}x`])
        assert.equal(asked.recall(token, context), undefined, 'a bad token is recalled')
    },
  ],
  [
    'what one request does to what it was told is not seen by the next',
    async ({ asked, goodToken, context, verify }) => {
      const before = factsOf(await verify(goodToken))
      const told = (await asked.verifyToken(goodToken, context)) as unknown as Record<string, unknown>
      for (const change of [
        () => (told['scopes'] as string[]).push('admin'),
        () => ((told['claims'] as Record<string, unknown>)['sub'] = 'somebody'),
        () => ((told['extra'] as Record<string, unknown>)['sub'] = 'somebody'),
        () => (told['subject'] = 'somebody'),
        () => (told['clientId'] = 'another'),
      ]) {
        try {
          change()
        } catch {
          // Frozen, or absent.
        }
      }
      assert.deepEqual(factsOf(await verify(goodToken)), before)
    },
  ],
  [
    'many callers at once get each their own verdict',
    async ({ verify, goodToken, badTokens }) => {
      const [first = 'x'] = badTokens
      const tokens = Array.from({ length: CALLERS }, () => [goodToken, first, ...badTokens]).flat()
      const verdicts = await Promise.all(tokens.map(verify))
      for (const [index, verified] of verdicts.entries())
        assert.equal(verified?.token, tokens[index] === goodToken ? goodToken : undefined)
    },
  ],
  [
    'it works without a context, as SDKs and other verifiers call it',
    async ({ asked, goodToken, badTokens }) => {
      assert.ok(await asked.verifyToken(goodToken), 'the good token was refused')
      const refused = await Promise.resolve(asked.verifyToken(badTokens[0] ?? 'x')).catch(() => null)
      assert.ok(!refused, 'a bad token was accepted')
    },
  ],
  [
    'it does not disown its good token',
    ({ asked, goodToken }) => {
      assert.notEqual(asked.claimsToken?.(goodToken, tokenForm(goodToken)), 'not mine')
    },
  ],
  [
    'neither reasons nor events hold a token',
    async ({ verify, goodToken, badTokens, expiredToken, told }) => {
      const mayExpire = expiredToken === 'never expires' ? [] : [expiredToken]
      // What is shorter is a word.
      const tokens = [goodToken, ...badTokens, ...mayExpire].filter((token) => token.length >= 8)
      for (const token of tokens) await verify(token)
      for (const token of tokens)
        assert.ok(!told.some((text) => text.includes(token)), 'a token was told to operators')
    },
  ],
]

/** The scopes of a token; undefined where it is refused as a bad one. */
async function heldBy(
  token: string,
  asked: Verifier,
  context: VerifyContext,
): Promise<readonly string[] | undefined> {
  try {
    const verification = await asked.verifyToken(token, context)
    return verification ? parseAccessToken(verification, token).scopes : undefined
  } catch (error) {
    // A verifier that compares them itself has a word for it.
    if (recognize(error)?.code === 'insufficient_scope') return []
    throw error
  }
}

/** What has to be the same whenever it is asked. */
function factsOf(verified: VerifiedToken | undefined): unknown {
  if (verified === undefined) return undefined
  const { token, clientId, scopes, subject, issuer, expiresAt } = verified
  return { token, clientId, scopes: [...scopes], subject, issuer, expiresAt }
}

/**
 * The contract of {@link Verifier}: one case for each rule.
 *
 * @example
 * for (const { title, run } of verifierContract) {
 *   it(title, () => run(() => ({ verifier: new MyVerifier(), goodToken, badTokens: ['revoked'], … })))
 * }
 */
export const verifierContract: readonly VerifierCase[] = CASES.map(([title, prove]) => ({
  title,
  async run(createVerifier) {
    const subject = await createVerifier()
    try {
      const asked = toProvider(subject.verifier, 'verifierContract')
      const told: string[] = []
      const context: VerifyContext = {
        report: (event) => void told.push(JSON.stringify(event)),
        refuse(reason) {
          told.push(JSON.stringify(reason))
          return null
        },
      }
      await prove({ ...subject, asked, told, context, verify: (token) => verify(asked, token, context) })
    } finally {
      await subject.close?.()
    }
  },
}))

async function verify(
  asked: Verifier,
  token: string,
  context: VerifyContext,
): Promise<VerifiedToken | undefined> {
  let verification: unknown
  try {
    verification = await asked.verifyToken(token, context)
  } catch (error) {
    if (recognize(error)?.code === 'invalid_token') return undefined
    throw new assert.AssertionError({
      message: `${JSON.stringify(token.slice(0, 40))} was answered by an error that does not speak of the token: ${String(error)}`,
    })
  }
  if (verification === null || verification === undefined || verification === false) return undefined
  return parseAccessToken(verification, token)
}
