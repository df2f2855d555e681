// A real issuer on loopback: signs tokens of any form and publishes keys over HTTP, as it is told to.
import { type KeyObject, generateKeyPairSync, sign } from 'node:crypto'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export const ISSUER = 'https://login.example.com'
export const RESOURCE = 'https://api.example.com/mcp'

export type Json = Record<string, unknown>

/** A key pair with the JWK that is published for it. */
export interface SigningKey {
  readonly alg: string
  readonly kid: string
  readonly jwk: Json
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** Makes a key for an algorithm. */
export function createKey(
  alg: 'RS256' | 'PS256' | 'ES256' | 'ES384' | 'EdDSA' = 'RS256',
  kid = `${alg}-key`,
): SigningKey {
  const { publicKey, privateKey } =
    alg === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : alg.startsWith('ES')
        ? generateKeyPairSync('ec', { namedCurve: alg === 'ES256' ? 'P-256' : 'P-384' })
        : generateKeyPairSync('rsa', { modulusLength: 2048 })
  return {
    alg,
    kid,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
    privateKey,
    publicKey,
  }
}

/** base64url of a value as JSON, or of bytes. */
export function encode(value: unknown): string {
  const bytes =
    typeof value === 'string' || Buffer.isBuffer(value)
      ? Buffer.from(value)
      : Buffer.from(JSON.stringify(value))
  return bytes.toString('base64url')
}

/** Signs any header and payload, well-formed or not: strings are taken as they are. */
export function signParts(header: unknown, payload: unknown, key: SigningKey): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${signInput(input, key).toString('base64url')}`
}

/** The signature over a signing input. */
export function signInput(input: string, { alg, privateKey }: SigningKey): Buffer {
  const bytes = Buffer.from(input)
  if (alg === 'EdDSA') return sign(null, bytes, privateKey)
  const hash = `sha${alg.slice(2)}`
  if (alg.startsWith('ES')) return sign(hash, bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return alg.startsWith('PS')
    ? sign(hash, bytes, { key: privateKey, padding: 6, saltLength: 32 })
    : sign(hash, bytes, privateKey)
}

/** Claims of a good token, with changes; `undefined` drops a claim. */
export function claimsOf(changes: Json = {}, nowSeconds: number = Math.floor(Date.now() / 1000)): Json {
  const claims = {
    iss: ISSUER,
    aud: RESOURCE,
    sub: 'user-1',
    client_id: 'client-1',
    iat: nowSeconds,
    exp: nowSeconds + 3600,
    ...changes,
  }
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
}

/** A good token of a key, with changes to its claims and header. */
export function createToken(key: SigningKey, claims: Json = {}, header: Json = {}): string {
  return signParts({ alg: key.alg, typ: 'at+jwt', kid: key.kid, ...header }, claimsOf(claims), key)
}

export type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void

/** A loopback HTTP server whose answer can be changed while it runs. */
export interface Stub {
  readonly url: string
  /** What it was asked, in order. */
  readonly requests: {
    readonly method: string
    readonly url: string
    readonly headers: IncomingMessage['headers']
    readonly body: string
  }[]
  answer: Answer
  close(): Promise<void>
}

/** Starts one. */
export async function startStub(answer: Answer): Promise<Stub> {
  const stub = { requests: [], answer } as unknown as { -readonly [Name in keyof Stub]: Stub[Name] }
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => {
      body += chunk
    })
    request.on('end', () => {
      stub.requests.push({
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body,
      })
      stub.answer(request, response, body)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  stub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  stub.close = () =>
    new Promise((resolve) => {
      server.close(() => {
        resolve()
      })
      server.closeAllConnections()
    })
  return stub
}

/** An answer of JSON. */
export function jsonAnswer(value: unknown, headers: Record<string, string> = {}, status = 200): Answer {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(value))
  }
}

/** A key set server: `stub.answer = jsonAnswer({ keys: [...] })` rotates it. */
export function startKeySet(...keys: readonly SigningKey[]): Promise<Stub> {
  return startStub(jsonAnswer({ keys: keys.map(({ jwk }) => jwk) }))
}
