// Full flows as clients make them: register, authorize, code, refresh, revoke. Every answer is checked.
import { BASE_URL, RESOURCE, SCOPE, createPkce } from './flow-contenders.mjs'
import { exchange, openSocket } from './load.mjs'

const HOST = new URL(BASE_URL).host
// Made ahead of time: the load is to cost little.
const PKCE = Array.from({ length: 512 }, createPkce)

let serial = 0

export class FlowLoad {
  #sockets = []

  static async open(port, connections) {
    const load = new FlowLoad()
    for (let i = 0; i < connections; i++) load.#sockets.push(await openSocket(port))
    return load
  }

  /** Flow after flow on every connection for a while; resolves with how many there were, how fast, and how long each took. */
  async block(milliseconds, label) {
    const start = performance.now()
    const end = start + milliseconds
    const latencies = []
    await Promise.all(
      this.#sockets.map(async (socket) => {
        let now = performance.now()
        while (now < end) {
          await flow(socket, label)
          const done = performance.now()
          latencies.push(done - now)
          now = done
        }
      }),
    )
    return {
      flows: latencies.length,
      perSecond: (latencies.length * 1000) / (performance.now() - start),
      latencies,
    }
  }

  /** A client on the first connection, for those who want to leave the path. */
  client(label) {
    return new FlowClient(this.#sockets[0], label)
  }

  close() {
    for (const socket of this.#sockets) socket.destroy()
  }
}

async function flow(socket, label) {
  const client = new FlowClient(socket, label)
  await client.register()
  const code = await client.authorize()
  await client.redeem(code)
  await client.refresh()
  await client.revoke()
}

/** One client with one user. Each step resolves with what came of it, and throws where another status was due. */
export class FlowClient {
  #socket
  #label
  #n = serial++
  #pkce = PKCE[this.#n % PKCE.length]
  #redirectUri = `http://127.0.0.1:33418/callback/${this.#n}`
  clientId
  tokens

  constructor(socket, label) {
    this.#socket = socket
    this.#label = label
  }

  async register() {
    const metadata = {
      client_name: `Client ${this.#n}`,
      // An app on this machine: what it gets unasked stays here.
      application_type: 'native',
      redirect_uris: [this.#redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    }
    const answer = await this.#post('/register', 'application/json', JSON.stringify(metadata), [201])
    this.clientId = bodyOf(answer).client_id
    if (!this.clientId) throw new Error(`${this.#label} registered a client without client_id`)
  }

  async authorize({ redirectUri = this.#redirectUri, allowed = [302, 303] } = {}) {
    const state = `state-${this.#n}`
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: this.clientId,
      redirect_uri: redirectUri,
      scope: SCOPE,
      state,
      code_challenge: this.#pkce.challenge,
      code_challenge_method: 'S256',
      resource: RESOURCE,
    })
    const answer = await this.#send(
      `GET /authorize?${query}`,
      `Cookie: _session=user-${this.#n}\r\n`,
      '',
      allowed,
    )
    if (answer.status !== 302 && answer.status !== 303) return undefined
    const location = /\r\nlocation: (\S+)/i.exec(answer.text)?.[1] ?? ''
    const back = new URL(location, BASE_URL)
    const code = back.searchParams.get('code')
    if (!location.startsWith(redirectUri) || !code || back.searchParams.get('state') !== state)
      throw new Error(`${this.#label} sent the browser to ${location}, without a code for its client`)
    return code
  }

  async redeem(code, { verifier = this.#pkce.verifier, allowed = [200] } = {}) {
    const answer = await this.#form(
      '/token',
      {
        grant_type: 'authorization_code',
        code,
        redirect_uri: this.#redirectUri,
        code_verifier: verifier,
        client_id: this.clientId,
        resource: RESOURCE,
      },
      allowed,
    )
    this.#keep(answer)
  }

  async refresh({ allowed = [200] } = {}) {
    const { refresh_token } = this.tokens
    const fields = {
      grant_type: 'refresh_token',
      refresh_token,
      client_id: this.clientId,
      resource: RESOURCE,
    }
    this.#keep(await this.#form('/token', fields, allowed))
  }

  async revoke() {
    const { refresh_token: token } = this.tokens
    await this.#form('/revoke', { token, token_type_hint: 'refresh_token', client_id: this.clientId }, [200])
  }

  #keep(answer) {
    if (answer.status !== 200) return
    this.tokens = bodyOf(answer)
    if (!this.tokens.access_token || !this.tokens.refresh_token)
      throw new Error(`${this.#label} left out a token`)
  }

  #form(path, fields, allowed) {
    const body = new URLSearchParams(fields).toString()
    return this.#post(path, 'application/x-www-form-urlencoded', body, allowed)
  }

  #post(path, type, body, allowed) {
    const headers = `Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n`
    return this.#send(`POST ${path}`, headers, body, allowed)
  }

  async #send(target, headers, body, allowed) {
    const answer = await exchange(
      this.#socket,
      `${target} HTTP/1.1\r\nHost: ${HOST}\r\nAccept: */*\r\n${headers}\r\n${body}`,
    )
    if (!allowed.includes(answer.status)) {
      throw new Error(
        `${this.#label} answered ${answer.status} where ${allowed.join(' or ')} was due: ${target}\n${answer.text}`,
      )
    }
    return answer
  }
}

const bodyOf = ({ text }) => JSON.parse(text.slice(text.indexOf('\r\n\r\n')))
