// What a program for one person takes from where it runs: variables of the environment, and where that person's settings are kept.
import { homedir } from 'node:os'
import { join } from 'node:path'

/** What of the process decides. Tests bring their own. */
export interface Surroundings {
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
}

/** Those of this process, as they are now. */
export function surroundings(): Surroundings {
  return { platform: process.platform, env: process.env, home: homedir() }
}

/** Where programs of this person keep what is theirs: by the XDG base directories, `APPDATA`, or the library of macOS. */
export function configDirectory({ platform, env, home }: Surroundings = surroundings()): string {
  if (platform === 'win32') return env['APPDATA'] ?? join(home, 'AppData', 'Roaming')
  if (platform === 'darwin') return join(home, 'Library', 'Application Support')
  const named = env['XDG_CONFIG_HOME']
  // A relative path is to be ignored, says the specification of those directories.
  return named?.startsWith('/') === true ? named : join(home, '.config')
}
