// What every store has to do, as cases for any test runner.
import assert from 'node:assert/strict'
import type { Deps } from '../../runtime/deps.js'
import type { Store, StoreEntry } from '../../stores/store.js'
import { type TestClock, testClock } from '../clock.js'

/** Makes the store under test. It takes its time from `deps.now`; entries of other cases may be in it. */
export type CreateStore = (deps: Pick<Deps, 'now'>) => Store | Promise<Store>

export interface StoreCase {
  /** The rule. */
  readonly title: string
  /** Rejects where the store breaks it. The store is closed afterwards. */
  run(createStore: CreateStore): Promise<void>
}

interface Stand {
  readonly store: Store
  readonly clock: TestClock
  /** No other case uses this collection. */
  readonly collection: string
  /** An entry that lives for some seconds. */
  readonly entry: (value: string, seconds?: number) => StoreEntry
}

const CONTENDERS = 50

/** Names that a store refuses, or keeps apart from all others. */
const ODD_NAMES = [
  'a:b', '../a', '*', 'a*', '[a-z]', 'a b', 'a/b', 'a\\b', "a'; --", '%', 'é', 'a\0', 'a\n', '', '{a}', 'a'.repeat(129),
] // prettier-ignore

/** Names that mean something to a plain object, or to nobody. */
const PLAIN_NAMES = ['__proto__', 'constructor', '.', '..', '-', 'A', 'a', '0', 'a'.repeat(128)]

const VALUES = [
  '',
  '0',
  'null',
  ' a ',
  '\'"`\\',
  'a\nb\r\n',
  '{"a":"\\u0000"}',
  'žluťoučký 鍵 🔑',
  '%s $1 :a ?',
]

const CASES: readonly (readonly [title: string, prove: (stand: Stand) => Promise<void>])[] = [
  [
    'an entry is read as it was written',
    async ({ store, collection, entry }) => {
      const written = entry('value')
      await store.put(collection, 'a', written)
      assert.deepEqual({ ...(await store.get(collection, 'a')) }, written)
    },
  ],
  [
    'a key that was never written has no entry',
    async ({ store, collection, entry }) => {
      assert.equal(await store.get(collection, 'a'), undefined)
      assert.equal(await store.delete(collection, 'a'), false)
      assert.equal(await store.delete(collection, 'a', 'v'), false)
      assert.equal(await store.compareAndSwap(collection, 'a', 'v', entry('value')), false)
      assert.equal(await store.get(collection, 'a'), undefined)
    },
  ],
  [
    'put writes whatever was there',
    async ({ store, collection, entry }) => {
      const second = entry('second', 5)
      await store.put(collection, 'a', entry('first'))
      await store.put(collection, 'a', second)
      assert.deepEqual({ ...(await store.get(collection, 'a')) }, second)
    },
  ],
  [
    'putIfAbsent writes where nothing is, and only there',
    async ({ store, collection, entry }) => {
      const first = entry('first')
      assert.equal(await store.putIfAbsent(collection, 'a', first), true)
      assert.equal(await store.putIfAbsent(collection, 'a', entry('second')), false)
      assert.deepEqual({ ...(await store.get(collection, 'a')) }, first)
    },
  ],
  [
    'compareAndSwap changes value, version and expiry where the version is the same, and only there',
    async ({ store, clock, collection, entry }) => {
      const first = entry('first', 10)
      const second = entry('second', 100)
      await store.put(collection, 'a', first)
      assert.equal(await store.compareAndSwap(collection, 'a', second.version, second), false)
      assert.deepEqual({ ...(await store.get(collection, 'a')) }, first)
      assert.equal(await store.compareAndSwap(collection, 'a', first.version, second), true)
      assert.equal(await store.compareAndSwap(collection, 'a', first.version, entry('third')), false)
      clock.advance(50)
      assert.deepEqual({ ...(await store.get(collection, 'a')) }, second)
    },
  ],
  [
    'delete removes once, and only the version that is named',
    async ({ store, collection, entry }) => {
      const first = entry('first')
      await store.put(collection, 'a', first)
      assert.equal(await store.delete(collection, 'a', 'another'), false)
      assert.deepEqual({ ...(await store.get(collection, 'a')) }, first)
      assert.equal(await store.delete(collection, 'a', first.version), true)
      assert.equal(await store.delete(collection, 'a', first.version), false)
      await store.put(collection, 'a', entry('second'))
      assert.equal(await store.delete(collection, 'a'), true)
      assert.equal(await store.delete(collection, 'a'), false)
      assert.equal(await store.get(collection, 'a'), undefined)
    },
  ],
  [
    'G4 an entry does not exist from the moment it expires at',
    async ({ store, clock, collection, entry }) => {
      const written = entry('value', 10)
      for (const key of ['read', 'swapped', 'deleted', 'deleted-version', 'absent', 'put']) {
        await store.put(collection, key, written)
      }
      clock.advance(9.999)
      assert.notEqual(await store.get(collection, 'read'), undefined)
      assert.equal(await store.putIfAbsent(collection, 'absent', written), false)
      clock.advance(0.001)
      const next = entry('next', 10)
      assert.equal(await store.get(collection, 'read'), undefined)
      assert.equal(await store.compareAndSwap(collection, 'swapped', written.version, next), false)
      assert.equal(await store.get(collection, 'swapped'), undefined)
      assert.equal(await store.delete(collection, 'deleted'), false)
      assert.equal(await store.delete(collection, 'deleted-version', written.version), false)
      assert.equal(await store.putIfAbsent(collection, 'absent', next), true)
      await store.put(collection, 'put', next)
      assert.deepEqual({ ...(await store.get(collection, 'absent')) }, next)
      assert.deepEqual({ ...(await store.get(collection, 'put')) }, next)
    },
  ],
  [
    'an entry that has expired when it is written hides what was there, and is not there',
    async ({ store, collection, entry }) => {
      await store.put(collection, 'a', entry('first'))
      await store.put(collection, 'a', entry('second', -1))
      assert.equal(await store.get(collection, 'a'), undefined)
      assert.equal(await store.putIfAbsent(collection, 'a', entry('third')), true)
    },
  ],
  [
    'a value comes back letter by letter',
    async ({ store, collection, entry }) => {
      const values = [...VALUES, 'x'.repeat(1024 * 1024), '鍵'.repeat(100_000)]
      for (const [n, value] of values.entries()) await store.put(collection, `k${n}`, entry(value))
      for (const [n, value] of values.entries()) {
        assert.equal((await store.get(collection, `k${n}`))?.value === value, true, `value ${n} changed`)
      }
    },
  ],
  [
    'G5 collections and keys of every allowed letter are kept apart',
    async ({ store, collection, entry }) => {
      for (const name of PLAIN_NAMES) {
        assert.equal(await store.get(collection, name), undefined)
        assert.equal(await store.putIfAbsent(collection, name, entry(name)), true)
      }
      for (const name of PLAIN_NAMES) assert.equal((await store.get(collection, name))?.value, name)
      const [one, other] = [`${collection}.a`, collection]
      await store.put(one, 'b', entry('one'))
      assert.equal(await store.get(other, 'a.b'), undefined)
      assert.equal(await store.get('__proto__', 'toString'), undefined)
      assert.equal(await store.get(collection, 'toString'), undefined)
    },
  ],
  [
    'G5 an odd key is refused, or reaches no entry but its own',
    async ({ store, collection, entry }) => {
      const kept = entry('kept')
      for (const key of ['a', 'b', 'x']) await store.put(collection, key, kept)
      for (const odd of ODD_NAMES) {
        const written = entry('odd')
        const taken = await store.put(collection, odd, written).then(
          () => true,
          () => false,
        )
        if (taken) assert.deepEqual({ ...(await store.get(collection, odd)) }, written)
        const attempts: Promise<unknown>[] = [store.put(odd, 'a', written)]
        if (taken) attempts.push(store.delete(collection, odd))
        else {
          attempts.push(
            store.compareAndSwap(collection, odd, kept.version, written),
            store.get(collection, odd),
            store.putIfAbsent(collection, odd, written),
            store.delete(collection, odd),
          )
        }
        await Promise.allSettled(attempts)
        for (const key of ['a', 'b', 'x']) {
          assert.deepEqual(
            { ...(await store.get(collection, key)) },
            kept,
            `${JSON.stringify(odd)} reached ${key}`,
          )
        }
      }
    },
  ],
  [
    'what was read does not change with what is written later, nor the other way round',
    async ({ store, collection, entry }) => {
      const written = { ...entry('first') }
      await store.put(collection, 'a', written)
      const read = (await store.get(collection, 'a')) as { value: string }
      await store.put(collection, 'a', entry('second'))
      assert.equal(read.value, 'first')
      try {
        read.value = 'changed'
      } catch {
        // Frozen is as good.
      }
      written.value = 'changed'
      assert.equal((await store.get(collection, 'a'))?.value, 'second')
    },
  ],
  [
    'of many who write where nothing is, one does',
    async ({ store, collection, entry }) => {
      const entries = times(() => entry('mine'))
      const done = await Promise.all(entries.map((each) => store.putIfAbsent(collection, 'a', each)))
      assert.equal(done.filter(Boolean).length, 1)
      assert.equal((await store.get(collection, 'a'))?.version, entries[done.indexOf(true)]?.version)
    },
  ],
  [
    'of many who write where an expired entry is, one does',
    async ({ store, clock, collection, entry }) => {
      await store.put(collection, 'a', entry('old', 1))
      clock.advance(1)
      const done = await Promise.all(times(() => store.putIfAbsent(collection, 'a', entry('mine'))))
      assert.equal(done.filter(Boolean).length, 1)
    },
  ],
  [
    'of many who change the same version, one does',
    async ({ store, collection, entry }) => {
      const first = entry('first')
      await store.put(collection, 'a', first)
      const entries = times(() => entry('mine'))
      const done = await Promise.all(
        entries.map((each) => store.compareAndSwap(collection, 'a', first.version, each)),
      )
      assert.equal(done.filter(Boolean).length, 1)
      assert.equal((await store.get(collection, 'a'))?.version, entries[done.indexOf(true)]?.version)
    },
  ],
  [
    'of many who remove an entry, one does',
    async ({ store, collection, entry }) => {
      const written = entry('value')
      for (const version of [undefined, written.version]) {
        await store.put(collection, 'a', written)
        const done = await Promise.all(times(() => store.delete(collection, 'a', version)))
        assert.equal(done.filter(Boolean).length, 1)
      }
    },
  ],
  [
    'no change is lost among many who try again',
    async ({ store, collection, entry }) => {
      const adders = CONTENDERS / 5
      await store.put(collection, 'a', entry('0'))
      const addOne = async (): Promise<void> => {
        for (;;) {
          const { value, version } = (await store.get(collection, 'a')) as StoreEntry
          if (await store.compareAndSwap(collection, 'a', version, entry(String(Number(value) + 1)))) return
        }
      }
      await Promise.all(Array.from({ length: adders }, addOne))
      assert.equal((await store.get(collection, 'a'))?.value, String(adders))
    },
  ],
  [
    'many keys at once do not mix',
    async ({ store, collection, entry }) => {
      const keys = Array.from({ length: 200 }, (_, n) => `k${n}`)
      await Promise.all(keys.map((key) => store.put(collection, key, entry(key))))
      const read = await Promise.all(keys.map((key) => store.get(collection, key)))
      assert.deepEqual(
        read.map((each) => each?.value),
        keys,
      )
    },
  ],
  [
    'sweep forgets what has expired, and nothing else',
    async ({ store, clock, collection, entry }) => {
      await store.put(collection, 'long', entry('long', 1000))
      await Promise.all(times((n) => store.put(collection, `k${n}`, entry('short', 10))))
      clock.advance(10)
      const removed = await store.sweep?.()
      if (removed !== undefined) assert.equal(Number.isSafeInteger(removed) && removed >= 0, true)
      assert.equal((await store.get(collection, 'long'))?.value, 'long')
      assert.equal(await store.get(collection, 'k0'), undefined)
    },
  ],
]

let made = 0

/**
 * The contract of {@link Store}: one case for each rule.
 *
 * @example
 * for (const { title, run } of storeContract) {
 *   it(title, () => run((deps) => new MyStore({ now: deps.now })))
 * }
 */
export const storeContract: readonly StoreCase[] = CASES.map(([title, prove]) => ({
  title,
  async run(createStore) {
    const clock = testClock()
    const start = clock.now()
    const store = await createStore({ now: clock.now })
    const entry = (value: string, seconds = 60): StoreEntry => ({
      value,
      version: `v${start}-${made++}`,
      expiresAt: Math.floor(clock.now() + seconds * 1000),
    })
    try {
      await prove({ store, clock, collection: `contract-${start}-${made++}`, entry })
    } finally {
      await store.close?.()
    }
  },
}))

function times<Result>(make: (n: number) => Result): Result[] {
  return Array.from({ length: CONTENDERS }, (_, n) => make(n))
}
