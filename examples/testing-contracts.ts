// A verifier and a store of your own keep the rules that ours keep.
import { test } from 'node:test'
import type { Verifier } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { providerContract, storeContract, verifierContract } from 'express-mcp-auth/testing'

/** Asks a table of API keys. */
class ApiKeys implements Verifier {
  readonly requiredScopes = ['mcp:use']
  isAway = false

  verifyToken(key: string) {
    if (this.isAway) throw new Error('the database is away') // 503, and no verdict about the key
    if (key === 'key-of-reports') return { clientId: 'reports', scopes: ['mcp:use'] }
    return key === 'key-of-guests' ? { clientId: 'guests' } : null
  }
}

function subject() {
  const keys = new ApiKeys()
  return {
    verifier: keys,
    goodToken: 'key-of-reports',
    badTokens: ['key-of-nobody'],
    expiredToken: 'never expires',
    tokenWithoutScopes: 'key-of-guests',
    outage: () => void (keys.isAway = true),
  }
}

for (const { title, run } of verifierContract) {
  void test(`ApiKeys: ${title}`, () => run(subject))
}
for (const { title, run } of providerContract) {
  const guarded = () => {
    const { verifier: provider, ...rest } = subject()
    return { ...rest, provider, badToken: 'key-of-nobody' }
  }
  void test(`mcpAuth(ApiKeys): ${title}`, () => run(guarded))
}
for (const { title, run } of storeContract) {
  void test(`store: ${title}`, () => run((deps) => new MemoryStore({ deps })))
}
