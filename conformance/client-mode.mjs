// The official suite's client mode: it plays MCP servers and authorization servers, honest ones and others, to a client by our OAuth and
// ClientCredentials. Passes when every check succeeds that is not excused here, and each client ended as it should: the suite calls some
// scenarios good in which a client fell over on its way.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { judge, report } from './report.mjs'
import { runSuite } from './suite.mjs'

const RUNS = [
  { args: ['--requirements', '2026-07-28'], sdk: 'v2' },
  { args: ['--requirements', '2025-11-25'], sdk: 'v1' },
  { args: ['--suite', 'extensions'], sdk: 'v2' },
]

/** Extensions, none of them required; what is not here has to pass. */
const EXPECTED = [
  {
    scenarios: /^auth\/dpop(-nonce)?$/,
    checks: /^sep-1932-/,
    why: 'DPoP (RFC 9449, SEP-1932): `OAuth` sends bearer tokens.',
  },
  {
    scenarios: /^auth\/enterprise-managed-authorization$/,
    checks: /^complete-flow-/,
    why: 'ID-JAG, a sign-in by the identity provider of a company: `OAuth` signs in at the authorization server itself.',
  },
  {
    scenarios: /^auth\/wif-jwt-bearer$/,
    checks: /^wif-/,
    why: 'Workload identity federation (RFC 7523 2.1): `ClientCredentials` takes a secret or a key.',
  },
]

/** How clients end that are not meant to get to the end: codes of ClientError, or what an SDK throws before it asks us. */
const ENDINGS = new Map([
  ['auth/iss-normalized', 'issuer_mismatch'],
  ['auth/iss-supported-missing', 'issuer_mismatch'],
  ['auth/iss-unexpected', 'issuer_mismatch'],
  ['auth/iss-wrong-issuer', 'issuer_mismatch'],
  ['auth/scope-retry-limit', { v1: '403', v2: 'too_many_sign_ins' }],
  ['auth/metadata-issuer-mismatch', 'IssuerMismatchError'],
  ['auth/resource-mismatch', 'discovery_failed'],
  // That server knows no calls of tools.
  ['json-schema-ref-no-deref', '-32601'],
  // The last answer of that server is one that the SDK does not take.
  ['sep-2322-client-request-state', 'INVALID_RESULT'],
])

const program = fileURLToPath(new URL('client-under-test.mjs', import.meta.url))
const folder = await mkdtemp(join(tmpdir(), 'client-mode-'))
try {
  const results = []
  for (const [n, { args, sdk }] of RUNS.entries()) {
    // The suite gives it to a shell.
    const command = [process.execPath, program].map((path) => `"${path}"`).join(' ')
    const all = ['client', ...args, '--timeout', '60000', '--command', `${command} ${sdk}`]
    const { exitCode, checks, outputs } = await runSuite(all, join(folder, String(n)), { timeout: 120_000 })
    const result = judge(checks, EXPECTED)
    // Under --requirements it is about those alone that are required.
    if (args[0] === '--requirements' && exitCode !== 0) result.wrong.push('a required scenario failed')
    result.wrong.push(...wrongEndings(outputs, sdk))
    results.push({
      requirement: args.at(-1),
      with: `\`OAuth\`, \`ClientCredentials\` in SDK ${sdk}`,
      ...result,
    })
  }
  report('`client`', results)
} finally {
  await rm(folder, { recursive: true, force: true })
}

function wrongEndings(outputs, sdk) {
  const wrong = []
  for (const [scenario, { stdout, stderr }] of outputs) {
    if (EXPECTED.some(({ scenarios }) => scenarios.test(scenario))) continue
    const known = ENDINGS.get(scenario) ?? 'done'
    const wanted = known[sdk] ?? known
    const ending = stdout.trim().split('\n').at(-1)
    if (ending !== wanted)
      wrong.push(`${scenario}: ended with ${ending || 'nothing'}, not ${wanted}\n${stderr}`)
  }
  return wrong
}
