// Decides about one request: credentials, verification, expiry, scope, in this order (RFC 6750 3.1, MCP 2026-07-28 access token usage).
import { type VerifiedToken, parseAccessToken } from '../protocol/access-token.js'
import { type NoToken, isToken68, readBearer } from '../protocol/bearer.js'
import { type Reason, shown } from '../protocol/claims.js'
import { OAuthError, UNAVAILABLE } from '../protocol/errors.js'
import type { AuthRequest } from '../protocol/message.js'
import { type ScopeImplies, missingScopes, publicScopes } from '../protocol/scopes.js'
import {
  type ToolScopeRules,
  readOperations,
  refuseRoutingHeaders,
  scopesOfOperations,
} from '../protocol/tool-scopes.js'
import { pathOf, protectedResourceUrl } from '../protocol/well-known.js'
import { type AuthProvider, resourceOf } from '../providers/provider.js'
import { AccessToken, type AccessTokenContext, contextOf } from '../runtime/access-token.js'
import type { Deps } from '../runtime/deps.js'
import type { Reporter } from '../runtime/events.js'
import type { VerifyContext } from '../verifiers/verifier.js'
import { type Verdict, Verdicts, eventPath } from './verdicts.js'

/** How one guard decides. */
export interface GuardSettings {
  /** Lets requests without credentials through, as anonymous. */
  readonly optional: boolean
  readonly scopeImplies: ScopeImplies | undefined
  /** For the whole decision. */
  readonly deadlineSeconds: number
  readonly reporter: Reporter
  readonly deps: Deps
}

const guards = new WeakMap<AccessTokenContext, Guard>()

/** The guard that let the bearer of a token pass. */
export function guardOfToken(token: AccessToken): Guard | undefined {
  const context = contextOf(token)
  return context && guards.get(context)
}

/** Guards one resource. */
export class Guard {
  /** What it answers, for those who decide about a body, a session or an origin. */
  readonly verdicts: Verdicts
  readonly #provider: AuthProvider
  readonly #settings: GuardSettings
  readonly #requiredScopes: readonly string[]
  /** Path of the resource, without a slash at its end. */
  readonly #ownPath: string
  readonly #tokenContext: AccessTokenContext
  /** For recalls, where there is nothing to refuse. */
  readonly #recallContext: VerifyContext

  constructor(provider: AuthProvider, settings: GuardSettings) {
    const { reporter, scopeImplies, deps } = settings
    this.#provider = provider
    this.#settings = settings
    this.#requiredScopes = provider.requiredScopes ?? []
    const discovers = provider.authorizationServers !== undefined
    const stated = discovers || provider.baseUrl !== undefined || provider.resourceUrl !== undefined
    const resource = stated ? resourceOf(provider) : undefined
    // Only where the document is served: a pointer to nothing sends clients astray.
    const resourceMetadataUrl = discovers ? protectedResourceUrl(resource as string) : undefined
    const scopes = publicScopes(provider.challengeScopes ?? this.#requiredScopes)
    this.verdicts = new Verdicts({ scopes, resourceMetadataUrl }, reporter)
    this.#ownPath = resource === undefined ? '' : pathOf(resource).replace(/\/$/, '')
    this.#tokenContext = { resource, resourceMetadataUrl, scopeImplies, now: deps.now }
    guards.set(this.#tokenContext, this)
    this.#recallContext = { report: reporter.report, refuse: () => null, scopeImplies }
  }

  /** Decides at once where the token was verified before; a promise only where somebody has to be asked. Never throws. */
  check(request: AuthRequest): Verdict | Promise<Verdict> {
    const credential = readBearer(request)
    if (typeof credential !== 'string') return this.#withoutToken(request, credential)
    try {
      const known = this.#provider.recall?.(credential, this.#recallContext)
      if (known !== undefined) return this.#admit(request, known, true)
    } catch (error) {
      return this.verdicts.thrown(request, error, credential)
    }
    if (isToken68(credential)) {
      return this.#decide(request, credential, (context) => this.#provider.verifyToken(credential, context))
    }
    return this.verdicts.badToken(request, { stage: 'format', got: 'letters that a token cannot have' })
  }

  /** Whether the token of an allowed request holds what the operations in its body need. */
  checkOperations(
    request: AuthRequest,
    token: AccessToken | undefined,
    body: unknown,
    rules: ToolScopeRules,
  ): Verdict {
    const read = readOperations(body)
    if ('refused' in read) return this.verdicts.badRequest(request, 400, read.refused)
    const { operations } = read
    const mismatch = refuseRoutingHeaders(
      operations,
      headerOf(request, 'mcp-method'),
      headerOf(request, 'mcp-name'),
    )
    if (mismatch !== undefined) return this.verdicts.badRequest(request, 400, mismatch)
    return this.checkScopes(request, token, scopesOfOperations(operations, rules), 'all')
  }

  /** Whether the token of a request holds scopes beyond those that every request needs. */
  checkScopes(
    request: AuthRequest,
    token: AccessToken | undefined,
    needed: readonly string[],
    mode: 'all' | 'any',
  ): Verdict {
    if (needed.length === 0) return { token }
    if (token === undefined) return this.verdicts.challenge(request, 'no credentials', needed)
    try {
      const missing = missingScopes(token.scopes, needed, this.#settings.scopeImplies)
      const enough = mode === 'any' ? missing.length < needed.length : missing.length === 0
      return enough ? { token } : this.verdicts.tooFewScopes(request, token, needed)
    } catch (error) {
      return this.verdicts.thrown(request, error, token.token)
    }
  }

  #withoutToken(request: AuthRequest, { kind, got }: NoToken): Verdict | Promise<Verdict> {
    if (kind === 'malformed') return this.verdicts.badToken(request, { stage: 'format', got })
    if (kind === 'ambiguous') return this.verdicts.ambiguous(request, got)
    if (this.#provider.authenticate === undefined) return this.#anonymous(request, got)
    return this.#decide(request, undefined, (context) => this.#provider.authenticate?.(request, context))
  }

  #anonymous(request: AuthRequest, got: string): Verdict {
    const { optional } = this.#settings
    return optional ? this.verdicts.allow(request, undefined, false) : this.verdicts.challenge(request, got)
  }

  async #decide(
    request: AuthRequest,
    token: string | undefined,
    verify: (context: VerifyContext) => unknown,
  ): Promise<Verdict> {
    const attempt: { reason?: Reason } = {}
    const { reporter, scopeImplies } = this.#settings
    const refuse = (reason: Reason): null => {
      attempt.reason = reason
      return null
    }
    const context = { report: reporter.report, refuse, scopeImplies }
    try {
      const verification = await this.#withinDeadline(() => verify(context))
      if (verification !== null && verification !== undefined && verification !== false) {
        return this.#admit(request, parseAccessToken(verification, token ?? ''), false)
      }
      if (token === undefined) return this.#anonymous(request, 'no credentials')
      return this.verdicts.badToken(request, attempt.reason ?? NOT_ACCEPTED, token)
    } catch (error) {
      return this.verdicts.thrown(request, error, token, attempt.reason)
    }
  }

  /** As few promises as can be: where an async context is followed, each one costs. */
  #withinDeadline(work: () => unknown): Promise<unknown> {
    const { deadlineSeconds, deps } = this.#settings
    return new Promise((resolve, reject) => {
      const outcome = work()
      if (!isThenable(outcome)) {
        resolve(outcome)
        return
      }
      const cancel = deps.after(deadlineSeconds * 1000, () => {
        const detail = `no verdict within ${deadlineSeconds} s`
        reject(new OAuthError('temporarily_unavailable', UNAVAILABLE, { detail }))
      })
      outcome.then(
        (value) => {
          cancel()
          resolve(value)
        },
        (error: unknown) => {
          cancel()
          // oxlint-disable-next-line prefer-promise-reject-errors -- whatever the verifier threw
          reject(error)
        },
      )
    })
  }

  #admit(request: AuthRequest, facts: VerifiedToken, cached: boolean): Verdict {
    const { deps, scopeImplies } = this.#settings
    // Expiry before scope: a client must renew an expired token, not ask for more.
    if (facts.expiresAt !== undefined && facts.expiresAt * 1000 <= deps.now()) {
      return this.verdicts.badToken(request, { stage: 'expiry', got: `expired at ${facts.expiresAt}` })
    }
    const token = new AccessToken(facts, this.#tokenContext)
    const required = this.#requiredScopes
    if (required.length > 0 && missingScopes(facts.scopes, required, scopeImplies).length > 0) {
      return this.verdicts.tooFewScopes(request, token, [])
    }
    if (!cached) this.#hintAtOtherPaths(request)
    return this.verdicts.allow(request, token, cached)
  }

  #hintAtOtherPaths(request: AuthRequest): void {
    const own = this.#ownPath
    const path = eventPath(request)
    if (path === own || path.startsWith(`${own}/`)) return
    const message =
      `a token for the resource ${own} was used at ${shown(path)}: state the endpoint as "resourceUrl", ` +
      'or give that path a guard of its own'
    this.#settings.reporter.hint('not_the_resource', message)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

const NOT_ACCEPTED: Reason = { stage: 'verifier', got: 'a token that it does not accept' }

function headerOf(request: AuthRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : undefined
}
