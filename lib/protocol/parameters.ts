// RFC 6749 3.1 and 3.2: parameters of a request. Each comes at most once, and one without a value counts as omitted.
import { OAuthError } from './errors.js'

const NONE: readonly string[] = []

/** Stands for a value that is neither text nor a list of texts. */
const MALFORMED: unique symbol = Symbol('malformed')

type Value = string | readonly string[] | typeof MALFORMED

/** What came under each name. Names are text from outside, so they are looked up in a Map. */
export class Parameters {
  /** An empty string is a name that came without a value. */
  readonly #values: ReadonlyMap<string, Value>
  /** Names that came more than once, with or without a value. */
  readonly repeated: readonly string[]

  constructor(values: ReadonlyMap<string, Value>, repeated: readonly string[] = NONE) {
    this.#values = values
    this.repeated = repeated
  }

  /**
   * The value, or the first of several: whether there may be several is for {@link refuseRepeats} to say.
   *
   * @throws OAuthError where it is not text
   */
  get(name: string): string | undefined {
    const value = this.#values.get(name)
    if (value === undefined || value === '') return undefined
    return typeof value === 'string' ? value : this.all(name)[0]
  }

  /** Every value, in order. */
  all(name: string): readonly string[] {
    const value = this.#values.get(name)
    if (value === undefined || value === '') return NONE
    if (typeof value === 'string') return [value]
    if (value === MALFORMED) throw malformed(`The parameter ${quote(name)} is not text`)
    return value
  }

  /** Whether there is anything under a name, be it malformed. */
  has(name: string): boolean {
    const value = this.#values.get(name)
    return value !== undefined && value !== '' && (value === MALFORMED || value.length > 0)
  }
}

/**
 * Reads `application/x-www-form-urlencoded` text: a query without its question mark, or a body.
 *
 * @throws OAuthError `invalid_request` for what is not such text, or too much of it
 */
export function parseParameters(text: string, maxParameters = 50): Parameters {
  // Bytes that are no UTF-8 have become this letter when the body was read as text; encoded properly it may come.
  if (text.includes('\uFFFD')) throw malformed('The request is not encoded in UTF-8')
  const values = new Map<string, string | string[]>()
  let repeated: Set<string> | undefined
  let count = 0
  for (let start = 0; start < text.length;) {
    let end = text.indexOf('&', start)
    if (end === -1) end = text.length
    if (end > start) {
      if (++count > maxParameters) throw tooMany()
      const equals = text.indexOf('=', start)
      const split = equals === -1 || equals > end ? end : equals
      const name = decode(text.slice(start, split))
      const value = decode(text.slice(split + 1, end))
      const earlier = values.get(name)
      if (earlier === undefined) values.set(name, value)
      else {
        repeated = (repeated ?? new Set()).add(name)
        values.set(
          name,
          [earlier, value].flat().filter((one) => one !== ''),
        )
      }
    }
    start = end + 1
  }
  return repeated === undefined ? new Parameters(values) : new Parameters(values, [...repeated])
}

function decode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    throw malformed('The request has invalid percent-encoding')
  }
}

/**
 * Reads a body that a parser of the app has made: a form, nested or not, or JSON.
 *
 * @throws OAuthError `invalid_request` for what is no set of parameters
 */
export function readParsed(value: unknown, maxParameters = 50): Parameters {
  if (typeof value === 'string') return parseParameters(value, maxParameters)
  if (value === undefined || value === null) return new Parameters(new Map())
  if (typeof value !== 'object' || Array.isArray(value)) throw malformed('The request has no parameters')
  const values = new Map<string, Value>()
  const repeated: string[] = []
  const entries = Object.entries(value)
  if (entries.length > maxParameters) throw tooMany()
  for (const [name, entry] of entries as [string, unknown][]) {
    values.set(name, readValue(entry))
    if (Array.isArray(entry)) repeated.push(name)
  }
  return new Parameters(values, repeated)
}

function readValue(entry: unknown): Value {
  if (isText(entry)) return entry
  if (Array.isArray(entry) && entry.every(isText)) return entry.filter((text) => text !== '')
  return MALFORMED
}

/** JSON can spell half a letter, which cannot be encoded into an answer again. */
function isText(entry: unknown): entry is string {
  return typeof entry === 'string' && !/\p{Surrogate}/u.test(entry)
}

/**
 * RFC 6749 3.1: parameters must not come more than once. `resource` may (RFC 8707 2).
 *
 * @throws OAuthError `invalid_request`
 */
export function refuseRepeats(parameters: Parameters, except: readonly string[] = NONE): void {
  if (parameters.repeated.length === 0) return
  const names = parameters.repeated.filter((name) => !except.includes(name))
  if (names.length > 0) throw malformed(`Parameters must not be repeated: ${names.map(quote).join(', ')}`)
}

/** A name for the words of a refusal, which may hold only some letters (RFC 6749 5.2). */
function quote(name: string): string {
  return /^[\w.[\]-]{1,40}$/.test(name) ? `'${name}'` : 'one with an odd name'
}

function tooMany(): OAuthError {
  return malformed('The request has too many parameters')
}

function malformed(description: string): OAuthError {
  return new OAuthError('invalid_request', description)
}
