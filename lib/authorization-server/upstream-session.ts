// What is behind a grant at the identity provider is looked at with each request, and renewed by one process at a time.
import type { Stored } from '../stores/collection.js'
import type { VerifyContext } from '../verifiers/verifier.js'
import { asking, unavailable, upstreamOf } from './ask-upstream.js'
import { revokeGrant } from './grants.js'
import {
  type KeptSession,
  type UpstreamSession,
  giveUp,
  grantUpstream,
  openSession,
} from './kept-upstream.js'
import type { GrantRecord, GrantUpstream } from './records.js'
import type { AuthorizationServer, Report } from './server.js'
import { refusedGrant } from './tokens.js'
import { UpstreamRefusal, type UpstreamTokens, type UpstreamUser } from './upstream.js'

/** A token that was refused is not worth renewing at each request that comes with it. */
const REFUSED_AGAIN_MILLISECONDS = 60_000

/**
 * What is behind a grant, renewed where it has run out, and still good as the identity provider says.
 *
 * @returns undefined where it is not good any more
 * @throws OAuthError `temporarily_unavailable` where that cannot be known
 */
export async function findUpstream(
  grantId: string,
  found: Stored<GrantRecord>,
  server: AuthorizationServer,
  context: VerifyContext,
  wasRenewed: boolean = false,
): Promise<KeptSession | undefined> {
  let grant: Stored<GrantRecord> | undefined = found
  for (let isFresh = wasRenewed; grant !== undefined; isFresh = true) {
    const session = openSession(grantId, grant.data, server)
    if (session === undefined) return undefined
    const { kept } = session
    if (isFresh || !isEnding(kept, server)) {
      const isOld = server.deps.now() - kept.obtainedAt >= REFUSED_AGAIN_MILLISECONDS
      const mayRenew = !isFresh && kept.renewable && isOld
      const user = await identify(session, grant.data, server, context).catch((error: unknown) => {
        // What cannot be judged, e.g. since its key was withdrawn, may be followed by what can.
        if (!mayRenew) throw error
        return undefined
      })
      if (user !== undefined) {
        if (isFresh) await keepGranted(grantId, grant, { ...session, user }, server)
        return { ...session, user }
      }
      if (!mayRenew) return undefined
    }
    grant = await renew(grantId, kept.round, server, context)
  }
  return undefined
}

/** What is granted less there is granted less here, from the next refresh on. Some tell by their verifier alone. */
async function keepGranted(
  grantId: string,
  grant: Stored<GrantRecord>,
  { tokens, user }: UpstreamSession,
  server: AuthorizationServer,
): Promise<void> {
  const scopes = upstreamOf(server).granted(grant.data.scopes, tokens, user)
  if (scopes.length === grant.data.scopes.length) return
  await server.grants.replace(grantId, grant, { ...grant.data, scopes })
}

/** Whether an access token has ended, or is about to. One that lives for seconds only is used for half of them. */
export function isEnding(
  { expiresAt, renewable, obtainedAt }: GrantUpstream,
  server: AuthorizationServer,
): boolean {
  if (expiresAt === undefined || !renewable) return false
  const threshold = upstreamOf(server).expiryThresholdSeconds * 1000
  return expiresAt - Math.min(threshold, (expiresAt - obtainedAt) / 2) <= server.deps.now()
}

/** Whose the tokens are; undefined where they are nobody's any more, or somebody else's. */
async function identify(
  { tokens, user: known, resource }: UpstreamSession,
  { subject, scopes }: GrantRecord,
  server: AuthorizationServer,
  context: VerifyContext,
): Promise<UpstreamUser | undefined> {
  const user = await asking(server, context.report, 'identify', () =>
    upstreamOf(server).identify(tokens, { scopes, resource }, known, context),
  )
  if (user === null) return undefined
  if (user.subject === subject) return user
  context.refuse({ stage: 'upstream', expected: subject, got: user.subject })
  return undefined
}

/**
 * Before a client renews its own access: what is behind it is renewed too, so that whoever was shut out at the identity provider is shut
 * out here.
 *
 * @throws OAuthError `invalid_grant` where it ended, `temporarily_unavailable` where nothing was decided and nothing is used up
 */
export async function keepUpstream(
  grantId: string,
  stored: Stored<GrantRecord>,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  const context: VerifyContext = { report, refuse: () => null }
  const session = openSession(grantId, stored.data, server)
  // Another process may know the secret that it is sealed with.
  if (session === undefined)
    throw refusedGrant('what is behind the grant is sealed with a secret that is not known here')
  const { kept } = session
  const isDue = kept.renewable && !isKept(kept, server)
  const grant = isDue ? await renew(grantId, kept.round, server, context) : stored
  if (grant === undefined) throw refusedGrant('the identity provider ended it; the grant is revoked')
  if ((await findUpstream(grantId, grant, server, context, isDue)) !== undefined) return
  await revokeGrant(grantId, grant.data, 'upstream', server, report)
  throw refusedGrant('the identity provider no longer vouches for its user; the grant is revoked')
}

/** What was renewed since the client renewed its own access last, and just now, was renewed for this. */
const KEPT_MILLISECONDS = 60_000

function isKept({ round, keptRound = 0, obtainedAt }: GrantUpstream, { deps }: AuthorizationServer): boolean {
  return round > keptRound && deps.now() - obtainedAt < KEPT_MILLISECONDS
}

/** Longer than one renewal can take, and by what clocks of replicas may differ, so that it ends only where the process did. */
const LEASE_MILLISECONDS = 150_000
/** So long others wait for it, and so often they look. */
const LONGEST_WAIT_MILLISECONDS = 8000
const LOOK_AGAIN_MILLISECONDS = 50

/**
 * Renews what is behind a grant, unless somebody did since it was read. However many processes want that, the identity provider is asked
 * once: a refresh token that is used twice ends there.
 *
 * @returns undefined where the grant has ended
 */
function renew(
  grantId: string,
  round: number,
  server: AuthorizationServer,
  context: VerifyContext,
): Promise<Stored<GrantRecord> | undefined> {
  return server.renewals.run(grantId, () => renewOnce(grantId, round, server, context))
}

async function renewOnce(
  grantId: string,
  round: number,
  server: AuthorizationServer,
  context: VerifyContext,
): Promise<Stored<GrantRecord> | undefined> {
  const { deps, grants } = server
  const since = deps.now()
  for (;;) {
    const stored = await grants.get(grantId)
    const session = stored && openSession(grantId, stored.data, server)
    if (stored === undefined || session === undefined) return undefined
    const { kept } = session
    if (kept.round > round) return stored
    const now = deps.now()
    if ((kept.leasedUntil ?? 0) > now) {
      if (now - since > LONGEST_WAIT_MILLISECONDS)
        throw unavailable('another process is renewing for too long')
      await new Promise<void>((resolve) => deps.after(LOOK_AGAIN_MILLISECONDS, resolve))
      continue
    }
    const leased = { ...stored.data, upstream: { ...kept, leasedUntil: now + LEASE_MILLISECONDS } }
    const taken = await grants.replace(grantId, stored, leased)
    if (taken !== undefined) return renewLeased(grantId, taken, session, server, context)
  }
}

async function renewLeased(
  grantId: string,
  taken: Stored<GrantRecord>,
  session: KeptSession,
  server: AuthorizationServer,
  context: VerifyContext,
): Promise<Stored<GrantRecord> | undefined> {
  const { report } = context
  const { kept, resource } = session
  const origin = { scopes: taken.data.scopes, resource }
  let tokens: UpstreamTokens
  try {
    tokens = await asking(server, report, 'refresh', () =>
      upstreamOf(server).refresh(session.tokens, origin, context),
    )
  } catch (error) {
    if (error instanceof UpstreamRefusal) {
      // A process whose lease ran out may have been faster in the end.
      const current = await server.grants.get(grantId)
      if ((current?.data.upstream?.round ?? 0) > kept.round) return current
      await revokeGrant(grantId, taken.data, 'upstream', server, report)
      return undefined
    }
    // Whoever comes next need not wait for the end of the lease. That this may fail as well changes nothing: then they wait.
    await release(grantId, taken, server).catch(() => undefined)
    throw error
  }
  return keepRenewed(grantId, { ...session, tokens }, kept.round + 1, server, report)
}

/** Gives up a lease, whatever else was changed in the grant meanwhile. */
async function release(
  grantId: string,
  taken: Stored<GrantRecord>,
  { grants }: AuthorizationServer,
): Promise<void> {
  const until = taken.data.upstream?.leasedUntil
  let current: Stored<GrantRecord> | undefined = taken
  while (current?.data.upstream !== undefined && current.data.upstream.leasedUntil === until) {
    const upstream: GrantUpstream = { ...current.data.upstream, leasedUntil: undefined }
    if ((await grants.replace(grantId, current, { ...current.data, upstream })) !== undefined) return
    current = await grants.get(grantId)
  }
}

/** New tokens are tried to be written for so long: where the store comes back, nobody has to sign in again for its absence. */
const WRITTEN_WITHIN_MILLISECONDS = 30_000
const WRITE_AGAIN_MILLISECONDS = 250

async function keepRenewed(
  grantId: string,
  session: UpstreamSession,
  round: number,
  server: AuthorizationServer,
  report: Report,
): Promise<Stored<GrantRecord> | undefined> {
  const { deps } = server
  const until = deps.now() + WRITTEN_WITHIN_MILLISECONDS
  for (;;) {
    try {
      return await writeRenewed(grantId, session, round, server, report)
    } catch (error) {
      if (deps.now() >= until) throw error
      await new Promise<void>((resolve) => deps.after(WRITE_AGAIN_MILLISECONDS, resolve))
    }
  }
}

/** Writes new tokens into a grant, whatever else was changed in it meanwhile: the old ones may be worth nothing by now. */
async function writeRenewed(
  grantId: string,
  session: UpstreamSession,
  round: number,
  server: AuthorizationServer,
  report: Report,
): Promise<Stored<GrantRecord> | undefined> {
  for (;;) {
    const stored = await server.grants.get(grantId)
    if (stored === undefined) {
      // Revoked meanwhile, with the tokens before these.
      await giveUp(session.tokens, server, report)
      return undefined
    }
    const { data } = stored
    const scopes = upstreamOf(server).granted(data.scopes, session.tokens, session.user)
    const { upstream, endsAt } = grantUpstream(grantId, session, server, round)
    const keptRound = data.upstream?.keptRound
    const next: GrantRecord = { ...data, scopes, upstream: { ...upstream, keptRound }, endsAt }
    const end = Math.min(stored.expiresAt, next.endsAt ?? Infinity)
    const written = await server.grants.replace(grantId, stored, next, end)
    if (written === undefined) continue
    report({ type: 'upstream.renewed', clientId: data.clientId, subject: data.subject })
    return written
  }
}
