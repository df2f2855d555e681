// Where the program runs that uses us.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The nearest directory with a package.json, from the working directory upwards; else the working directory. */
export function projectDirectory(from: string = process.cwd()): string {
  for (let directory = from; ; directory = dirname(directory)) {
    if (existsSync(join(directory, 'package.json'))) return directory
    if (dirname(directory) === directory) return from
  }
}
