// A store that ends with the process: for tests and simulations, which may hand it from one gateway to the next.
import type { Store } from '../ports.js';

export class MemoryStore implements Store {
  private readonly records = new Map<string, Uint8Array>();

  /** As they are at the moment of the call. */
  entries(): Iterable<readonly [key: string, value: Uint8Array]> {
    return [...this.records].map(([key, value]) => [key, value.slice()] as const);
  }

  put(key: string, value: Uint8Array): void {
    this.records.set(key, new Uint8Array(value));
  }

  delete(key: string): void {
    this.records.delete(key);
  }
}
