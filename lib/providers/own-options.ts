// Options that one identity provider has and others have not: a table says how each is read, and what to write where it is missing.
import { OptionReader } from '../protocol/options.js'
import { checkUrl } from '../protocol/urls.js'

type Read = (read: OptionReader, name: string) => unknown

/** How an option is read; a `base` is a URL that others begin with, with or without a slash at its end, and a host alone means https. */
export type OptionKind = 'text' | 'url' | 'base' | 'flag' | 'texts' | 'scopes' | 'seconds'

const READERS: Readonly<Record<OptionKind, Read>> = {
  text: (read, name) => read.text(name),
  url: (read, name) => read.url(name),
  base: readBase,
  flag: (read, name) => read.flag(name),
  texts: (read, name) => read.texts(name),
  scopes: (read, name) => read.scopes(name),
  seconds: (read, name) => read.seconds(name, 0),
}

/** How one option is read. A name alone may be left out; `required` says what to write; `holds` names what an object may hold. */
export type OwnOption =
  | OptionKind
  | { readonly kind: OptionKind; readonly required: string }
  | { readonly kind: 'object'; readonly holds: readonly string[] }

/** How an option is read from text, e.g. from an environment variable; `any` is a flag, JSON or text, by what it looks like. */
export type TextForm = 'text' | 'list' | 'seconds' | 'flag' | 'json' | 'any'

const TEXT_FORMS: Readonly<Record<OptionKind | 'object', TextForm>> = {
  text: 'text', url: 'text', base: 'text', flag: 'flag', texts: 'list', scopes: 'list', seconds: 'seconds', object: 'json',
} // prettier-ignore

export function textFormOf(option: OwnOption): TextForm {
  return TEXT_FORMS[typeof option === 'string' ? option : option.kind]
}

/** Reads every option of a table; those that were left out are absent. */
export function readOwnOptions(
  read: OptionReader,
  options: Readonly<Record<string, OwnOption>>,
): Readonly<Record<string, unknown>> {
  const given: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(options)) {
    if (read.has(name)) given[name] = readOption(read, name, option)
    else if (typeof option === 'object' && 'required' in option) throw read.missing(name, option.required)
  }
  return given
}

function readOption(read: OptionReader, name: string, option: OwnOption): unknown {
  if (typeof option === 'string') return READERS[option](read, name)
  if (option.kind !== 'object') return READERS[option.kind](read, name)
  const nested = new OptionReader(read.name(name), read.raw(name), option.holds)
  return Object.fromEntries(
    option.holds.filter((key) => nested.has(key)).map((key) => [key, nested.raw(key)]),
  )
}

/** Whoever copies one from a console brings a slash along, or leaves the scheme behind. */
function readBase(read: OptionReader, name: string): string {
  const value = read.raw(name)
  const isHost = typeof value === 'string' && /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i.test(value)
  const url = checkUrl(isHost ? `https://${value}` : value, {
    name: read.name(name),
    allowInsecureHttp: read.flag('dangerouslyAllowInsecureHttp'),
    identifier: true,
  })
  return url.replace(/\/+$/, '')
}
