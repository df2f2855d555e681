// How an app's name, colours and words come onto the pages: checked once, so that nothing of them can leave its place.
import { OptionReader } from '../protocol/options.js'
import type { Page, RenderPage } from './page.js'
import { ENGLISH, type Texts } from './texts.js'
import { PLACE } from './words.js'

/** Whose pages they are. */
export interface Branding {
  /** Name of the app or the company, as users know it. */
  readonly name?: string | undefined
  /** https URL, path on this site, or `data:image/…` of a logo. */
  readonly logoUrl?: string | undefined
  /** Colour of the main button, e.g. `#2f55d4`. Words on it become black or white, whichever is easier to read. */
  readonly accentColor?: string | undefined
  /** The same for users whose device is set to dark. Default: `accentColor`. */
  readonly darkAccentColor?: string | undefined
  readonly termsUrl?: string | undefined
  readonly privacyUrl?: string | undefined
  /** Language of the texts, e.g. `de` or `pt-BR`. Also says in which direction they are written. Default: `en`. */
  readonly language?: string | undefined
}

/** How the pages look and what they say. */
export interface PageOptions {
  readonly branding?: Branding | undefined
  /** Words of your own or in another language, by name. What is absent stays English. */
  readonly texts?: Partial<Texts> | undefined
  /** Scopes in words, for the user: `{ 'notes:read': 'Read your notes' }`. */
  readonly scopeDescriptions?: Readonly<Record<string, string>> | undefined
  /** Draws pages of your own. Call `render` for those that you leave as they are. */
  readonly renderPage?: ((page: Page, render: RenderPage) => string) | undefined
}

/** Names of the options that {@link parsePageOptions} reads. */
export const PAGE_OPTIONS: readonly ['branding', 'texts', 'scopeDescriptions', 'renderPage'] = [
  'branding',
  'texts',
  'scopeDescriptions',
  'renderPage',
]

const BRANDING = [
  'name',
  'logoUrl',
  'accentColor',
  'darkAccentColor',
  'termsUrl',
  'privacyUrl',
  'language',
] as const

/** Reads the options of the pages. @throws ConfigError */
export function parsePageOptions(read: OptionReader): PageOptions {
  return {
    branding: parseBranding(read),
    texts: parseTexts(read),
    scopeDescriptions: parseScopeDescriptions(read),
    renderPage: read.callback('renderPage'),
  }
}

function inner(read: OptionReader, name: string, known?: readonly string[]): OptionReader | undefined {
  const value = read.raw(name)
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw read.invalid(name, 'an object')
  return new OptionReader(read.name(name), value, known ?? Object.keys(value))
}

function parseBranding(outer: OptionReader): Branding {
  const read = inner(outer, 'branding', BRANDING)
  if (read === undefined) return {}
  return {
    name: read.text('name'),
    logoUrl: parseLogo(read),
    accentColor: parseColour(read, 'accentColor'),
    darkAccentColor: parseColour(read, 'darkAccentColor'),
    termsUrl: read.url('termsUrl'),
    privacyUrl: read.url('privacyUrl'),
    language: parseLanguage(read),
  }
}

/** A colour goes into the style sheet, where nothing can be escaped: only digits get there. */
function parseColour(read: OptionReader, name: string): string | undefined {
  const value = read.text(name)
  if (value !== undefined && !/^#(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(value))
    throw read.invalid(name, 'a colour such as "#2f55d4"')
  return value
}

/** The origin of the logo goes into a header; a path must not lead to another site. */
function parseLogo(read: OptionReader): string | undefined {
  const value = read.text('logoUrl')
  if (value === undefined || /^\/(?![/\\])[\x21-\x7e]*$/.test(value)) return value
  if (/^data:image\/(?:png|jpeg|gif|webp|avif|svg\+xml)[;,][\x20-\x7e]*$/.test(value)) return value
  if (/^[a-z]+:\/\//i.test(value)) return read.url('logoUrl')
  throw read.invalid('logoUrl', 'an https URL, a path on this site such as "/logo.svg", or "data:image/…"')
}

function parseLanguage(read: OptionReader): string | undefined {
  const value = read.text('language')
  if (value === undefined) return undefined
  try {
    return Intl.getCanonicalLocales(value)[0]
  } catch {
    throw read.invalid('language', 'the tag of a language such as "de" or "pt-BR"')
  }
}

function parseTexts(outer: OptionReader): Partial<Texts> {
  const names = Object.keys(ENGLISH) as (keyof Texts)[]
  const read = inner(outer, 'texts', names)
  if (read === undefined) return {}
  const given = names.filter((name) => read.has(name))
  return Object.fromEntries(given.map((name) => [name, parseText(read, name)]))
}

function parseText(read: OptionReader, name: keyof Texts): string {
  const text = read.text(name) as string
  const known = placesOf(ENGLISH[name])
  const stray = placesOf(text).find((place) => !known.includes(place))
  if (stray !== undefined)
    throw read.invalid(name, `a text without ${stray}; it may hold ${known.join(', ') || 'no places'}`)
  return text
}

function placesOf(text: string): readonly string[] {
  return text.match(PLACE) ?? []
}

function parseScopeDescriptions(outer: OptionReader): Readonly<Record<string, string>> {
  const read = inner(outer, 'scopeDescriptions')
  if (read === undefined) return {}
  const scopes = Object.keys(outer.raw('scopeDescriptions') as object)
  return Object.fromEntries(
    scopes.flatMap((scope): [string, string][] => {
      const words = read.text(scope)
      return words === undefined ? [] : [[scope, words]]
    }),
  )
}
