// What a page says: texts with their places filled in, scopes in words, and what strangers wrote cut to a size.
import { type HtmlValue, type SafeHtml, html } from '../protocol/html.js'
import type { PageClient, PageScope } from './page.js'
import { ENGLISH, type Texts } from './texts.js'

/** Place in a text that is filled in, e.g. `{client}`. */
export const PLACE: RegExp = /\{([a-zA-Z]+)\}/g

const LONGEST_NAME = 80

/** The words of one server, in one language. */
export class Words {
  readonly #texts: Texts
  readonly #scopes: ReadonlyMap<string, string>
  readonly #dates: Intl.DateTimeFormat

  constructor(texts: Partial<Texts>, scopeDescriptions: Readonly<Record<string, string>>, language: string) {
    this.#texts = { ...ENGLISH, ...texts }
    this.#scopes = new Map([
      ...Object.entries(this.#texts).flatMap(([key, text]): [string, string][] =>
        key.startsWith('scope.') && key !== 'scope.other' ? [[key.slice('scope.'.length), text]] : [],
      ),
      ...Object.entries(scopeDescriptions),
    ])
    // The zone of the user is not known; a day is near enough.
    this.#dates = new Intl.DateTimeFormat(language, { dateStyle: 'long', timeZone: 'UTC' })
  }

  /** A text as markup. What is filled in keeps its direction to itself, so that it cannot turn the words around it. */
  say(key: keyof Texts, values: Readonly<Record<string, HtmlValue>> = {}): SafeHtml {
    const places = new Map(Object.entries(values))
    const parts = this.#texts[key].split(PLACE).map((part, index) => {
      if (index % 2 === 0) return part
      const value = places.get(part) ?? `{${part}}`
      return typeof value === 'string' ? html`<bdi>${value}</bdi>` : value
    })
    return html`${parts}`
  }

  /** A text as plain text, for titles and labels. */
  plain(key: keyof Texts, values: Readonly<Record<string, string>> = {}): string {
    const places = new Map(Object.entries(values))
    return this.#texts[key].replace(PLACE, (place, name: string) => places.get(name) ?? place)
  }

  /** A scope in words; its name, readably, where nobody described it. */
  scope({ scope, description }: PageScope): SafeHtml {
    const words = description ?? this.#scopes.get(scope)
    return words === undefined
      ? this.say('scope.other', { scope: html`<code>${shown(scope)}</code>` })
      : html`${words}`
  }

  date(milliseconds: number): string {
    return this.#dates.format(milliseconds)
  }
}

/** What a client calls itself, else where it comes from, else its ID. */
export function nameOf({ name, domain, clientId }: PageClient): string {
  const itself = name === undefined ? '' : shown(name)
  return itself === '' ? shown(domain ?? clientId) : itself
}

/** What strangers wrote, on one line: without letters that turn the direction of others, and not without end. */
export function shown(text: string): string {
  const line = text
    .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '')
    .replace(/[\p{Cc}\s\u2028\u2029]+/gu, ' ')
    .trim()
  const letters = Array.from(line)
  return letters.length <= LONGEST_NAME ? line : `${letters.slice(0, LONGEST_NAME - 1).join('')}…`
}

/** First letter as people see it, for the tile that stands for a name. */
export function initialOf(name: string): string {
  const [first] = new Intl.Segmenter().segment(name)
  // A letter may carry marks without end.
  return Array.from(first?.segment ?? '?')
    .slice(0, 8)
    .join('')
    .toUpperCase()
}
