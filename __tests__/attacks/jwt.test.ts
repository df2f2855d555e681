// Attacks on the token itself: threat rows J1 to J23.
import {
  checkPrimeSync,
  constants,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  privateEncrypt,
  randomBytes,
  randomInt,
} from 'node:crypto'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { ConfigError, JWTVerifier, type JWTVerifierOptions, MultiAuth } from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'
import fc from 'fast-check'
import {
  ISSUER,
  type Json,
  RESOURCE,
  type SigningKey,
  type Stub,
  claimsOf,
  createKey,
  createToken,
  encode,
  jsonAnswer,
  signInput,
  signParts,
  startKeySet,
  startStub,
} from '../support/issuer.js'
import type { Site } from '../support/site.js'
import {
  USER,
  attempt,
  closing,
  insufficientScope,
  invalidToken,
  pipeline,
  resourceServer,
  startTarget,
} from './attempt.js'

const rsa = createKey('RS256')
const ec = createKey('ES256')
const ec384 = createKey('ES384')
const ed = createKey('EdDSA')
const pss = createKey('PS256')

const FORMAT = invalidToken('format')
const ALGORITHM = invalidToken('algorithm')
const SIGNATURE = invalidToken('signature')
const KEY = invalidToken('key')
const TYPE = invalidToken('type')

const IDENTITY = { issuer: ISSUER, audience: RESOURCE }

let keys: Stub
let site: Site

function verifierOf(options: Partial<JWTVerifierOptions> = {}): JWTVerifier {
  return new JWTVerifier({ jwksUri: keys.url, ...IDENTITY, ...options })
}

/** A site over these keys alone, whose JWKs are as they are given. */
async function siteOver(jwks: readonly Json[], options: Partial<JWTVerifierOptions> = {}): Promise<Site> {
  const stub = closing(await startStub(jsonAnswer({ keys: jwks })))
  return startTarget(resourceServer(new JWTVerifier({ jwksUri: stub.url, ...IDENTITY, ...options })))
}

function siteOfSecret(secret: string | Uint8Array, algorithms?: readonly string[]): Promise<Site> {
  const options = { secret, ...IDENTITY, ...(algorithms !== undefined && { algorithms }) }
  return startTarget(resourceServer(new JWTVerifier(options)))
}

/** A signing input, and the parts of a good token. */
function inputOf(key: SigningKey, header: Json = {}, claims: Json = {}): string {
  return `${encode({ alg: key.alg, typ: 'at+jwt', kid: key.kid, ...header })}.${encode(claimsOf(claims))}`
}

function mac(input: string, secret: string | Uint8Array, hash = 'sha256'): string {
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`
}

beforeAll(async () => {
  keys = closing(await startKeySet(rsa, ec, ec384, ed, pss))
  site = await startTarget(resourceServer(verifierOf()))
})

test.each([[rsa], [ec], [ec384], [ed], [pss]])('a good token of each key is accepted (%#)', async (key) => {
  expect(await attempt(site, createToken(key))).toEqual(USER)
})

describe('J1 refuses unsigned tokens', () => {
  const signatures = [
    ['an empty signature', (): string => ''],
    ['a real signature', (input: string): string => signInput(input, rsa).toString('base64url')],
    ['a random signature', (): string => randomBytes(256).toString('base64url')],
  ] as const
  const algorithms: readonly unknown[] = ['none', 'None', 'nOnE', 'NONE', '', ' none', 'none\0', 'null']

  test.each(
    algorithms.flatMap((alg) => signatures.map(([name, signatureOf]) => [alg, name, signatureOf] as const)),
  )('J1 alg %j with %s', async (alg, name, signatureOf) => {
    const input = inputOf(rsa, { alg })
    const outcome = await attempt(site, `${input}.${signatureOf(input)}`)
    expect(outcome).toEqual(name === 'an empty signature' ? FORMAT : ALGORITHM)
  })

  test.each([[undefined], [null], [['RS256']], [{ RS256: true }], [256], [true]])(
    'J1 alg %j, which is no text',
    async (alg) => {
      const header = { typ: 'at+jwt', kid: rsa.kid, ...(alg !== undefined && { alg }) }
      expect(await attempt(site, signParts(header, claimsOf(), rsa))).toEqual(FORMAT)
    },
  )

  test('J1 a good header without a signature, with and without its dot', async () => {
    const input = inputOf(rsa)
    expect(await attempt(site, `${input}.`)).toEqual(FORMAT)
    expect(await attempt(site, input)).toEqual(FORMAT)
  })

  test.each([['none'], ['None'], ['']])('J1 %j is no algorithm to configure', (algorithm) => {
    expect(() => verifierOf({ algorithms: [algorithm] })).toThrow(ConfigError)
  })
})

describe('J2 never takes a public key for a shared secret', () => {
  const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const spki = rsa.publicKey.export({ type: 'spki', format: 'der' })
  const pkcs1 = rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  const jwk = JSON.stringify(rsa.jwk)
  const forms: readonly (readonly [string, string | Uint8Array])[] = [
    ['PEM', pem],
    ['PEM without its last line break', pem.trimEnd()],
    ['PEM after a line break', `\n${pem}`],
    ['PEM after spaces', `   \t${pem}`],
    ['PEM with CRLF', pem.replaceAll('\n', '\r\n')],
    ['PEM after a byte order mark', `\ufeff${pem}`],
    ['PEM after a comment', `# the key of the issuer\n${pem}`],
    ['PKCS#1 PEM', pkcs1],
    ['DER', spki],
    ['the text within PEM', spki.toString('base64')],
    ['JWK', jwk],
    ['JWK after a space', ` ${jwk}`],
    ['JWK set', JSON.stringify({ keys: [rsa.jwk] })],
  ]

  test.each(forms)('J2 a MAC keyed with %s', async (_form, secret) => {
    const published = await siteOver([{ ...rsa.jwk, alg: undefined, use: undefined }])
    const fixed = await startTarget(resourceServer(new JWTVerifier({ publicKey: pem, ...IDENTITY })))
    for (const [alg, hash] of [
      ['HS256', 'sha256'],
      ['HS384', 'sha384'],
      ['HS512', 'sha512'],
    ] as const) {
      const token = mac(inputOf(rsa, { alg }), secret, hash)
      expect(await attempt(published, token)).toEqual(ALGORITHM)
      expect(await attempt(fixed, token)).toEqual(ALGORITHM)
    }
  })

  test.each(forms)('J2 %s as "secret" throws', (_form, secret) => {
    expect(() => new JWTVerifier({ secret, ...IDENTITY })).toThrow(ConfigError)
  })

  test.each([['jwksUri'], ['publicKey']])('J2 HS256 beside %s throws', (source) => {
    const options = {
      ...IDENTITY,
      algorithms: ['RS256', 'HS256'],
      [source]: source === 'jwksUri' ? keys.url : pem,
    }
    expect(() => new JWTVerifier(options)).toThrow(ConfigError)
  })

  test('J2 a symmetric key is no public key', () => {
    const publicKey = { kty: 'oct', k: randomBytes(32).toString('base64url') }
    expect(() => new JWTVerifier({ publicKey, ...IDENTITY })).toThrow(
      expect.objectContaining({ code: 'ERR_MCP_AUTH_WEAK_KEY' }),
    )
  })

  test('J2 a signature where a MAC is expected, and another MAC than the one allowed', async () => {
    const secret = randomBytes(64)
    const target = await siteOfSecret(secret)
    expect(await attempt(target, createToken(rsa))).toEqual(ALGORITHM)
    expect(await attempt(target, mac(inputOf(rsa, { alg: 'HS512' }), secret, 'sha512'))).toEqual(ALGORITHM)
    expect(await attempt(target, mac(inputOf(rsa, { alg: 'HS256' }), randomBytes(64)))).toEqual(SIGNATURE)
    expect(await attempt(target, mac(inputOf(rsa, { alg: 'HS256' }), ''))).toEqual(SIGNATURE)
    expect(await attempt(target, mac(inputOf(rsa, { alg: 'HS256' }), secret))).toEqual(USER)
  })
})

describe('J3 lets no header choose the algorithm', () => {
  const anonymous = ({ kid, jwk: { use: _use, alg: _alg, ...jwk } }: SigningKey): Json => ({ ...jwk, kid })
  const as = (alg: string): SigningKey => ({ ...rsa, alg })

  test.each([['PS256'], ['RS384'], ['RS512'], ['PS512'], ['ES256'], ['EdDSA'], ['rs256'], ['RS256 ']])(
    'J3 %s where only RS256 is allowed and the key names none',
    async (alg) => {
      const target = await siteOver([anonymous(rsa)], { algorithms: ['RS256'] })
      const signer = /^[RP]S\d+$/.test(alg) ? as(alg) : rsa
      expect(await attempt(target, createToken(signer, {}, { alg }))).toEqual(ALGORITHM)
      expect(await attempt(target, createToken(rsa))).toEqual(USER)
    },
  )

  test.each([
    ['PS256 for a key of RS256', createToken(as('PS256'))],
    ['RS512 for a key of RS256', createToken(as('RS512'))],
    ['ES256 for an RSA key', createToken(ec, {}, { kid: rsa.kid })],
    ['EdDSA for an EC key', createToken(ed, {}, { kid: ec.kid })],
    ['ES384 for a key on P-256', createToken({ ...ec, alg: 'ES384' })],
    ['RS256 for an EC key', createToken(rsa, {}, { kid: ec.kid })],
  ])('J3 %s, by default', async (_case, token) => {
    expect(await attempt(site, token)).toEqual(KEY)
  })
})

describe('J4 refuses every critical extension', () => {
  test.each<[unknown]>([
    [['x-unknown']],
    [[]],
    [['exp']],
    [['alg']],
    [['b64']],
    [['b64', 'exp']],
    ['exp'],
    [null],
    [{}],
    [[1]],
  ])('J4 crit %j', async (crit) => {
    const header = { crit, 'x-unknown': 1, exp: 1 }
    expect(await attempt(site, createToken(rsa, {}, header))).toEqual(FORMAT)
  })

  test('J4 accepts a header that is merely unknown', async () => {
    expect(
      await attempt(site, createToken(rsa, {}, { 'x-unknown': { a: [1] }, cty: 'x', ver: '1' })),
    ).toEqual(USER)
  })
})

describe('J5 refuses an unencoded payload', () => {
  test.each([
    [{ b64: false }],
    [{ b64: false, crit: ['b64'] }],
    [{ b64: true }],
    [{ b64: true, crit: ['b64'] }],
    [{ b64: null }],
  ])('J5 %j', async (header) => {
    expect(await attempt(site, createToken(rsa, {}, header))).toEqual(FORMAT)
  })

  test('J5 a signature over the plain payload', async () => {
    const header = encode({ alg: 'RS256', typ: 'at+jwt', kid: rsa.kid, b64: false, crit: ['b64'] })
    const payload = JSON.stringify(claimsOf())
    const signature = signInput(`${header}.${payload}`, rsa).toString('base64url')
    expect(await attempt(site, `${header}.${encode(payload)}.${signature}`)).toEqual(FORMAT)
  })
})

describe('J6 takes no key from a header, and fetches nothing that one names', () => {
  const own = createKey('RS256', 'attacker')

  test.each([
    ['jwk', (): Json => ({ jwk: own.jwk })],
    ['jku', (url: string): Json => ({ jku: `${url}/jwks` })],
    ['x5u', (url: string): Json => ({ x5u: `${url}/chain.pem` })],
    [
      'x5c',
      (): Json => ({ x5c: [own.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] }),
    ],
    ['x5t', (): Json => ({ x5t: own.kid, 'x5t#S256': own.kid })],
    ['all of them', (url: string): Json => ({ jwk: own.jwk, jku: url, x5u: url, x5c: ['AA'] })],
  ])('J6 %s', async (_name, headerOf) => {
    const evil = closing(await startKeySet(own))
    const header = headerOf(evil.url)
    expect(await attempt(site, createToken(own, {}, { ...header, kid: 'attacker' }))).toEqual(KEY)
    expect(await attempt(site, createToken(own, {}, { ...header, kid: rsa.kid }))).toEqual(SIGNATURE)
    const only = await siteOver([rsa.jwk])
    expect(await attempt(only, createToken(own, {}, { ...header, kid: undefined }))).toEqual(SIGNATURE)
    expect(await attempt(site, createToken(rsa, {}, header))).toEqual(USER)
    expect(evil.requests).toEqual([])
  })

  test('J6 issuer and audience of the token decide nothing about where keys come from', async () => {
    const evil = closing(await startKeySet(own))
    expect(await attempt(site, createToken(own, { iss: evil.url, jwks_uri: evil.url }))).toEqual(
      invalidToken('issuer'),
    )
    expect(evil.requests).toEqual([])
  })
})

describe('J7 treats a key ID as nothing but a name', () => {
  test.each([
    ['../../../../dev/null'],
    ['/dev/null'],
    ['file:///dev/null'],
    ["' OR '1'='1"],
    ['__proto__'],
    ['constructor'],
    ['toString'],
    [''],
    ['RS256-key\0'],
    ['rs256-KEY'],
    ['*'],
    ['http://127.0.0.1:1/jwks'],
    ['x'.repeat(4000)],
  ])('J7 %j is unknown', async (kid) => {
    const stub = closing(await startKeySet(rsa))
    const target = await startTarget(
      resourceServer(new JWTVerifier({ jwksUri: `${stub.url}/jwks`, ...IDENTITY })),
    )
    expect(await attempt(target, createToken(rsa, {}, { kid }))).toEqual(KEY)
    expect(await attempt(target, mac(inputOf(rsa, { alg: 'HS256', kid }), ''))).toEqual(ALGORITHM)
    expect(stub.requests.map(({ url }) => url)).toEqual(['/jwks'])
  })

  test.each<[unknown]>([[['RS256-key']], [{ toString: 'RS256-key' }], [0], [null], [true]])(
    'J7 %j is not even a name',
    async (kid) => {
      expect(await attempt(site, createToken(rsa, {}, { kid }))).toEqual(FORMAT)
    },
  )

  test('J7 no name, where several keys could be meant', async () => {
    const other = createKey('RS256', 'other')
    const target = await siteOver([rsa.jwk, other.jwk])
    expect(await attempt(target, createToken(rsa, {}, { kid: undefined }))).toEqual(KEY)
  })
})

describe('J8 refuses a weak secret when it is built', () => {
  test.each([
    ['HS256', 32, 'sha256'],
    ['HS384', 48, 'sha384'],
    ['HS512', 64, 'sha512'],
  ] as const)('J8 %s needs %i bytes', async (alg, least, hash) => {
    const build = (secret: string | Uint8Array) => () =>
      new JWTVerifier({ secret, algorithms: [alg], ...IDENTITY })
    for (const length of [1, least / 2, least - 1]) {
      expect(build(randomBytes(length))).toThrow(expect.objectContaining({ code: 'ERR_MCP_AUTH_WEAK_KEY' }))
      expect(build('s'.repeat(length))).toThrow(expect.objectContaining({ code: 'ERR_MCP_AUTH_WEAK_KEY' }))
    }
    const secret = randomBytes(least)
    expect(
      await attempt(await siteOfSecret(secret, [alg]), mac(inputOf(rsa, { alg }), secret, hash)),
    ).toEqual(USER)
  })

  test.each([[''], [new Uint8Array()], [' '.repeat(10)]])('J8 an empty one (%#)', (secret) => {
    expect(() => new JWTVerifier({ secret, ...IDENTITY })).toThrow(ConfigError)
  })

  test('J8 the strongest of several algorithms decides', () => {
    const options = { secret: randomBytes(63), algorithms: ['HS256', 'HS512'], ...IDENTITY }
    expect(() => new JWTVerifier(options)).toThrow(expect.objectContaining({ code: 'ERR_MCP_AUTH_WEAK_KEY' }))
  })
})

describe('J9 refuses keys that can be broken', () => {
  test.each([
    ['of 1024 bits', (): SigningKey => weakKey({ modulusLength: 1024 }), 'an RSA key under 2048 bits'],
    ['of 2040 bits', (): SigningKey => weakKey({ modulusLength: 2040 }), 'an RSA key under 2048 bits'],
    [
      'with exponent 3',
      (): SigningKey => weakKey({ publicExponent: 3 }),
      'an RSA key with an exponent under 65537',
    ],
    [
      'with exponent 17',
      (): SigningKey => weakKey({ publicExponent: 17 }),
      'an RSA key with an exponent under 65537',
    ],
    ['of the broken generator', rocaKey, 'an RSA key that can be factored'],
  ])('J9 an RSA key %s, though its signature is good', async (_case, make, reason) => {
    const weak = make()
    const target = await siteOver([rsa.jwk, weak.jwk])
    expect(await attempt(target, createToken(weak))).toEqual(KEY)
    expect(await attempt(target, createToken(rsa))).toEqual(USER)
    expect(target.events).toContainEqual(
      expect.objectContaining({ type: 'keys.fetched', keys: 1, skipped: [`key 1: ${reason}`] }),
    )
    expect(() => new JWTVerifier({ publicKey: weak.jwk, ...IDENTITY })).toThrow(
      expect.objectContaining({ code: 'ERR_MCP_AUTH_WEAK_KEY' }),
    )
  })

  test('J9 an RSA key with exponent 1, whose signatures anybody writes', async () => {
    const jwk = { ...rsa.jwk, kid: 'e1', e: Buffer.from([1]).toString('base64url') }
    const input = inputOf(rsa, { kid: 'e1' })
    const token = `${input}.${emsa(input).toString('base64url')}`
    const target = await siteOver([rsa.jwk, jwk])
    expect(await attempt(target, token)).toEqual(KEY)
  })

  test.each([
    ['an even exponent', { e: encode(Buffer.from([1, 0, 2])) }],
    ['a modulus of zero', { n: 'AA' }],
    ['a modulus in letters that base64url has not', { n: '!!!' }],
    ['no modulus', { n: undefined }],
    ['a modulus that is no text', { n: 5 }],
    ['a padded modulus', { n: `${encode(Buffer.alloc(250))}${encode(randomBytes(5))}` }],
  ])('J9 an RSA key with %s', async (_case, change) => {
    const target = await siteOver([ec.jwk, { ...rsa.jwk, ...change }])
    expect(await attempt(target, createToken(rsa))).toEqual(KEY)
    expect(await attempt(target, createToken(ec))).toEqual(USER)
  })

  test.each([
    ['for another use', { use: 'enc' }],
    ['for other operations', { key_ops: ['encrypt'] }],
    ['with its private part', { d: 'AA' }],
    ['on a curve that signs nothing here', { kty: 'EC', crv: 'secp256k1' }],
    ['of another type', { kty: 'oct', k: 'AA' }],
  ])('J9 a key %s', async (_case, change) => {
    const target = await siteOver([ec.jwk, { ...rsa.jwk, ...change }])
    expect(await attempt(target, createToken(rsa))).toEqual(KEY)
    expect(await attempt(target, createToken(ec))).toEqual(USER)
  })
})

function weakKey(options: { modulusLength?: number; publicExponent?: number }): SigningKey {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048, ...options })
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'weak', alg: 'RS256', use: 'sig' }
  return { alg: 'RS256', kid: 'weak', jwk, ...pair }
}

/** CVE-2017-15361: both primes are k * M + (65537^a mod M), with M the product of the first 126 primes. */
function rocaKey(): SigningKey {
  const e = 65537n
  const primes: bigint[] = []
  for (let candidate = 2n; primes.length < 126; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0n)) primes.push(candidate)
  }
  const primorial = primes.reduce((product, prime) => product * prime, 1n)
  const next = (): bigint => {
    for (;;) {
      const power = modPow(e, BigInt(randomInt(1, 2 ** 40)), primorial)
      // So large that the product of two has 2048 bits.
      const k = ((1n << 1023n) + (1n << 1022n)) / primorial + BigInt(randomInt(1, 2 ** 40))
      const candidate = k * primorial + power
      if (checkPrimeSync(candidate)) return candidate
    }
  }
  const p = next()
  const q = next()
  const d = inverse(e, (p - 1n) * (q - 1n))
  const jwk = { kty: 'RSA', n: toBase64Url(p * q), e: toBase64Url(e) }
  const secret = {
    d: toBase64Url(d),
    p: toBase64Url(p),
    q: toBase64Url(q),
    dp: toBase64Url(d % (p - 1n)),
    dq: toBase64Url(d % (q - 1n)),
    qi: toBase64Url(inverse(q, p)),
  }
  return {
    alg: 'RS256',
    kid: 'weak',
    jwk: { ...jwk, kid: 'weak', alg: 'RS256', use: 'sig' },
    privateKey: createPrivateKey({ key: { ...jwk, ...secret }, format: 'jwk' }),
    publicKey: createPublicKey({ key: jwk, format: 'jwk' }),
  }
}

function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  let factor = base % modulus
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * factor) % modulus
    factor = (factor * factor) % modulus
  }
  return result
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b] = [value % modulus, modulus]
  let [x, y] = [1n, 0n]
  while (b > 0n) {
    const quotient = a / b
    ;[a, b] = [b, a % b]
    ;[x, y] = [y, x - quotient * y]
  }
  return ((x % modulus) + modulus) % modulus
}

function toBytes(value: bigint, length = 0): Buffer {
  const hex = value.toString(16)
  return Buffer.from(hex.padStart(Math.max(length * 2, hex.length + (hex.length % 2)), '0'), 'hex')
}

function toBase64Url(value: bigint): string {
  return toBytes(value).toString('base64url')
}

describe('J10 gives every token one spelling', () => {
  // A signature that has the letters which differ between the two alphabets.
  const token = ((): string => {
    for (;;) {
      const candidate = createToken(rsa, { jti: randomBytes(6).toString('hex') })
      const signature = candidate.split('.')[2] as string
      if (signature.includes('-') && signature.includes('_')) return candidate
    }
  })()
  const [header, payload, signature] = token.split('.') as [string, string, string]
  const lastLetter = (part: string): string => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    return part.slice(0, -1) + alphabet.charAt(alphabet.indexOf(part.at(-1) as string) + 1)
  }

  test.each([
    ['padding at the end', `${token}=`],
    ['two signs of padding', `${token}==`],
    ['padding inside', `${header}=.${payload}.${signature}`],
    ['a space', `${header}.${payload}. ${signature}`],
    ['a tab', `${header}.${payload}.${signature.slice(0, 9)}\t${signature.slice(9)}`],
    ['the other alphabet', `${header}.${payload}.${signature.replaceAll('-', '+').replaceAll('_', '/')}`],
    ['one letter of the other alphabet', `${header}.${payload}.${signature.replace('-', '+')}`],
    ['trailing bits', `${header}.${payload}.${lastLetter(signature)}`],
    ['a letter without bits', `${header}.${payload}.${signature}AAA`],
    ['a dot too many', `${token}.`],
    ['a dot in front', `.${token}`],
    ['a tilde', `${token}~`],
  ])('J10 %s', async (_case, variant) => {
    expect(await attempt(site, token)).toEqual(USER)
    expect(await attempt(site, variant)).toEqual(FORMAT)
  })

  test.each([
    ['a line break', `${header}.${payload}.${signature}\n`],
    ['a line break inside', `${header}\n.${payload}.${signature}`],
    ['a letter that looks alike', `${header}.${payload}.${signature.slice(0, -1)}\u0410`],
  ])('J10 %s, which no header could carry', async (_case, variant) => {
    const verifier = verifierOf()
    expect(await verifier.verifyToken(token)).not.toBeNull()
    expect(await verifier.verifyToken(variant)).toBeNull()
  })

  test('J10 trailing bits of header and payload', async () => {
    const unpadded = (part: string): boolean => part.length % 4 !== 0
    const input = `${encode(`{"alg":"RS256","typ":"at+jwt","kid":"${rsa.kid}" }`)}.${encode(
      `${JSON.stringify(claimsOf())} `,
    )}`
    const parts = input.split('.') as [string, string]
    for (const index of [0, 1].filter((part) => unpadded(parts[part] as string))) {
      const varied = parts.map((part, position) => (position === index ? lastLetter(part) : part)).join('.')
      const signed = signInput(varied, rsa).toString('base64url')
      expect(await attempt(site, `${varied}.${signed}`)).toEqual(FORMAT)
    }
    expect(parts.some(unpadded)).toBe(true)
  })
})

describe('J11 refuses signatures of bad values', () => {
  const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const ED_ORDER = (1n << 252n) + 27742317777372353535851937790883648493n
  const HASH = 32
  const r = (bytes: Buffer): Buffer => bytes.subarray(0, HASH)
  const s = (bytes: Buffer): Buffer => bytes.subarray(HASH)
  const integer = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`)
  const n = toBytes(ORDER, HASH)
  const zero = Buffer.alloc(HASH)
  const one = toBytes(1n, HASH)
  const derOf = (bytes: Buffer): Buffer => {
    const integers = [r(bytes), s(bytes)].map((part) => {
      const value = (part[0] as number) > 0x7f ? Buffer.concat([Buffer.from([0]), part]) : part
      return Buffer.concat([Buffer.from([2, value.length]), value])
    })
    const content = Buffer.concat(integers)
    return Buffer.concat([Buffer.from([0x30, content.length]), content])
  }

  test.each<[string, (good: Buffer) => Buffer]>([
    ['r and s zero', () => Buffer.concat([zero, zero])],
    ['r zero', (good) => Buffer.concat([zero, s(good)])],
    ['s zero', (good) => Buffer.concat([r(good), zero])],
    ['r the order', (good) => Buffer.concat([n, s(good)])],
    ['s the order', (good) => Buffer.concat([r(good), n])],
    ['r and s the order', () => Buffer.concat([n, n])],
    ['r beyond the order', (good) => Buffer.concat([toBytes(ORDER + 1n, HASH), s(good)])],
    ['s beyond the order', (good) => Buffer.concat([r(good), toBytes(ORDER + 1n, HASH)])],
    ['r and s one', () => Buffer.concat([one, one])],
    ['all bits set', () => Buffer.alloc(64, 0xff)],
    ['r and s exchanged', (good) => Buffer.concat([s(good), r(good)])],
    ['r negated', (good) => Buffer.concat([toBytes(ORDER - integer(r(good)), HASH), s(good)])],
    ['a bit changed', (good) => Buffer.concat([good.subarray(0, 63), Buffer.from([good[63]! ^ 1])])],
    ['DER', derOf],
    ['a byte too few', (good) => good.subarray(0, 63)],
    ['a byte too many', (good) => Buffer.concat([good, Buffer.from([0])])],
    ['a zero in front', (good) => Buffer.concat([Buffer.from([0]), good])],
    [
      'zeros in front of both',
      (good) => Buffer.concat([Buffer.from([0]), r(good), Buffer.from([0]), s(good)]),
    ],
    ['one byte', () => Buffer.from([1])],
    ['the size of another curve', (good) => Buffer.concat([good, zero])],
  ])('J11 ES256 with %s', async (_case, change) => {
    const input = inputOf(ec)
    const bad = change(signInput(input, ec))
    expect(await attempt(site, `${input}.${bad.toString('base64url')}`)).toEqual(SIGNATURE)
  })

  test.each<[string, (good: Buffer) => Buffer]>([
    ['zeros', () => Buffer.alloc(64)],
    [
      'S beyond the order',
      (good) => {
        const value = integer(Buffer.from(s(good)).reverse()) + ED_ORDER
        return Buffer.concat([r(good), toBytes(value, HASH).reverse()])
      },
    ],
    ['S zero', (good) => Buffer.concat([r(good), zero])],
    ['the neutral point and S zero', () => Buffer.concat([Buffer.from(one).reverse(), zero])],
    ['a byte too few', (good) => good.subarray(0, 63)],
    ['a byte too many', (good) => Buffer.concat([good, Buffer.from([0])])],
    ['the signature of another key', () => signInput(inputOf(ed), createKey('EdDSA'))],
  ])('J11 EdDSA with %s', async (_case, change) => {
    const input = inputOf(ed)
    const bad = change(signInput(input, ed))
    expect(await attempt(site, `${input}.${bad.toString('base64url')}`)).toEqual(SIGNATURE)
  })

  const oid = (last: number): string => `06096086480165030402${last.toString(16).padStart(2, '0')}`
  const info = (input: string, head = '3031300d', algorithm = `${oid(1)}0500`, hash = 'sha256'): Buffer =>
    Buffer.concat([
      Buffer.from(`${head}${algorithm}0420`, 'hex'),
      createHash(hash).update(input).digest().subarray(0, 32),
    ])
  const padded = (
    content: Buffer,
    { type = 1, filler = 0xff, tail = Buffer.alloc(0), length = 0 } = {},
  ): Buffer => {
    const filled = length === 0 ? 256 - 3 - content.length - tail.length : length
    const block = Buffer.concat([
      Buffer.from([0, type]),
      Buffer.alloc(filled, filler),
      Buffer.from([0]),
      content,
      tail,
    ])
    return Buffer.concat([block, randomBytes(256 - block.length)])
  }

  test.each<[string, (input: string) => Buffer]>([
    ['little padding, and garbage behind the hash', (input) => padded(info(input), { length: 8 })],
    ['no padding, and garbage behind the hash', (input) => padded(info(input), { length: 1 })],
    ['garbage of one byte', (input) => padded(info(input), { tail: Buffer.from([7]) })],
    ['other bytes for padding', (input) => padded(info(input), { filler: 0xfe })],
    ['zeros for padding', (input) => padded(info(input), { filler: 0 })],
    ['the block type of encryption', (input) => padded(info(input), { type: 2 })],
    ['block type 0', (input) => padded(info(input), { type: 0 })],
    ['the hash alone', (input) => padded(createHash('sha256').update(input).digest())],
    [
      'the identifier of SHA-512 before the hash',
      (input) => padded(info(input, '3031300d', `${oid(3)}0500`)),
    ],
    [
      'garbage within the parameters',
      (input) => padded(info(input, '30393015', `${oid(1)}0508${'ab'.repeat(8)}`)),
    ],
    ['lengths in the long form', (input) => padded(info(input, '308131300d', `${oid(1)}0500`))],
    ['SHA-512 cut short', (input) => padded(info(input, '3031300d', `${oid(1)}0500`, 'sha512'))],
    ['the hash of something else', (input) => padded(info(`${input}x`))],
  ])('J11 RS256 with %s', async (_case, blockOf) => {
    const input = inputOf(rsa)
    expect(await attempt(site, `${input}.${rawRsa(padded(info(input))).toString('base64url')}`)).toEqual(USER)
    const forged = rawRsa(blockOf(input))
    // Another token than the one above, so that nothing is remembered.
    expect(await attempt(site, `${input}.${forged.toString('base64url')}`)).toEqual(SIGNATURE)
  })

  test.each<[string, (good: Buffer) => Buffer]>([
    ['zero', () => Buffer.alloc(256)],
    ['one', () => toBytes(1n, 256)],
    ['the modulus', () => modulus()],
    ['the modulus less one', () => toBytes(integer(modulus()) - 1n, 256)],
    ['the modulus added', (good) => toBytes(integer(good) + integer(modulus()), 257)],
    ['a zero in front', (good) => Buffer.concat([Buffer.from([0]), good])],
    ['a byte too few', (good) => good.subarray(1)],
    ['a byte too many', (good) => Buffer.concat([good, Buffer.from([0])])],
    ['the signature negated', (good) => toBytes(integer(modulus()) - integer(good), 256)],
    ['PSS padding', () => signInput(inputOf(rsa), { ...rsa, alg: 'PS256' })],
  ])('J11 RS256 with %s for a number', async (_case, change) => {
    const input = inputOf(rsa)
    const bad = change(signInput(input, rsa))
    expect(await attempt(site, `${input}.${bad.toString('base64url')}`)).toEqual(SIGNATURE)
  })

  test.each([
    ['PKCS#1 v1.5 padding', 'RS256'],
    ['the salt of another hash', 'PS512'],
  ])('J11 PS256 with %s', async (_case, alg) => {
    const input = inputOf(pss)
    const bad = signInput(input, { ...pss, alg })
    expect(await attempt(site, `${input}.${bad.toString('base64url')}`)).toEqual(SIGNATURE)
  })

  test('J11 a good signature of another token, another key, or another header', async () => {
    const [, , signature] = createToken(rsa).split('.') as [string, string, string]
    expect(await attempt(site, `${inputOf(rsa, {}, { sub: 'admin' })}.${signature}`)).toEqual(SIGNATURE)
    expect(await attempt(site, `${inputOf(rsa, { typ: 'JWT' })}.${signature}`)).toEqual(SIGNATURE)
    expect(await attempt(site, createToken(createKey('RS256', rsa.kid)))).toEqual(SIGNATURE)
  })

  function modulus(): Buffer {
    return Buffer.from(rsa.jwk['n'] as string, 'base64url')
  }
})

/** What PKCS#1 v1.5 signs: EMSA-PKCS1-v1_5 of SHA-256, for 2048 bits. */
function emsa(input: string): Buffer {
  const info = Buffer.concat([
    Buffer.from('3031300d060960864801650304020105000420', 'hex'),
    createHash('sha256').update(input).digest(),
  ])
  return Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(253 - info.length, 0xff), Buffer.from([0]), info])
}

/** RSA without any padding of its own: signs whatever block it is given. */
function rawRsa(block: Buffer): Buffer {
  return privateEncrypt({ key: rsa.privateKey, padding: constants.RSA_NO_PADDING }, block)
}

describe('J12 reads signed tokens in compact form and nothing else', () => {
  const part = (): string => randomBytes(24).toString('base64url')
  const jwe = (header: Json): string => [encode(header), part(), part(), part(), part()].join('.')
  const general = (): string => {
    const [header, payload, signature] = createToken(rsa).split('.')
    return JSON.stringify({ payload, protected: header, signature, signatures: [] })
  }

  test.each([
    ['JWE', (): string => jwe({ alg: 'RSA-OAEP', enc: 'A256GCM' })],
    [
      'JWE with a direct key',
      (): string => `${encode({ alg: 'dir', enc: 'A256GCM' })}..${part()}.${part()}.${part()}`,
    ],
    ['JWE that is compressed', (): string => jwe({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' })],
    [
      'JWE with a billion rounds',
      (): string => jwe({ alg: 'PBES2-HS512+A256KW', enc: 'A256GCM', p2c: 1e9, p2s: part() }),
    ],
    ['enc in a signed token', (): string => createToken(rsa, {}, { enc: 'A256GCM' })],
    ['zip in a signed token', (): string => createToken(rsa, {}, { zip: 'DEF' })],
    ['p2c in a signed token', (): string => createToken(rsa, {}, { p2c: 1e9 })],
    ['JSON form', general],
    ['JSON form, encoded', (): string => encode(general())],
    ['JSON form in three parts', (): string => `${encode(general())}.${encode(general())}.${part()}`],
    ['one part', part],
    ['two parts', (): string => inputOf(rsa)],
    ['four parts', (): string => `${createToken(rsa)}.${part()}`],
    ['six parts', (): string => `${createToken(rsa)}.${createToken(rsa)}`],
    ['only dots', (): string => '..'],
    ['4000 dots', (): string => '.'.repeat(4000)],
    ['no header', (): string => `.${encode(claimsOf())}.${part()}`],
    ['no payload', (): string => `${encode({ alg: 'RS256', kid: rsa.kid })}..${part()}`],
    ['two tokens', (): string => `${createToken(rsa)}~${createToken(rsa)}`],
  ])('J12 %s', async (_case, make) => {
    expect(await attempt(site, make())).toEqual(FORMAT)
  })
})

describe('J13 wants an object for a payload', () => {
  test.each([
    ['an array', [claimsOf()]],
    ['an empty array', []],
    ['text', '"text"'],
    ['a JSON string of an object', JSON.stringify(JSON.stringify(claimsOf()))],
    ['null', 'null'],
    ['a number', '1'],
    ['true', 'true'],
    ['nothing but space', ' '],
    ['two objects', `${JSON.stringify(claimsOf())}${JSON.stringify(claimsOf())}`],
    ['a comment', `/**/${JSON.stringify(claimsOf())}`],
    ['a byte order mark', `\ufeff${JSON.stringify(claimsOf())}`],
    ['text that is not UTF-8', Buffer.from('{"sub":"\xff"}', 'latin1')],
    ['half a surrogate in UTF-8', Buffer.from([...Buffer.from('{"sub":"'), 0xed, 0xa0, 0x80, 0x22, 0x7d])],
    ['UTF-16', Buffer.from(JSON.stringify(claimsOf()), 'utf16le')],
  ])('J13 %s', async (_case, payload) => {
    const token = signParts({ alg: 'RS256', kid: rsa.kid }, payload, rsa)
    expect(await attempt(site, token)).toEqual(FORMAT)
  })

  test.each([
    ['an array', '[{"alg":"RS256"}]'],
    ['text', '"RS256"'],
    ['null', 'null'],
  ])('J13 a header that is %s', async (_case, header) => {
    expect(await attempt(site, signParts(header, claimsOf(), rsa))).toEqual(FORMAT)
  })
})

describe('J14 refuses repeated members', () => {
  const members = (more: string): string => `${JSON.stringify(claimsOf()).slice(0, -1)},${more}}`

  test.each([
    ['of a claim', members('"sub":"admin"')],
    ['with the same value', members('"sub":"user-1"')],
    ['spelled with an escape', members('"s\\u0075b":"admin"')],
    ['spelled in full escapes', members('"\\u0073\\u0075\\u0062":"admin"')],
    ['deep inside', members('"act":{"sub":"a","sub":"b"}')],
    ['inside a list', members('"list":[{"a":1,"a":2}]')],
    ['of a whole object', members('"x":{"a":1},"x":{"b":2,"c":3}')],
    ['of a name with a quote in it', members('"a\\"b":1,"a\\"b":2')],
    ['of a name with a colon in it', members('"a:b":1,"a:b":2')],
    ['of __proto__', members('"__proto__":{"a":1},"__proto__":{"b":2}')],
    ['of the empty name', members('"":1,"":2')],
  ])('J14 %s', async (_case, payload) => {
    expect(await attempt(site, signParts({ alg: 'RS256', kid: rsa.kid }, payload, rsa))).toEqual(FORMAT)
  })

  test.each([
    ['alg', `{"alg":"none","kid":"${rsa.kid}","alg":"RS256"}`],
    ['kid', `{"alg":"RS256","kid":"other","kid":"${rsa.kid}"}`],
    ['crit', `{"crit":["x"],"alg":"RS256","kid":"${rsa.kid}","crit":[]}`],
  ])('J14 of %s in the header', async (_name, header) => {
    expect(await attempt(site, signParts(header, claimsOf(), rsa))).toEqual(FORMAT)
  })

  test('J14 colons, braces and quotes within values are no members', async () => {
    const payload = members(
      '"note":"a\\":{\\"sub\\":1}","list":[":",{"a":":","b":{"a":1}},[]],"\\u003a":"\\\\"',
    )
    expect(await attempt(site, signParts({ alg: 'RS256', kid: rsa.kid }, payload, rsa))).toEqual(USER)
  })
})

describe('J15 wants an expiry that means something', () => {
  const now = (): number => Math.floor(Date.now() / 1000)

  test.each<[string, () => string]>([
    ['missing', () => JSON.stringify(claimsOf({ exp: undefined }))],
    ['null', () => JSON.stringify(claimsOf({ exp: null }))],
    ['text', () => JSON.stringify(claimsOf({ exp: String(now() + 600) }))],
    ['a date as text', () => JSON.stringify(claimsOf({ exp: '2099-01-01T00:00:00Z' }))],
    ['1e400', () => JSON.stringify(claimsOf({ exp: 1 })).replace('"exp":1', '"exp":1e400')],
    ['1e308', () => JSON.stringify(claimsOf({ exp: 1e308 }))],
    ['2^53', () => JSON.stringify(claimsOf({ exp: 2 ** 53 }))],
    ['milliseconds', () => JSON.stringify(claimsOf({ exp: Date.now() + 600_000 }))],
    ['negative', () => JSON.stringify(claimsOf({ exp: -(now() + 600) }))],
    ['zero', () => JSON.stringify(claimsOf({ exp: 0 }))],
    ['a fraction', () => JSON.stringify(claimsOf({ exp: now() + 600.5 }))],
    ['true', () => JSON.stringify(claimsOf({ exp: true }))],
    ['a list', () => JSON.stringify(claimsOf({ exp: [now() + 600] }))],
    ['an object', () => JSON.stringify(claimsOf({ exp: { valueOf: now() + 600 } }))],
    ['past', () => JSON.stringify(claimsOf({ exp: now() - 1 }))],
    ['past by less than the tolerance for other times', () => JSON.stringify(claimsOf({ exp: now() - 29 }))],
  ])('J15 %s', async (_case, payloadOf) => {
    const token = signParts({ alg: 'RS256', kid: rsa.kid }, payloadOf(), rsa)
    expect(await attempt(site, token)).toEqual(invalidToken('expiry'))
  })

  test('J15 the second of expiry is too late, the one before is not', async () => {
    const clock = testClock(1_900_000_000_000)
    const verifier = verifierOf({ deps: clock, cache: false })
    const target = await startTarget(resourceServer(verifier), { deps: clock })
    const token = createToken(rsa, { iat: undefined, exp: 1_900_000_010 })
    clock.advance(9)
    expect(await attempt(target, token)).toEqual(USER)
    expect(await verifier.verifyToken(token)).not.toBeNull()
    clock.advance(1)
    expect(await attempt(target, token)).toEqual(invalidToken('expiry'))
    expect(await verifier.verifyToken(token)).toBeNull()
  })

  test('J15 a tolerance is no longer life', async () => {
    const target = await startTarget(resourceServer(verifierOf({ clockToleranceSeconds: 3600 })))
    expect(await attempt(target, createToken(rsa, { exp: now() - 1 }))).toEqual(invalidToken('expiry'))
  })
})

describe('J16 takes no token from the future', () => {
  const START = 1_900_000_000
  const at = async (claims: Json): Promise<unknown> => {
    const clock = testClock(START * 1000)
    const target = await startTarget(resourceServer(verifierOf({ deps: clock })), { deps: clock })
    return attempt(target, createToken(rsa, { iat: START, exp: START + 600, ...claims }))
  }

  test.each([
    ['nbf', 25],
    ['iat', 25],
    ['nbf', 30],
    ['iat', 30],
    ['nbf', -600],
    ['iat', -600],
  ])('J16 %s %i s ahead is within the skew of clocks', async (claim, seconds) => {
    expect(await at({ [claim]: START + seconds })).toEqual(USER)
  })

  test.each([
    ['nbf', 31],
    ['iat', 31],
    ['nbf', 61],
    ['iat', 61],
    ['nbf', 1e9],
    ['iat', 1e9],
  ])('J16 %s %i s ahead is not', async (claim, seconds) => {
    expect(await at({ [claim]: START + seconds })).toEqual(invalidToken('not_before'))
  })

  test.each(
    ['nbf', 'iat'].flatMap((claim) =>
      [String(START), null, -1, true, [START], {}, START * 1000].map((value) => [claim, value] as const),
    ),
  )('J16 %s of %j is no time', async (claim, value) => {
    expect(await at({ [claim]: value })).toEqual(invalidToken('claims'))
  })
})

describe('J17 accepts tokens that were issued for this resource only', () => {
  test.each<[string, unknown]>([
    ['missing', undefined],
    ['null', null],
    ['empty', ''],
    ['an empty list', []],
    ['a prefix', RESOURCE.slice(0, -1)],
    ['a longer one', `${RESOURCE}/x`],
    ['a slash more', `${RESOURCE}/`],
    ['other letters', RESOURCE.toUpperCase()],
    ['the host alone', 'https://api.example.com'],
    ['http', RESOURCE.replace('https', 'http')],
    ['a default port', RESOURCE.replace('.com', '.com:443')],
    ['a host that begins alike', 'https://api.example.com.evil.example/mcp'],
    ['a user name', RESOURCE.replace('//', '//x@')],
    ['a query', `${RESOURCE}?x`],
    ['a space', `${RESOURCE} `],
    ['a list in text', `${RESOURCE} https://other.example.com`],
    ['JSON in text', JSON.stringify([RESOURCE])],
    ['another in a list', ['https://other.example.com']],
    ['a prefix in a list', [RESOURCE.slice(0, -1), `${RESOURCE}/`]],
    ['a list in a list', [[RESOURCE]]],
    ['an object', { [RESOURCE]: true, 0: RESOURCE, length: 1 }],
    ['an object in a list', [{ toString: RESOURCE }]],
    ['a wildcard', '*'],
    ['true', true],
    ['the issuer', ISSUER],
  ])('J17 refuses %s', async (_case, aud) => {
    expect(await attempt(site, createToken(rsa, { aud }))).toEqual(invalidToken('audience'))
  })

  test.each<[string, unknown]>([
    ['exactly it', RESOURCE],
    ['it alone in a list', [RESOURCE]],
    ['it among others', ['https://other.example.com', RESOURCE]],
  ])('J17 accepts %s', async (_case, aud) => {
    expect(await attempt(site, createToken(rsa, { aud }))).toEqual(USER)
  })

  test.each([[undefined], [''], [[]], ['  '], [['']], [null]])('J17 %j as "audience" throws', (audience) => {
    expect(() => verifierOf({ audience: audience as never })).toThrow(ConfigError)
  })

  test('J17 the audience may be left out by its dangerous name only, and that is told', async () => {
    const verifier = new JWTVerifier({ jwksUri: keys.url, issuer: ISSUER, dangerouslyAllowAnyAudience: true })
    const target = await startTarget(resourceServer(verifier))
    expect(target.events).toContainEqual(
      expect.objectContaining({ type: 'danger', option: 'dangerouslyAllowAnyAudience' }),
    )
  })
})

describe('J18 holds every token to its own issuer', () => {
  test.each<[string, unknown]>([
    ['missing', undefined],
    ['null', null],
    ['empty', ''],
    ['a slash more', `${ISSUER}/`],
    ['other letters', ISSUER.toUpperCase()],
    ['a capital in the host', 'https://Login.example.com'],
    ['a default port', `${ISSUER}:443`],
    ['a path', `${ISSUER}/realms/other`],
    ['a host that begins alike', `${ISSUER}.evil.example`],
    ['a list', [ISSUER]],
    ['an object', { toString: ISSUER }],
    ['a space', `${ISSUER} `],
    ['a letter that looks alike', ISSUER.replace('o', '\u043e')],
  ])('J18 refuses %s', async (_case, iss) => {
    expect(await attempt(site, createToken(rsa, { iss }))).toEqual(invalidToken('issuer'))
  })

  test('J18 two issuers do not sign for one another, nor for a third', async () => {
    const [a, b] = [createKey('RS256', 'same-kid'), createKey('RS256', 'same-kid')]
    const other = 'https://b.example.com'
    const verifiers = await Promise.all(
      (
        [
          [ISSUER, a],
          [other, b],
        ] as const
      ).map(async ([issuer, key]) => {
        const { url } = closing(await startKeySet(key))
        return new JWTVerifier({ jwksUri: url, issuer, audience: RESOURCE })
      }),
    )
    const target = await startTarget(resourceServer(new MultiAuth({ verifiers })))
    expect(await attempt(target, createToken(a, { iss: ISSUER }))).toEqual(USER)
    expect(await attempt(target, createToken(b, { iss: other }))).toEqual(USER)
    expect(await attempt(target, createToken(a, { iss: other }))).toEqual(SIGNATURE)
    expect(await attempt(target, createToken(b, { iss: ISSUER }))).toEqual(SIGNATURE)
    const unclaimed = invalidToken('verifier')
    expect(await attempt(target, createToken(a, { iss: 'https://c.example.com' }))).toEqual(unclaimed)
    expect(await attempt(target, createToken(a, { iss: undefined }))).toEqual(unclaimed)
    expect(await attempt(target, createToken(a, { iss: [ISSUER, other] }))).toEqual(unclaimed)
  })

  test.each([[undefined], [''], [[]], [null]])('J18 %j as "issuer" throws', (issuer) => {
    expect(() => verifierOf({ issuer: issuer as never })).toThrow(ConfigError)
  })
})

describe('J19 takes nothing but access tokens', () => {
  test.each<[string, Json, Json]>([
    ['a DPoP proof', { typ: 'dpop+jwt' }, {}],
    ['a logout token', { typ: 'logout+jwt' }, {}],
    ['a security event', { typ: 'secevent+jwt' }, {}],
    ['a refresh token by its type', { typ: 'refresh+jwt' }, {}],
    ['an introspection response', { typ: 'token-introspection+jwt' }, {}],
    ['a request object', { typ: 'oauth-authz-req+jwt' }, {}],
    ['a client assertion', { typ: 'client-authentication+jwt' }, {}],
    ['a credential', { typ: 'vc+sd-jwt' }, {}],
    ['an empty type', { typ: '' }, {}],
    ['a type that only begins alike', { typ: 'at+jwt;x' }, {}],
    ['an ID token by its use', {}, { token_use: 'id' }],
    ['a refresh token by its use', {}, { token_use: 'refresh' }],
    ['a use that is no text', {}, { token_use: ['access'] }],
    ['an ID token of Keycloak', { typ: 'JWT' }, { typ: 'ID' }],
    ['a refresh token of Keycloak', { typ: 'JWT' }, { typ: 'Refresh' }],
    ['an offline token of Keycloak', { typ: 'JWT' }, { typ: 'Offline' }],
    ['a logout token of Keycloak', { typ: 'JWT' }, { typ: 'Logout' }],
    ['an ID token with at_hash', { typ: 'JWT' }, { at_hash: 'x' }],
    ['an ID token with c_hash', { typ: undefined }, { c_hash: 'x' }],
    ['a token bound to a DPoP key', {}, { cnf: { jkt: 'x' }, token_type: 'DPoP' }],
    ['a token bound to a certificate', {}, { cnf: { 'x5t#S256': 'x' } }],
    ['a binding that is empty', {}, { cnf: null }],
  ])('J19 refuses %s', async (_case, header, claims) => {
    expect(await attempt(site, createToken(rsa, claims, header))).toEqual(TYPE)
  })

  test.each<[unknown]>([[5], [null], [['at+jwt']], [{}]])('J19 refuses typ %j', async (typ) => {
    expect(await attempt(site, createToken(rsa, {}, { typ }))).toEqual(FORMAT)
  })

  test.each<[Json, Json]>([
    [{ typ: 'at+jwt' }, {}],
    [{ typ: 'AT+JWT' }, {}],
    [{ typ: 'application/at+jwt' }, {}],
    [{ typ: 'JWT' }, { typ: 'Bearer' }],
    [{ typ: undefined }, { token_use: 'access' }],
    [{ typ: 'at+jwt' }, { token_use: 'access_token' }],
  ])('J19 accepts %j with %j', async (header, claims) => {
    expect(await attempt(site, createToken(rsa, claims, header))).toEqual(USER)
  })
})

describe('J20 takes no odd claim for a good one, and no scope for none', () => {
  test.each<[string, unknown]>([
    ['sub', {}],
    ['sub', ['admin']],
    ['sub', 1],
    ['sub', null],
    ['sub', true],
    ['client_id', {}],
    ['client_id', ['client-1']],
    ['client_id', 7],
    ['scope', 7],
    ['scope', {}],
    ['scope', true],
    ['scope', [7]],
    ['scope', [['read']]],
    ['scope', ['read', null]],
    ['scope', { read: true }],
    ['scp', 7],
    ['scp', { 0: 'read', length: 1 }],
    ['permissions', 7],
    ['permissions', [{ toString: 'read' }]],
  ])('J20 refuses %s of %j', async (claim, value) => {
    expect(await attempt(site, createToken(rsa, { [claim]: value }))).toEqual(invalidToken('claims'))
  })

  test.each<[string, Json]>([
    ['no scope at all', {}],
    ['an empty scope', { scope: '' }],
    ['scopes of nothing but space', { scope: '   ' }],
    ['an empty list', { scope: [] }],
    ['null', { scope: null }],
    ['a wildcard', { scope: '*' }],
    ['scopes under another name', { scopes: 'read', roles: ['read'], Scope: 'read', scope_: 'read' }],
    ['an empty scope beside scp', { scope: '', scp: 'read' }],
    ['a list in one string', { scope: ['read write'] }],
    ['commas', { scope: 'read,write' }],
    ['a tab', { scope: 'write\tread' }],
  ])('J20 %s is not the scope that is needed', async (_case, claims) => {
    const target = await startTarget(resourceServer(verifierOf({ requiredScopes: ['read'] })))
    expect(await attempt(target, createToken(rsa, claims))).toEqual(insufficientScope('read'))
  })
})

describe('J21 compares scopes whole', () => {
  test.each([
    ['readwrite'],
    ['read:all'],
    ['rea'],
    ['READ'],
    ['read.'],
    [' xread readx '],
    ['read\u00a0'],
    ['"read"'],
    ['__proto__ constructor toString'],
  ])('J21 %j is not read', async (scope) => {
    const target = await startTarget(resourceServer(verifierOf({ requiredScopes: ['read'] })))
    expect(await attempt(target, createToken(rsa, { scope }))).toEqual(insufficientScope('read'))
  })

  test('J21 every needed scope is named, also those that are held', async () => {
    const target = await startTarget(resourceServer(verifierOf({ requiredScopes: ['read', 'write'] })))
    expect(await attempt(target, createToken(rsa, { scope: 'read' }))).toEqual(
      insufficientScope('read write'),
    )
  })
})

describe('J22 has no patterns for identifiers', () => {
  test.each<[string, Json]>([
    ['issuer', { issuer: /^https:\/\/login/ }],
    ['issuer in a list', { issuer: [/login/] }],
    ['issuer as a function', { issuer: () => true }],
    ['audience', { audience: /mcp/ }],
    ['audience in a list', { audience: [RESOURCE, /mcp/] }],
    ['audience as a URL', { audience: new URL(RESOURCE) }],
    ['algorithms', { algorithms: [/RS/] }],
    ['algorithms as one pattern', { algorithms: /./ }],
    ['required scopes', { requiredScopes: [/read/] }],
    ['jwksUri', { jwksUri: /https/ }],
    ['an option of another library', { allowedAud: /mcp/ }],
  ])('J22 %s throws', (_case, options) => {
    expect(() => verifierOf(options)).toThrow(ConfigError)
  })

  test('J22 a text that looks like a pattern is compared as text', async () => {
    const target = await startTarget(resourceServer(verifierOf({ audience: ['.*', 'https://*', '*'] })))
    expect(await attempt(target, createToken(rsa))).toEqual(invalidToken('audience'))
  })
})

describe('J23 answers nothing but 401 to any token', () => {
  test.each([
    ['deep objects', `${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`],
    ['deep lists', `{"a":${'['.repeat(2000)}${']'.repeat(2000)}}`],
    ['just too deep', `{"a":${'['.repeat(33)}${']'.repeat(33)}}`],
    ['deep lists without an end', `{"a":${'['.repeat(4000)}`],
    ['a number of 4000 digits', `{"exp":${'9'.repeat(4000)}`],
  ])('J23 %s, signed', async (_case, payload) => {
    const token = signParts({ alg: 'ES256', kid: ec.kid }, payload, ec)
    expect(token.length).toBeLessThanOrEqual(8192)
    expect(await attempt(site, token)).toEqual(FORMAT)
  })

  test('J23 a thousand members, signed', async () => {
    const claims = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`c${index}`, index]))
    expect(await attempt(site, createToken(ec, { ...claims, exp: 1 }))).toEqual(invalidToken('expiry'))
  })

  test('J23 ten thousand fuzzed tokens', async () => {
    const base64url = fc.stringMatching(/^[A-Za-z0-9_-]{0,60}$/)
    const json = fc.json({ maxDepth: 4 }).map(encode)
    const name = fc.constantFrom(
      'alg',
      'kid',
      'typ',
      'iss',
      'aud',
      'exp',
      'nbf',
      'iat',
      'sub',
      'scope',
      '__proto__',
    )
    // Never the resource, so that none of the signed ones is good by chance.
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom<unknown>('RS256', 'ES256', rsa.kid, ec.kid, 'at+jwt', ISSUER, 2e9, 0),
    )
    const members = fc.dictionary(name, value, { maxKeys: 8 }).map(encode)
    const good = createToken(ec, { jti: 'to be broken' })
    const broken = fc
      .tuple(fc.nat(good.length - 1), fc.stringMatching(/^[A-Za-z0-9._~+/=-]{0,3}$/), fc.nat(3))
      .map(([at, put, drop]) => good.slice(0, at) + put + good.slice(at + drop))
      .filter((token) => token !== good)
    const signedHeader = fc
      .tuple(fc.dictionary(name, value, { maxKeys: 3 }), fc.dictionary(name, value, { maxKeys: 8 }))
      .map(([header, claims]) => signParts({ alg: 'ES256', kid: ec.kid, ...header }, claims, ec))
    const token = fc.oneof(
      fc.tuple(base64url, base64url, base64url).map((parts) => parts.join('.')),
      fc.tuple(json, json, base64url).map((parts) => parts.join('.')),
      fc.tuple(members, members, base64url).map((parts) => parts.join('.')),
      { arbitrary: signedHeader, weight: 1 },
      broken,
    )
    await fc.assert(
      fc.asyncProperty(fc.array(token, { minLength: 500, maxLength: 500 }), async (tokens) => {
        const answers = await pipeline(
          site.url,
          tokens.map((each) => `GET /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${each}\r\n\r\n`),
        )
        expect(answers).toHaveLength(tokens.length)
        const others = tokens.filter((_, index) => answers[index]?.status !== 401)
        expect(others).toEqual([])
      }),
      { numRuns: 20, endOnFailure: true },
    )
  })
})
