// Where the program runs that uses us, and what is kept there for it.
import { randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const KEPT = '.mcp-auth'

/** The nearest directory with a package.json, from the working directory upwards; else the working directory. */
export function projectDirectory(from: string = process.cwd()): string {
  for (let directory = from; ; directory = dirname(directory)) {
    if (existsSync(join(directory, 'package.json'))) return directory
    if (dirname(directory) === directory) return from
  }
}

/** Where the project keeps what is ours. */
export function keptDirectory(): string {
  return join(projectDirectory(), KEPT)
}

/** Makes a directory for the owner's eyes alone, where it is missing. What lies in one that we made is nobody's source. */
export function makePrivateDirectory(directory: string): void {
  const made = mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (made !== undefined) appendFileSync(join(directory, '.gitignore'), '*\n', { mode: 0o600 })
}

/** A secret that is made once and then the same, however many processes ask; undefined where none can be kept. */
export function keptSecret(directory: string = keptDirectory()): Buffer | undefined {
  const file = join(directory, 'secret')
  try {
    if (!existsSync(file)) writeOnce(directory, file)
    const secret = Buffer.from(readFileSync(file, 'utf8').trim())
    return secret.length < 32 ? undefined : secret
  } catch {
    // A directory that cannot be written to, as in many containers: that is for the hint to say.
    return undefined
  }
}

/** Written aside and linked, so that nobody reads half of it, and the first of several wins. */
function writeOnce(directory: string, file: string): void {
  makePrivateDirectory(directory)
  const aside = `${file}.${randomBytes(6).toString('hex')}`
  writeFileSync(aside, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  try {
    linkSync(aside, file)
  } catch (error) {
    if (!existsSync(file)) throw error
  } finally {
    rmSync(aside)
  }
}
