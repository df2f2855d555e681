// What a store throws when it could not do its work: never a verdict on anybody's token, so the answer is 503.

/** The store did not answer, or refused. The reason is its `cause`. */
export class StoreError extends Error {
  override readonly name: string = 'StoreError'

  /** The error of a driver, told as one of ours. */
  static of(store: string, cause: unknown): StoreError {
    if (cause instanceof StoreError) return cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    return new StoreError(`${store}: ${reason}`, { cause })
  }
}
