// The recipes of docs/testing.md: each is a file of examples/, quoted word for word, and passes under node:test. For jest see suite.test.ts.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'

const root = new URL('../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')
const recipes = readdirSync(new URL('examples/', root)).filter((file) => file.startsWith('testing-'))

describe('docs/testing.md', () => {
  const document = read('docs/testing.md')
  const quoted = [...document.matchAll(/```ts\n([^]*?)\n```/g)].map(([, block = '']) => block)
  const sources = recipes.map((file) => read(`examples/${file}`))

  test('quotes examples alone, word for word', () => {
    expect(quoted.length).toBeGreaterThan(5)
    expect(quoted.filter((block) => !sources.some((source) => source.includes(block)))).toEqual([])
  })

  test.each(recipes)('leads to %s', (file) => {
    expect(document).toContain(`(../examples/${file})`)
  })

  test.each(recipes)('%s fits on a screen: less than 60 lines, the suite less than 40', (file) => {
    const lines = read(`examples/${file}`).trimEnd().split('\n')
    expect(lines.length).toBeLessThan(file === 'testing-suite.ts' ? 40 : 60)
    expect(lines[0]).toMatch(/^\/\/ \S/)
  })
})

test('every recipe passes under node:test, as its readers run it', async () => {
  const files = recipes.map((file) => `examples/${file}`)
  const runner = spawn(process.execPath, ['--import', 'tsx', '--test', ...files], { cwd: root })
  let output = ''
  for (const stream of [runner.stdout, runner.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const [code] = (await once(runner, 'close')) as [number]
  expect(output).toMatch(/^(?:#|ℹ) fail 0$/m)
  expect(Number(/^(?:#|ℹ) pass (\d+)$/m.exec(output)?.[1])).toBeGreaterThan(recipes.length)
  expect(code).toBe(0)
}, 90_000)
