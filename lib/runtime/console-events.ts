// A listener that prints events, one line each.
import type { AuthEvent, EventListener } from './events.js'

/** How {@link consoleEvents} prints. */
export interface ConsoleEventsOptions {
  /** Which events: everything, or what an operator may have to act on. Default: `problems`. */
  readonly show?: 'all' | 'problems'
  /** Takes a line. Default: `console.error`. */
  readonly write?: (line: string) => void
}

/**
 * A listener for `onEvent` that prints one line an event. Values are JSON, so that nothing from a request can start a
 * line of its own or colour the terminal.
 *
 * @example app.use(mcpAuth(provider, { onEvent: consoleEvents() }))
 */
export function consoleEvents(options: ConsoleEventsOptions = {}): EventListener {
  const { show = 'problems', write = print } = options
  return (event) => {
    if (show === 'problems' && isRoutine(event)) return
    const { type, ...facts } = event
    write(`[mcp-auth] ${type} ${escapeControls(JSON.stringify(facts))}`)
  }
}

function print(line: string): void {
  // oxlint-disable-next-line no-console -- this is the one that prints
  console.error(line)
}

/** What happens every day where nothing is wrong. */
const ROUTINE: ReadonlySet<AuthEvent['type']> = new Set<AuthEvent['type']>([
  'request.allowed',
  'keys.fetched',
  'client.registered',
  'sign_in.succeeded',
  'authorization.granted',
  'authorization.denied',
  'token.issued',
])

function isRoutine(event: AuthEvent): boolean {
  if (event.type === 'request.refused') return event.reason.stage === 'credentials'
  if (event.type === 'grant.revoked') return event.why === 'client' || event.why === 'user'
  return ROUTINE.has(event.type)
}

/** JSON leaves DEL, the C1 controls and the Unicode line ends as they are. */
function escapeControls(json: string): string {
  return json.replace(/[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (letter) => {
    return `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
