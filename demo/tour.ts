// npm start -- --try: what a client meets, shown with the SDK's own client. Throws where anything is not as expected.
import assert from 'node:assert/strict'
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client'
import { Credentials, REDIRECT_URI } from './credentials.js'
import { Person } from './person.js'

export async function takeTour(baseUrl: string): Promise<void> {
  const alice = new Person('alice', 'wonderland', tell)
  const visitor = new Visitor(`${baseUrl}/mcp`, (address) => alice.follow(address, REDIRECT_URI))

  console.log('1. Without a token')
  await assert.rejects(visitor.connect(), UnauthorizedError)
  visitor.showRefusal(401, /^Bearer scope="notes:use", resource_metadata="/)

  console.log('\n2. So the client finds out where to sign in, registers, and opens a browser')
  await visitor.signIn()

  console.log('\n3. With the token that it got')
  await visitor.connect()
  tell(`connected by MCP ${visitor.protocol}`)
  const { iss, aud, sub, scope, iat, exp } = visitor.credentials.claims()
  tell(
    `the token says: ${sub} lets ${visitor.credentials.clientId} do "${scope}" at ${aud} for ${exp - iat} s, by ${iss}`,
  )
  assert.deepEqual([iss, aud, sub], [baseUrl, `${baseUrl}/mcp`, 'alice'])
  assert.match(await visitor.call('whoami'), /^You are alice\b/)
  await visitor.call('add_note', { text: 'Buy milk' })
  assert.match(await visitor.call('list_notes'), /Buy milk/)

  console.log('\n4. A tool that needs more: refused before it runs, asked for, allowed')
  const removal = { number: 1 }
  await assert.rejects(visitor.call('delete_note', removal), UnauthorizedError)
  visitor.showRefusal(403, /^Bearer error="insufficient_scope", .*scope="notes:use notes:delete"/)
  await visitor.signIn()
  assert.equal(await visitor.call('delete_note', removal), 'Deleted note 1.')

  console.log('\n5. Alice changes her mind')
  await alice.disconnectAll(baseUrl)
  await assert.rejects(visitor.call('whoami'), UnauthorizedError)
  visitor.showRefusal(401, /^Bearer error="invalid_token"/)
  await visitor.close()
}

function tell(what: string): void {
  console.log(`   ${what}`)
}

/** An MCP client that tells what it is answered. Whoever sits at it is sent to a browser. */
class Visitor {
  readonly credentials: Credentials
  readonly #endpoint: URL
  readonly #client = new Client({ name: 'tour', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
  #transport: StreamableHTTPClientTransport | undefined
  /** The refusal that came last, whose headers the client keeps to itself. */
  #refusal: Response | undefined

  constructor(endpoint: string, browse: (address: URL) => Promise<URL>) {
    this.#endpoint = new URL(endpoint)
    this.credentials = new Credentials(browse)
  }

  connect(): Promise<void> {
    this.#transport = new StreamableHTTPClientTransport(this.#endpoint, {
      authProvider: this.credentials,
      fetch: async (url, init) => {
        const response = await fetch(url, init)
        if (response.status === 401 || response.status === 403) this.#refusal = response
        return response
      },
    })
    return this.#client.connect(this.#transport)
  }

  /** Hands over what the browser came back with. The request that was refused had it opened. */
  async signIn(): Promise<void> {
    await this.#transport?.finishAuth(await this.credentials.back())
  }

  get protocol(): string | undefined {
    return this.#client.getNegotiatedProtocolVersion()
  }

  async call(name: string, args: Record<string, unknown> = {}): Promise<string> {
    const { content } = await this.#client.callTool({ name, arguments: args })
    const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('')
    tell(`${name} → ${text}`)
    return text
  }

  showRefusal(status: number, challenge: RegExp): void {
    const header = this.#refusal?.headers.get('www-authenticate') ?? ''
    tell(`HTTP ${this.#refusal?.status}`)
    tell(`WWW-Authenticate: ${header}`)
    assert.equal(this.#refusal?.status, status)
    assert.match(header, challenge)
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}
