// An identity provider is data: what is known of it, and the options that fill in the rest.
import type { OptionReader } from '../../protocol/options.js'
import type { Deps } from '../../runtime/deps.js'
import { parseDeps } from '../authorization-server-options.js'
import { type TokenInfo, TokenInfoVerifier } from '../../verifiers/token-info.js'
import { type OwnOption, type TextForm, readOwnOptions, textFormOf } from '../own-options.js'
import type { UpstreamIdentification } from '../proxy/description.js'
import { PROXY_FROM_TEXT } from '../proxy/proxy-from-text.js'
import {
  type ProxyFacts,
  type ProxyOptions,
  buildProxy,
  parseClientId,
  readProxyOptions,
} from '../proxy/proxy-options.js'
import { ServerProvider } from '../server-provider.js'

/** This app at the identity provider. */
export interface RegisteredApp {
  readonly clientId: string
  readonly clientSecret: string | undefined
  readonly deps: Deps
}

/** What is known of an identity provider. `Own` are its options beside those that every proxy takes. */
export interface IdentityProviderSpec<Own extends object> {
  /** Name of the class, e.g. `GitHubProvider`. */
  readonly className: string
  /** For people, e.g. `GitHub`. */
  readonly title: string
  readonly options: { readonly [Name in keyof Own]-?: OwnOption }
  /** Whether it knows public clients, which have no secret. */
  readonly secret: 'required' | 'optional'
  /** Everything else, given options that were checked. */
  readonly facts: (own: Own, app: RegisteredApp, read: OptionReader) => IdentityProviderFacts
}

/** What is known of an identity provider, given the options of one app. */
export interface IdentityProviderFacts extends Omit<
  ProxyFacts,
  'name' | 'clientId' | 'clientSecret' | 'identification'
> {
  /** How it is known whose an access token is; `token_info` where the identity provider has to be asked. */
  readonly identification: UpstreamIdentification | { readonly by: 'token_info'; readonly tokens: TokenInfo }
}

/** What every identity provider takes. */
export interface IdentityProviderOptions extends ProxyOptions {
  /** The ID that this app got when it was registered there. */
  readonly clientId: string
  /** Absent for a public client, where the identity provider knows such. */
  readonly clientSecret?: string
}

/** A class as {@link defineIdentityProvider} makes it. */
export interface IdentityProviderClass<Own extends object> {
  new (options: IdentityProviderOptions & Own): ServerProvider
  readonly spec: IdentityProviderSpec<Own>
  /** How each option is read from text, e.g. from an environment variable. */
  readonly envOptions: Readonly<Record<string, TextForm>>
}

/**
 * Makes a provider class of what is known of an identity provider.
 *
 * @example
 * export const ExampleProvider: IdentityProviderClass<object> = defineIdentityProvider({
 *   className: 'ExampleProvider',
 *   title: 'Example',
 *   secret: 'required',
 *   options: {},
 *   facts: () => ({
 *     endpoints: { authorizationEndpoint: 'https://example.com/authorize', tokenEndpoint: 'https://example.com/token' },
 *     identification: {
 *       by: 'token_info',
 *       tokens: {
 *         issuer: 'https://example.com',
 *         ask: { url: 'https://example.com/userinfo' },
 *         read: ({ json }) => ({ subject: json['sub'], claims: json }),
 *       },
 *     },
 *   }),
 * })
 */
export function defineIdentityProvider<Own extends object>(
  spec: IdentityProviderSpec<Own>,
): IdentityProviderClass<Own> {
  const made = class extends ServerProvider {
    static readonly spec: IdentityProviderSpec<Own> = spec
    static readonly envOptions: Readonly<Record<string, TextForm>> = {
      clientId: 'text',
      clientSecret: 'text',
      ...PROXY_FROM_TEXT,
      ...Object.fromEntries(
        Object.entries<OwnOption>(spec.options).map(([name, option]) => [name, textFormOf(option)]),
      ),
    }

    constructor(options: IdentityProviderOptions & Own) {
      const own = Object.keys(spec.options)
      const read = readProxyOptions(spec.className, options, ['clientId', 'clientSecret', ...own])
      const clientId = parseClientId(read, 'clientId')
      const clientSecret = read.text('clientSecret')
      if (clientSecret === undefined && spec.secret === 'required') {
        throw read.missing('clientSecret', `write the secret that ${spec.title} gave this app`)
      }
      const app = { clientId, clientSecret, deps: parseDeps(read) }
      const { identification: by, ...facts } = spec.facts(
        readOwnOptions(read, spec.options) as Own,
        app,
        read,
      )
      const identification: UpstreamIdentification =
        by.by === 'token_info'
          ? { by: 'access_token', verifier: new TokenInfoVerifier(by.tokens, app, read) }
          : by
      super(read, buildProxy(read, { ...facts, identification, name: spec.title, clientId, clientSecret }))
    }
  }
  Object.defineProperty(made, 'name', { value: spec.className })
  return made
}
