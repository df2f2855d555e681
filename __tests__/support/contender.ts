// A process that races another for the entries of one store. Told a round, it tries to win it fifty times at once.
import { createStore } from './race-stores.js'

const [, , kind = '', url = ''] = process.argv
const { store, end } = await createStore(kind, url)
const CONTENDERS = 50

process.on('message', (message: { round?: number; end?: true }) => {
  if (message.round !== undefined) race(message.round).catch(giveUp)
  else void finish()
})
process.send?.('ready')

async function race(round: number): Promise<void> {
  const tries = Array.from({ length: CONTENDERS }, async (_, n) => {
    const version = `${process.pid}-${n}`
    const entry = { value: version, version, expiresAt: Date.now() + 60_000 }
    const key = `k${round}`
    const won =
      round % 3 === 0
        ? store.putIfAbsent('race', key, entry)
        : round % 3 === 1
          ? store.compareAndSwap('race', key, 'first', entry)
          : store.delete('race', key, 'first')
    return (await won) ? version : undefined
  })
  const winners = (await Promise.all(tries)).filter((winner) => winner !== undefined)
  process.send?.({ round, winners })
}

/** Whoever waits for an answer learns what happened instead. */
function giveUp(error: unknown): void {
  process.send?.({ winners: [String(error)] })
}

async function finish(): Promise<void> {
  await end()
  process.disconnect()
}
