// Maps and sets that mostly hold nothing or one thing. What a session has under way is seldom more, and there are many
// sessions: an empty Map takes 208 octets of V8's heap, one of these 48.

/** A Map in the order of insertion, as far as it is needed. Keys are never undefined. */
export class SmallMap<K, V> {
  /** The only entry, while there is no `more`. */
  private key: K | undefined;
  private value: V | undefined;
  /** All entries, from the second on until none is left. */
  private more: Map<K, V> | undefined;

  get size(): number {
    if (this.more !== undefined) return this.more.size;
    return this.key === undefined ? 0 : 1;
  }

  has(key: K): boolean {
    return this.more === undefined ? this.key === key : this.more.has(key);
  }

  get(key: K): V | undefined {
    if (this.more !== undefined) return this.more.get(key);
    return this.key === key ? this.value : undefined;
  }

  /** An entry that is there keeps its place. */
  set(key: K, value: V): void {
    if (this.more === undefined && this.key !== undefined && this.key !== key) {
      this.more = new Map([[this.key, this.value!]]);
      this.key = undefined;
      this.value = undefined;
    }
    if (this.more !== undefined) this.more.set(key, value);
    else {
      this.key = key;
      this.value = value;
    }
  }

  /** True when it was there. */
  delete(key: K): boolean {
    if (!this.has(key)) return false;
    this.more?.delete(key);
    if (this.more === undefined || this.more.size === 0) this.clear();
    return true;
  }

  clear(): void {
    this.key = undefined;
    this.value = undefined;
    this.more = undefined;
  }

  *keys(): IterableIterator<K> {
    for (const [key] of this) yield key;
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this) yield value;
  }

  /** Entries may be deleted meanwhile. */
  *[Symbol.iterator](): IterableIterator<[K, V]> {
    if (this.more !== undefined) yield* this.more;
    else if (this.key !== undefined) yield [this.key, this.value!];
  }
}

/** A Set in the order of insertion. Iterated over with `keys`. */
export class SmallSet<T> extends SmallMap<T, true> {
  add(value: T): void {
    this.set(value, true);
  }
}
