// The official suite's authorization mode against OAuthProvider: public and confidential clients, issuers with and without a path.
// It asks for an authorization that somebody has to follow in a browser. Passes when every check that it has was made and
// succeeded: it calls a run good in which it skipped what it came for.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Browser } from './browse.mjs'
import { startOurServer } from './our-server.mjs'
import { report } from './report.mjs'
import { freePort, runSuite } from './suite.mjs'

const CHECKS = [
  'authorization-server-metadata',
  'authorization-server-metadata-cimd',
  'authorization-code-grant',
]

// The suite leaves the secret out where the metadata lists `none`, as it must where clients can register or describe
// themselves: for a confidential client it gets to see metadata without that word.
const RUNS = {
  public: { client: { clientId: 'conformance' }, checks: CHECKS },
  confidential: {
    client: { clientId: 'conformance', clientSecret: 'a secret between the suite and its server' },
    checks: CHECKS,
    options: { hidesPublicClients: true },
  },
}

/**
 * Runs the mode once. `start` gets the client that has to be known, and starts the server.
 * @returns {Promise<string[]>} what was not as it should be
 */
export async function checkAuthorization({ client, checks: expected }, start) {
  const folder = await mkdtemp(join(tmpdir(), 'authorization-'))
  const port = await freePort()
  const server = await start({ ...client, redirectUris: [`http://127.0.0.1:${port}/callback`] })
  const args = ['authorization', '--url', server.issuer, '--resource', server.resource, '-p', String(port)]
  args.push('--client-id', client.clientId)
  if (client.clientSecret) args.push('--client-secret', client.clientSecret)
  const wrong = []
  const stop = new AbortController()
  try {
    let url
    const onLine = (line) => {
      url ??= /^https?:\/\/\S*response_type=code\S*/.exec(line.trim())?.[0]
      // It names the URL first and listens for the browser afterwards.
      if (url === undefined || !line.startsWith('Callback server started')) return
      follow(url).catch((error) => {
        wrong.push(error.message)
        stop.abort()
      })
    }
    const how = { timeout: 30_000, signal: stop.signal, onLine }
    const { exitCode, checks } = await runSuite(args, join(folder, 'checks'), how)
    if (exitCode !== 0) wrong.push(`the suite ended with ${exitCode}`)
    for (const { id, status, errorMessage = '' } of checks) {
      if (status !== 'SUCCESS') wrong.push(`${id}: ${status} ${errorMessage}`)
    }
    for (const id of expected) {
      if (!checks.some((check) => check.id === id)) wrong.push(`${id}: was not made`)
    }
  } catch (error) {
    // Where the browser got stuck, that the suite was stopped says nothing more.
    if (!stop.signal.aborted) wrong.push(error.message)
  } finally {
    await server.close()
    await rm(folder, { recursive: true, force: true })
  }
  return wrong
}

async function follow(start) {
  const browser = new Browser()
  const { url, status, text } = await browser.visit(start)
  if (url.pathname === '/callback' && status === 200) return
  throw new Error(`the browser stopped at ${url.href}: ${status} ${text}\n${browser.history.join('\n')}`)
}

async function run() {
  const rows = []
  for (const [kind, { options, ...how }] of Object.entries(RUNS)) {
    for (const path of ['', '/tenant1']) {
      const wrong = await checkAuthorization(how, (known) =>
        startOurServer({ path, clients: [known], ...options }),
      )
      rows.push({
        requirement: path === '' ? 'issuer without a path' : 'issuer with a path',
        with: `\`OAuthProvider\`, ${kind} client`,
        scenarios: 2,
        passed: Math.max(0, how.checks.length - wrong.length),
        wrong,
      })
    }
  }
  report('`authorization`', rows)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await run()
