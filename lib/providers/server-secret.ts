// The `secret` option: what every key of an authorization server is derived from.
import { randomBytes } from 'node:crypto'
import { ConfigError } from '../protocol/errors.js'
import type { OptionReader } from '../protocol/options.js'
import { isProduction } from '../runtime/environment.js'
import type { AuthEvent } from '../runtime/events.js'
import { type DerivedKeys, deriveKeys } from '../runtime/keys.js'
import { keptSecret } from '../runtime/project.js'

const SECRET_BYTES = 32

const ADVICE =
  'write at least 32 random bytes, the same on every replica, from a secret store or the environment. Make them with: ' +
  "node -p \"require('crypto').randomBytes(32).toString('base64url')\""

/** The keys, and what is to be told of where they come from. */
export interface ParsedSecret {
  readonly keys: DerivedKeys
  readonly notices: readonly AuthEvent[]
}

/** Reads `secret`. @throws ConfigError */
export function parseSecret(read: OptionReader): ParsedSecret {
  const secrets = read.texts('secret')?.map((secret) => Buffer.from(secret))
  if (secrets === undefined) return makeSecret(read)
  const short = secrets.find((secret) => secret.length < SECRET_BYTES)
  if (short === undefined) return { keys: deriveKeys(secrets), notices: [] }
  throw new ConfigError(
    'ERR_MCP_AUTH_WEAK_KEY',
    `${read.name('secret')} must have at least ${SECRET_BYTES} bytes, not ${short.length}: ${ADVICE}`,
  )
}

/** For development. What lies in the default store could not be read after a restart, so its secret lies beside it. */
function makeSecret(read: OptionReader): ParsedSecret {
  if (isProduction()) throw read.missing('secret', ADVICE)
  const kept = read.has('store') ? undefined : keptSecret()
  const meanwhile =
    kept === undefined
      ? 'so everybody is signed out when this process ends'
      : 'so one is kept in .mcp-auth/secret, which is for development'
  const message = `no "secret" is set, ${meanwhile}: ${ADVICE}`
  return {
    keys: deriveKeys([kept ?? randomBytes(SECRET_BYTES)]),
    notices: [{ type: 'hint', code: 'random_secret', message }],
  }
}
