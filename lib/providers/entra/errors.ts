// Entra's errors say everything in a number: what the frequent ones mean, and what to do. https://learn.microsoft.com/entra/identity-platform/reference-error-codes

const HINTS: ReadonlyMap<string, string> = new Map([
  ['28000', 'scopes of two APIs were asked for at once: leave the other one to "additionalAuthorizeScopes"'],
  ['28003', 'no scope was sent with the code: leave "requiredScopes" with a scope of your API'],
  ['50011', 'the redirect URI is not registered: add the one of this app (baseUrl and "/auth/callback") under Authentication > Web'],
  ['50020', 'the user is of another tenant: invite them, or set "tenantId" to "organizations" and the app to multitenant'],
  ['50076', 'the user has to pass multi-factor authentication: they have to sign in again'],
  ['50105', 'the user is not assigned to the app: add them under Enterprise applications > Users and groups'],
  ['53003', 'a Conditional Access policy blocked the sign-in: see the sign-in logs'],
  ['65001', 'nobody consented to a scope: grant admin consent under API permissions, or name this app under "knownClientApplications"'],
  ['65005', 'a scope is of an API that the app does not list: add it under API permissions'],
  ['70011', 'a scope does not exist, or is of no form that Entra knows: it has to stand under Expose an API'],
  ['700016', 'the client ID is not known in this tenant: compare "clientId" and "tenantId" with the Overview of the app registration'],
  ['700025', 'the app is public and has no secret: leave "clientSecret" out, or add the redirect URI under the platform Web'],
  ['7000215', 'the client secret is wrong: copy its Value, not its Secret ID, from Certificates & secrets'],
  ['7000218', 'the app is not public and needs a secret: set "clientSecret"'],
  ['7000222', 'the client secret has expired: make a new one under Certificates & secrets'],
  ['900144', 'a parameter is missing; where it is "scope", leave "requiredScopes" with a scope of your API'],
  ['901002', 'a "resource" was sent, which the v2.0 endpoints refuse: leave "forwardResource" false'],
  ['9010010', 'the "resource" that was sent is not the API of the scopes: leave "forwardResource" false'],
]) // prettier-ignore

/** What an error means in plain words, where that is known. */
export function explainEntra(_error: string, description: string): string | undefined {
  return HINTS.get(/AADSTS(\d+)/.exec(description)?.[1] ?? '')
}
