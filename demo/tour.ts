// npm start -- --try: what a client meets at the guard, shown with the SDK's own client. Throws where anything is not as expected.
import assert from 'node:assert/strict'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

/** Tokens for the tour: one for everyday use, and one as it is after the user agreed to more. */
export interface TourTokens {
  readonly everyday: string
  readonly extended: string
}

export async function takeTour(endpoint: string, { everyday, extended }: TourTokens): Promise<void> {
  console.log('1. Without a token')
  const stranger = new Visitor(endpoint)
  await assert.rejects(stranger.connect(), { status: 401 })
  stranger.showRefusal(401, /^Bearer .*resource_metadata="/)

  console.log('\n2. With the token')
  const user = new Visitor(endpoint, everyday)
  await user.connect()
  console.log(`   connected by MCP ${user.protocol}`)
  console.log(`   tools: ${await user.tools()}`)
  assert.match(await user.call('whoami'), /^You are alice\b/)
  await user.call('add_note', { text: 'Buy milk' })
  assert.match(await user.call('list_notes'), /Buy milk/)

  console.log('\n3. A tool that needs more ([mcp-auth] is what the operator of the server sees)')
  await assert.rejects(user.call('delete_note', { number: 1 }), { requiredScope: 'notes:use notes:delete' })
  user.showRefusal(403, /^Bearer error="insufficient_scope", .*scope="notes:use notes:delete"/)
  await user.close()

  console.log('\n4. With a token that holds the scope')
  const trusted = new Visitor(endpoint, extended)
  await trusted.connect()
  assert.equal(await trusted.call('delete_note', { number: 1 }), 'Deleted note 1.')
  await trusted.close()
}

/** A client that tells what it does and what it is answered. */
class Visitor {
  readonly #client = new Client({ name: 'tour', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
  readonly #transport: StreamableHTTPClientTransport
  /** The answer that came last, whose headers the client keeps to itself. */
  #answer: Response | undefined

  constructor(endpoint: string, token?: string) {
    this.#transport = new StreamableHTTPClientTransport(new URL(endpoint), {
      ...(token !== undefined && { requestInit: { headers: { Authorization: `Bearer ${token}` } } }),
      fetch: async (url, init) => {
        this.#answer = await fetch(url, init)
        return this.#answer
      },
    })
  }

  connect(): Promise<void> {
    return this.#client.connect(this.#transport)
  }

  get protocol(): string | undefined {
    return this.#client.getNegotiatedProtocolVersion()
  }

  async tools(): Promise<string> {
    const { tools } = await this.#client.listTools()
    return tools.map(({ name }) => name).join(', ')
  }

  async call(name: string, args: Record<string, unknown> = {}): Promise<string> {
    const { content } = await this.#client.callTool({ name, arguments: args })
    const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('')
    console.log(`   ${name} → ${text}`)
    return text
  }

  showRefusal(status: number, challenge: RegExp): void {
    const header = this.#answer?.headers.get('www-authenticate') ?? ''
    console.log(`   HTTP ${this.#answer?.status}\n   WWW-Authenticate: ${header}`)
    assert.equal(this.#answer?.status, status)
    assert.match(header, challenge)
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}
