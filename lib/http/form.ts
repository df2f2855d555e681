// Reads the body of an OAuth endpoint: a form (RFC 6749 appendix B), or a JSON object (RFC 7591 3.1), and nothing that is nearly one.
import { OAuthError } from '../protocol/errors.js'
import type { AuthRequest } from '../protocol/message.js'
import { type Parameters, parseParameters, readParsed } from '../protocol/parameters.js'
import { parseStrictObject } from '../protocol/strict-json.js'
import type { RouteBody } from '../runtime/route.js'

const FORM = 'application/x-www-form-urlencoded'
const JSON_TYPE = 'application/json'

const NO_PARAMETERS = parseParameters('')

/**
 * The parameters of a form. A parser of the app may have read it before, from JSON too.
 *
 * @throws OAuthError invalid_request; with 413 where it is too large
 */
export function readForm(request: AuthRequest, body: RouteBody): Parameters {
  if (body.kind === 'none') return NO_PARAMETERS
  if (body.kind === 'parsed') {
    requireType(request, [FORM, JSON_TYPE])
    return readParsed(body.value)
  }
  const bytes = bytesOf(body)
  requireType(request, [FORM])
  return parseParameters(decode(bytes))
}

/**
 * A JSON object without repeated members.
 *
 * @throws OAuthError invalid_request; with 413 where it is too large
 */
export function readJson(request: AuthRequest, body: RouteBody): Record<string, unknown> {
  if (body.kind === 'none') throw refuse(`Send a JSON object, as ${JSON_TYPE}`)
  const text = body.kind === 'parsed' ? write(body.value) : decode(bytesOf(body))
  requireType(request, [JSON_TYPE])
  const value = parseStrictObject(text)
  if (value !== undefined) return value
  throw refuse('The body must be one JSON object, without repeated members and without deep nesting')
}

function bytesOf(body: Exclude<RouteBody, { kind: 'none' | 'parsed' }>): Uint8Array {
  if (body.kind === 'raw') return body.bytes
  if (body.kind === 'too_large') {
    throw new OAuthError('invalid_request', 'The body is too large', { status: 413 })
  }
  throw refuse(`The body cannot be read: ${body.reason}`)
}

/** RFC 9110 8.3: one media type. Which of several was meant is not for us to guess. */
function requireType({ headers, rawHeaders = [] }: AuthRequest, types: readonly string[]): void {
  const header = headers['content-type']
  // node keeps the first of several lines.
  const lines = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'content-type')
  const match = typeof header === 'string' && lines.length < 2 ? MEDIA_TYPE.exec(header) : null
  if (match === null || !types.includes((match[1] as string).toLowerCase())) {
    throw refuse(`Send the body with "Content-Type: ${types[0]}"`)
  }
}

/** UTF-8 is the one charset that there is, and may be said. */
const MEDIA_TYPE = /^([a-z]+\/[a-z-]+)[ \t]*(?:;[ \t]*charset="?utf-?8"?[ \t]*)?;?$/i

// Marks at the start of a text belong to it, and then it is no JSON.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw refuse('The body must be in UTF-8')
  }
}

/** What a parser of the app made of JSON becomes text again, so that it meets the same bounds. */
function write(value: unknown): string {
  try {
    return String(JSON.stringify(value))
  } catch {
    return ''
  }
}

function refuse(description: string): OAuthError {
  return new OAuthError('invalid_request', description)
}
