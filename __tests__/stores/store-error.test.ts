import { describe, expect, it } from '@jest/globals'
import { recognizeError } from '../../lib/protocol/errors.js'
import { StoreError } from '../../lib/stores/store-error.js'

describe('StoreError', () => {
  it.each([new Error('down'), Object.assign(new Error('down'), { code: 'SQLITE_FULL' }), 'down'])(
    'G7 is no verdict on a token, whatever the driver threw: %s',
    (cause) => {
      const error = StoreError.of('Store', cause)
      expect(error).toMatchObject({ name: 'StoreError', message: 'Store: down', cause })
      expect(recognizeError(error)).toBeUndefined()
    },
  )

  it('is told once', () => {
    const error = new StoreError('Store: down')
    expect(StoreError.of('Store', error)).toBe(error)
  })
})
