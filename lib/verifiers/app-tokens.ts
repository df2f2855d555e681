// Verifiers of tokens that callers got from an identity provider themselves: good where they were issued to this app, and no other.
import { OptionReader } from '../protocol/options.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import type { CacheBounds } from './cached.js'
import { type TokenInfo, type TokenInfoCaching, TokenInfoVerifier } from './token-info.js'
import type { TokenInfoApp } from './token-question.js'

/** Options of every such verifier. */
export interface AppTokenVerifierOptions extends TokenInfoCaching {
  /** The ID of this app there: tokens of any other app are refused. */
  readonly clientId: string
  /** Scopes that every request needs. Default: none. */
  readonly requiredScopes?: readonly string[]
  /** For one question. Default: 10. */
  readonly timeoutSeconds?: number
  /** Bounds of that cache, or false for none. */
  readonly cache?: CacheBounds | boolean
  /** How all tokens begin: inside MultiAuth, only such tokens are asked about. */
  readonly tokenPrefix?: string
  /** Lets URLs be http on a network that you trust. */
  readonly dangerouslyAllowInsecureHttp?: boolean
  /** Clock and outbound HTTP, for tests. */
  readonly deps?: Partial<Deps>
}

const OPTIONS = [
  'clientId', 'requiredScopes', 'timeoutSeconds', 'cacheTtlSeconds', 'cache', 'tokenPrefix', 'dangerouslyAllowInsecureHttp', 'deps',
] // prettier-ignore

/** What is known of the tokens of one identity provider. */
export interface AppTokensSpec {
  /** Name of the class, e.g. `GitHubTokenVerifier`. */
  readonly className: string
  /** For people, e.g. `GitHub`. */
  readonly title: string
  /** Whether it answers only those who know the secret of the app. */
  readonly needsSecret: boolean
  /** Names of options beside those of every such verifier. */
  readonly options: readonly string[]
  readonly info: (app: TokenInfoApp, read: OptionReader) => TokenInfo
}

/** A class as {@link defineAppTokenVerifier} makes it. */
export type AppTokenVerifierClass<Options extends AppTokenVerifierOptions> = new (
  options: Options,
) => TokenInfoVerifier

/** Makes a verifier class of what is known of an identity provider's tokens. */
export function defineAppTokenVerifier<Options extends AppTokenVerifierOptions>(
  spec: AppTokensSpec,
): AppTokenVerifierClass<Options> {
  const secret = spec.needsSecret ? ['clientSecret'] : []
  const made = class extends TokenInfoVerifier {
    constructor(options: Options) {
      const read = new OptionReader(spec.className, options, [...OPTIONS, ...secret, ...spec.options])
      const app = parseApp(read, spec)
      super(spec.info(app, read), app, read)
    }
  }
  Object.defineProperty(made, 'name', { value: spec.className })
  return made
}

function parseApp(read: OptionReader, { title, needsSecret }: AppTokensSpec): TokenInfoApp {
  const clientId = read.text('clientId')
  const clientSecret = needsSecret ? read.text('clientSecret') : undefined
  if (clientId === undefined) {
    throw read.missing(
      'clientId',
      `write the client ID that ${title} gave this app, or its tokens cannot be told from others`,
    )
  }
  if (needsSecret && clientSecret === undefined) {
    throw read.missing('clientSecret', `${title} tells of tokens only to the app that they were issued to`)
  }
  return { clientId, clientSecret, deps: createDeps(read.raw('deps') as Partial<Deps> | undefined) }
}
