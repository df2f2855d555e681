// What the documents point at is there, and what users meet is in the documents.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, it, test } from '@jest/globals'
import { PROXY_OPTIONS } from '../../lib/providers/proxy/proxy-options.js'

const root = new URL('../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')
const isThere = (path: string): boolean => existsSync(new URL(path, root))

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(new URL('docs/', root)).map((file) => `docs/${file}`),
]

/** As GitHub makes anchors of headings. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

function deadLinksOf(path: string): string[] {
  const links = [...read(path).matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, link = '']) => link)
  return links.filter((link) => {
    const [file = '', anchor] = link.split('#')
    const target = file === '' ? path : posix.join(posix.dirname(path), file)
    if (!isThere(target)) return true
    return anchor !== undefined && !anchorsOf(read(target)).includes(anchor)
  })
}

test.each(documents)('%s links to files and headings that exist', (path) => {
  expect(deadLinksOf(path)).toEqual([])
})

/** Rows of the tables of a document, as cells. */
function rowsOf(path: string): string[][] {
  const lines = read(path)
    .split('\n')
    .filter((line) => line.startsWith('|'))
  return lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
}

/** `T6–T8`, `T9, T10` and `PX-01–PX-09`, one by one. */
function idsIn(cell: string): string[] {
  return [...cell.matchAll(/\b(PX-|[A-Z])(\d+)(?:–\1(\d+))?/g)].flatMap(
    ([, kind = '', first = '', last = first]) =>
      Array.from(
        { length: Number(last) - Number(first) + 1 },
        (_, index) => kind + String(Number(first) + index).padStart(first.length, '0'),
      ),
  )
}

const testNames = (cell: string): string[] =>
  [...cell.matchAll(/`([a-z-]+(?:\/[a-z-]+)+)`/g)].map(([, name]) => `__tests__/${name}.test.ts`)

describe('docs/security.md', () => {
  const rows = rowsOf('docs/security.md').filter(([id = '']) => /^(?:PX-|[A-Z])\d/.test(id))

  it('names tests that exist', () => {
    expect(rows.length).toBeGreaterThan(50)
    expect(testNames(read('docs/security.md')).filter((file) => !isThere(file))).toEqual([])
  })

  it('names advisories that have a test', () => {
    const tests = read('__tests__/attacks/fastmcp.test.ts')
    const ids = read('docs/security.md').match(/\b(?:GHSA(?:-[a-z0-9]{4}){3}|CVE-\d{4}-\d+)\b/g) ?? []
    expect(ids.length).toBeGreaterThan(8)
    expect(ids.filter((id) => !new RegExp(`test\\('.*\\b${id}\\b`).test(tests))).toEqual([])
  })

  it.each(rows)('%s, %s: tests carry its name', (...row) => {
    const cell = row.at(-1)!
    const files = [
      ...testNames(cell),
      ...(cell.includes('contract') ? ['lib/testing/contracts/store.ts'] : []),
    ]
    const titles = files.map(read).join('\n')
    const wanted = [...cell.matchAll(/\(([A-Z]\d+)\)/g)].map(([, id]) => id!)
    const ids = wanted.length > 0 && files.length === 1 ? wanted : [...idsIn(row[0]!), ...wanted]
    expect(ids.filter((id) => !new RegExp(`['"\`] ?${id}\\b|\\b${id} `).test(titles))).toEqual([])
  })
})

describe('docs/rfcs.md', () => {
  const rows = rowsOf('docs/rfcs.md')

  it('names tests that exist', () => {
    const files = rows.flatMap((row) => testNames(row.at(-1)!))
    expect(files.length).toBeGreaterThan(30)
    expect(files.filter((file) => !isThere(file))).toEqual([])
  })

  it('names files that exist', () => {
    const names = [...read('docs/rfcs.md').matchAll(/`([A-Za-z-]+(?:\/[a-z-]+)+\.ts)`/g)].map(
      ([, name = '']) => name,
    )
    const files = names.map((name) => `lib/${name.replace(/^AS\//, 'authorization-server/')}`)
    expect(files.length).toBeGreaterThan(30)
    expect(files.filter((file) => !isThere(file))).toEqual([])
  })
})

/** Words in quotes between a declaration and the next empty line. */
function wordsOf(path: string, declaration: string, pattern: RegExp): string[] {
  const source = read(path)
  const start = source.indexOf(declaration)
  expect(start).toBeGreaterThan(0)
  const words = [...source.slice(start, source.indexOf('\n\n', start)).matchAll(pattern)].map(
    ([, word = '']) => word,
  )
  expect(words.length).toBeGreaterThan(4)
  return words
}

/** Names that stand nowhere as code. */
function undocumented(names: readonly string[], text: string): string[] {
  return names.filter((name) => !text.includes(`\`${name}\``))
}

describe('what users meet is documented:', () => {
  test('every event, hint and cause', () => {
    const path = 'lib/runtime/events.ts'
    const words = [
      ...wordsOf(path, 'type AuthEvent', /type: '([a-z_.]+)'/g),
      ...wordsOf(path, 'type HintCode', /'([a-z_]+)'/g),
      ...wordsOf(path, 'type RevocationCause', /'([a-z_]+)'/g),
    ]
    const text = read('docs/events.md')
    expect(words.filter((word) => !text.includes(`\`${word}\``) && !text.includes(`: ${word}\``))).toEqual([])
  })

  test('every error code', () => {
    const path = 'lib/protocol/errors.ts'
    const codes = [
      ...wordsOf(path, 'type ConfigErrorCode', /'(\w+)'/g),
      ...wordsOf(path, 'WORDS', /^ {2}(\w+):/gm),
    ]
    const text = read('docs/errors.md')
    // An alias, for errors of others.
    expect(codes.filter((code) => code !== 'server_error' && !text.includes(`\`${code}\``))).toEqual([])
  })

  test('every option of a proxy, and of the authorization server that it is', () => {
    expect(undocumented(PROXY_OPTIONS, read('docs/options.md'))).toEqual([])
  })

  test("every one of FastMCP's names", () => {
    const names = wordsOf(
      'lib/providers/proxy/proxy-options.ts',
      'interface FastMCPNames',
      /readonly (\w+)\?/g,
    )
    expect(undocumented(names, read('docs/options.md'))).toEqual([])
  })

  test('every option of exchangeToken', () => {
    const path = 'lib/providers/exchange-request.ts'
    const names = wordsOf(path, 'interface ExchangeTokenOptions', /readonly (\w+)\??:/g)
    const text = read('docs/options.md')
    const section = text.slice(text.indexOf('### exchangeToken'), text.indexOf('## rateLimit'))
    expect(undocumented(names, section)).toEqual([])
  })

  test('every example', () => {
    const examples = readdirSync(new URL('examples/', root))
    const index = read('docs/examples.md')
    expect(examples.filter((file) => !index.includes(`(../examples/${file})`))).toEqual([])
  })
})

interface ProviderModule {
  readonly subpath: string
  /** What it exports, by name. */
  readonly values: Readonly<Record<string, unknown>>
}

/** Each `./providers/…` of the package. */
async function loadProviders(): Promise<readonly ProviderModule[]> {
  const { exports } = JSON.parse(read('package.json')) as {
    readonly exports: Readonly<Record<string, { readonly default: string }>>
  }
  const subpaths = Object.keys(exports).filter((subpath) => subpath.startsWith('./providers/'))
  expect(subpaths.length).toBeGreaterThan(15)
  const modules: ProviderModule[] = []
  // One after the other: the loader of the tests cannot link two that share files at once.
  for (const subpath of subpaths) {
    const values = (await import(`express-mcp-auth${subpath.slice(1)}`)) as ProviderModule['values']
    modules.push({ subpath, values })
  }
  return modules
}

/** A class of an identity provider. */
interface ProviderClass {
  readonly envOptions: Readonly<Record<string, unknown>>
  /** Of those that are bridged. */
  readonly spec?: { readonly options: Readonly<Record<string, unknown>> }
}

const isProvider = (value: unknown): value is ProviderClass =>
  Object.hasOwn(Object(value) as object, 'envOptions')

describe('every identity provider', () => {
  it('is in docs/providers.md, by what is imported from where', async () => {
    const text = read('docs/providers.md')
    for (const { subpath, values } of await loadProviders()) {
      expect(text).toContain(`\`express-mcp-auth${subpath.slice(1)}\``)
      expect(Object.keys(values).filter((name) => !text.includes(name))).toEqual([])
    }
  })

  it('has its row in docs/options.md, with each option of its own', async () => {
    const text = read('docs/options.md')
    const rows = rowsOf('docs/options.md')
    const remote = text.slice(text.indexOf('## RemoteAuthProvider'), text.indexOf('## OAuthProvider'))
    const providers = (await loadProviders()).flatMap(({ values }) => Object.entries(values))
    for (const [name, value] of providers) {
      expect(text).toContain(`\`${name}\``)
      if (!isProvider(value)) continue
      const { spec, envOptions } = value
      const own = Object.keys(spec?.options ?? envOptions).filter(
        (option) => spec !== undefined || !remote.includes(`\`${option}\``),
      )
      const row = rows.find(([first]) => first === `\`${name}\``)?.join(' | ')
      expect([name, undocumented(own, row ?? '')]).toEqual([name, []])
    }
  })

  it('may be named in the environment, as docs/options.md says', async () => {
    const source = read('lib/config/env.ts')
    const names = [...source.matchAll(/^ {2}\['([a-z0-9-]+)', \w+Provider\],$/gm)].map(
      ([, name = '']) => name,
    )
    expect(names.length).toBeGreaterThan(15)
    expect(undocumented(names, read('docs/options.md'))).toEqual([])
  })
})

describe('docs/adding-an-idp.md', () => {
  it('quotes an example that runs', () => {
    const [, quoted = ''] = /```ts\n([^]*?)\n```/.exec(read('docs/adding-an-idp.md')) ?? []
    expect(quoted).toContain('defineIdentityProvider')
    expect(read('examples/identity-provider.ts')).toContain(quoted)
  })

  it('names every member of what is to be known', () => {
    const names = [
      ...wordsOf('lib/providers/idp/idp.ts', 'interface IdentityProviderSpec', /readonly (\w+):/g),
      ...wordsOf('lib/providers/proxy/proxy-options.ts', 'interface ProxyFacts', /'(\w+)'/g),
    ]
    const given = ['name', 'clientId', 'clientSecret']
    const wanted = names.filter((name) => !given.includes(name))
    expect(undocumented(wanted, read('docs/adding-an-idp.md'))).toEqual([])
  })
})
