// The examples of clients run as they are, against a real server: what they print is what the server told them.
import { readFileSync, readdirSync } from 'node:fs'
import { afterEach, expect, test } from '@jest/globals'
import { type ClientStand, Visitor, startClientStand, temporaryDirectory } from '../support/client-stand.js'
import { type Program, startProgram } from '../support/process.js'

const TOOLS = /^whoami, delete_note, purge, announce$/m

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

async function run(
  name: string,
  env: Record<string, string> = {},
): Promise<{ at: ClientStand; program: Program; again: () => Program }> {
  const at = await startClientStand({
    clients: [{ clientId: 'reports', clientSecret: 'dev-secret', grantTypes: ['client_credentials'] }],
  })
  const directory = temporaryDirectory()
  opened.push(directory.remove, at.close)
  const again = (): Program => {
    const settings = { MCP_URL: at.serverUrl, XDG_CONFIG_HOME: directory.path, HOME: directory.path, ...env }
    const program = startProgram(`examples/${name}.ts`, [], settings)
    opened.push(() => program.stop())
    return program
  }
  return { at, program: again(), again }
}

/** Settles when a program asks for somebody to come, and they came. */
async function visit(program: Program): Promise<void> {
  const [, address = ''] = await program.printed(/^Open (\S+)$/m)
  await new Visitor().open(new URL(address))
}

test.each(['client-oauth-v2', 'client-oauth-v1'])('%s signs in once', async (name) => {
  const { at, program, again } = await run(name)
  await visit(program)
  await program.printed(TOOLS)
  expect(await program.ended).toBe(0)

  const second = again()
  await second.printed(TOOLS)
  expect(await second.ended).toBe(0)
  expect(second.output.stdout).not.toContain('Open')
  expect(at.tokenRequests('authorization_code')).toHaveLength(1)
})

test('client-credentials asks for a token of its own', async () => {
  const { at, program } = await run('client-credentials')
  await program.printed(TOOLS)
  expect(at.tokenRequests('client_credentials')).toHaveLength(1)
})

test('client-fetch sends the token that it was given', async () => {
  const { at, program } = await run('client-fetch', { MCP_AUTH_TOKEN: 'guessed' })
  await program.printed(/^401$/m)
  expect(at.asked.map(({ authorization }) => authorization)).toEqual(['Bearer guessed'])
})

test('each fits on a screen', () => {
  const folder = new URL('../../examples/', import.meta.url)
  for (const file of readdirSync(folder).filter((name) => name.startsWith('client-')))
    expect(readFileSync(new URL(file, folder), 'utf8').split('\n').length).toBeLessThan(60)
})
