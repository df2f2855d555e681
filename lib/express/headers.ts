// Security headers for what the package itself serves. The app's own answers keep the app's own headers.
import type { IncomingMessage, ServerResponse } from 'node:http'
import helmet from 'helmet'

const secure = helmet({
  // Documents and errors: nothing in them is to be rendered, framed or run.
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  // Metadata is for pages of any origin.
  crossOriginResourcePolicy: { policy: 'cross-origin' },
  referrerPolicy: { policy: 'no-referrer' },
  // Whether all of a host is https is for the app or its proxy to say.
  strictTransportSecurity: false,
})

/** Sets them, then goes on. */
export function secureHeaders(request: IncomingMessage, response: ServerResponse, next: () => void): void {
  secure(request, response, next)
}
