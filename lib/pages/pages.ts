// Pages as a browser gets them: without scripts, in nobody's frame (RFC 9700 4.16), remembered by nobody, telling nobody.
import { createHash } from 'node:crypto'
import { styleSheet } from '../protocol/html.js'
import type { Branding, PageOptions } from './branding.js'
import { drawConnections } from './connections.js'
import { drawConsent } from './consent.js'
import { type Sheet, type Stage, drawDocument } from './layout.js'
import { drawMessage } from './message.js'
import type { Page } from './page.js'
import { drawSignIn } from './sign-in.js'
import { buildStyle } from './style.js'
import { Words } from './words.js'

export { type Branding, type PageOptions, PAGE_OPTIONS, parsePageOptions } from './branding.js'

/** A page as it is sent. */
export interface RenderedPage {
  readonly html: string
  readonly headers: Readonly<Record<string, string>>
}

/** The pages of one server. */
export interface Pages {
  render(page: Page): RenderedPage
}

const ACCENT = '#2b50c8'
const DARK_ACCENT = '#8fb0ff'

/** Makes the pages of a server from options as `parsePageOptions` gave them. */
export function createPages({
  branding = {},
  texts = {},
  scopeDescriptions = {},
  renderPage,
}: PageOptions): Pages {
  const language = branding.language ?? 'en'
  const style = buildStyle({
    light: branding.accentColor ?? ACCENT,
    dark: branding.darkAccentColor ?? branding.accentColor ?? DARK_ACCENT,
  })
  const stage: Stage = {
    branding,
    language,
    style: styleSheet(style),
    words: new Words(texts, scopeDescriptions, language),
  }
  const render = (page: Page): string => drawDocument(stage, draw(page, stage))
  const ours = headersOf(ourPolicy(style, branding))
  const theirs = headersOf(theirPolicy(branding))
  if (renderPage === undefined) return { render: (page) => ({ html: render(page), headers: ours }) }
  const renderTheirs = (page: Page): RenderedPage => {
    let own: string | undefined
    const html: unknown = renderPage(page, (shown) => (own = render(shown)))
    if (typeof html !== 'string')
      throw new TypeError('renderPage must return a string of HTML, and no promise')
    return { html, headers: html === own ? ours : theirs }
  }
  return {
    render(page) {
      try {
        return renderTheirs(page)
      } catch (error) {
        // The page that says that something failed is the one that must not.
        if (page.kind === 'message' && page.message === 'unavailable')
          return { html: render(page), headers: ours }
        throw error
      }
    },
  }
}

function draw(page: Page, stage: Stage): Sheet {
  switch (page.kind) {
    case 'sign-in':
      return drawSignIn(page, stage)
    case 'consent':
      return drawConsent(page, stage)
    case 'connections':
      return drawConnections(page, stage)
    case 'message':
      return drawMessage(page, stage)
  }
}

// No form-action: Chrome holds it against the redirect that follows a form as well, and would block the way back to the client.
const EVERYWHERE = ["frame-ancestors 'none'", "base-uri 'none'"]

function ourPolicy(style: string, { logoUrl }: Branding): string {
  const hash = createHash('sha256').update(style).digest('base64')
  const images = logoUrl === undefined ? [] : [`img-src ${imageSource(logoUrl)}`]
  return ["default-src 'none'", `style-src 'sha256-${hash}'`, ...images, ...EVERYWHERE].join('; ')
}

/** For pages that the app draws: styles, images and fonts, but no scripts either. */
function theirPolicy({ logoUrl }: Branding): string {
  const logo = logoUrl === undefined ? [] : [imageSource(logoUrl)]
  const images = [...new Set(["'self'", 'data:', ...logo])].join(' ')
  return [
    "default-src 'none'",
    "style-src 'self' 'unsafe-inline'",
    `img-src ${images}`,
    "font-src 'self'",
    ...EVERYWHERE,
  ].join('; ')
}

function imageSource(logoUrl: string): string {
  if (logoUrl.startsWith('/')) return "'self'"
  return logoUrl.startsWith('data:') ? 'data:' : new URL(logoUrl).origin
}

// No Cross-Origin-Opener-Policy: clients on the web open us in a window and wait for it to call them back, which it would cut off.
function headersOf(policy: string): Readonly<Record<string, string>> {
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': policy,
    'X-Frame-Options': 'DENY',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer',
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  }
}
