import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { projectDirectory } from '../../lib/runtime/project.js'
import { defaultStore } from '../../lib/stores/default-store.js'

let directory: string
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'mcp-auth-project-')))
})
afterEach(() => {
  jest.restoreAllMocks()
  rmSync(directory, { recursive: true })
})

describe('defaultStore', () => {
  it('G1 is a file of the project, for the owner alone and out of sight of git', async () => {
    writeFileSync(join(directory, 'package.json'), '{}')
    mkdirSync(join(directory, 'src'))
    jest.spyOn(process, 'cwd').mockReturnValue(join(directory, 'src'))
    const store = defaultStore()
    const made = join(directory, '.mcp-auth')
    expect(existsSync(made)).toBe(false)
    await store.put('c', 'k', { value: 'kept', version: 'v', expiresAt: Date.now() + 60_000 })
    await store.close()
    expect(statSync(made).mode & 0o777).toBe(0o700)
    expect(statSync(join(made, 'store.sqlite')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(made, '.gitignore'), 'utf8')).toBe('*\n')
    const again = defaultStore()
    expect((await again.get('c', 'k'))?.value).toBe('kept')
    await again.close()
  })
})

describe('projectDirectory', () => {
  it('is the nearest one with a package.json', () => {
    mkdirSync(join(directory, 'app', 'src', 'deep'), { recursive: true })
    writeFileSync(join(directory, 'package.json'), '{}')
    writeFileSync(join(directory, 'app', 'package.json'), '{}')
    expect(projectDirectory(join(directory, 'app', 'src', 'deep'))).toBe(join(directory, 'app'))
    expect(projectDirectory(join(directory, 'app'))).toBe(join(directory, 'app'))
  })

  it('is where one started, if none has', () => {
    expect(projectDirectory(directory)).toBe(directory)
  })
})
