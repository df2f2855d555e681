// Where grants are kept unless somebody says otherwise: in a file of the project, so that a restart signs nobody out.
import { join } from 'node:path'
import type { Deps } from '../runtime/deps.js'
import { keptDirectory } from '../runtime/project.js'
import { SqliteStore } from './sqlite.js'

/** A {@link SqliteStore} at `.mcp-auth/store.sqlite` beside the nearest package.json. */
export function defaultStore(deps: Partial<Deps> = {}): SqliteStore {
  return new SqliteStore({ path: join(keptDirectory(), 'store.sqlite'), deps })
}
