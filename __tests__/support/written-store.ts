import { MemoryStore } from 'express-mcp-auth/stores/memory'

/** Keeps everything that was ever written. */
export class WrittenStore extends MemoryStore {
  readonly written: string[] = []

  override put(...step: Parameters<MemoryStore['put']>): Promise<void> {
    this.written.push(JSON.stringify(step))
    return super.put(...step)
  }

  override putIfAbsent(...step: Parameters<MemoryStore['putIfAbsent']>): Promise<boolean> {
    this.written.push(JSON.stringify(step))
    return super.putIfAbsent(...step)
  }

  override compareAndSwap(...step: Parameters<MemoryStore['compareAndSwap']>): Promise<boolean> {
    this.written.push(JSON.stringify(step))
    return super.compareAndSwap(...step)
  }

  /** Of one kind of records. */
  of(kind: string): string[] {
    return this.written.filter((step) => new RegExp(`^\\["[0-9a-f]{12}\\.${kind}[."]`).test(step))
  }
}
