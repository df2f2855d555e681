// The documents for those who come from elsewhere: complete, and their examples are the files that run.
import { readFileSync, readdirSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { FASTMCP_EXAMPLES, FASTMCP_NAMES } from './seeds.js'

const root = new URL('../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

/** Texts by their headings of the second level. */
function sectionsOf(markdown: string): ReadonlyMap<string, string> {
  const sections = markdown.split(/^## /m).slice(1)
  return new Map(sections.map((section) => [section.split('\n', 1)[0]!, section]))
}

/** Code in the first column of the tables, without its arguments. */
function firstColumn(section: string): string[] {
  const cells = [...section.matchAll(/^\| (.*?) \|/gm)].map(([, cell = '']) => cell)
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`(]+)[^`]*`/g)].map(([, name = '']) => name))
}

/** What begins the code in a column of the tables: names, where they look like those of this package. */
function namesInColumn(text: string, column: number): string[] {
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
  const cells = rows.map((row) => row.split(' | ')[column] ?? '')
  return cells
    .filter((cell) => !cell.includes('SDK'))
    .flatMap((cell) =>
      [...cell.matchAll(/`(?:new |provider\.)?([A-Za-z]\w+)[^`]*`/g)].map(([, name = '']) => name),
    )
    .filter((name) => /[a-z][A-Z]/.test(name))
}

const sources = readdirSync(new URL('lib/', root), { recursive: true })
  .map(String)
  .filter((path) => path.endsWith('.ts'))
  .map((path) => read(`lib/${path}`))
  .join('\n')

const programsIn = (markdown: string): string[] =>
  [...markdown.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, program = '']) => program)

describe('docs/from-fastmcp.md', () => {
  const text = read('docs/from-fastmcp.md')
  const sections = sectionsOf(text)

  it.each([...FASTMCP_NAMES])('%s: every name has a row', (heading, names) => {
    const rows = firstColumn(sections.get(heading) ?? '')
    expect(names.filter((name) => !rows.includes(name))).toEqual([])
  })

  it.each(FASTMCP_EXAMPLES)('%s: has a file that is run', (title, file) => {
    expect(sections.get('Examples')).toMatch(new RegExp(`^\\| \\d+ \\| ${title} \\| \\[${file}\\.ts\\]`, 'm'))
    expect(text).toContain(read(`examples/fastmcp/${file}.ts`))
    expect(read('__tests__/flows/from-fastmcp.test.ts')).toMatch(new RegExp(`(?:it|test)\\('${file}: `))
  })

  it('says of each what is here, or why there is nothing', () => {
    const rows = text.split('\n').filter((line) => line.startsWith('| `'))
    expect(rows.length).toBeGreaterThan(100)
    expect(rows.filter((row) => /^\|[^|]+\| +\| +\|$/.test(row))).toEqual([])
  })
})

describe.each([
  ['docs/from-fastmcp.md', 'examples/fastmcp/'],
  ['docs/from-sdk.md', 'examples/from-sdk/'],
])('%s', (document, folder) => {
  const files = readdirSync(new URL(folder, root))

  it('names what there is', () => {
    const names = new Set(namesInColumn(read(document), 1))
    expect(names.size).toBeGreaterThan(20)
    expect([...names].filter((name) => !new RegExp(`\\b${name}\\b`).test(sources))).toEqual([])
  })

  it('quotes each file in full', () => {
    expect(files.length).toBeGreaterThan(4)
    const programs = programsIn(read(document))
    expect(files.filter((file) => !programs.includes(read(folder + file)))).toEqual([])
  })

  it('has no other program that could run', () => {
    const known = files.map((file) => read(folder + file))
    const others = programsIn(read(document)).filter((program) => !known.includes(program))
    expect(others.filter((program) => program.includes("from 'express-mcp-auth"))).toEqual([])
  })

  it('has small ones', () => {
    expect(files.filter((file) => read(folder + file).split('\n').length > 60)).toEqual([])
  })
})
