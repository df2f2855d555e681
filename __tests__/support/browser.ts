// A real Chromium, for what only a browser can say: what a policy blocks, what fits, what a screen reader hears.
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Opens the Chromium of this machine, and says so where there is none: only outside of CI may its tests be left out. */
export async function openBrowser(): Promise<Browser | undefined> {
  const executablePath = PLACES.find((place) => existsSync(place))
  if (executablePath === undefined) {
    const message = `no Chromium at ${PLACES.join(' or ')}`
    if (process.env['CI'] !== undefined) throw new Error(`${message}: tests in a browser cannot run`)
    console.warn(`${message}: tests in a browser are left out`)
    return undefined
  }
  return chromium.launch({ executablePath, args: ['--no-sandbox'] })
}
