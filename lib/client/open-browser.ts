// MCP security best practices, URL validation: what a server asks to have opened is a web address, and no shell ever sees it.
import { spawn } from 'node:child_process'
import { isLoopback } from '../protocol/urls.js'
import type { Deps } from '../runtime/deps.js'
import { ClientError } from './client-error.js'

/** Letters of a web address. Quotes, `$`, parentheses and the like are encoded by whoever means no harm. */
const ADDRESS = /^https?:\/\/(?:[A-Za-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:[/?][\w.~:/?@!&*+,;=%-]*)?$/

/**
 * Checks where a browser is to be sent. http is for this machine alone.
 *
 * @throws ClientError `unsafe_url`
 */
export function checkAuthorizationUrl(url: URL): void {
  const { href, protocol, hostname } = url
  const isWeb = protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
  if (isWeb && ADDRESS.test(href)) return
  throw new ClientError(
    'unsafe_url',
    `The server asks to have ${JSON.stringify(href.slice(0, 200))} opened, which is no https address (or http on this machine) in plain letters. Nothing was opened`,
  )
}

/** How a program is started. */
export type Start = typeof spawn

/** Program and arguments before the address, by platform. None is a shell, and none hands its arguments to one. */
const OPENERS = new Map<NodeJS.Platform, readonly [string, ...string[]]>([
  ['darwin', ['open']],
  ['win32', ['rundll32', 'url.dll,FileProtocolHandler']],
])

/** What cannot open anything says so within this time; what goes on for longer is a browser, or on its way to one. */
const DOUBT_MILLISECONDS = 1000

/**
 * Opens the browser of whoever sits here. Settles when it was started, as far as that can be seen.
 *
 * @throws ClientError `unsafe_url`, `no_browser`
 */
export async function openInBrowser(
  url: URL,
  deps: Pick<Deps, 'after'>,
  platform: NodeJS.Platform = process.platform,
  start: Start = spawn,
): Promise<void> {
  checkAuthorizationUrl(url)
  const [program, ...before] = OPENERS.get(platform) ?? ['xdg-open']
  await new Promise<void>((resolve, reject) => {
    const child = start(program, [...before, url.href], { stdio: 'ignore', detached: true, shell: false })
    const fail = (cause?: unknown): void => {
      const message = `No browser could be started (${program}). Open this address: ${url.href} — or pass "openBrowser"`
      reject(new ClientError('no_browser', message, { cause }))
    }
    child.once('error', fail)
    child.once('spawn', () => {
      const cancel = deps.after(DOUBT_MILLISECONDS, () => {
        child.unref()
        resolve()
      })
      child.once('exit', (status) => {
        cancel()
        // What rundll32 ends with says nothing.
        if (status === 0 || platform === 'win32') resolve()
        else fail()
      })
    })
  })
}
