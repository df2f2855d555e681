// Which path a request is for, and which paths are guarded. In doubt a path is guarded.
import type { IncomingMessage } from 'node:http'
import parseurl from 'parseurl'
import { ConfigError } from '../protocol/errors.js'

/** The path as the router of Express and connect will see it; undefined where the target is no URL. */
export function pathOfRequest(request: IncomingMessage): string | undefined {
  try {
    return parseurl(request)?.pathname ?? undefined
  } catch {
    return undefined
  }
}

/** Whether a request is for a guarded path, by that path and by the target as it came. */
export type PathTest = (path: string, target: string) => boolean

/** Reads the `protect` option: everything, or these paths and what lies under them. */
export function parseProtect(protect: unknown): PathTest {
  if (protect === undefined) return () => true
  const paths: unknown[] = Array.isArray(protect) ? protect : [protect]
  if (paths.length === 0 || !paths.every((path) => typeof path === 'string' && path.startsWith('/'))) {
    throw invalid('must be a path such as "/mcp", or a list of them')
  }
  const pattern = (paths as string[]).find((path) => /[*:{}()?#+[\]!]/.test(path))
  if (pattern !== undefined)
    throw invalid(`takes plain paths, and all below them, not the pattern ${JSON.stringify(pattern)}`)
  const guarded = (paths as string[]).map((path) => normalise(path).replace(/\/$/, ''))
  return (path, target) => {
    // Routers differ in whether they decode, proxies in how they resolve, and who parses the target as a URL sees a host in
    // "//host/path". Every reading counts.
    const readings = [path.toLowerCase(), ...passed(path), ...passed(pathAsUrl(target))]
    return readings.some((reading) => guarded.some((start) => isAtOrBelow(reading, start)))
  }
}

/** connect takes a dot for the end of a segment, as it takes a slash. */
function isAtOrBelow(reading: string, start: string): boolean {
  return (
    reading.startsWith(start) &&
    (reading.length === start.length || '/.'.includes(reading.charAt(start.length)))
  )
}

function pathAsUrl(target: string): string {
  try {
    return new URL(target, 'http://host').pathname
  } catch {
    return target
  }
}

function invalid(problem: string): ConfigError {
  return new ConfigError('ERR_MCP_AUTH_INVALID_OPTION', `mcpAuth: "protect" ${problem}`)
}

/** Decoded, in small letters, without doubled slashes and dot segments. */
function normalise(path: string): string {
  return passed(path).at(-1) as string
}

/**
 * The same, with every place that a path leaves again by "..": a router that decodes but does not resolve takes `/%6dcp/..` to what
 * lies at `/mcp`.
 */
function passed(path: string): string[] {
  const decoded = decode(path).replace(/\\/g, '/').toLowerCase()
  const segments: string[] = []
  const left: string[] = []
  for (const segment of decoded.split('/')) {
    if (segment === '..') {
      left.push(`/${segments.join('/')}`)
      segments.pop()
    } else if (segment !== '' && segment !== '.') segments.push(segment)
  }
  return [...left, `/${segments.join('/')}`]
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    // Broken escapes stay as they are; the sound ones around them still count.
    return path.replace(/%[0-9a-f]{2}/gi, (escape) => {
      const code = Number.parseInt(escape.slice(1), 16)
      return code < 0x80 ? String.fromCharCode(code) : escape
    })
  }
}
