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

/** Whether a path is guarded. */
export type PathTest = (path: string) => boolean

/** Reads the `protect` option: everything, or these paths and what lies under them. */
export function parseProtect(protect: unknown): PathTest {
  if (protect === undefined) return () => true
  const paths: unknown[] = Array.isArray(protect) ? protect : [protect]
  if (paths.length === 0 || !paths.every((path) => typeof path === 'string' && path.startsWith('/'))) {
    throw new ConfigError(
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth: "protect" must be a path such as "/mcp", or a list of them',
    )
  }
  const guarded = (paths as string[]).map((path) => normalise(path).replace(/\/$/, ''))
  return (path) => {
    // Routers differ in whether they decode, and proxies in how they resolve; every reading of the path counts.
    const readings = [path.toLowerCase(), normalise(path)]
    return readings.some((reading) =>
      guarded.some((start) => reading === start || reading.startsWith(`${start}/`)),
    )
  }
}

/** Decoded, in small letters, without doubled slashes and dot segments. */
function normalise(path: string): string {
  const decoded = decode(path).replace(/\\/g, '/').toLowerCase()
  const segments: string[] = []
  for (const segment of decoded.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(segment)
  }
  return `/${segments.join('/')}`
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
