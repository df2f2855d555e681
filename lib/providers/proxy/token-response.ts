// RFC 6749 5.1 and 5.2: answers of token endpoints as they are in the wild, made into what the specification says they are.
import type { TextAnswer } from '../../runtime/bounded-fetch.js'

/** Tokens. */
export interface TokensResponse {
  readonly kind: 'tokens'
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly idToken: string | undefined
  /** In seconds, where it told a number. */
  readonly expiresIn: number | undefined
  readonly scopes: readonly string[] | undefined
  /** RFC 8693 2.2.1. */
  readonly issuedTokenType?: string | undefined
}

/** An answer in regular form. */
export type TokenResponse =
  | TokensResponse
  | {
      readonly kind: 'error'
      readonly status: number
      /** Its error code, in the specification's words where it has them. */
      readonly error: string
      readonly description: string
      /** OpenID Connect Core 5.5: what to ask for at the next sign-in, as Entra wants it where a policy was not met. */
      readonly claims?: string | undefined
    }

/** An answer that says neither. The message is for operators and quotes nothing of the answer. */
export class TokenResponseError extends Error {
  override readonly name: string = 'TokenResponseError'
}

/** Codes of error that say by another word what RFC 6749 5.2 has one for: GitHub's. */
const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ['bad_verification_code', 'invalid_grant'],
  ['bad_refresh_token', 'invalid_grant'],
  ['incorrect_client_credentials', 'invalid_client'],
])

/**
 * Reads an answer of a token endpoint.
 *
 * @param types accepted `token_type`, in lower case
 * @throws TokenResponseError where it is none
 */
export function readTokenResponse(
  answer: Pick<TextAnswer, 'status' | 'headers' | 'text'>,
  types: readonly string[] = ['bearer'],
): TokenResponse {
  const { status } = answer
  const members = membersOf(answer)
  const failed = errorOf(members)
  // Whatever the status: GitHub tells of errors by 200.
  if (failed !== undefined) return { kind: 'error', status, ...failed, claims: textOf(members, 'claims') }
  if (status < 200 || status >= 300) throw new TokenResponseError(`status ${status}`)
  const accessToken = textOf(members, 'access_token')
  if (accessToken === undefined) throw new TokenResponseError('no access token in the answer')
  const type = textOf(members, 'token_type') ?? 'bearer'
  // A token of another type, e.g. DPoP, is bound to a key that is not ours.
  if (!types.includes(type.toLowerCase())) throw new TokenResponseError('the token is not a bearer token')
  return {
    kind: 'tokens',
    accessToken,
    refreshToken: textOf(members, 'refresh_token'),
    idToken: textOf(members, 'id_token'),
    expiresIn: secondsOf(members.get('expires_in')),
    scopes: scopesOf(members.get('scope')),
    issuedTokenType: textOf(members, 'issued_token_type'),
  }
}

/** What an answer of an endpoint that gives nothing back says of an error, or its bare status (RFC 7009 2.2.1). */
export function readError(answer: Pick<TextAnswer, 'status' | 'headers' | 'text'>): {
  readonly error: string
  readonly description: string
} {
  try {
    return errorOf(membersOf(answer)) ?? { error: '', description: '' }
  } catch {
    return { error: '', description: '' }
  }
}

function membersOf({
  status,
  headers,
  text,
}: Pick<TextAnswer, 'status' | 'headers' | 'text'>): Map<string, unknown> {
  const body = text.replace(/^\uFEFF/, '').trim()
  const json = parseObject(body)
  if (json !== undefined) return new Map(Object.entries(json).filter(([, value]) => value !== null))
  const type = (headers.get('content-type') ?? '').toLowerCase()
  // GitHub and old endpoints answer a form, and not always say so; what begins like a page or JSON is none.
  const form = !type.includes('html') && /^[\w.~%+-]+=[^\s<>{}"]*$/.test(body)
  if (form) return new Map(new URLSearchParams(body))
  throw new TokenResponseError(`status ${status}, and the answer is neither a JSON object nor a form`)
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

function errorOf(
  members: ReadonlyMap<string, unknown>,
): { readonly error: string; readonly description: string } | undefined {
  const error = members.get('error')
  if (error === undefined || error === '' || error === false) return undefined
  // Facebook and Google's older endpoints put everything about it into one object.
  const inner = typeof error === 'object' ? new Map(Object.entries(error as object)) : members
  const code = typeof error === 'object' ? (textOf(inner, 'type') ?? textOf(inner, 'status')) : error
  const named = typeof code === 'string' && isErrorCode(code) ? code : 'unknown_error'
  const description = textOf(inner, 'error_description') ?? textOf(inner, 'message') ?? ''
  return { error: SYNONYMS.get(named) ?? named, description }
}

/** RFC 6749 5.2: printable ASCII without quote and backslash; and short, since it is told on. */
export function isErrorCode(text: string): boolean {
  return /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(text)
}

/** A member that is text with something in it. */
function textOf(members: ReadonlyMap<string, unknown>, name: string): string | undefined {
  const value = members.get(name)
  if (value === undefined || value === '') return undefined
  if (typeof value === 'string') return value
  if (name === 'access_token' || name === 'refresh_token')
    throw new TokenResponseError(`"${name}" in the answer is not text`)
  return undefined
}

/** Some send text, some null, and some -1 or 0 for what never ends: a token that has ended already is nothing to give. */
function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : value
  return typeof seconds === 'number' && seconds > 0 && seconds <= LONGEST ? seconds : undefined
}

/** A hundred years: beyond it a time is in other units, or nonsense. */
const LONGEST = 100 * 366 * 24 * 3600

/** RFC 6749 3.3 wants spaces between; GitHub sends commas, others a list. No scope has a comma in it there. */
function scopesOf(value: unknown): readonly string[] | undefined {
  const list = typeof value === 'string' ? [value] : value
  if (!Array.isArray(list)) return undefined
  const texts = list.filter((entry) => typeof entry === 'string')
  return [...new Set(texts.flatMap((text) => text.split(/[\s,]+/)).filter((scope) => scope !== ''))]
}
