// What the documents point at is there, and what users meet is in the documents.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, it, test } from '@jest/globals'
import { AUTHORIZATION_SERVER_OPTIONS } from '../../lib/providers/authorization-server-options.js'

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

/** `T6–T8` and `T9, T10`, one by one. */
function idsIn(cell: string): string[] {
  return [...cell.matchAll(/\b([A-Z])(\d+)(?:–\1(\d+))?/g)].flatMap(([, letter, first, last = first]) =>
    Array.from(
      { length: Number(last) - Number(first) + 1 },
      (_, index) => `${letter}${Number(first) + index}`,
    ),
  )
}

const testNames = (cell: string): string[] =>
  [...cell.matchAll(/`([a-z-]+\/[a-z-]+)`/g)].map(([, name]) => `__tests__/${name}.test.ts`)

describe('docs/security.md', () => {
  const rows = rowsOf('docs/security.md').filter(([id = '']) => /^[A-Z]\d/.test(id))

  it('names tests that exist', () => {
    expect(rows.length).toBeGreaterThan(50)
    expect(rows.flatMap((row) => testNames(row.at(-1)!)).filter((file) => !isThere(file))).toEqual([])
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
    const names = [...read('docs/rfcs.md').matchAll(/`([A-Za-z-]+\/[a-z-]+\.ts)`/g)].map(
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

  test('every option of the authorization server', () => {
    const text = read('docs/options.md')
    expect(AUTHORIZATION_SERVER_OPTIONS.filter((name) => !text.includes(`\`${name}\``))).toEqual([])
  })

  test('every example', () => {
    const examples = readdirSync(new URL('examples/', root))
    const index = read('docs/examples.md')
    expect(examples.filter((file) => !index.includes(`(../examples/${file})`))).toEqual([])
  })
})
