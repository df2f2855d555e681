// HTML that cannot be broken out of: whatever is put into a template is escaped, unless a template made it.

/** Markup that the `html` tag made. Only that and {@link styleSheet} can make one. */
export class SafeHtml {
  readonly #markup: string

  /** @internal */
  constructor(markup: string, key: symbol) {
    if (key !== KEY) throw new TypeError('SafeHtml is made by the html tag')
    this.#markup = markup
  }

  toString(): string {
    return this.#markup
  }
}

/** Attributes that {@link attributes} made, for a place inside of a tag. */
export class Attributes {
  readonly #markup: string

  /** @internal */
  constructor(markup: string, key: symbol) {
    if (key !== KEY) throw new TypeError('Attributes are made by attributes()')
    this.#markup = markup
  }

  toString(): string {
    return this.#markup
  }
}

/** What may stand in a template. `undefined` and `false` write nothing, so that `condition && html…` does what it says. */
export type HtmlValue = string | number | SafeHtml | Attributes | readonly HtmlValue[] | undefined | false

/** Where in the markup a value stands: between tags, inside of a tag, or in the value of an attribute. */
type Place = { readonly kind: 'text' | 'tag' } | { readonly kind: 'attribute'; readonly name: string }

const KEY = Symbol('html')

// Each template is written once in the source, so that where its values stand is found once.
const PLACES = new WeakMap<TemplateStringsArray, readonly Place[]>()

/**
 * Makes HTML. Values are escaped; what another template made and lists of it are not escaped twice.
 *
 * @throws TypeError where a value stands in a place that escaping does not make safe: in a style sheet, a script, a comment, an
 * attribute without double quotes, an attribute that holds code
 */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): SafeHtml {
  let places = PLACES.get(strings)
  if (places === undefined) {
    places = findPlaces(strings)
    PLACES.set(strings, places)
  }
  let markup = strings[0] as string
  for (const [index, value] of values.entries())
    markup += write(value, places[index] as Place) + (strings[index + 1] as string)
  return new SafeHtml(markup, KEY)
}

/**
 * Attributes of which some may be absent.
 *
 * @param values by name; `undefined` and `false` leave an attribute out, `true` writes it without a value
 */
export function attributes(values: Readonly<Record<string, string | boolean | undefined>>): Attributes {
  const markup = Object.entries(values).map(([name, value]) => {
    if (value === undefined || value === false) return ''
    checkAttribute(name)
    return value === true ? ` ${name}` : ` ${name}="${attributeValue(name, value)}"`
  })
  return new Attributes(markup.join(''), KEY)
}

/** A style element. A style sheet cannot be escaped, so that one that might end its element is refused. */
export function styleSheet(css: string): SafeHtml {
  if (css.includes('<')) throw new TypeError('a style sheet must not contain "<"')
  return new SafeHtml(`<style>${css}</style>`, KEY)
}

function write(value: HtmlValue, place: Place): string {
  if (value === undefined || value === false) return ''
  if (value instanceof Attributes || place.kind === 'tag') {
    if (value instanceof Attributes && place.kind === 'tag') return value.toString()
    throw new TypeError('inside of a tag stand Attributes, and they stand nowhere else')
  }
  if (place.kind === 'attribute') {
    if (typeof value === 'object') throw new TypeError(`the attribute "${place.name}" takes text, not markup`)
    return attributeValue(place.name, String(value))
  }
  if (value instanceof SafeHtml) return value.toString()
  if (typeof value === 'object') return value.map((entry: HtmlValue) => write(entry, place)).join('')
  return escapeHtml(String(value))
}

/** Text in which nothing is markup, between tags and in double quotes. */
function escapeHtml(text: string): string {
  // A NUL has no escape, and a lone surrogate has no bytes in UTF-8.
  return text
    .replace(/\0|\p{Surrogate}/gu, '\ufffd')
    .replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`)
}

const LINKS = new Set(['href', 'action', 'formaction'])

function attributeValue(name: string, value: string): string {
  return escapeHtml(LINKS.has(name.toLowerCase()) && !isLinkable(value) ? 'about:invalid' : value)
}

/** Whether a URL, once followed, runs no code in our name. Browsers skip controls and white space in a scheme. */
export function isLinkable(url: string): boolean {
  return !/^(?:javascript|vbscript|data|blob|filesystem):/i.test(url.replace(/[\p{Cc}\s]/gu, ''))
}

function checkAttribute(name: string): void {
  if (!/^[a-z][a-z0-9-]*$/i.test(name) || /^(?:on|style$|srcdoc$|srcset$|xmlns)/i.test(name))
    throw new TypeError(`no value can be put safely into the attribute "${name}"`)
}

const ANY_VALUE = '\0'
const COMMENT = /<!--.*?-->/gs
const WHOLE_TAG = /<[^<>"]*(?:"[^"]*"[^<>"]*)*>/g
const NOT_ESCAPABLE = /<(?:style|script|iframe|noscript|xmp|plaintext|noembed|noframes|!(?!doctype))/i
const IN_TAG = /^<[a-z][a-z0-9-]*(?:\s+[a-z][a-z0-9-]*(?:="[^"]*")?|\s*\0)*\s*$/i
const IN_ATTRIBUTE = /^<[a-z].*[\s"]([a-z][a-z0-9-]*)="[^"]*$/is

/** Reads the fixed parts of a template as a browser would, as far as markup of our own needs it. */
function findPlaces(strings: readonly string[]): readonly Place[] {
  return strings.slice(0, -1).map((_part, index) =>
    placeAfter(
      strings
        .slice(0, index + 1)
        .join(ANY_VALUE)
        .replace(COMMENT, ''),
    ),
  )
}

function placeAfter(markup: string): Place {
  if (NOT_ESCAPABLE.test(markup)) throw new TypeError('a value follows a style sheet, a script or a comment')
  const open = markup.replace(WHOLE_TAG, '')
  const tag = open.slice(open.indexOf('<'))
  if (!open.includes('<')) return { kind: 'text' }
  if (IN_TAG.test(tag)) return { kind: 'tag' }
  const name = IN_ATTRIBUTE.exec(tag)?.[1]
  if (name === undefined) throw new TypeError(`a value stands where it cannot be escaped: ${tag}`)
  checkAttribute(name)
  return { kind: 'attribute', name }
}
