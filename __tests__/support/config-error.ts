// What a developer is told who wrote something wrong.
import { ConfigError, type ConfigErrorCode } from 'express-mcp-auth'

/** The ConfigError that a piece of code throws. Anything else that happens is thrown on. */
export function configErrorOf(build: () => unknown): { code: ConfigErrorCode; message: string } {
  let built: unknown
  try {
    built = build()
  } catch (error) {
    if (error instanceof ConfigError) return { code: error.code, message: error.message }
    throw error
  }
  throw new Error(`no ConfigError, but ${String(built)}`)
}
