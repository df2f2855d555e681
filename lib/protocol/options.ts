// Options are parsed once, where a thing is built: unknown keys, wrong types and missing values are a ConfigError.
import { ConfigError } from './errors.js'
import { isScope, parseScopes } from './scopes.js'
import { checkUrl } from './urls.js'

/** Reads the options of one constructor. Nothing of the caller's object is kept or changed. */
export class OptionReader {
  readonly #owner: string
  readonly #values: ReadonlyMap<string, unknown>

  /**
   * @param owner name of the constructor, for messages
   * @param options what the caller passed
   * @param known every option there is
   */
  constructor(owner: string, options: unknown, known: readonly string[]) {
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
      throw new ConfigError(
        'ERR_MCP_AUTH_INVALID_OPTION',
        `${owner} takes an options object${/^[A-Z]/.test(owner) ? `: new ${owner}({ … })` : ''}`,
      )
    }
    for (const key of Object.keys(options)) {
      if (!known.includes(key)) throw unknownName(`${owner} has no option "${key}"`, key, known)
    }
    this.#owner = owner
    this.#values = new Map(Object.entries(options).filter(([, value]) => value !== undefined))
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  /** Any value, for what has a check of its own. */
  raw(name: string): unknown {
    return this.#values.get(name)
  }

  /** How an option is called in messages. */
  name(name: string): string {
    return `${this.#owner}: "${name}"`
  }

  invalid(name: string, expected: string): ConfigError {
    return new ConfigError('ERR_MCP_AUTH_INVALID_OPTION', `${this.name(name)} must be ${expected}`)
  }

  missing(name: string, advice: string): ConfigError {
    return new ConfigError('ERR_MCP_AUTH_MISSING_OPTION', `${this.name(name)} is missing: ${advice}`)
  }

  text(name: string): string | undefined {
    const value = this.raw(name)
    if (value === undefined) return undefined
    if (typeof value !== 'string' || value.trim() === '')
      throw this.invalid(name, 'a string that is not blank')
    return value
  }

  /** One string or a list of them, none blank, at least one. */
  texts(name: string): readonly string[] | undefined {
    const value = this.raw(name)
    if (value === undefined) return undefined
    const list = typeof value === 'string' ? [value] : value
    if (
      !Array.isArray(list) ||
      list.length === 0 ||
      !list.every((entry) => typeof entry === 'string' && entry.trim() !== '')
    ) {
      throw this.invalid(name, 'a string or a list of strings, none of them blank')
    }
    return [...(list as string[])]
  }

  /** Scope tokens, as a list or as one space-delimited string. */
  scopes(name: string): readonly string[] | undefined {
    const value = this.raw(name)
    if (value === undefined) return undefined
    const list: unknown = typeof value === 'string' ? parseScopes(value) : value
    if (!Array.isArray(list) || !list.every((scope) => typeof scope === 'string' && isScope(scope))) {
      throw this.invalid(name, 'a list of scopes such as ["mcp:use"]')
    }
    return [...(list as string[])]
  }

  /** Seconds, not negative. */
  seconds(name: string, fallback: number): number {
    const value = this.raw(name) ?? fallback
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
      throw this.invalid(name, 'a number of seconds, 0 or more')
    }
    return value
  }

  flag(name: string, fallback = false): boolean {
    const value = this.raw(name) ?? fallback
    if (typeof value !== 'boolean') throw this.invalid(name, 'true or false')
    return value
  }

  callback<Callback>(name: string): Callback | undefined {
    const value = this.raw(name)
    if (value !== undefined && typeof value !== 'function') throw this.invalid(name, 'a function')
    return value as Callback | undefined
  }

  /** An https URL, byte for byte; http on loopback, or anywhere with `dangerouslyAllowInsecureHttp`. */
  url(name: string, identifier = false): string | undefined {
    if (!this.has(name)) return undefined
    const allowInsecureHttp = this.raw('dangerouslyAllowInsecureHttp') === true
    return checkUrl(this.raw(name), { name: this.name(name), allowInsecureHttp, identifier })
  }
}

/** A ConfigError for a name that is not known, with the nearest one that is. */
export function unknownName(message: string, name: string, known: readonly string[]): ConfigError {
  const [nearest] = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(2, candidate.length / 3))
    .toSorted((one, other) => one.distance - other.distance)
  const advice = nearest === undefined ? `Known: ${known.join(', ')}` : `Did you mean "${nearest.candidate}"?`
  return new ConfigError('ERR_MCP_AUTH_UNKNOWN_OPTION', `${message}. ${advice}`)
}

/** Levenshtein's distance: single letters added, dropped or changed. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const change = (previous[column - 1] as number) + (from[row - 1] === to[column - 1] ? 0 : 1)
      current.push(Math.min(change, (previous[column] as number) + 1, (current[column - 1] as number) + 1))
    }
    previous = current
  }
  return previous[to.length] as number
}
