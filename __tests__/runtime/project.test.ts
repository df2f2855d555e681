import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { keptSecret } from '../../lib/runtime/project.js'
import { startProgram } from '../support/process.js'

let project: string
let directory: string
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'mcp-auth-kept-'))
  directory = join(project, '.mcp-auth')
})
afterEach(() => rmSync(project, { recursive: true }))

const modeOf = (path: string): number => statSync(path).mode & 0o777

describe('keptSecret', () => {
  it('G1 is made for the owner alone and out of sight of git, and then the same', () => {
    const secret = keptSecret(directory)
    expect(secret?.toString()).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect([modeOf(directory), modeOf(join(directory, 'secret'))]).toEqual([0o700, 0o600])
    expect(readFileSync(join(directory, '.gitignore'), 'utf8')).toBe('*\n')
    expect(readdirSync(directory).toSorted()).toEqual(['.gitignore', 'secret'])
    expect(keptSecret(directory)).toEqual(secret)
  })

  it('is another one in another project', () => {
    expect(keptSecret(join(project, 'other', '.mcp-auth'))).not.toEqual(keptSecret(directory))
  })

  it('takes what somebody wrote there, without the end of the line', () => {
    mkdirSync(directory)
    writeFileSync(join(directory, 'secret'), `${'x'.repeat(32)}\r\n`)
    expect(keptSecret(directory)?.toString()).toBe('x'.repeat(32))
    expect(existsSync(join(directory, '.gitignore'))).toBe(false)
  })

  it('is none where what stands there is too short, and leaves it as it is', () => {
    mkdirSync(directory)
    writeFileSync(join(directory, 'secret'), 'x'.repeat(31))
    expect(keptSecret(directory)).toBeUndefined()
    expect(readFileSync(join(directory, 'secret'), 'utf8')).toBe('x'.repeat(31))
  })

  it('is none where nothing can be written, or read', () => {
    writeFileSync(directory, 'a file in its place')
    expect(keptSecret(directory)).toBeUndefined()
    mkdirSync(join(project, 'odd', 'secret'), { recursive: true })
    expect(keptSecret(join(project, 'odd'))).toBeUndefined()
  })

  it('F9 is made once, however many processes ask at the same moment', async () => {
    const signal = join(project, 'go')
    const programs = Array.from({ length: 4 }, () =>
      startProgram('__tests__/support/secret-keeper.ts', [directory, signal], {}),
    )
    await Promise.all(programs.map((program) => program.printed(/ready/)))
    writeFileSync(signal, '')
    const given = await Promise.all(programs.map((program) => program.printed(/secret: (.*)\./)))
    await Promise.all(programs.map(({ ended }) => ended))
    expect(new Set(given.map(([, secret]) => secret))).toEqual(new Set([keptSecret(directory)?.toString()]))
    expect(readdirSync(directory).toSorted()).toEqual(['.gitignore', 'secret'])
  })
})
