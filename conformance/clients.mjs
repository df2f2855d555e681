// Real clients against an MCP server behind OAuthProvider: they sign in and call a tool, go on when their access token has
// expired, and sign in again when the user has disconnected them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as HttpV2,
  UnauthorizedError as UnauthorizedV2,
} from '@modelcontextprotocol/client'
import { UnauthorizedError as UnauthorizedV1 } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ANSWERS, Browser } from './browse.mjs'
import { HeadlessProvider, METADATA } from './headless-client.mjs'
import { startOurServer } from './our-server.mjs'
import { report } from './report.mjs'
import { close, freePort, listen, newNode } from './suite.mjs'

const TOKEN_SECONDS = 2
/** Of the journey of a client. */
const STEPS = 3
const TOOL = 'whoami'
const INFO = { name: 'conformance', version: '1.0.0' }

const inModules = (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url))
const textOf = ({ content }) => content.map(({ text }) => text).join('')

/** Each starts with the URL of an MCP server and of a document that may describe it, and offers `call` and `close`. */
const CLIENTS = {
  'SDK v1': (url) => {
    const provider = new HeadlessProvider()
    return sdkClient({
      provider,
      transport: () => new HttpV1(new URL(url), { authProvider: provider }),
      client: () => new ClientV1(INFO),
      finish: (transport) => transport.finishAuth(provider.callback.get('code')),
      Unauthorized: UnauthorizedV1,
    })
  },
  'SDK v2': (url) => sdkV2(url, new HeadlessProvider()),
  'SDK v2, CIMD, 2026-07-28': (url, documentUrl) =>
    sdkV2(url, new HeadlessProvider(documentUrl), { versionNegotiation: { mode: 'auto' } }),
  'mcp-remote': mcpRemote,
  inspector: (url) => inspector(url, []),
  'inspector, CIMD, 2026-07-28': (url, documentUrl) =>
    inspector(url, ['--client-metadata-url', documentUrl, '--protocol-era', 'modern']),
}

function sdkV2(url, provider, options = {}) {
  return sdkClient({
    provider,
    transport: () => new HttpV2(new URL(url), { authProvider: provider }),
    client: () => new ClientV2(INFO, options),
    finish: (transport) => transport.finishAuth(provider.callback),
    Unauthorized: UnauthorizedV2,
  })
}

/** One client for the whole journey, as an app has it: told to authorize, it finishes that and tries again. */
function sdkClient({ transport: newTransport, client: newClient, finish, Unauthorized }) {
  let client
  let transport
  async function connected() {
    if (client) return
    transport = newTransport()
    const fresh = newClient()
    await fresh.connect(transport)
    client = fresh
  }
  async function attempt() {
    await connected()
    return textOf(await client.callTool({ name: TOOL, arguments: {} }))
  }
  return {
    async call() {
      try {
        return await attempt()
      } catch (error) {
        if (!(error instanceof Unauthorized)) throw error
        await finish(transport)
        return attempt()
      }
    },
    close: () => client?.close(),
  }
}

/** A command of its own home, whose authorization URLs a browser follows. */
async function program(name) {
  const home = await mkdtemp(join(tmpdir(), `${name}-`))
  const browser = new Browser()
  const failures = []
  const { DISPLAY: _x, WAYLAND_DISPLAY: _wayland, ...inherited } = process.env
  // They would open a browser by themselves; this one comes back at once.
  const env = { ...inherited, HOME: home, BROWSER: 'true' }
  let said = ''
  let read = 0
  return {
    env,
    failures,
    said: () => said,
    watch(stream) {
      stream.setEncoding('utf8').on('data', (chunk) => {
        said += chunk
        for (let end; (end = said.indexOf('\n', read)) !== -1; read = end + 1) {
          const url = /https?:\/\/\S*response_type=code\S*/.exec(said.slice(read, end))?.[0]
          if (url) authorize(browser, url).catch((error) => failures.push(error.message))
        }
      })
    },
    close: () => rm(home, { recursive: true, force: true }),
  }
}

async function authorize(browser, start) {
  const { url, status, text } = await browser.visit(start, ({ pathname }) => pathname.endsWith('/callback'))
  if (status !== undefined) throw new Error(`the browser stopped at ${url.href}: ${status} ${text}`)
  // Some name the URL before they listen for what comes back.
  for (let attempt = 0; ; attempt++) {
    try {
      return await browser.visit(url)
    } catch (error) {
      if (attempt === 50) throw error
      await pause(100)
    }
  }
}

/** The proxy that lets a client of local servers use remote ones, run by such a client. */
async function mcpRemote(url) {
  const remote = await program('mcp-remote')
  const port = await freePort()
  let client
  async function start() {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [
        inModules('mcp-remote/dist/proxy.js'),
        url,
        String(port),
        '--transport',
        'http-only',
        '--allow-http',
      ],
      env: { ...remote.env, MCP_REMOTE_CONFIG_DIR: remote.env.HOME },
      stderr: 'pipe',
    })
    remote.watch(transport.stderr)
    client = new ClientV1(INFO)
    await client.connect(transport)
  }
  return {
    async call() {
      try {
        if (!client) await start()
        return textOf(await client.callTool({ name: TOOL, arguments: {} }))
      } catch (error) {
        throw new Error([error.message, ...remote.failures, remote.said()].join('\n'), { cause: error })
      }
    },
    async close() {
      await client?.close()
      await remote.close()
    },
  }
}

/** A command for each call, which keeps what it got in files. */
async function inspector(url, more) {
  const command = await program('inspector')
  const callbackUrl = `http://127.0.0.1:${await freePort()}/oauth/callback`
  const env = { ...command.env, MCP_AUTO_OPEN_ENABLED: 'true', MCP_INSPECTOR_SECRET_STORE: 'file' }
  const args = ['--cli', '--server-url', url, '--transport', 'http', '--callback-url', callbackUrl, ...more]
  args.push('--method', 'tools/call', '--tool-name', TOOL, '--format', 'json')
  return {
    async call() {
      const file = inModules('@modelcontextprotocol/inspector/clients/launcher/build/index.js')
      const child = spawn(newNode(), [file, ...args], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 20_000,
      })
      command.watch(child.stderr)
      let output = ''
      child.stdout.setEncoding('utf8').on('data', (chunk) => (output += chunk))
      const [exitCode, signal] = await once(child, 'close')
      if (exitCode === 0) return textOf(JSON.parse(output).result ?? JSON.parse(output))
      throw new Error(
        [`it ended with ${exitCode ?? signal}`, ...command.failures, command.said(), output].join('\n'),
      )
    },
    close: () => command.close(),
  }
}

/** A host on the internet that describes a client, and the network on which our server finds it. */
async function startDocumentHost() {
  const url = 'https://client.example/oauth/metadata.json'
  // Without a port: a native client does not know beforehand which one it will get (RFC 8252 7.3).
  const redirectUris = [...METADATA.redirect_uris, 'http://127.0.0.1/oauth/callback']
  const document = JSON.stringify({ ...METADATA, client_id: url, redirect_uris: redirectUris })
  const server = createServer((_req, res) => res.setHeader('content-type', 'application/json').end(document))
  const port = await listen(server)
  const network = {
    lookup: async () => ['93.184.215.14'],
    connect: () => connect(port, '127.0.0.1'),
  }
  return { url, network, close: () => close(server) }
}

/** The whole journey of one client. `startServer` gets the options of a server. */
export async function checkClient(newClient, startServer) {
  const issued = { authorization_code: 0, refresh_token: 0 }
  let clientId
  const onEvent = (event) => {
    if (event.type !== 'token.issued') return
    issued[event.grantType] += 1
    clientId = event.clientId
  }
  const host = await startDocumentHost()
  const server = await startServer({
    accessTokenSeconds: TOKEN_SECONDS,
    onEvent,
    deps: { network: host.network },
  })
  const client = await newClient(server.resource, host.url)
  const expired = () => pause((TOKEN_SECONDS + 0.5) * 1000)
  const wrong = []
  async function step(name, signIns, wasIssued) {
    let text
    try {
      text = await client.call()
    } catch (error) {
      wrong.push(`${name}: ${error.message}`)
      return
    }
    if (!text.startsWith(ANSWERS.username)) wrong.push(`${name}: the tool was called by ${text}`)
    if (issued.authorization_code !== signIns || !wasIssued())
      wrong.push(`${name}: issued so far ${JSON.stringify(issued)}`)
  }
  try {
    await step('signs in', 1, () => true)
    await expired()
    await step('refreshes', 1, () => issued.refresh_token > 0)
    await server.disconnect(clientId)
    await expired()
    await step('signs in again', 2, () => true)
  } catch (error) {
    wrong.push(error.stack)
  } finally {
    await client.close()
    await server.close()
    host.close()
  }
  return {
    wrong,
    refreshes: issued.refresh_token,
    'known by': clientId === host.url ? 'document' : 'registration',
  }
}

async function run() {
  // node conformance/clients.mjs inspector: only those whose name has this in it.
  const names = Object.keys(CLIENTS).filter((name) =>
    process.argv.slice(2).every((word) => name.includes(word)),
  )
  const results = await Promise.all(names.map((name) => checkClient(CLIENTS[name], startOurServer)))
  results.forEach((result, n) => {
    const expected = names[n].includes('CIMD') ? 'document' : 'registration'
    if (result['known by'] !== expected)
      result.wrong.push(`was known by ${result['known by']}, not by ${expected}`)
  })
  const rows = results.map(({ wrong }, n) => ({
    requirement: 'signs in, refreshes, signs in again',
    with: names[n],
    scenarios: 1,
    passed: Math.max(0, STEPS - wrong.length),
    wrong,
  }))
  report('real clients', rows)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await run()
