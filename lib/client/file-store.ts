// A store of files, each for the eyes of its owner alone: what a program for one person keeps between runs.
import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, readdir, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Deps } from '../runtime/deps.js'
import { digest } from '../runtime/digest.js'
import { makePrivateDirectory } from '../runtime/project.js'
import { checkNames, checkWrite } from '../stores/checks.js'
import type { Store, StoreEntry } from '../stores/store.js'
import { StoreError } from '../stores/store-error.js'

/** How many numbers a slow process may be behind without taking one twice. */
const REMEMBERED = 16

/** Writing aside takes no longer; what is older was left behind by a process that died. */
const ASIDE_MILLISECONDS = 60_000

/** What one file holds: an entry, or null where it was deleted. */
type Content = StoreEntry | null

/** The newest state of an entry. */
interface Latest {
  /** States are counted; 0 where there has been none. */
  readonly generation: number
  readonly content: Content
}

/**
 * Each entry is a directory, and each state of it a file in there, named by a number that only rises. A state is written aside and linked
 * to its number, so that nobody reads half of one, and of several processes that write at once one gets the number. There are no locks, so
 * none is left behind by a process that dies.
 */
export class FileStore implements Store {
  readonly #directory: string
  readonly #now: () => number

  constructor(directory: string, deps: Pick<Deps, 'now'>) {
    this.#directory = directory
    this.#now = deps.now
  }

  async get(collection: string, key: string): Promise<StoreEntry | undefined> {
    checkNames(collection, key)
    return this.#living(
      await this.#run(async () => {
        await checkOwn(this.#directory)
        return latestOf(this.#place(collection, key))
      }),
    )
  }

  async put(collection: string, key: string, entry: StoreEntry): Promise<void> {
    checkWrite(collection, key, entry)
    while (!(await this.#write(collection, key, () => entry)));
  }

  async putIfAbsent(collection: string, key: string, entry: StoreEntry): Promise<boolean> {
    checkWrite(collection, key, entry)
    return this.#write(collection, key, (living) => (living === undefined ? entry : undefined))
  }

  async compareAndSwap(
    collection: string,
    key: string,
    version: string,
    entry: StoreEntry,
  ): Promise<boolean> {
    checkWrite(collection, key, entry)
    return this.#write(collection, key, (living) => (living?.version === version ? entry : undefined))
  }

  async delete(collection: string, key: string, version?: string): Promise<boolean> {
    checkNames(collection, key)
    for (;;) {
      let isThere = false as boolean
      const done = await this.#write(collection, key, (living) => {
        isThere = living !== undefined && (version === undefined || living.version === version)
        return isThere ? null : undefined
      })
      // Somebody else wrote meanwhile: what is there now may have to go as well.
      if (done || !isThere) return done
    }
  }

  /** @param next what the entry becomes; undefined leaves it as it is. False where it was left, or somebody else wrote first. */
  #write(
    collection: string,
    key: string,
    next: (living: StoreEntry | undefined) => Content | undefined,
  ): Promise<boolean> {
    return this.#run(async () => {
      await checkOwn(this.#directory)
      const place = this.#place(collection, key)
      const latest = await latestOf(place)
      const content = next(this.#living(latest))
      if (content === undefined) return false
      makePrivateDirectory(this.#directory)
      await mkdir(place, { recursive: true, mode: 0o700 })
      await clearAside(place, this.#now() - ASIDE_MILLISECONDS)
      return append(place, latest.generation + 1, content)
    })
  }

  #living({ content }: Latest): StoreEntry | undefined {
    return content !== null && content.expiresAt > this.#now() ? content : undefined
  }

  #place(collection: string, key: string): string {
    // Names may differ in case alone, which not every file system tells apart.
    return join(this.#directory, digest(`${collection} ${key}`))
  }

  async #run<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      throw StoreError.of('FileStore', error)
    }
  }
}

/** Whoever else could write here could have us use tokens of theirs. What lies in it is for its owner's eyes by itself. */
async function checkOwn(directory: string): Promise<void> {
  const status = await ignoring('ENOENT', stat(directory), undefined)
  const user = process.getuid?.()
  // Windows has no such modes; what is among the settings of a user is theirs there.
  if (status === undefined || user === undefined) return
  const why =
    status.uid !== user
      ? 'belongs to another user'
      : (status.mode & 0o022) !== 0
        ? 'can be written by other users'
        : undefined
  if (why === undefined) return
  throw new StoreError(
    `FileStore: the directory ${directory} ${why}: keep tokens in one of your own, with mode 700`,
  )
}

/** What was written aside, and never linked or taken away, holds tokens. */
async function clearAside(place: string, before: number): Promise<void> {
  for (const name of await readdir(place)) {
    const path = join(place, name)
    if (!name.startsWith('.')) continue
    const status = await ignoring('ENOENT', stat(path), undefined)
    if (status !== undefined && status.mtimeMs < before) await ignoring('ENOENT', unlink(path), undefined)
  }
}

async function latestOf(place: string): Promise<Latest> {
  let before = 0
  for (;;) {
    const generation = Math.max(0, ...(await generationsIn(place)))
    if (generation === 0) return { generation, content: null }
    const text = await readIfThere(join(place, String(generation)))
    // Cleared away since it was listed, so there is a newer one; the same one twice is damaged.
    if (text !== '' || generation === before) return { generation, content: parse(text) }
    before = generation
  }
}

async function generationsIn(place: string): Promise<number[]> {
  const names = await ignoring('ENOENT', readdir(place), [])
  return names.filter((name) => /^[1-9]\d*$/.test(name)).map(Number)
}

const readIfThere = (path: string): Promise<string> => ignoring('ENOENT', readFile(path, 'utf8'), '')

/** Makes a state the newest one. False where another process was first. */
async function append(place: string, generation: number, content: Content): Promise<boolean> {
  const aside = await writeAside(place, JSON.stringify(content))
  const numbered = join(place, String(generation))
  try {
    const linked = ignoring('EEXIST', link(aside, numbered).then(isDone), false)
    // A process that slept for minutes may find that it was cleared away.
    if (!(await ignoring('ENOENT', linked, false))) return false
  } finally {
    await ignoring('ENOENT', unlink(aside), undefined)
  }
  const all = await generationsIn(place)
  // So far behind that the number may have been taken before, and forgotten since.
  if (Math.max(...all) - generation >= REMEMBERED) {
    await ignoring('ENOENT', unlink(numbered), undefined)
    return false
  }
  for (const older of all) if (older < generation) await clear(place, older, generation)
  return true
}

const isDone = (): true => true

/** Numbers that were taken stay taken, without what they stood for. */
async function clear(place: string, older: number, newest: number): Promise<void> {
  const path = join(place, String(older))
  if (newest - older >= REMEMBERED) return ignoring('ENOENT', unlink(path), undefined)
  // Replaced and not truncated: whoever reads it now reads it to its end.
  if ((await readIfThere(path)) !== '')
    await ignoring('ENOENT', rename(await writeAside(place, ''), path), undefined)
}

async function writeAside(place: string, text: string): Promise<string> {
  const aside = join(place, `.${randomBytes(9).toString('hex')}`)
  const file = await open(aside, 'wx', 0o600)
  try {
    await file.writeFile(text)
    // Losing power must not bring a token back that was used up.
    if (text !== '') await file.sync()
  } finally {
    await file.close()
  }
  return aside
}

async function ignoring<Result>(code: string, work: Promise<Result>, instead: Result): Promise<Result> {
  try {
    return await work
  } catch (error) {
    if ((error as { code?: unknown }).code === code) return instead
    throw error
  }
}

/** A file that is damaged is as good as none. */
function parse(text: string): Content {
  try {
    const content = JSON.parse(text) as Content
    return typeof content?.value === 'string' ? content : null
  } catch {
    return null
  }
}
