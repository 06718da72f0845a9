// What stands at topic filters: a tree of topic levels in which a topic name finds what matches it in time that depends
// on its own levels and the wildcards along them, not on how much there is. Walks are loops, not recursion: a filter may
// have 65,535 levels.

const DOLLAR = 0x24;

class Node<K, V> {
  /** Literal levels. Few nodes branch, so a node without children has no map. */
  children: Map<string, Node<K, V>> | undefined;
  plus: Node<K, V> | undefined;
  hash: Node<K, V> | undefined;
  values: Map<K, V> | undefined;

  get isEmpty(): boolean {
    return this.children === undefined && this.plus === undefined && this.hash === undefined && !this.values;
  }

  child(level: string): Node<K, V> | undefined {
    if (level === '+') return this.plus;
    if (level === '#') return this.hash;
    return this.children?.get(level);
  }

  grow(level: string): Node<K, V> {
    const node = new Node<K, V>();
    if (level === '+') this.plus = node;
    else if (level === '#') this.hash = node;
    else {
      this.children ??= new Map();
      this.children.set(level, node);
    }
    return node;
  }

  cut(level: string): void {
    if (level === '+') this.plus = undefined;
    else if (level === '#') this.hash = undefined;
    else if (this.children?.delete(level) && this.children.size === 0) this.children = undefined;
  }
}

/** Values by filter and owner: an owner has one value at a filter. */
export class TopicTree<K, V> {
  private readonly root = new Node<K, V>();
  private count = 0;
  /** Kept from match to match, so that a match allocates only its levels. */
  private found: V[] = [];
  private frontier: Node<K, V>[] = [];
  private ahead: Node<K, V>[] = [];

  get size(): number {
    return this.count;
  }

  /** Adds the value or replaces the one that the owner has there. True when it is new. `filter` is valid. */
  add(filter: string, owner: K, value: V): boolean {
    let node = this.root;
    for (const level of filter.split('/')) node = node.child(level) ?? node.grow(level);
    node.values ??= new Map();
    const before = node.values.size;
    node.values.set(owner, value);
    if (node.values.size === before) return false;
    this.count++;
    return true;
  }

  /** Takes the owner's value out, and every node that only it needed. True when there was one. */
  remove(filter: string, owner: K): boolean {
    const levels = filter.split('/');
    const path: Node<K, V>[] = [this.root];
    for (const level of levels) {
      const next = path.at(-1)!.child(level);
      if (next === undefined) return false;
      path.push(next);
    }
    const last = path.at(-1)!;
    if (!last.values?.delete(owner)) return false;
    if (last.values.size === 0) last.values = undefined;
    for (let i = levels.length; i > 0 && path[i]!.isEmpty; i--) path[i - 1]!.cut(levels[i - 1]!);
    this.count--;
    return true;
  }

  /**
   * All values at filters that take the name in. The array is the tree's own: read it before the next call. Its order
   * depends only on the calls made before.
   */
  match(topic: string): readonly V[] {
    this.found.length = 0;
    this.frontier.length = 0;
    this.frontier.push(this.root);
    // A leading wildcard does not see the server's own topics [MQTT-4.7.2-1].
    let wildcards = topic.charCodeAt(0) !== DOLLAR;
    for (const level of topic.split('/')) {
      this.step(level, wildcards);
      if (this.frontier.length === 0) return this.found;
      wildcards = true;
    }
    for (const node of this.frontier) {
      this.collect(node);
      this.collect(node.hash); // `sport/#` includes `sport` itself
    }
    return this.found;
  }

  private step(level: string, wildcards: boolean): void {
    this.ahead.length = 0;
    for (const node of this.frontier) {
      const child = node.children?.get(level);
      if (child !== undefined) this.ahead.push(child);
      if (!wildcards) continue;
      if (node.plus !== undefined) this.ahead.push(node.plus);
      this.collect(node.hash);
    }
    const done = this.frontier;
    this.frontier = this.ahead;
    this.ahead = done;
  }

  private collect(node: Node<K, V> | undefined): void {
    if (node?.values === undefined) return;
    for (const value of node.values.values()) this.found.push(value);
  }
}
