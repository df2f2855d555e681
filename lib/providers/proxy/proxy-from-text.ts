// Options of every proxy as text, e.g. from environment variables: how each is read. What is no text by nature, e.g. a store, is left out.
import type { TextForm } from '../own-options.js'
import type { FastMCPNames, ProxyOptions } from './proxy-options.js'

type Code = 'store' | 'deps' | 'renderPage' | keyof FastMCPNames

/** By option. */
export const PROXY_FROM_TEXT: Readonly<Record<Exclude<keyof ProxyOptions, Code>, TextForm>> = {
  baseUrl: 'text', resourceUrl: 'text', resourceName: 'text', issuer: 'text', secret: 'any', scopesSupported: 'list', defaultScopes: 'list',
  requiredScopes: 'list', consent: 'any', clients: 'json', clientRegistration: 'any', clientIdMetadataDocuments: 'any',
  allowedClientRedirectUris: 'list', accessTokenSeconds: 'seconds', refreshTokenSeconds: 'seconds', refreshGraceSeconds: 'seconds',
  sessionSeconds: 'seconds', serviceDocumentation: 'text', dangerouslyAllowInsecureHttp: 'flag', branding: 'json', texts: 'json',
  scopeDescriptions: 'json', redirectPath: 'text', forwardPkce: 'flag', forwardResource: 'flag', tokenEndpointAuthMethod: 'text',
  extraAuthorizeParams: 'json', extraTokenParams: 'json', fallbackAccessTokenExpirySeconds: 'seconds', tokenExpiryThresholdSeconds: 'seconds',
  timeoutSeconds: 'seconds',
} // prettier-ignore
