// RFC 7591 3: clients register themselves. They describe themselves, and get no power by it.
import { timingSafeEqual } from 'node:crypto'
import { type ClientMetadata, metadataToWire, parseClientMetadata } from '../protocol/client-metadata.js'
import { digest } from '../runtime/digest.js'
import type { RegistrationSettings, AuthorizationServer, Report } from './server.js'

/** The answer, RFC 7591 3.2.1. */
export type RegistrationAnswer = Readonly<Record<string, unknown>>

/** Whether a request may register at all (RFC 7591 3, initial access token). */
export function mayRegister(
  token: string | undefined,
  { initialTokenDigest }: RegistrationSettings,
): boolean {
  if (initialTokenDigest === undefined) return true
  return timingSafeEqual(Buffer.from(digest(token ?? '')), Buffer.from(initialTokenDigest))
}

/** Registers a client, or finds the one that registered with the same words before. */
export async function registerClient(
  document: unknown,
  server: AuthorizationServer,
  report: Report,
): Promise<RegistrationAnswer> {
  const { isAllowedRedirect } = server.settings
  const { metadata, dropped } = parseClientMetadata(
    document,
    isAllowedRedirect === undefined ? {} : { allowRedirectUri: isAllowedRedirect },
  )
  const secret = needsSecret(metadata) ? server.deps.randomId() + server.deps.randomId() : undefined
  const wire = metadataToWire(metadata)
  const { record, isNew } = await server.clients.register(metadata, wire, secret && digest(secret))
  const { clientId, name, redirectUris } = record.client
  if (isNew) {
    const omitted = dropped.map(({ uri, why }) => `${uri.slice(0, 200)}: ${why}`)
    report({ type: 'client.registered', clientId, name, redirectUris, dropped: omitted })
  }
  return {
    client_id: clientId,
    client_id_issued_at: record.issuedAt,
    // 0: it does not expire (RFC 7591 3.2.1).
    ...(secret !== undefined && { client_secret: secret, client_secret_expires_at: 0 }),
    ...record.metadata,
  }
}

function needsSecret({ authMethod }: ClientMetadata): boolean {
  return authMethod === 'client_secret_basic' || authMethod === 'client_secret_post'
}
