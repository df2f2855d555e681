// express-mcp-auth/testing: for test suites, not for production.
export type { PageForm, Shown } from './browser.js'
export { type TestClock, testClock } from './clock.js'
export {
  type CreateProvider,
  type ProviderCase,
  type ProviderUnderTest,
  providerContract,
} from './contracts/provider.js'
export { type CreateStore, type StoreCase, storeContract } from './contracts/store.js'
export {
  type CreateVerifier,
  type VerifierCase,
  type VerifierUnderTest,
  verifierContract,
} from './contracts/verifier.js'
export {
  type IssuedTokenOptions,
  type SeenRequest,
  type TestIdentityProvider,
  type TestIdentityProviderEndpoint,
  type TestIdentityProviderFailure,
  type TestIdentityProviderOptions,
  startIdentityProvider,
} from './identity-provider.js'
export { RSAKeyPair, type RSAKeyPairOptions, type TestTokenOptions } from './key-pair.js'
export {
  SignInError,
  type SignInOptions,
  type SignInStep,
  type SignedIn,
  type TestedApp,
  signIn,
} from './sign-in.js'
