// Reads a WWW-Authenticate header by the grammar, not by how this package writes it.

export interface ReadChallenge {
  readonly scheme: string
  readonly params: ReadonlyMap<string, string>
}

/** RFC 9110 11.2: `token "=" quoted-string`, here with the letters of RFC 6750 3, which need no escapes. */
const PARAM = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)="([\x20\x21\x23-\x5b\x5d-\x7e]*)"(?:, |$)/

/** One challenge; throws where it is not well-formed, or names a parameter twice. */
export function readChallenge(header: string): ReadChallenge {
  const [scheme = ''] = header.split(' ', 1)
  const params = new Map<string, string>()
  let rest = header.slice(scheme.length + 1)
  while (rest !== '') {
    const [all, name, value] = PARAM.exec(rest) ?? []
    if (all === undefined || name === undefined || value === undefined)
      throw new Error(`not a parameter: ${rest}`)
    if (params.has(name)) throw new Error(`${name} twice: ${header}`)
    params.set(name, value)
    rest = rest.slice(all.length)
  }
  return { scheme, params }
}
