// What we promise, and whether the numbers keep it.
import { contenders } from './contenders.mjs'
import { number } from './table.mjs'

const NEEDS_NO_SIGNATURE = ['malformed', 'unknown kid', 'wrong issuer', 'wrong audience', 'expired']

/** Each goal reads the result of one workload: `measured` as text, `met` as a verdict. */
const goals = [
  {
    workload: 'repeated-token-in-process',
    goal: 'Same token, in process: at most 5 µs over bare Express',
    read: ({ guards }) => ({
      measured: `${number(guards.ours.over.median)} µs`,
      met: guards.ours.over.median <= 5,
    }),
  },
  {
    workload: 'repeated-token-in-process',
    goal: 'Same token, in process: at least 40 times less overhead than the better SDK guard',
    read: ({ timesLess }) => ({ measured: `${number(timesLess)} times`, met: timesLess >= 40 }),
  },
  {
    workload: 'repeated-token-http',
    goal: 'Same token, over HTTP: at least 0.95 of a no-op middleware',
    read: ({ overNoop }) => ({ measured: number(overNoop.ratio.median), met: overNoop.ratio.median >= 0.95 }),
  },
  {
    workload: 'distinct-tokens-http',
    goal: 'Distinct RS256 tokens, over HTTP: at least as fast as the faster SDK guard',
    read({ algorithms: { RS256 } }) {
      const sdk = fasterSdk(RS256)
      return {
        measured: `${number(RS256.ours.ratio.median)} of bare, ${contenders[sdk].label} ${number(RS256[sdk].ratio.median)}`,
        met: RS256.ours.ratio.median >= RS256[sdk].ratio.median,
      }
    },
  },
  {
    workload: 'distinct-tokens-http',
    goal: 'Distinct RS256 tokens, over HTTP: event loop p99 no worse than with that guard',
    read({ algorithms: { RS256 } }) {
      const sdk = fasterSdk(RS256)
      return {
        measured: `${number(RS256.ours.delayP99)} ms against ${number(RS256[sdk].delayP99)} ms`,
        met: RS256.ours.delayP99 <= RS256[sdk].delayP99,
      }
    },
  },
  {
    workload: 'bad-token-floods',
    goal: 'Bad tokens: at most 20 µs a refusal that needs no signature',
    read({ refusals }) {
      const worst = Math.max(...NEEDS_NO_SIGNATURE.map((kind) => refusals.ours[kind]))
      return { measured: `${number(worst)} µs for the dearest kind`, met: worst <= 20 }
    },
  },
  {
    workload: 'bad-token-floods',
    goal: 'Bad tokens: at most 2 key-set fetches a minute',
    read: ({ fetches }) => ({ measured: String(fetches.ours), met: fetches.ours <= 2 }),
  },
  {
    workload: 'bad-token-memory',
    goal: 'Bad tokens: heap growth under 32 MB after 1,000,000 distinct ones',
    read: ({ growth }) => ({
      measured: `${number(growth.ours.megabytes)} MB after ${growth.ours.tokens.toLocaleString('en')}`,
      met: growth.ours.megabytes < 32,
    }),
  },
  {
    workload: 'full-flows',
    goal: 'Full flows on MemoryStore: at least 0.80 of bare Express',
    read: ({ overBare }) => atLeast(0.8, overBare['ours-memory']),
  },
  {
    workload: 'full-flows',
    goal: 'Full flows on SqliteStore: at least 0.70 of bare Express',
    read: ({ overBare }) => atLeast(0.7, overBare['ours-sqlite']),
  },
  {
    workload: 'full-flows',
    goal: 'Full flows on MemoryStore: at least 2.6 times oidc-provider',
    read: ({ overOidcProvider }) => atLeast(2.6, overOidcProvider),
  },
  {
    workload: 'stores',
    goal: 'Stores: a record in SQLite at most 1.3 of the bare driver, one at a time and 16 at once',
    read({ ratio: { alone, together } }) {
      return {
        measured: `${number(alone.median)} and ${number(together.median)}`,
        met: alone.median <= 1.3 && together.median <= 1.3,
      }
    },
  },
  {
    workload: 'import-time',
    goal: "Import: at most 40 ms beyond Express's own",
    read: ({ guards }) => ({
      measured: `${number(guards.ours.over.median)} ms`,
      met: guards.ours.over.median <= 40,
    }),
  },
]

const atLeast = (goal, { ratio }) => ({ measured: number(ratio.median), met: ratio.median >= goal })

const fasterSdk = (results) =>
  results['sdk-v1'].ratio.median >= results['sdk-v2'].ratio.median ? 'sdk-v1' : 'sdk-v2'

/** Rows of the table of goals, for the workloads that were run. */
export function judge(results) {
  return goals
    .filter(({ workload }) => workload in results)
    .map(({ workload, goal, read }) => {
      const { measured, met } = read(results[workload])
      return [goal, measured, met ? 'yes' : 'no']
    })
}
