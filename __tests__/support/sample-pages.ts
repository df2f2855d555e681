// One page of every kind, with what people really meet and with the worst that strangers may send.
import type { ConsentPage, MessagePage, Page, PageClient } from '../../lib/pages/page.js'
import { ENGLISH } from '../../lib/pages/texts.js'

/** A client whose metadata document was fetched. */
export const VERIFIED: PageClient = {
  clientId: 'https://app.example.com/client.json',
  name: 'Example App',
  domain: 'app.example.com',
  uri: 'https://app.example.com/',
  configured: false,
}

/** A client that registered itself. */
export const STRANGER: PageClient = {
  clientId: 'c_7Jm',
  name: 'Desktop App',
  uri: 'https://example.org/',
  configured: false,
}

/** A client that the operator wrote down. */
export const CONFIGURED: PageClient = {
  clientId: 'inspector',
  name: 'Inspector',
  uri: 'https://inspector.example.com/about',
  configured: true,
}

/** Markup, letters that turn the line, a family, marks without end, and 200 letters without a space. */
export const NASTY = `\u202e<img src=x onerror=alert(1)>"'&👩‍👩‍👧‍👦 z${'\u0301'.repeat(12)} ${'W'.repeat(200)}`

export const HIDDEN = { csrf: 'k3y"><script>alert(1)</script>', transaction: 't_1' }

const USER = { subject: 'u1', name: 'alice@example.com' }

/** A consent page that ordinary people meet. */
export const CONSENT: ConsentPage = {
  kind: 'consent',
  action: '/consent',
  hidden: HIDDEN,
  client: VERIFIED,
  redirect: { host: 'app.example.com', kind: 'web' },
  scopes: [
    { scope: 'notes:read', description: 'Read your notes' },
    { scope: 'notes:write', description: 'Create, change and delete your notes', field: 'scope_1' },
    { scope: 'calendar', field: 'scope_2' },
    { scope: 'offline_access', field: 'scope_3' },
  ],
  user: USER,
  signOutAction: '/sign-out',
  resource: 'https://api.example.com/mcp',
  resourceName: 'Notes',
}

/** Every message that there is. */
export const MESSAGES: readonly MessagePage['message'][] = Object.keys(ENGLISH)
  .filter((key) => key.endsWith('.advice'))
  .map((key) => key.slice(0, -'.advice'.length) as MessagePage['message'])

/** Pages by a name for titles. */
export const SAMPLES: ReadonlyMap<string, Page> = new Map<string, Page>([
  ['sign-in', { kind: 'sign-in', action: '/sign-in', hidden: HIDDEN }],
  [
    'sign-in-again',
    {
      kind: 'sign-in',
      action: '/sign-in',
      hidden: HIDDEN,
      client: VERIFIED,
      username: 'alice',
      failure: 'wrong',
    },
  ],
  ['consent', CONSENT],
  [
    'consent-elsewhere',
    { ...CONSENT, user: undefined, signOutAction: undefined, identityProvider: 'GitHub' },
  ],
  [
    'consent-loopback',
    {
      ...CONSENT,
      client: STRANGER,
      redirect: { host: 'localhost:33418', kind: 'loopback' },
      signOutAction: undefined,
    },
  ],
  ['consent-app', { ...CONSENT, client: CONFIGURED, redirect: { host: 'editor:', kind: 'app' }, scopes: [] }],
  [
    'consent-nasty',
    {
      ...CONSENT,
      client: { clientId: NASTY, name: NASTY, configured: false },
      redirect: { host: `xn--pple-43d.${'long-label.'.repeat(20)}com`, kind: 'web' },
      scopes: [
        { scope: 'x'.repeat(200), field: 'scope_1' },
        { scope: 'y', description: NASTY },
      ],
      user: { subject: NASTY },
      resource: `https://api.example.com/${'p'.repeat(200)}`,
      resourceName: NASTY,
    },
  ],
  [
    'connections',
    {
      kind: 'connections',
      action: '/connections',
      user: USER,
      revoked: 'Editor',
      signOut: { action: '/sign-out', hidden: HIDDEN },
      connections: [
        { client: VERIFIED, scopes: CONSENT.scopes, since: 1_760_000_000_000, hidden: { id: '1' } },
        { client: STRANGER, scopes: [], since: 1_750_000_000_000, hidden: { id: '2' } },
      ],
    },
  ],
  [
    'connections-nasty',
    {
      kind: 'connections',
      action: '/connections',
      user: { subject: NASTY },
      revoked: NASTY,
      connections: [
        { client: { ...STRANGER, name: NASTY }, scopes: [{ scope: NASTY }], since: 0, hidden: HIDDEN },
      ],
    },
  ],
  ['connections-none', { kind: 'connections', action: '/connections', user: USER, connections: [] }],
  ...MESSAGES.map((message): [string, Page] => [
    message,
    { kind: 'message', message, status: message === 'signed_out' ? 200 : 400 },
  ]),
  [
    'message-nasty',
    {
      kind: 'message',
      message: 'malformed_request',
      status: 400,
      detail: `resource: ${NASTY}`,
      continueTo: '/nowhere',
    },
  ],
])
