// Runs the published contract of stores as jest tests.
import { type CreateStore, storeContract } from 'express-mcp-auth/testing'

/** Titles and runs, for `it.each`. */
export function storeCases(createStore: CreateStore): [title: string, run: () => Promise<void>][] {
  return storeContract.map(({ title, run }) => [title, () => run(createStore)])
}
