// A program as the official suite's client mode starts it: `node client-under-test.mjs v1|v2 <url of an MCP server>`. It connects by an SDK with
// our OAuth or ClientCredentials, and uses whatever the server offers, once. Says on the last line of its output what came of it.
import { setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net'
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { ClientCredentials, OAuth, authFetch } from '../dist/client/index.js'
import { MemoryStore } from '../dist/stores/memory.js'

// The suite starts all its scenarios at once. Where the machine is busy, `localhost` takes longer than the quarter of a second that each of
// its addresses is given.
setDefaultAutoSelectFamilyAttemptTimeout(10_000)

const INFO = { name: 'conformance', version: '1.0.0' }
const CAPABILITIES = { elicitation: { form: { applyDefaults: true } } }
/** That of nobody: the suite's server knows it and does not fetch it. */
const DOCUMENT = 'https://conformance-test.local/client-metadata.json'

const [generation, serverUrl] = process.argv.slice(2)
const {
  MCP_CONFORMANCE_CONTEXT = '{}',
  MCP_CONFORMANCE_PROTOCOL_VERSION,
  MCP_CONFORMANCE_SCENARIO,
} = process.env
const context = JSON.parse(MCP_CONFORMANCE_CONTEXT)

/** What the SDKs call differently. */
const SDKS = {
  v1: {
    newClient() {
      const client = new ClientV1(INFO, { capabilities: CAPABILITIES })
      client.setRequestHandler(ElicitRequestSchema, accept)
      return client
    },
    newTransport: (options) => new HttpV1(new URL(serverUrl), options),
    // It knows no `authProvider` that only has a token.
    optionsFor: (auth) => (auth instanceof OAuth ? { authProvider: auth } : { fetch: authFetch(auth) }),
  },
  v2: {
    newClient() {
      const mode =
        MCP_CONFORMANCE_PROTOCOL_VERSION >= '2026' ? { pin: MCP_CONFORMANCE_PROTOCOL_VERSION } : 'legacy'
      const client = new ClientV2(INFO, { capabilities: CAPABILITIES, versionNegotiation: { mode } })
      client.setRequestHandler('elicitation/create', accept)
      return client
    },
    newTransport: (options) => new HttpV2(new URL(serverUrl), options),
    optionsFor: (auth) => ({ authProvider: auth }),
  },
}

const accept = () => ({ action: 'accept', content: {} })

/** As an app would: by what it was given, and otherwise by its document or by registration. */
function newAuth() {
  const { client_id: clientId, client_secret: clientSecret, private_key_pem: privateKey, issuer } = context
  if (MCP_CONFORMANCE_SCENARIO.startsWith('auth/client-credentials-')) {
    const proof = privateKey === undefined ? { clientSecret } : { privateKey }
    return new ClientCredentials({ serverUrl, clientId, ...proof })
  }
  const who =
    clientId === undefined
      ? { clientMetadataUrl: DOCUMENT }
      : { clientId, clientSecret, ...(issuer && { issuer }) }
  return new OAuth({
    serverUrl,
    clientName: 'Conformance',
    ...who,
    store: new MemoryStore(),
    openBrowser: follow,
  })
}

/** The suite's authorization server asks nobody: it sends every browser straight back. */
async function follow(url) {
  const { headers, status } = await fetch(url, { redirect: 'manual' })
  const location = headers.get('location')
  if (location === null) throw new Error(`${url} answered ${status} without Location`)
  await fetch(location)
}

/** Lists and uses everything, one after the other. */
async function useAll(client, ask) {
  const { prompts, resources, tools } = client.getServerCapabilities()
  if (tools) {
    const { tools: offered } = await ask(() => client.listTools())
    const calls =
      context.toolCalls ??
      offered.map((tool) => ({ name: tool.name, arguments: argumentsFor(tool, offered) }))
    for (const call of calls) await ask(() => client.callTool(call))
  }
  if (resources) {
    const { resources: offered } = await ask(() => client.listResources())
    for (const { uri } of offered) await ask(() => client.readResource({ uri }))
  }
  if (prompts) {
    const { prompts: offered } = await ask(() => client.listPrompts())
    for (const { name } of offered) await ask(() => client.getPrompt({ name }))
  }
}

const SAMPLES = { string: 'text', number: 1, integer: 1, boolean: true, array: [], object: {} }

function argumentsFor({ name: tool, inputSchema }, offered) {
  // It wants to see what was received of another one.
  if (tool === 'json_schema_echo') return { schema: offered.find(({ name }) => name !== tool).inputSchema }
  const { properties = {}, required = [] } = inputSchema
  return Object.fromEntries(required.map((name) => [name, SAMPLES[properties[name]?.type] ?? 'text']))
}

const { newClient, newTransport, optionsFor } = SDKS[generation]
const client = newClient()
try {
  const auth = newAuth()
  const create = () => newTransport(optionsFor(auth))
  if (auth instanceof OAuth) {
    const transport = await auth.connect(client, create)
    await useAll(client, (work) => auth.authorize(transport, work))
  } else {
    await client.connect(create())
    await useAll(client, (work) => work())
  }
  await client.close()
  console.log('\ndone')
} catch (error) {
  console.error(error)
  console.log(`\n${error.code ?? error.name}`)
  process.exitCode = 1
}
// The SDKs may still hold a stream to a server that is about to stop.
process.exit()
