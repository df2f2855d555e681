// What code without types may do, and a linter would not let us write.

/** Throws anything. */
export function toss(value: unknown): never {
  throw value as Error
}

/** A promise that is rejected with anything. */
export async function tossLater(value: unknown): Promise<never> {
  await Promise.resolve()
  return toss(value)
}

/** An object with a `then`: its value, or what is done when somebody looks at it. */
export function thenable(get: () => unknown): object {
  // oxlint-disable-next-line unicorn/no-thenable -- a verifier may return one
  return Object.defineProperty({}, 'then', { get })
}

/** An object that throws when somebody looks at one of its members. */
export function hostile(...names: readonly string[]): object {
  const get = (): never => toss(new Error('do not look'))
  return Object.defineProperties({}, Object.fromEntries(names.map((name) => [name, { get }])))
}
