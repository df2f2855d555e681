// Where programs of one person keep what is theirs.
import { describe, expect, test } from '@jest/globals'
import { configDirectory, surroundings } from '../../lib/runtime/user-environment.js'
import { stayAwake } from '../../lib/runtime/stay-awake.js'

describe('configDirectory', () => {
  test.each([
    ['linux', {}, '/home/ada/.config'],
    ['linux', { XDG_CONFIG_HOME: '/etc/ada' }, '/etc/ada'],
    ['linux', { XDG_CONFIG_HOME: 'relative' }, '/home/ada/.config'],
    ['darwin', {}, '/home/ada/Library/Application Support'],
    ['win32', { APPDATA: 'C:\\Users\\ada\\Roaming' }, 'C:\\Users\\ada\\Roaming'],
    ['win32', {}, '/home/ada/AppData/Roaming'],
  ] as const)('on %s with %j is %s', (platform, env, directory) => {
    expect(configDirectory({ platform, env, home: '/home/ada' })).toBe(directory)
  })

  test('is that of this process by itself', () => {
    expect(configDirectory()).toBe(configDirectory(surroundings()))
  })
})

test('stayAwake gives back what the work gave, and fails as it failed', async () => {
  expect(await stayAwake(Promise.resolve(7))).toBe(7)
  await expect(stayAwake(Promise.reject(new Error('no')))).rejects.toThrow('no')
})
