// However many ask at the same time, the work is done once.

/** Runs one piece of work per key at a time; whoever asks meanwhile gets the same outcome. */
export class SingleFlight<Result> {
  readonly #running = new Map<string, Promise<Result>>()

  run(key: string, work: () => Promise<Result>): Promise<Result> {
    const running = this.#running.get(key)
    if (running !== undefined) return running
    const started = work().finally(() => this.#running.delete(key))
    this.#running.set(key, started)
    return started
  }

  /** How many pieces of work are under way. */
  get size(): number {
    return this.#running.size
  }
}
