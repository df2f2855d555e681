// The authorization server of the bench: keys, a loopback key set, and tokens good and bad, made ahead of time.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'

const signAsync = promisify(sign)

export const ISSUER = 'https://login.example.com'
export const BASE_URL = 'https://api.example.com'
export const AUDIENCE = `${BASE_URL}/mcp`

const ALGORITHMS = {
  RS256: { type: 'rsa', parameters: { modulusLength: 2048 }, hash: 'sha256' },
  ES256: { type: 'ec', parameters: { namedCurve: 'P-256' }, hash: 'sha256', dsaEncoding: 'ieee-p1363' },
  EdDSA: { type: 'ed25519', parameters: {}, hash: null },
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** One key for each algorithm, published by a key set server in a thread of its own, so that it answers while we measure. */
export async function startIssuer() {
  const keys = {}
  const jwks = { keys: [] }
  for (const [alg, { type, parameters }] of Object.entries(ALGORITHMS)) {
    const { publicKey, privateKey } = generateKeyPairSync(type, parameters)
    const kid = `${alg}-2026-11`
    keys[alg] = { kid, privateKey }
    jwks.keys.push({ ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' })
  }
  const fetches = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(new URL('./key-set-server.mjs', import.meta.url), {
    workerData: { jwks, fetches },
  })
  const jwksUri = await new Promise((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  )
  worker.unref()

  return {
    settings: { jwksUri, issuer: ISSUER, audience: AUDIENCE, baseUrl: BASE_URL },
    fetches: () => Atomics.load(fetches, 0),
    token: async (options) => (await signTokens(keys, 1, options))[0],
    tokens: (count, options) => signTokens(keys, count, options),
    badTokens: (kind, count) => makeBadTokens(keys, kind, count),
    endlessBadTokens: () => forgeries(keys),
    close: () => worker.terminate(),
  }
}

let serial = 0

/** Claims as identity providers issue them; an RS256 token comes out at about 1 KB. */
function claims(overrides) {
  const now = Math.floor(Date.now() / 1000)
  serial += 1
  return {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: `auth|${serial}`,
    client_id: 'https://client.example.com/oauth/metadata.json',
    scope: 'mcp:use mcp:read mcp:write',
    iat: now,
    exp: now + 6 * 3600,
    jti: `${serial}-${randomBytes(12).toString('hex')}`,
    name: 'Ada Lovelace',
    email: 'ada.lovelace@example.com',
    groups: ['engineering', 'on-call', 'administrators', 'analytics'],
    tenant: '7f0d6a4e-5a0e-4b53-9b5b-0b9d2c7f9a11',
    ...overrides,
  }
}

// Several signatures at once: node signs on its thread pool, which halves the wait on two cores.
async function signTokens(keys, count, { alg = 'RS256', header = {}, payload = {} } = {}) {
  const { kid, privateKey } = keys[alg]
  const { hash, dsaEncoding } = ALGORITHMS[alg]
  const key = dsaEncoding ? { key: privateKey, dsaEncoding } : privateKey
  const tokens = new Array(count)
  let next = 0
  const work = async () => {
    while (next < count) {
      const index = next++
      const input = `${encode({ alg, typ: 'at+jwt', kid, ...header })}.${encode(claims(payload))}`
      tokens[index] = `${input}.${(await signAsync(hash, Buffer.from(input), key)).toString('base64url')}`
    }
  }
  await Promise.all(Array.from({ length: 8 }, work))
  return tokens
}

/** What is wrong with a token, from the cheapest to notice to the dearest. */
export const BAD_KINDS = [
  'malformed',
  'unknown kid',
  'wrong issuer',
  'wrong audience',
  'expired',
  'wrong signature',
]

const WRONG_CLAIMS = {
  'wrong issuer': { iss: 'https://other.example.net' },
  'wrong audience': { aud: 'https://other.example.net/mcp' },
  expired: { iat: 1_600_000_000, exp: 1_600_003_600 },
}

// Issuer, audience and expiry are wrong under a good signature: the hardest case for those who verify first.
function makeBadTokens(keys, kind, count) {
  if (kind in WRONG_CLAIMS) return signTokens(keys, count, { payload: WRONG_CLAIMS[kind] })
  const source = forgeries(keys, [kind])
  return Promise.resolve(Array.from({ length: count }, () => source.next().value))
}

/** An endless source of distinct bad tokens that cost no signature to make. */
function* forgeries(keys, kinds = BAD_KINDS) {
  const { kid } = keys.RS256
  const header = encode({ alg: 'RS256', typ: 'at+jwt', kid })
  for (let n = 0; ; n++) {
    const kind = kinds[n % kinds.length]
    if (kind === 'malformed') {
      yield malformed(n)
      continue
    }
    const head =
      kind === 'unknown kid' ? encode({ alg: 'RS256', typ: 'at+jwt', kid: `unknown-${n}` }) : header
    yield `${head}.${encode(claims(WRONG_CLAIMS[kind]))}.${randomSignature()}`
  }
}

// A first byte of zero keeps the number under the modulus: otherwise RSA refuses without doing the work.
function randomSignature() {
  const bytes = randomBytes(256)
  bytes[0] = 0
  return bytes.toString('base64url')
}

// Three ways of not being a JWT, each about as long as a real one.
function malformed(n) {
  const noise = () => randomBytes(240).toString('base64url')
  if (n % 3 === 0) return noise() + noise() + noise()
  if (n % 3 === 1) return `${noise()}.${noise()}.${noise()}`
  return `${encode({ alg: 'RS256' })}.${noise()}.${noise()}.${n}`
}
