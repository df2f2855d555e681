// Tokens that were put where programs look for such.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from '@jest/globals'
import { tokenFromEnvironment } from 'express-mcp-auth/client'
import { temporaryDirectory } from '../support/client-stand.js'
import { configErrorOf } from '../support/config-error.js'

const directory = temporaryDirectory()
afterAll(directory.remove)
afterEach(() => {
  delete process.env['MCP_AUTH_TOKEN']
  delete process.env['OTHER']
})
const file = join(directory.path, 'token')

describe('tokenFromEnvironment', () => {
  it('reads a variable, and a file where that is not set', () => {
    writeFileSync(file, ' of the file\n')
    expect(tokenFromEnvironment({ file })).toBe('of the file')
    process.env['MCP_AUTH_TOKEN'] = ' token\n'
    process.env['OTHER'] = 'another'
    expect(tokenFromEnvironment({ file })).toBe('token')
    expect(tokenFromEnvironment()).toBe('token')
    expect(tokenFromEnvironment({ variable: 'OTHER' })).toBe('another')
  })

  it.each([
    [{}, 'There is no access token: set MCP_AUTH_TOKEN'],
    [{ variable: 'OTHER' }, 'There is no access token: set OTHER'],
    [
      { file: '/nowhere/token' },
      'There is no access token: set MCP_AUTH_TOKEN, or write it to /nowhere/token (ENOENT)',
    ],
  ])('says what to do where there is none: %j', (options, message) => {
    expect(configErrorOf(() => tokenFromEnvironment(options))).toEqual({
      code: 'ERR_MCP_AUTH_ENVIRONMENT',
      message,
    })
  })

  it('says that a file is empty', () => {
    writeFileSync(file, '\n')
    expect(configErrorOf(() => tokenFromEnvironment({ file })).message).toContain('which is empty')
  })
})
