// The last retained message of each topic, in a tree of levels so that a filter with wildcards visits only what it may
// match. Walks are loops, not recursion: a name may have 65,535 levels.
import type { Millis } from '../ports.js';
import { bytesOf } from './outbound.js';
import type { BrokerMessage } from './packets.js';

const DOLLAR = 0x24;

class Node {
  children: Map<string, Node> | undefined;
  message: BrokerMessage | undefined;
}

export interface RetainedLimits {
  readonly retainedMessagesMax: number;
  readonly retainedBytesMax: number;
}

export class RetainedStore {
  private readonly root = new Node();
  private count = 0;
  private bytes = 0;

  constructor(private readonly limits: RetainedLimits) {}

  /** Messages. */
  get size(): number {
    return this.count;
  }

  /** The topic's message. */
  get(topic: string): BrokerMessage | undefined {
    let node: Node | undefined = this.root;
    for (const level of topic.split('/')) {
      node = node.children?.get(level);
      if (node === undefined) return undefined;
    }
    return node.message;
  }

  /** Replaces the topic's message; false, with the old one gone as [MQTT-3.3.1-5] asks, when there is no room. */
  set(message: BrokerMessage): boolean {
    this.clear(message.topic);
    const bytes = bytesOf(message);
    if (!this.hasRoomFor(bytes)) return false;
    let node = this.root;
    for (const level of message.topic.split('/')) {
      node.children ??= new Map();
      let next = node.children.get(level);
      if (next === undefined) {
        next = new Node();
        node.children.set(level, next);
      }
      node = next;
    }
    node.message = message;
    this.count++;
    this.bytes += bytes;
    return true;
  }

  /** Forgets the topic's message. True when there was one. */
  clear(topic: string): boolean {
    const levels = topic.split('/');
    const path: Node[] = [this.root];
    for (const level of levels) {
      const next = path.at(-1)!.children?.get(level);
      if (next === undefined) return false;
      path.push(next);
    }
    const last = path.at(-1)!;
    if (last.message === undefined) return false;
    this.count--;
    this.bytes -= bytesOf(last.message);
    last.message = undefined;
    for (let i = levels.length; i > 0; i--) {
      if (path[i]!.message !== undefined || path[i]!.children !== undefined) break;
      const siblings = path[i - 1]!.children!;
      siblings.delete(levels[i - 1]!);
      if (siblings.size > 0) break;
      path[i - 1]!.children = undefined;
    }
    return true;
  }

  /** Messages that are delivered to nobody any more at `now`: those to be cleared. */
  expired(now: Millis): BrokerMessage[] {
    return descendants([this.root], false).filter((message) => message.expiresAt <= now);
  }

  /** True when a message of so many bytes can come in addition. */
  hasRoomFor(bytes: number): boolean {
    return this.count < this.limits.retainedMessagesMax && this.bytes + bytes <= this.limits.retainedBytesMax;
  }

  /** Every message whose topic the valid filter takes in. The order depends only on the calls made before. */
  match(filter: string): BrokerMessage[] {
    let frontier: Node[] = [this.root];
    const levels = filter.split('/');
    for (let i = 0; i < levels.length; i++) {
      const level = levels[i]!;
      if (level === '#') return descendants(frontier, i === 0);
      const ahead: Node[] = [];
      for (const node of frontier) {
        if (level === '+') pushChildren(node, i === 0, ahead);
        else {
          const child = node.children?.get(level);
          if (child !== undefined) ahead.push(child);
        }
      }
      if (ahead.length === 0) return [];
      frontier = ahead;
    }
    return frontier.flatMap((node) => node.message ?? []);
  }
}

/** A leading wildcard does not see the server's own topics [MQTT-4.7.2-1]. */
function pushChildren(node: Node, leading: boolean, into: Node[]): void {
  if (node.children === undefined) return;
  for (const [level, child] of node.children) {
    if (!leading || level.charCodeAt(0) !== DOLLAR) into.push(child);
  }
}

/** The messages of the nodes, as `#` includes the parent level, and of all below, breadth first. */
function descendants(roots: readonly Node[], leading: boolean): BrokerMessage[] {
  const found: BrokerMessage[] = [];
  let level = roots;
  let first = leading;
  while (level.length > 0) {
    const below: Node[] = [];
    for (const node of level) {
      if (node.message !== undefined) found.push(node.message);
      pushChildren(node, first, below);
    }
    first = false;
    level = below;
  }
  return found;
}
