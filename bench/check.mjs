// Before anything is measured: everyone lets a good token in and refuses every bad kind. Speed without that is worth nothing.
import { contenders, isGuard, refusalsOf } from './contenders.mjs'
import { BAD_KINDS } from './issuer.mjs'

/** `send(token)` resolves with the status that the contender answered. */
export async function checkContender(id, issuer, send) {
  const { label, algorithms = ['RS256', 'ES256', 'EdDSA'] } = contenders[id]
  const expect = async (token, allowed, what) => {
    const status = await send(token)
    if (!allowed.includes(status))
      throw new Error(`${label} answered ${status} to ${what}; ${allowed.join(' or ')} was due`)
  }
  for (const alg of algorithms) await expect(await issuer.token({ alg }), [200], `a valid ${alg} token`)
  if (!isGuard(id)) return
  for (const kind of BAD_KINDS) {
    for (const token of await issuer.badTokens(kind, 3))
      await expect(token, refusalsOf(id, kind), `a token with ${kind}`)
  }
}
