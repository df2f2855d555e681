// Amazon Cognito user pools. Register `{baseUrl}/auth/callback` under App clients > Login pages, with the authorization code grant.
import { jwtIdentification } from '../oidc-proxy.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

/** Options of {@link AWSCognitoProvider}. */
export interface AWSCognitoOptions {
  /** ID of the user pool, e.g. `eu-central-1_AbC123xyz`. */
  readonly userPoolId: string
  /** Default: the one that `userPoolId` begins with. */
  readonly awsRegion?: string
}

/** Lets people sign in at a user pool of Amazon Cognito, which has to have a domain. */
export const AWSCognitoProvider: IdentityProviderClass<AWSCognitoOptions> =
  defineIdentityProvider<AWSCognitoOptions>({
    className: 'AWSCognitoProvider',
    title: 'Amazon Cognito',
    secret: 'optional',
    options: {
      userPoolId: { kind: 'text', required: 'write the ID of the user pool, e.g. "eu-central-1_AbC123xyz"' },
      awsRegion: 'text',
    },
    facts: ({ userPoolId, awsRegion = userPoolId.replace(/_.*$/, '') }, { clientId, deps }) => ({
      endpoints: {
        configUrl: `https://cognito-idp.${awsRegion}.amazonaws.com/${userPoolId}/.well-known/openid-configuration`,
        strict: true,
      },
      // Access tokens have no `aud`, but say which client they are for:
      // https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
      identification: jwtIdentification(
        { requiredClaims: { client_id: clientId, token_use: 'access' } },
        deps,
      ),
      requiredScopes: ['openid'],
      // It refuses a resource that is no resource server of the pool.
      forwardsResource: false,
      claims: ['username', 'cognito:groups'],
    }),
  })
export type AWSCognitoProvider = ServerProvider
