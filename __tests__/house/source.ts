// Reads TypeScript as text: enough to tell code from comments and strings, and to find imports. A parser would know more
// and cost a dependency; where this one is led astray, it throws.

/** What a file imports or re-exports from; `undefined` where the name is computed. */
export type Specifier = string | undefined

/** The source with comments, and the insides of strings and regular expressions, blanked; every offset stays the same. */
export function codeOf(source: string): string {
  let code = ''
  let at = 0
  /** Number of open braces within each `${…}` that we are in. */
  const holes: number[] = []

  const keep = (length: number): void => {
    code += source.slice(at, at + length)
    at += length
  }
  const blank = (end: number): void => {
    code += source.slice(at, end).replace(/[^\n]/g, ' ')
    at = end
  }
  const fail = (what: string): never => {
    throw new Error(`${what} in line ${source.slice(0, at).split('\n').length}`)
  }
  const endOf = (pattern: RegExp, what: string): number => {
    pattern.lastIndex = at
    return pattern.test(source) ? pattern.lastIndex : fail(what)
  }
  /** From the opening backtick, or from the brace that closes a hole, to the next hole or the closing backtick. */
  const template = (): void => {
    keep(1)
    blank(endOf(/(?:[^\\`$]|\\[^]|\$(?!\{))*/y, 'an open template'))
    if (source[at] === '`') keep(1)
    else if (source[at] === '$') {
      keep(2)
      holes.push(0)
    } else fail('an open template')
  }

  while (at < source.length) {
    const char = source[at] as string
    if (source.startsWith('//', at)) blank(endOf(/.*/y, 'a comment'))
    else if (source.startsWith('/*', at)) blank(endOf(/\/\*[^]*?\*\//y, 'an open comment'))
    else if (char === "'" || char === '"') {
      const end = endOf(char === "'" ? /'(?:[^'\\\n]|\\[^])*'/y : /"(?:[^"\\\n]|\\[^])*"/y, 'an open string')
      keep(1)
      blank(end - 1)
      keep(1)
    } else if (char === '/' && startsRegex(code)) {
      blank(endOf(/\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/\w*/y, 'an open regular expression'))
    } else if (char === '`') template()
    else if (char === '}' && holes.at(-1) === 0) {
      holes.pop()
      template()
    } else {
      if (holes.length > 0 && (char === '{' || char === '}')) {
        holes.push((holes.pop() ?? 0) + (char === '{' ? 1 : -1))
      }
      keep(1)
    }
  }
  if (holes.length > 0) fail('an open template')
  return code
}

/** After an operand a slash divides; anywhere else it starts a regular expression. */
function startsRegex(before: string): boolean {
  const code = before.trimEnd()
  if (
    /(?:^|[^\w$.])(?:return|typeof|case|in|of|void|delete|instanceof|throw|await|yield|else|do)$/.test(code)
  ) {
    return true
  }
  return !/[\w$)\]}'"`]$/.test(code)
}

const IMPORTS = [
  /\b(?:import|export)\b[^'"`;]*?\bfrom\s*(['"])(?<name> *)\1/dg,
  /\bimport\s*(['"])(?<name> *)\1/dg,
  /\b(?:import|require)\s*\(\s*(['"])(?<name> *)\1/dg,
  /\b(?:import|require)\s*\(\s*(?=[^'"\s])/dg,
]

/** Everything that is imported, statically or not, as a type or not. */
export function importsOf(source: string): Specifier[] {
  const code = codeOf(source)
  return IMPORTS.flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => {
      const range = match.indices?.groups?.['name']
      return range && source.slice(...range)
    }),
  )
}
