// A vendor's endpoints as data, and a guarded app in front of them: requests are recorded, and answered as was written down.
import type { IdentityProviderOptions } from '../../lib/providers/idp/idp.js'
import { testClock, type TestClock } from 'express-mcp-auth/testing'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import type { ServerProvider } from '../../lib/providers/server-provider.js'
import {
  type ClientRequests,
  REDIRECT_URI,
  type Registered,
  SECRET,
  authorizationUrl,
  clientsOf,
  pkce,
  reservePort,
} from './authorization-server.js'
import { Browser, formOf } from './browser-session.js'
import { type Site, startSite } from './site.js'

/** A request as it came. */
export interface Asked {
  /** e.g. `GET https://api.example.com/user`. */
  readonly to: string
  readonly headers: Readonly<Record<string, string>>
  /** Of a form or a JSON object. */
  readonly body: Readonly<Record<string, unknown>>
}

/** What is answered: a JSON body with status 200, or all of it. */
export type Answer = object | ((asked: Asked) => Response | Promise<Response>)
export type Answers = Readonly<Record<string, Answer>>

/** A status with a JSON body, and headers. */
export const answer =
  (status: number, body: unknown = {}, headers: Record<string, string> = {}) =>
  (): Response =>
    new Response(status === 204 ? null : JSON.stringify(body), {
      status,
      headers: { 'content-type': 'application/json', ...headers },
    })

/** What a gateway answers in the vendor's place. */
export const page = (status: number) => (): Response =>
  new Response('<!doctype html><title>Error</title>', { status, headers: { 'content-type': 'text/html' } })

/** A fetch that goes nowhere. */
export class Vendor {
  readonly asked: Asked[] = []
  readonly answers: Map<string, Answer>

  constructor(answers: Answers) {
    this.answers = new Map(Object.entries(answers))
  }

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const asked = readRequest(input as string, init)
    this.asked.push(asked)
    const found = this.answers.get(asked.to) ?? this.answers.get(asked.to.split('?', 1)[0] as string)
    if (found === undefined) throw new Error(`nobody is at ${asked.to}`)
    return typeof found === 'function'
      ? (found as Extract<Answer, (...args: never[]) => unknown>)(asked)
      : Response.json(found)
  }

  /** Where it was asked since the last call. */
  take(): string[] {
    return this.asked.splice(0).map(({ to }) => to)
  }
}

function readRequest(url: string, init: RequestInit = {}): Asked {
  const headers = Object.fromEntries(new Headers(init.headers as Record<string, string>))
  const text = typeof init.body === 'string' ? init.body : ''
  const body = text.startsWith('{')
    ? (JSON.parse(text) as Record<string, unknown>)
    : Object.fromEntries(new URLSearchParams(text))
  return { to: `${init.method ?? 'GET'} ${url}`, headers, body }
}

/** A guarded app whose users sign in at the vendor. */
export interface VendorSite extends Site, ClientRequests {
  readonly vendor: Vendor
  readonly clock: TestClock
  readonly provider: ServerProvider
  readonly callbackUrl: string
  /** From the client's request to the page of the vendor: where the browser is sent. */
  leave(
    client: Registered,
    scope?: string,
  ): Promise<{ readonly url: URL; readonly browser: Browser; readonly verifier: string }>
  /** All the way to tokens of ours, or the error that the client is told. */
  enter(client: Registered, scope?: string): Promise<Readonly<Record<string, string>>>
}

/** Options that every vendor's provider takes. */
export type Common = IdentityProviderOptions

/** Starts one. */
export async function startVendorSite(
  create: (common: Common) => ServerProvider,
  answers: Answers,
): Promise<VendorSite> {
  const vendor = new Vendor(answers)
  const clock = testClock(1_700_000_000_000)
  const deps = { ...clock, fetch: vendor.fetch }
  const port = await reservePort()
  const baseUrl = `http://127.0.0.1:${port}`
  const provider = create({
    clientId: 'our-app',
    clientSecret: 'our-secret',
    baseUrl,
    secret: SECRET,
    store: new MemoryStore({ deps: clock }),
    deps,
  })
  const site = await startSite(provider, { rateLimit: false, deps } as never, undefined, port)
  const requests = clientsOf(site.url, baseUrl)
  const leave: VendorSite['leave'] = async (client, scope) => {
    const { verifier, challenge } = pkce()
    const start = authorizationUrl(baseUrl, client.client_id, challenge, scope === undefined ? {} : { scope })
    const browser = new Browser()
    // Wherever the vendor is: at home is here.
    let shown = await browser.go(start, 'https://')
    for (let step = 0; step < 3 && !shown.url.href.startsWith('https://'); step++) {
      const { action, fields } = formOf(shown)
      shown = await browser.go(action, 'https://', { ...fields, decision: 'allow' })
    }
    return { url: shown.url, browser, verifier }
  }
  return {
    ...site,
    ...requests,
    vendor,
    clock,
    provider,
    callbackUrl: `${baseUrl}/auth/callback`,
    leave,
    async enter(client, scope) {
      const { url, browser, verifier } = await leave(client, scope)
      const back = new URL(`${baseUrl}/auth/callback`)
      back.searchParams.set('code', 'their-code')
      back.searchParams.set('state', url.searchParams.get('state') ?? '')
      const { url: told } = await browser.go(back, REDIRECT_URI)
      const code = told.searchParams.get('code')
      if (code === null) return Object.fromEntries(told.searchParams)
      const form = {
        grant_type: 'authorization_code',
        client_id: client.client_id,
        code,
        code_verifier: verifier,
      }
      return (await requests.post('/token', form)).body as Readonly<Record<string, string>>
    },
  }
}
