// A token that was put where programs look for such: in the environment, or in a file.
import { readFileSync } from 'node:fs'
import { ConfigError } from '../protocol/errors.js'
import { OptionReader } from '../protocol/options.js'
import { surroundings } from '../runtime/user-environment.js'

export interface TokenFromEnvironmentOptions {
  /** Default: `MCP_AUTH_TOKEN`. */
  readonly variable?: string
  /** Read where the variable is not set. */
  readonly file?: string
}

/**
 * The token, without white space around it.
 *
 * @throws ConfigError where there is none
 */
export function tokenFromEnvironment(options: TokenFromEnvironmentOptions = {}): string {
  const read = new OptionReader('tokenFromEnvironment', options, ['variable', 'file'])
  const variable = read.text('variable') ?? 'MCP_AUTH_TOKEN'
  const file = read.text('file')
  const token = surroundings().env[variable]?.trim() ?? ''
  if (token !== '') return token
  if (file === undefined) throw missing(`set ${variable}`)
  return readToken(file, variable)
}

function readToken(file: string, variable: string): string {
  let token: string
  try {
    token = readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw missing(`set ${variable}, or write it to ${file} (${String((error as { code?: unknown }).code)})`)
  }
  if (token === '') throw missing(`set ${variable}, or write it to ${file}, which is empty`)
  return token
}

function missing(advice: string): ConfigError {
  return new ConfigError('ERR_MCP_AUTH_ENVIRONMENT', `There is no access token: ${advice}`)
}
