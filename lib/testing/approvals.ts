// What the identity provider of tests has issued: codes that are good once (RFC 6749 4.1.2), refresh tokens that rotate (RFC 9700 4.14),
// and JWTs (RFC 9068, OpenID Connect Core 2).
import { hash } from 'node:crypto'
import type { User } from '../authorization-server/records.js'
import { OAuthError } from '../protocol/errors.js'
import { challengeOf } from '../protocol/pkce.js'
import type { Deps } from '../runtime/deps.js'
import type { RSAKeyPair, TestTokenOptions } from './key-pair.js'

/** What was approved, and for whom. */
export interface Approval {
  readonly user: User
  readonly clientId: string
  readonly scopes: readonly string[]
  /** Resources that the client named. */
  readonly resources: readonly string[]
  readonly nonce?: string | undefined
}

/** A code that waits for its client. */
export interface CodeRequest extends Approval {
  readonly redirectUri: string
  readonly challenge: string
  readonly refreshable: boolean
}

interface Grant {
  readonly approval: Approval
  /** The one that is good. */
  refreshToken: string | undefined
  ended: boolean
}

interface IssuedToken {
  readonly claims: Readonly<Record<string, unknown>>
  /** Absent where nobody asked for it. */
  readonly grant?: Grant
}

/** What tokens are made with, as it is at the moment. */
export interface TokenTerms {
  readonly issuer: string
  readonly audience: string
  readonly accessTokenSeconds: number
  readonly keys: RSAKeyPair
}

/** What the token endpoint answers. */
export interface TokenSet {
  readonly access_token: string
  readonly token_type: 'Bearer'
  readonly expires_in: number
  readonly scope?: string
  readonly refresh_token?: string
  readonly id_token?: string
}

export class Approvals {
  readonly #terms: () => TokenTerms
  readonly #deps: Deps
  readonly #codes = new Map<string, CodeRequest>()
  readonly #usedCodes = new Map<string, Grant>()
  readonly #refreshTokens = new Map<string, Grant>()
  readonly #accessTokens = new Map<string, IssuedToken>()

  constructor(terms: () => TokenTerms, deps: Deps) {
    this.#terms = terms
    this.#deps = deps
  }

  /** A code for what was approved. */
  begin(request: CodeRequest): string {
    const code = this.#deps.randomId()
    this.#codes.set(code, request)
    return code
  }

  /** @throws OAuthError `invalid_grant`; a code that comes twice ends what came of it */
  exchange(
    code: string | undefined,
    shown: {
      readonly clientId: string
      readonly redirectUri: string | undefined
      readonly verifier: string | undefined
      readonly resources: readonly string[]
    },
  ): TokenSet {
    const used = this.#usedCodes.get(code ?? '')
    if (used !== undefined) {
      used.ended = true
      throw refused('The code was used before')
    }
    const request = this.#codes.get(code ?? '')
    if (code === undefined || request === undefined) throw refused('There is no such code')
    if (request.clientId !== shown.clientId) throw refused('The code belongs to another client')
    if (shown.redirectUri !== undefined && shown.redirectUri !== request.redirectUri)
      throw refused('The redirect URI is not that of the authorization request')
    if (shown.verifier === undefined || challengeOf(shown.verifier) !== request.challenge)
      throw refused('The code verifier is not that of the code challenge')
    this.#codes.delete(code)
    // Some clients name the resource here alone.
    const resources = request.resources.length > 0 ? request.resources : shown.resources
    const grant: Grant = { approval: { ...request, resources }, refreshToken: undefined, ended: false }
    this.#usedCodes.set(code, grant)
    return this.#answer(grant, request.refreshable, request.scopes, shown.resources)
  }

  /** @throws OAuthError `invalid_grant`; a token that was replaced ends the grant */
  refresh(
    token: string | undefined,
    clientId: string,
    narrowed: { readonly scopes: readonly string[] | undefined; readonly resources: readonly string[] },
  ): TokenSet {
    const grant = this.#refreshTokens.get(token ?? '')
    if (grant === undefined || grant.approval.clientId !== clientId)
      throw refused('There is no such refresh token')
    if (grant.ended) throw refused('The grant has ended')
    if (grant.refreshToken !== token) {
      grant.ended = true
      throw refused('The refresh token was used before')
    }
    const { scopes } = grant.approval
    const beyond = narrowed.scopes?.filter((scope) => !scopes.includes(scope)) ?? []
    if (beyond.length > 0) throw new OAuthError('invalid_scope', `Not granted: ${beyond.join(' ')}`)
    return this.#answer(grant, true, narrowed.scopes ?? scopes, narrowed.resources)
  }

  /** Tokens for an app that acts for itself (RFC 6749 4.4). */
  forClient(approval: Approval): TokenSet {
    return this.#answer({ approval, refreshToken: undefined, ended: false }, false, approval.scopes, [])
  }

  /** A token that nobody asked for. */
  issue(options: TestTokenOptions, clientId: string, grant?: Grant): string {
    const { issuer, audience, accessTokenSeconds, keys } = this.#terms()
    const token = keys.createToken({
      issuer,
      audience,
      expiresInSeconds: accessTokenSeconds,
      type: 'at+jwt',
      ...options,
      additionalClaims: { client_id: clientId, jti: this.#deps.randomId(), ...options.additionalClaims },
    })
    this.#accessTokens.set(token, { claims: claimsIn(token), ...(grant !== undefined && { grant }) })
    return token
  }

  /** The claims of an access token that is good. */
  find(token: string): Readonly<Record<string, unknown>> | undefined {
    const issued = this.#accessTokens.get(token)
    if (issued === undefined || issued.grant?.ended === true) return undefined
    return Number(issued.claims['exp']) * 1000 > this.#deps.now() ? issued.claims : undefined
  }

  /** RFC 7009 2.1: with a refresh token, all that came of its grant goes. */
  revoke(token: string): void {
    this.#accessTokens.delete(token)
    const grant = this.#refreshTokens.get(token)
    if (grant !== undefined) grant.ended = true
  }

  /** @param named those of the resources that these tokens are for; none is all */
  #answer(grant: Grant, refreshable: boolean, scopes: readonly string[], named: readonly string[]): TokenSet {
    const { user, clientId, resources: granted } = grant.approval
    const foreign = named.find((resource) => !granted.includes(resource))
    if (foreign !== undefined)
      throw new OAuthError('invalid_target', 'The resource is none of those that were authorized')
    const resources = named.length > 0 ? named : granted
    const { accessTokenSeconds } = this.#terms()
    const claims = user.claims ?? {}
    const accessToken = this.issue(
      {
        subject: user.subject,
        scopes,
        ...(resources.length > 0 && { audience: resources.length === 1 ? resources[0] : resources }),
        additionalClaims: claims,
      },
      clientId,
      grant,
    )
    if (refreshable) {
      grant.refreshToken = this.#deps.randomId()
      this.#refreshTokens.set(grant.refreshToken, grant)
    }
    return {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: accessTokenSeconds,
      ...(scopes.length > 0 && { scope: scopes.join(' ') }),
      ...(grant.refreshToken !== undefined && { refresh_token: grant.refreshToken }),
      ...(scopes.includes('openid') && { id_token: this.#idToken(grant.approval, accessToken) }),
    }
  }

  #idToken({ user, clientId, nonce }: Approval, accessToken: string): string {
    const { issuer, keys } = this.#terms()
    return keys.createToken({
      issuer,
      audience: clientId,
      subject: user.subject,
      additionalClaims: {
        ...profileOf(user),
        // OpenID Connect Core 3.1.3.6: the left half of the hash.
        at_hash: Buffer.from(hash('sha256', accessToken, 'hex'), 'hex')
          .subarray(0, 16)
          .toString('base64url'),
        ...(nonce !== undefined && { nonce }),
      },
    })
  }
}

/** What a user is known by beside the subject. */
export function profileOf({ name, claims }: User): Readonly<Record<string, unknown>> {
  return { ...(name !== undefined && { name }), ...claims }
}

function claimsIn(token: string): Readonly<Record<string, unknown>> {
  const [, payload = ''] = token.split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Readonly<Record<string, unknown>>
}

function refused(description: string): OAuthError {
  return new OAuthError('invalid_grant', description)
}
