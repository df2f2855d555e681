import { describe, expect, it } from '@jest/globals'
import { DebugTokenVerifier } from 'express-mcp-auth'
import { configErrorOf } from '../support/config-error.js'
import { createRecorder } from '../support/recorder.js'

describe('DebugTokenVerifier', () => {
  it('accepts every token where nothing is stated, and says so', async () => {
    const verifier = new DebugTokenVerifier()
    expect(await verifier.verifyToken('anything')).toMatchObject({
      token: 'anything',
      clientId: 'debug-client',
      scopes: [],
    })
    expect(verifier.requiredScopes).toEqual([])
    expect(verifier.notices).toEqual([
      {
        type: 'danger',
        option: 'DebugTokenVerifier',
        message: 'DebugTokenVerifier accepts every token: for development only',
      },
    ])
  })

  it('stands for the client and scopes that it is given', async () => {
    const verifier = new DebugTokenVerifier({ clientId: 'me', scopes: ['a'], requiredScopes: ['b'] })
    expect(await verifier.verifyToken('t')).toMatchObject({ clientId: 'me', scopes: ['a'] })
    expect(verifier.requiredScopes).toEqual(['b'])
  })

  it.each([
    ['a function', (token: string) => token === 'good'],
    ['an asynchronous function', (token: string) => Promise.resolve(token === 'good')],
  ])('asks %s', async (_rule, validate) => {
    const verifier = new DebugTokenVerifier({ validate })
    const { context, reasons } = createRecorder()
    expect(await verifier.verifyToken('good', context)).toMatchObject({ token: 'good' })
    expect(await verifier.verifyToken('bad', context)).toBeNull()
    expect(reasons).toEqual([{ stage: 'validate', expected: 'true', got: 'false' }])
    expect(verifier.notices[0]).toMatchObject({
      message: 'DebugTokenVerifier accepts what your function says: for development only',
    })
  })

  it.each([
    [undefined, 'undefined'],
    [1, '1'],
    ['true', 'true'],
    [{}, '[object Object]'],
  ])('takes %j for no: a function may have forgotten to return', async (said, got) => {
    const { context, reasons } = createRecorder()
    const verifier = new DebugTokenVerifier({ validate: () => said as never })
    expect(await verifier.verifyToken('t', context)).toBeNull()
    expect(reasons).toMatchObject([{ stage: 'validate', got }])
  })

  it('decides nothing where the function throws', async () => {
    const validate = (): boolean => {
      throw new Error('no network')
    }
    await expect(new DebugTokenVerifier({ validate }).verifyToken('t')).rejects.toThrow('no network')
  })

  it.each<[options: unknown, code: string, message: string]>([
    [
      { validator: () => true },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'DebugTokenVerifier has no option "validator". Did you mean "validate"?',
    ],
    [{ validate: true }, 'ERR_MCP_AUTH_INVALID_OPTION', 'DebugTokenVerifier: "validate" must be a function'],
    [
      { clientId: '' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'DebugTokenVerifier: "clientId" must be a string that is not blank',
    ],
    [
      { scopes: [1] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'DebugTokenVerifier: "scopes" must be a list of scopes such as ["mcp:use"]',
    ],
  ])('refuses the options %j', (options, code, message) => {
    expect(configErrorOf(() => new DebugTokenVerifier(options as never))).toEqual({ code, message })
  })
})
