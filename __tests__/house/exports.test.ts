// What the package promises to export is there, by name, and nothing is exported by accident.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { codeOf } from './source.js'

const root = new URL('../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

type Target = string | { types: string; default: string }
const manifest = JSON.parse(read('package.json')) as { name: string; exports: Record<string, Target> }
const { paths } = (
  JSON.parse(read('tsconfig.json')) as { compilerOptions: { paths: Record<string, string[]> } }
).compilerOptions

const sources = readdirSync(new URL('lib/', root), { recursive: true })
  .map((path) => `lib/${String(path).replaceAll('\\', '/')}`)
  .filter((path) => path.endsWith('.ts'))

/** Entry point -> the sources it stands for; one with a `*` stands for several. */
const entries = Object.entries(manifest.exports)
  .filter(([subpath]) => subpath !== './package.json')
  .map(([subpath, target]) => {
    if (typeof target === 'string') throw new Error(`${subpath} has no types`)
    const source = target.default.replace(/^\.\/dist\//, 'lib/').replace(/\.js$/, '.ts')
    const pattern = new RegExp(`^${source.split('*').map(escape).join('[^/]+')}$`)
    return { subpath, target, files: sources.filter((path) => pattern.test(path)) }
  })

describe('package.json exports', () => {
  it.each(entries)('$subpath stands for sources that exist', ({ files }) => {
    expect(files).not.toEqual([])
  })

  it.each(entries)('$subpath has types first, and one file for import and require', ({ target }) => {
    expect(Object.keys(target)).toEqual(['types', 'default'])
    expect(target.default).toMatch(/^\.\/dist\/.+\.js$/)
    expect(target.types).toBe(target.default.replace(/\.js$/, '.d.ts'))
  })

  it('lists every index.ts of lib', () => {
    const exported = entries.flatMap(({ files }) => files)
    expect(sources.filter((path) => path.endsWith('/index.ts') && !exported.includes(path))).toEqual([])
  })

  it('lets tools read package.json', () => {
    expect(manifest.exports['./package.json']).toBe('./package.json')
  })

  it('are what the compiler sees under the same names', () => {
    const expected = entries.map(({ subpath }) => manifest.name + subpath.slice(1))
    expect(Object.keys(paths).sort()).toEqual(expected.sort())
    for (const [file] of Object.values(paths)) {
      if (!file?.includes('*')) expect(existsSync(new URL(String(file), root))).toBe(true)
    }
  })
})

describe('exports', () => {
  it('are listed by name everywhere in lib', () => {
    expect(sources.filter((path) => /\bexport\s*(?:type\s*)?\*/.test(codeOf(read(path))))).toEqual([])
  })

  it('of the root are all defined', async () => {
    const all = Object.entries(await import('express-mcp-auth'))
    expect(all.length).toBeGreaterThan(0)
    expect(all.filter(([name, value]) => name === 'default' || value === undefined)).toEqual([])
  })

  it('of the root hold no implementation: the file only re-exports', () => {
    const code = codeOf(read('lib/index.ts')).replace(/\bexport\s+(?:type\s+)?\{[^}]*\}\s*from\s*'\s*'/g, '')
    expect(code.trim()).toBe('')
  })
})

/** For a regular expression. */
function escape(text: string): string {
  return text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&')
}
