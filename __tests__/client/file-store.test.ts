// What a client keeps between runs, in files.
import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { testClock } from 'express-mcp-auth/testing'
import { FileStore } from '../../lib/client/file-store.js'
import { storeCases } from '../support/store-contract.js'

const root = mkdtempSync(join(tmpdir(), 'mcp-client-files-'))
afterAll(() => rmSync(root, { recursive: true }))
let count = 0
const newDirectory = (): string => join(root, `store-${count++}`)

const clock = testClock(1_700_000_000_000)
const entry = (value: string, version = value) => ({ value, version, expiresAt: clock.now() + 60_000 })

/** Paths of all files below a directory. */
const filesIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile() && file.name !== '.gitignore')
    .map((file) => join(file.parentPath, file.name))

describe('FileStore', () => {
  it.each(storeCases((deps) => new FileStore(newDirectory(), deps)))('%s', (_, run) => run())

  it('keeps files that only their owner can read, in directories that only their owner can enter', async () => {
    const directory = newDirectory()
    const store = new FileStore(directory, clock)
    await store.put('c', 'k', entry('secret'))
    await store.compareAndSwap('c', 'k', 'secret', entry('changed'))

    const [file, ...others] = filesIn(directory).toSorted(
      (one, other) => statSync(other).size - statSync(one).size,
    )
    for (const other of others) expect(statSync(other).mode & 0o777).toBe(0o600)
    expect(statSync(file!).mode & 0o777).toBe(0o600)
    expect(statSync(join(file!, '..')).mode & 0o777).toBe(0o700)
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    expect(readFileSync(file!, 'utf8')).toContain('changed')
  })

  it('leaves no file behind of what was replaced or deleted', async () => {
    const directory = newDirectory()
    const store = new FileStore(directory, clock)
    for (let n = 0; n < 40; n++) await store.put('c', 'k', entry(`v${n}`))
    await store.delete('c', 'k')

    const texts = filesIn(directory).map((file) => readFileSync(file, 'utf8'))
    expect(texts.toSorted()).toEqual([...Array.from({ length: 15 }, () => ''), 'null'])
    expect(await store.putIfAbsent('c', 'k', entry('again'))).toBe(true)
  })

  it('clears away what a process left behind that died while it wrote, and nothing that is being written', async () => {
    const directory = newDirectory()
    const store = new FileStore(directory, clock)
    await store.put('c', 'k', entry('first'))
    const place = join(filesIn(directory)[0]!, '..')
    for (const [name, age] of Object.entries({ '.left': 61, '.writing': 59 })) {
      writeFileSync(join(place, name), JSON.stringify(entry('secret')))
      const seconds = clock.now() / 1000 - age
      utimesSync(join(place, name), seconds, seconds)
    }
    await store.put('c', 'k', entry('second'))
    expect(readdirSync(place).filter((name) => name.startsWith('.'))).toEqual(['.writing'])
    expect(await store.get('c', 'k')).toEqual(entry('second'))
  })

  it.each([0o777, 0o720, 0o702, 0o770])('keeps nothing where others may write: mode %o', async (mode) => {
    const directory = newDirectory()
    const store = new FileStore(directory, clock)
    await store.put('c', 'k', entry('mine'))
    chmodSync(directory, mode)
    const message = `FileStore: the directory ${directory} can be written by other users: keep tokens in one of your own, with mode 700`
    await expect(store.get('c', 'k')).rejects.toThrow(message)
    await expect(store.put('c', 'k', entry('more'))).rejects.toThrow(message)
    chmodSync(directory, 0o755)
    expect(await store.get('c', 'k')).toEqual(entry('mine'))
  })

  it('keeps nothing in a directory of somebody else', async () => {
    const directory = newDirectory()
    const store = new FileStore(directory, clock)
    await store.put('c', 'k', entry('mine'))
    const { getuid } = process
    process.getuid = () => getuid!() + 1
    try {
      await expect(store.get('c', 'k')).rejects.toThrow('belongs to another user')
    } finally {
      process.getuid = getuid!
    }
    expect(await store.get('c', 'k')).toEqual(entry('mine'))
  })

  it('takes a damaged file for none, and writes over it', async () => {
    const directory = newDirectory()
    const store = new FileStore(directory, clock)
    await store.put('c', 'k', entry('good'))
    for (const damaged of ['{"value":"go', '{}', '7', '']) {
      writeFileSync(filesIn(directory)[0]!, damaged)
      expect(await store.get('c', 'k')).toBeUndefined()
    }
    await store.put('c', 'k', entry('new'))
    expect(await store.get('c', 'k')).toEqual(entry('new'))
  })

  it('notices that it is far behind, where a number may have been taken and forgotten', async () => {
    const directory = newDirectory()
    const store = new FileStore(directory, clock)
    await store.put('c', 'k', entry('first'))
    const [place] = filesIn(directory).map((file) => join(file, '..'))
    const slow = store.compareAndSwap('c', 'k', 'first', entry('slow'))
    // What a faster process leaves behind.
    writeFileSync(join(place!, '90'), JSON.stringify(entry('fast')))

    expect(await slow).toBe(false)
    expect(await store.get('c', 'k')).toEqual(entry('fast'))
  })

  it('says that the directory is not one', async () => {
    const file = join(root, 'a file')
    writeFileSync(file, '')
    const store = new FileStore(join(file, 'below'), clock)
    await expect(store.get('c', 'k')).rejects.toThrow(/^FileStore: .*ENOTDIR/)
    await expect(store.put('c', 'k', entry('v'))).rejects.toThrow('FileStore: ')
  })
})
