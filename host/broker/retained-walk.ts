// A walk through the retained messages that one filter takes in, step by step: it may rest between any two, and messages
// may come and go meanwhile. A loop over a stack as deep as the topics, not recursion: a name may have 65,535 levels.
import type { Timer } from '../core/timer-queue.js';
import type { BrokerMessage } from './packets.js';

const DOLLAR = 0x24;

export class RetainedNode {
  children: Map<string, RetainedNode> | undefined;
  message: BrokerMessage | undefined;
  /** When the message was set, in the store's own count. */
  setAt = 0;
  /** Of a message that expires. */
  expiry: Timer<BrokerMessage> | undefined;
}

/** Nodes side by side, of which the first have been visited. A Map's iterator bears that entries come and go. */
interface Siblings {
  readonly left: Iterator<[string, RetainedNode]>;
  /** Which level of the filter stands for what is below each of them. */
  readonly below: number;
  /** A leading wildcard stands for them: it does not see the server's own topics [MQTT-4.7.2-1]. */
  readonly isFirst: boolean;
}

export class RetainedWalk {
  private readonly levels: readonly string[];
  private readonly stack: Siblings[] = [];
  private at: RetainedNode | undefined;

  /** `filter` is valid. Messages set after `until` are left out. */
  constructor(
    private readonly root: RetainedNode,
    filter: string,
    private readonly until: number,
  ) {
    this.levels = filter.split('/');
    this.visit(root, 0);
  }

  /** The message where the walk stands. Undefined: it has to go on. */
  get found(): BrokerMessage | undefined {
    const { at } = this;
    return at === undefined || at.setAt > this.until ? undefined : at.message;
  }

  get isOver(): boolean {
    return this.stack.length === 0 && this.found === undefined;
  }

  /** Goes on by one node, whether there is a message or not. */
  step(): void {
    this.at = undefined;
    const siblings = this.stack.at(-1);
    if (siblings === undefined) return;
    const next = siblings.left.next();
    if (next.done === true) this.stack.pop();
    else {
      const [level, node] = next.value;
      if (!siblings.isFirst || level.charCodeAt(0) !== DOLLAR) this.visit(node, siblings.below);
    }
  }

  /** The messages that are left, all at once. */
  *rest(): IterableIterator<BrokerMessage> {
    for (; !this.isOver; this.step()) if (this.found !== undefined) yield this.found;
  }

  /** Leaves the message where it stands. */
  leave(): void {
    this.at = undefined;
  }

  /** A node that is reached, with the rest of the filter from its level `from` on. */
  private visit(reached: RetainedNode, from: number): void {
    let node = reached;
    for (let i = from; i < this.levels.length; i++) {
      const level = this.levels[i]!;
      if (level === '#' || level === '+') {
        // `#` takes in the parent level, and stands for what is below its children too.
        if (level === '#') this.at = node;
        const below = level === '#' ? i : i + 1;
        if (node.children !== undefined) {
          this.stack.push({ left: node.children.entries(), below, isFirst: node === this.root });
        }
        return;
      }
      const child = node.children?.get(level);
      if (child === undefined) return;
      node = child;
    }
    this.at = node;
  }
}
