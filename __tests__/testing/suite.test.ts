// The suite of examples/ under jest: its functions stand for those of node:test, and the file is the same.
import { afterAll, jest, test } from '@jest/globals'

const environment = { ...process.env }
jest.spyOn(console, 'log').mockImplementation(() => undefined)
jest.unstable_mockModule('node:test', () => ({ test }))

await import('../../examples/testing-suite.js')

afterAll(() => {
  process.env = environment
  jest.restoreAllMocks()
})
