// Stands where the guard stands, and keeps what a verifier tells it.
import type { AuthEvent, Reason, VerifyContext } from 'express-mcp-auth'

export interface Recorder {
  readonly context: VerifyContext
  readonly events: AuthEvent[]
  readonly reasons: Reason[]
}

export function createRecorder(): Recorder {
  const events: AuthEvent[] = []
  const reasons: Reason[] = []
  const report = (event: AuthEvent): void => void events.push(event)
  const refuse = (reason: Reason): null => {
    reasons.push(reason)
    return null
  }
  return { context: { report, refuse }, events, reasons }
}
