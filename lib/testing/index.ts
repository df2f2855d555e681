// express-mcp-auth/testing: for test suites, not for production.
export { type TestClock, testClock } from './clock.js'
export { type CreateStore, type StoreCase, storeContract } from './contracts/store.js'
export { RSAKeyPair, type TestTokenOptions } from './key-pair.js'
