// Holds the architecture (docs/architecture.md): who may import whom, what only one floor may touch, and how things are named.
import { readFileSync, readdirSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { codeOf, importsOf } from './source.js'

const root = new URL('../../', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Record<string, object>
const packages = new Set(
  ['dependencies', 'peerDependencies', 'optionalDependencies'].flatMap((kind) =>
    Object.keys(manifest[kind] ?? {}),
  ),
)

/** A file imports from its own floor and from those below. `index.ts`, `client` and `testing` stand outside, see below. */
const FLOORS = new Map([
  ['protocol', 0],
  ['runtime', 1],
  ['pages', 1],
  ['stores', 2],
  ['verifiers', 3],
  ['authorization-server', 3],
  ['providers', 4],
  ['http', 5],
  ['express', 6],
  ['config', 6],
])
const CLIENT_CEILING = 2

/** What identity providers are made by. */
const SHARED_BY_IDPS = new Set(['providers/idp/idp.ts', 'providers/idp/remote-idp.ts'])
/** Two providers of one vendor, where people look for both: a file -> the one that also exports what is in it. */
const ALSO_EXPORTED_BY = new Map([
  ['providers/idp/authkit.ts', 'providers/idp/workos.ts'],
  ['providers/idp/auth0-mcp.ts', 'providers/idp/auth0.ts'],
])

const EXPRESS_PACKAGES = new Set(['express', 'express-rate-limit', 'helmet', 'parseurl'])

/** What depends on when and where the program runs: only `runtime/` touches it, everybody else is handed it. */
const AMBIENT: readonly (readonly [what: string, code: RegExp, alsoIn?: string])[] = [
  ['Date', /(?<![\w$.#])Date(?![\w$])/],
  ['Math.random', /\bMath\s*\.\s*random\b/],
  ['fetch', /(?<![\w$.#])fetch\s*\(|(?:=|\?\?|\|\|)\s*fetch(?![\w$])/],
  ['console', /(?<![\w$.#])console(?![\w$])/],
  ['process.env', /\bprocess\s*\??\.\s*env\b|\bprocess\s*(?:\?\.)?\[/, 'config'],
  ['setTimeout', /(?<![\w$.#])set(?:Timeout|Interval)(?![\w$])/],
  ['globalThis', /(?<!typeof )(?<![\w$.#])globalThis\s*(?:\??\.|\[)/],
]
const AMBIENT_MODULES = new Map([
  ['node:timers', ''],
  ['node:timers/promises', ''],
  ['node:process', 'config'],
])

const BANNED_NAMES = /^(?:utils?|helpers?|manager)$/
const LONG = 300

function roomOf(path: string): string {
  return path.includes('/') ? (path.split('/')[0] as string) : ''
}

function mayImport(from: string, to: string): boolean {
  const room = roomOf(from)
  const other = roomOf(to)
  if (room === 'testing') return true
  if (other === 'testing' || to === 'index.ts') return false
  if (from === 'index.ts') return true
  if (room === other) {
    // Identity providers know the description they fill in, not each other.
    const siblings = [from, to].every((path) => path.startsWith('providers/idp/'))
    return !siblings || SHARED_BY_IDPS.has(to) || ALSO_EXPORTED_BY.get(to) === from
  }
  if (other === 'client') return false
  // The environment is read beside Express, not by it.
  if (room === 'config' && other === 'express') return false
  if (room === 'express' && other === 'config') return false
  const ceiling = room === 'client' ? CLIENT_CEILING : (FLOORS.get(room) ?? -1)
  return (FLOORS.get(other) ?? Infinity) <= ceiling
}

function importViolation(path: string, name: string | undefined): string | undefined {
  if (name === undefined) return 'imports a computed name'
  if (name.startsWith('.')) {
    const to = posix.join(posix.dirname(path), name).replace(/\.js$/, '.ts')
    if (to.startsWith('..')) return `imports ${name} from outside of lib`
    return mayImport(path, to) ? undefined : `imports ${to}`
  }
  const room = roomOf(path)
  if (isBuiltin(name)) {
    if (!name.startsWith('node:')) return `imports ${name} without node:`
    const home = AMBIENT_MODULES.get(name)
    return home === undefined || room === 'runtime' || room === home ? undefined : `imports ${name}`
  }
  const [scope, rest] = name.split('/')
  const pkg = scope?.startsWith('@') ? `${scope}/${rest}` : String(scope)
  if (!packages.has(pkg)) return `imports ${pkg}, which the package does not depend on`
  return EXPRESS_PACKAGES.has(pkg) && room !== 'express' ? `imports ${pkg}` : undefined
}

/** Everything that a file in lib does against the rules. */
function violations(path: string, source: string): string[] {
  const found: (string | undefined | false)[] = []
  const code = codeOf(source)
  const room = roomOf(path)

  if (path !== 'index.ts' && !FLOORS.has(room) && room !== 'client' && room !== 'testing')
    found.push('is in no room')
  for (const name of importsOf(source)) found.push(importViolation(path, name))
  for (const [what, pattern, alsoIn] of AMBIENT) {
    found.push(
      room !== 'runtime' &&
        room !== alsoIn &&
        pattern.test(code.replace(/\btypeof\s+fetch\b/g, '')) &&
        `uses ${what}`,
    )
  }
  found.push(/\bexport\s+default\b|\bas\s+default\b/.test(code) && 'has a default export')
  found.push(/\benum\s+[\w$]/.test(code) && 'has an enum')
  const names = path.replace(/\.ts$/, '').split('/')
  for (const name of names) {
    found.push(!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name) && `is not named in kebab-case: ${name}`)
    found.push(
      name.split('-').some((word) => BANNED_NAMES.test(word)) && `has a name that says nothing: ${name}`,
    )
  }
  const lines = source.trimEnd().split('\n').length
  found.push(lines > LONG && !/^\s*\/[/*]/.test(source) && `has ${lines} lines and does not say why`)
  return found.filter((violation) => typeof violation === 'string')
}

describe('the house', () => {
  const files = readdirSync(new URL('lib/', root), { recursive: true })
    .map((path) => String(path).replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'))

  it('is found', () => {
    expect(files).toContain('index.ts')
    expect(new Set(files.map(roomOf)).size).toBeGreaterThan(3)
  })

  it('keeps its rules in every file of lib', () => {
    const found = files.flatMap((path) => {
      const source = readFileSync(new URL(`lib/${path}`, root), 'utf8')
      return violations(path, source).map((violation) => `lib/${path} ${violation}`)
    })
    expect(found).toEqual([])
  })

  it('keeps identity providers small: they are data', () => {
    const lines = files
      .filter((path) => path.startsWith('providers/idp/') && !SHARED_BY_IDPS.has(path))
      .map((path) => readFileSync(new URL(`lib/${path}`, root), 'utf8').split('\n').length - 1)
      .toSorted((one, other) => one - other)
    expect(lines.length).toBeGreaterThan(15)
    expect(lines[Math.floor(lines.length / 2)]).toBeLessThan(45)
    expect(lines.at(-1)).toBeLessThanOrEqual(80)
  })
})

describe('the rules', () => {
  it.each([
    ['protocol/a.ts', "import { b } from '../runtime/b.js'", 'imports runtime/b.ts'],
    ['protocol/a.ts', "import type { B } from '../runtime/b.js'", 'imports runtime/b.ts'],
    ['protocol/a.ts', "export { b } from '../http/b.js'", 'imports http/b.ts'],
    ['runtime/a.ts', "const b = await import('../stores/b.js')", 'imports stores/b.ts'],
    ['runtime/a.ts', "type B = import('../stores/b.js').B", 'imports stores/b.ts'],
    ['stores/a.ts', "import '../verifiers/b.js'", 'imports verifiers/b.ts'],
    [
      'verifiers/a.ts',
      "import {\n  b, // from '../runtime/b.js'\n} from '../providers/b.js'",
      'imports providers/b.ts',
    ],
    ['http/a.ts', "import { b } from '../express/b.js'", 'imports express/b.ts'],
    ['http/a.ts', "import { b } from '../config/b.js'", 'imports config/b.ts'],
    ['express/a.ts', "import { b } from '../config/b.js'", 'imports config/b.ts'],
    ['config/a.ts', "import { b } from '../express/b.js'", 'imports express/b.ts'],
    ['client/a.ts', "import { b } from '../verifiers/b.js'", 'imports verifiers/b.ts'],
    ['http/a.ts', "import { b } from '../client/b.js'", 'imports client/b.ts'],
    ['express/a.ts', "import { b } from '../testing/b.js'", 'imports testing/b.ts'],
    ['index.ts', "export { b } from './testing/b.js'", 'imports testing/b.ts'],
    ['express/a.ts', "import { b } from '../index.js'", 'imports index.ts'],
    ['providers/idp/a.ts', "import { b } from './b.js'", 'imports providers/idp/b.ts'],
    ['providers/idp/a.ts', "export { b } from './authkit.js'", 'imports providers/idp/authkit.ts'],
    [
      'express/a.ts',
      "import { b } from '../../scripts/b.js'",
      'imports ../../scripts/b.js from outside of lib',
    ],
    ['http/a.ts', "import type { Request } from 'express'", 'imports express'],
    ['http/a.ts', "import parseurl from 'parseurl'", 'imports parseurl'],
    ['http/a.ts', "import { b } from '@scope/b/c'", 'imports @scope/b, which the package does not depend on'],
    [
      'express/a.ts',
      "import { b } from 'express-mcp-auth'",
      'imports express-mcp-auth, which the package does not depend on',
    ],
    ['http/a.ts', "import { readFile } from 'fs'", 'imports fs without node:'],
    [
      'stores/a.ts',
      "import { setTimeout as wait } from 'node:timers/promises'",
      'imports node:timers/promises',
    ],
    ['http/a.ts', "import { env } from 'node:process'", 'imports node:process'],
    ['http/a.ts', 'await import(name)', 'imports a computed name'],
    ['http/a.ts', 'const at: Date = f()', 'uses Date'],
    ['http/a.ts', 'f(`${Date.now()}`)', 'uses Date'],
    ['http/a.ts', 'Math.random()', 'uses Math.random'],
    ['http/a.ts', 'await fetch(url)', 'uses fetch'],
    ['http/a.ts', 'f(options.fetch ?? fetch)', 'uses fetch'],
    ['http/a.ts', 'globalThis.fetch(url)', 'uses globalThis'],
    ['http/a.ts', 'console.log(1)', 'uses console'],
    ['http/a.ts', 'process.env.NODE_ENV', 'uses process.env'],
    ['http/a.ts', "process['env']", 'uses process.env'],
    ['http/a.ts', 'setTimeout(f, 1)', 'uses setTimeout'],
    ['http/a.ts', 'export default class A {}', 'has a default export'],
    ['http/a.ts', 'export { a as default }', 'has a default export'],
    ['http/a.ts', 'const enum A { B }', 'has an enum'],
    ['http/aB.ts', '', 'is not named in kebab-case: aB'],
    ['http/token-helpers.ts', '', 'has a name that says nothing: token-helpers'],
    ['utils/a.ts', '', 'is in no room'],
    ['a.ts', '', 'is in no room'],
    ['http/a.ts', 'f()\n'.repeat(301), 'has 301 lines and does not say why'],
  ])('%s: refuse %j', (path, source, violation) => {
    expect(violations(path, source)).toContain(violation)
  })

  it.each([
    [
      'runtime/a.ts',
      "import { b } from '../protocol/b.js'\nDate.now() + Math.random()\nconsole.log(await fetch(process.env.URL))",
    ],
    ['verifiers/a.ts', "import { b } from '../authorization-server/b.js'\nimport { c } from './c.js'"],
    ['providers/idp/a.ts', "import { idp } from './idp.js'\nimport { b } from '../b.js'"],
    ['providers/idp/a.ts', "import { idp } from './remote-idp.js'"],
    ['providers/idp/workos.ts', "export { a } from './authkit.js'"],
    ['express/a.ts', "import limit from 'express-rate-limit'\nimport { b } from '../http/b.js'"],
    ['config/env.ts', "import { b } from '../http/b.js'\nprocess.env.MCP_AUTH_PROVIDER"],
    ['client/index.ts', "import { b } from '../stores/b.js'\nexport { c } from './c.js'"],
    ['testing/index.ts', "import { b } from '../express/b.js'"],
    ['index.ts', "export { a } from './express/a.js'\nexport type { B } from './client/b.js'"],
    [
      'http/a.ts',
      "import { compactVerify } from 'jose/jws/compact/verify'\nimport type { IncomingMessage } from 'node:http'",
    ],
    [
      'http/a.ts',
      'deps.fetch(url); this.#fetch(url); const f: typeof fetch = deps.fetch; type F = typeof globalThis.fetch',
    ],
    ['http/a.ts', "f('Date'); res.setHeader('Date', `${at} console.log(fetch(1))`) // setTimeout()"],
    [
      'http/a.ts',
      '/* export default Date\n * import a from "../express/b.js" */ const isDate = toDate + isConsole',
    ],
    ['http/a.ts', 'const schema = { enum: [1] }'],
    ['http/a.ts', `// One thing because of this.\n${'f()\n'.repeat(301)}`],
  ])('%s: allow %j', (path, source) => {
    expect(violations(path, source)).toEqual([])
  })
})

describe('the reader of sources', () => {
  it.each([
    ["a('x\\'y') // z", "a('    ')     "],
    ['a("//") /* b */ c', 'a("  ")         c'],
    ['`a${b({ c: `d${e}` })}f` + g', '` ${b({ c: ` ${e}` })} ` + g'],
    ['`$a \\` \\${b}`', '`           `'],
    ['a = /\'[/]"/g.test(b) / c / d', 'a =         .test(b) / c / d'],
    ['return /`/', 'return    '],
    ["f(/'/, x /y/ z)", 'f(   , x /y/ z)'],
  ])('reads %j', (source, code) => {
    expect(codeOf(source)).toBe(code)
  })

  it.each(["'a\n'", '`a${b`', '/* a', 'a = `b'])('throws at %j instead of guessing', (source) => {
    expect(() => codeOf(source)).toThrow(/open/)
  })
})
