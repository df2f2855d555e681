// docs/conformance.md says what every part of `npm run conformance` found.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'

const text = readFileSync(new URL('../../docs/conformance.md', import.meta.url), 'utf8')
const [, results = '', expected = ''] =
  /<!-- results: .* -->([^]*)## What is expected to fail([^]*)<!-- end of results -->/.exec(text) ?? []

const rowsOf = (markdown: string): string[][] =>
  markdown
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )

describe('docs/conformance.md', () => {
  it.each(['`client`', '`server`', '`authorization`', 'real clients'])(
    'explains the mode %s, and says what it found',
    (mode) => {
      expect(text).toContain(`- ${mode}: `)
      expect(rowsOf(results).filter(([name]) => name === mode)).not.toEqual([])
    },
  )

  it('has results in which nothing failed', () => {
    for (const [mode, requirement, subject, scenarios, passed, failed] of rowsOf(results)) {
      expect([mode, requirement, subject, failed]).toEqual([mode, requirement, subject, '0'])
      expect(Number(passed)).toBeGreaterThanOrEqual(Number(scenarios))
    }
  })

  it('has a reason for whatever is expected to fail', () => {
    for (const [mode, scenarios, why] of rowsOf(expected)) {
      expect(['`client`', '`server`']).toContain(mode)
      expect(scenarios).toMatch(/^`/)
      expect(why).toMatch(/\.$/)
    }
  })
})
