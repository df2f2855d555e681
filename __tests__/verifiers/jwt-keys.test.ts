import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { JWTVerifier } from 'express-mcp-auth'
import { configErrorOf } from '../support/config-error.js'

const issuer = 'https://login.example.com'
const audience = 'https://api.example.com/mcp'
const jwksUri = 'https://login.example.com/jwks'
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
const jwk = publicKey.export({ format: 'jwk' })
const der = publicKey.export({ type: 'spki', format: 'der' })

const errorOf = (options: object): { code: string; message: string } =>
  configErrorOf(() => new JWTVerifier({ issuer, audience, ...options }))

// openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -subj /CN=jwt
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIC/zCCAeegAwIBAgIUDQy3qSRGKGiAvqU5zxcKhzIesmAwDQYJKoZIhvcNAQEL
BQAwDjEMMAoGA1UEAwwDand0MCAXDTI2MTEyMTAxMDYxNloYDzIxMjYxMDI4MDEw
NjE2WjAOMQwwCgYDVQQDDANqd3QwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEK
AoIBAQCgjQSoaLBdTDTvWyhpwEe2KhUPiq9dmEPcRzZsjd/PkexLA0D69t+BsYtJ
Z4vM4eFLh1aMUO7RJN973PRRVIIN2yWcHatwYsS3nFCZH2zykcAqOi6CCQYNYPWE
xDlY0DU7shn7tg9AUEf+6uCpnmeOiPwbZ+8inymL4LPlaDeOs+Io1xkeA4RjMSVP
bkOFQvwOJWpRBTU0gTU4obfrhZuK8E0vHm1XlF9jb6G2fflnLMwHTDj+pg1fvFla
vLW543K0tJRQY48Xs/E4QSc+kgI57i5edW4B4emX4bwVk6lNDeutm4GcGujsNvCG
GLCt65cufEnnBmrRNIIzAaUp/einAgMBAAGjUzBRMB0GA1UdDgQWBBTq/ZhG3FRL
O4HQuFT5uM2yRsc75jAfBgNVHSMEGDAWgBTq/ZhG3FRLO4HQuFT5uM2yRsc75jAP
BgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4IBAQAjEMcpYi3IbeOcmD/g
SGeO0/8y5KrSAncQEdHqQDyf1mP+Oi3SzHQqySkfn3oe8e0E7FFvMbHpqtiXwtfO
81T/aD5llYeLhsVqpYSx/DKCyAQ09bxsejG7suuSWSzyu7CpoFDPFxNGjHskI3hY
QHsvtBanRzPtbnwq6zceLuqsIB42wKDLgsjDmOlcbNP1o0xriK4ICLfkKkd6ccsm
OLbIzp04hxtgx/UeA31F7FE41Cl1QHxa1Zp040yNGIJieoluKG50Uuuil8O+dzcn
6dKxzrPETIxferP6iWTx74yt6Q3rEnFPQmORn7pwMiQBqwgrm4J+KOcslJ+98LVD
ePCZ
-----END CERTIFICATE-----`

describe('the options of JWTVerifier', () => {
  it.each<[rule: string, options: object, code: string, message: string]>([
    [
      'an unknown option',
      { jwksUri, jwks_uri: jwksUri },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'JWTVerifier has no option "jwks_uri". Did you mean "jwksUri"?',
    ],
    [
      'the option that FastMCP has for one algorithm',
      { jwksUri, algorithm: 'RS256' },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'JWTVerifier has no option "algorithm". Did you mean "algorithms"?',
    ],
    [
      'no issuer',
      { jwksUri, issuer: undefined },
      'ERR_MCP_AUTH_MISSING_OPTION',
      'JWTVerifier: "issuer" is missing: write the "iss" of your tokens, byte for byte',
    ],
    [
      'an empty list of issuers',
      { jwksUri, issuer: [] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "issuer" must be a string or a list of strings, none of them blank',
    ],
    [
      'a blank issuer, as from an unset variable',
      { jwksUri, issuer: '' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "issuer" must be a string or a list of strings, none of them blank',
    ],
    [
      'an issuer as a URL object',
      { jwksUri, issuer: new URL(issuer) },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "issuer" must be a string or a list of strings, none of them blank',
    ],
    [
      'no audience',
      { jwksUri, audience: undefined },
      'ERR_MCP_AUTH_MISSING_OPTION',
      'JWTVerifier: "audience" is missing: write the URL of your MCP endpoint, e.g. "https://api.example.com/mcp". Without it, tokens that were issued for other services would be accepted; if you want that, set "dangerouslyAllowAnyAudience: true"',
    ],
    [
      'an empty list of audiences',
      { jwksUri, audience: [] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "audience" must be a string or a list of strings, none of them blank',
    ],
    [
      'a regular expression as audience',
      { jwksUri, audience: /^https:/ },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "audience" must be a string or a list of strings, none of them blank',
    ],
    [
      'a regular expression among audiences',
      { jwksUri, audience: [audience, /a/] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "audience" must be a string or a list of strings, none of them blank',
    ],
    [
      'a flag that is text',
      { jwksUri, audience: undefined, dangerouslyAllowAnyAudience: 'true' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "dangerouslyAllowAnyAudience" must be true or false',
    ],
    [
      'scopes that are none',
      { jwksUri, requiredScopes: ['a b'] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "requiredScopes" must be a list of scopes such as ["mcp:use"]',
    ],
    [
      'a tolerance below zero',
      { jwksUri, clockToleranceSeconds: -1 },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "clockToleranceSeconds" must be a number of seconds, 0 or more',
    ],
    [
      'a lifetime of keys that is text',
      { jwksUri, jwksCacheSeconds: '60' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "jwksCacheSeconds" must be a number of seconds, 0 or more',
    ],
    [
      'a cache without bounds',
      { jwksUri, cache: { maxEntries: 0 } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "cache" must be { maxEntries?, maxBytes? } with whole numbers above 0, or false',
    ],
    [
      'no keys',
      {},
      'ERR_MCP_AUTH_MISSING_OPTION',
      'JWTVerifier takes exactly one of "jwksUri", "publicKey" and "secret", not none',
    ],
    [
      'keys from two places',
      { jwksUri, publicKey: pem },
      'ERR_MCP_AUTH_MISSING_OPTION',
      'JWTVerifier takes exactly one of "jwksUri", "publicKey" and "secret", not "jwksUri" and "publicKey"',
    ],
    [
      'keys from three places',
      { jwksUri, publicKey: pem, secret: 'x'.repeat(32) },
      'ERR_MCP_AUTH_MISSING_OPTION',
      'JWTVerifier takes exactly one of "jwksUri", "publicKey" and "secret", not "jwksUri" and "publicKey" and "secret"',
    ],
    [
      'keys over http',
      { jwksUri: 'http://login.example.com/jwks' },
      'ERR_MCP_AUTH_INSECURE_URL',
      'JWTVerifier: "jwksUri" must be an https URL, not "http://login.example.com/jwks". http is for loopback addresses; on a network that you trust, set "dangerouslyAllowInsecureHttp: true"',
    ],
    [
      'keys at a URL object',
      { jwksUri: new URL(jwksUri) },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "jwksUri" must be a string. A URL object has already added or dropped a slash: write the identifier as text',
    ],
    [
      'keys in a file',
      { jwksUri: 'file:///etc/jwks.json' },
      'ERR_MCP_AUTH_INSECURE_URL',
      'JWTVerifier: "jwksUri" must be an https URL, not "file:///etc/jwks.json". http is for loopback addresses; on a network that you trust, set "dangerouslyAllowInsecureHttp: true"',
    ],
    [
      'HS256 with a key set',
      { jwksUri, algorithms: ['RS256', 'HS256'] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "algorithms" must be asymmetric with "jwksUri" or "publicKey": HS256 would let anybody who knows a public key sign',
    ],
    [
      'HS512 with a public key',
      { publicKey: pem, algorithms: ['HS512'] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "algorithms" must be asymmetric with "jwksUri" or "publicKey": HS512 would let anybody who knows a public key sign',
    ],
    [
      'RS256 with a secret',
      { secret: 'x'.repeat(32), algorithms: ['RS256'] },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'JWTVerifier: "algorithms" has no "RS256" with "secret". Did you mean "HS256"?',
    ],
    [
      'an algorithm that there is not',
      { jwksUri, algorithms: ['RS265'] },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'JWTVerifier: "algorithms" has no "RS265". Did you mean "RS256"?',
    ],
    [
      'an algorithm in other letters',
      { jwksUri, algorithms: ['rs256'] },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'JWTVerifier: "algorithms" has no "rs256". Did you mean "RS256"?',
    ],
    [
      'an algorithm that protects nothing',
      { jwksUri, algorithms: ['none'] },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'JWTVerifier: "algorithms" has no "none". Known: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519',
    ],
    [
      'no algorithms',
      { jwksUri, algorithms: [] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "algorithms" must be a string or a list of strings, none of them blank',
    ],
  ])('refuse %s', (_rule, options, code, message) => {
    expect(errorOf(options)).toEqual({ code, message })
  })

  it.each<[value: unknown]>([[undefined], [null], ['https://login.example.com'], [jwksUri]])(
    'refuse %j instead of options',
    (options) => {
      expect(configErrorOf(() => new JWTVerifier(options as never))).toEqual({
        code: 'ERR_MCP_AUTH_INVALID_OPTION',
        message: 'JWTVerifier takes an options object: new JWTVerifier({ … })',
      })
    },
  )

  it('take http on loopback, and elsewhere with dangerouslyAllowInsecureHttp', () => {
    for (const options of [
      { jwksUri: 'http://localhost:8080/jwks' },
      { jwksUri: 'http://keycloak:8080/jwks', dangerouslyAllowInsecureHttp: true },
    ]) {
      expect(new JWTVerifier({ issuer, audience, ...options }).issuer).toEqual([issuer])
    }
  })
})

describe('secret', () => {
  const NOT_A_KEY = {
    code: 'ERR_MCP_AUTH_INVALID_OPTION',
    message:
      'JWTVerifier: "secret" must be a secret, not a key: a public key known to everybody would verify their own tokens. Use "publicKey"',
  }

  it.each<[rule: string, secret: unknown]>([
    ['a PEM', pem],
    ['a PEM as bytes', Buffer.from(pem)],
    ['a PEM behind white space', ` \r\n\t${pem}`],
    ['a PEM behind a byte order mark', `\ufeff${pem}`],
    ['a PEM behind other text', `Key of login.example.com:\n${pem}`],
    ['a private PEM', privateKey.export({ type: 'pkcs8', format: 'pem' })],
    ['a certificate', CERTIFICATE],
    ['a key as DER', der],
    ['a key as DER (PKCS #1)', publicKey.export({ type: 'pkcs1', format: 'der' })],
    ['a certificate as DER', Buffer.from(CERTIFICATE.replace(/-----[^-]+-----|\s/g, ''), 'base64')],
    ['a PEM without its first and last line, as Keycloak shows it', der.toString('base64')],
    ['a PEM without them, in lines', pem.replace(/-----[^-]+-----\n/g, '')],
    ['a JWK', JSON.stringify(jwk)],
    ['a JWK behind white space', `\n  ${JSON.stringify(jwk, null, 2)}`],
    ['a JWK set', JSON.stringify({ keys: [jwk] })],
    ['a list of JWKs', JSON.stringify([jwk])],
    ['an OpenSSH key', 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 user@host'],
  ])('is not %s', (_rule, secret) => {
    expect(errorOf({ secret })).toEqual(NOT_A_KEY)
  })

  it.each<[rule: string, secret: unknown]>([
    ['a number', 2 ** 256],
    ['a key object', createSecretKey(Buffer.alloc(32))],
    ['a list of bytes', Array.from({ length: 32 }, () => 1)],
    ['null', null],
  ])('is not %s', (_rule, secret) => {
    expect(errorOf({ secret })).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message: 'JWTVerifier: "secret" must be a string or bytes',
    })
  })

  it.each<[secret: string | Uint8Array, algorithms: string[] | undefined, least: number, bytes: number]>([
    ['', undefined, 32, 0],
    ['secret', undefined, 32, 6],
    ['x'.repeat(31), undefined, 32, 31],
    [new Uint8Array(31), undefined, 32, 31],
    ['x'.repeat(47), ['HS384'], 48, 47],
    ['x'.repeat(63), ['HS512'], 64, 63],
    ['x'.repeat(63), ['HS256', 'HS512', 'HS384'], 64, 63],
  ])('%p for %j is too short', (secret, algorithms, least, bytes) => {
    expect(errorOf({ secret, ...(algorithms && { algorithms }) })).toEqual({
      code: 'ERR_MCP_AUTH_WEAK_KEY',
      message:
        `JWTVerifier: "secret" must have at least ${least} bytes for ${(algorithms ?? ['HS256']).join(', ')}, not ${bytes}. ` +
        `Make one with: node -p "require('crypto').randomBytes(${least}).toString('base64url')"`,
    })
  })

  it.each<[rule: string, secret: string | Uint8Array]>([
    ['as long as the hash', 'x'.repeat(32)],
    ['counted in bytes, not in letters', 'ü'.repeat(16)],
    ['random bytes in base64url', 'Zk3vQ0bN6uT2hP8sXwY1cR5mJ9aL4eGd7iKoVfBqUnA'],
    ['text with a brace', '{this-is-a-passphrase-and-not-a-key}'],
  ])('may be %s', (_rule, secret) => {
    expect(new JWTVerifier({ issuer, audience, secret })).toBeInstanceOf(JWTVerifier)
  })
})

describe('publicKey', () => {
  it.each<[rule: string, key: string | Record<string, unknown>]>([
    ['a PEM (SPKI)', pem],
    ['a PEM (PKCS #1)', publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()],
    ['a certificate', CERTIFICATE],
    ['a JWK', { ...jwk }],
    ['a JWK set', { keys: [jwk] }],
    ['a JWK set with odd keys beside', { keys: [{ kty: 'oct', k: 'AA' }, jwk] }],
  ])('may be %s', (_rule, key) => {
    expect(new JWTVerifier({ issuer, audience, publicKey: key })).toBeInstanceOf(JWTVerifier)
  })

  const NOT_A_KEY =
    'JWTVerifier: "publicKey" must be a PEM (-----BEGIN PUBLIC KEY----- or CERTIFICATE), a JWK or a JWK set'
  const unusable = (why: string): string => `JWTVerifier: "publicKey" cannot be used: ${why}`

  it.each<[rule: string, key: unknown, code: string, message: string]>([
    ['text', 'no key', 'ERR_MCP_AUTH_INVALID_OPTION', NOT_A_KEY],
    ['a broken PEM', pem.replace('MII', 'XXX'), 'ERR_MCP_AUTH_INVALID_OPTION', NOT_A_KEY],
    ['a JWK as text', JSON.stringify(jwk), 'ERR_MCP_AUTH_INVALID_OPTION', NOT_A_KEY],
    [
      'a private PEM',
      privateKey.export({ type: 'pkcs8', format: 'pem' }),
      'ERR_MCP_AUTH_INVALID_OPTION',
      'JWTVerifier: "publicKey" must be a public key. A private key has no business in a verifier',
    ],
    [
      'a private JWK',
      privateKey.export({ format: 'jwk' }),
      'ERR_MCP_AUTH_WEAK_KEY',
      unusable('key 0: a private key'),
    ],
    ['a shared secret', { kty: 'oct', k: 'AA' }, 'ERR_MCP_AUTH_WEAK_KEY', unusable('key 0: a symmetric key')],
    [
      'a weak PEM',
      small.export({ type: 'spki', format: 'pem' }),
      'ERR_MCP_AUTH_WEAK_KEY',
      unusable('key 0: an RSA key under 2048 bits'),
    ],
    [
      'a set of nothing usable',
      { keys: [small.export({ format: 'jwk' }), {}] },
      'ERR_MCP_AUTH_WEAK_KEY',
      unusable(
        'key 0: an RSA key under 2048 bits; key 1: of a type or for an algorithm that is not supported',
      ),
    ],
    [
      'a set whose keys are no list',
      { keys: {} },
      'ERR_MCP_AUTH_WEAK_KEY',
      unusable('the document has no "keys" array'),
    ],
    ['null', null, 'ERR_MCP_AUTH_WEAK_KEY', unusable('key 0: not an object')],
    ['a number', 7, 'ERR_MCP_AUTH_WEAK_KEY', unusable('key 0: not an object')],
  ])('is not %s', (_rule, key, code, message) => {
    expect(errorOf({ publicKey: key })).toEqual({ code, message })
  })

  it('is no empty set', () => {
    const { code, message } = errorOf({ publicKey: { keys: [] } })
    expect(code).toBe('ERR_MCP_AUTH_WEAK_KEY')
    expect(message).toBe(unusable('the set is empty'))
  })
})
