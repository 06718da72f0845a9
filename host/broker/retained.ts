// The last retained message of each topic, in a tree of levels so that a filter with wildcards visits only what it may
// match.
import { TimerQueue } from '../core/timer-queue.js';
import type { Millis } from '../ports.js';
import { bytesOf } from './outbound.js';
import type { BrokerMessage } from './packets.js';
import { RetainedNode, RetainedWalk } from './retained-walk.js';

export interface RetainedLimits {
  readonly retainedMessagesMax: number;
  readonly retainedBytesMax: number;
}

/** What a level of a topic takes that no other topic shares, about: a node, a Map, a string. The first one of a message is free. */
export const RETAINED_LEVEL_BYTES = 256;

/** Nodes of the tree that may be visited in one millisecond for new subscriptions, all together: at most so long do others wait. */
const STEPS_PER_MS = 2_000;

export class RetainedStore {
  private readonly root = new RetainedNode();
  /** Those that expire: a store that is full looks for them at every message, and must not look at all. */
  private readonly expiries = new TimerQueue<BrokerMessage>();
  private count = 0;
  private nodes = 0;
  private bytes = 0;
  /** Counts the messages that were set. */
  private clock = 0;
  private steps = 0;
  private steppedAt: Millis = Number.NEGATIVE_INFINITY;

  constructor(private readonly limits: RetainedLimits) {}

  /** Messages. */
  get size(): number {
    return this.count;
  }

  /** Replaces the topic's message; false, with the old one gone as [MQTT-3.3.1-5] asks, when there is no room. */
  set(message: BrokerMessage): boolean {
    const levels = message.topic.split('/');
    this.clearLevels(levels);
    const bytes = bytesOf(message);
    const path = this.pathOf(levels);
    const missing = levels.length + 1 - path.length;
    if (!this.hasRoomFor(bytes, missing)) return false;
    let node = path.at(-1)!;
    for (const level of levels.slice(path.length - 1)) {
      const next = new RetainedNode();
      node.children ??= new Map();
      node.children.set(level, next);
      node = next;
    }
    node.message = message;
    node.setAt = ++this.clock;
    if (message.expiresAt !== Number.POSITIVE_INFINITY) node.expiry = this.expiries.set(message.expiresAt, message);
    this.count++;
    this.nodes += missing;
    this.bytes += bytes;
    return true;
  }

  /** Forgets the topic's message. True when there was one. */
  clear(topic: string): boolean {
    return this.clearLevels(topic.split('/'));
  }

  /** Messages that are delivered to nobody any more at `now`, each told once: those to be cleared. */
  expired(now: Millis): BrokerMessage[] {
    const found: BrokerMessage[] = [];
    for (let due = this.expiries.popDue(now); due !== undefined; due = this.expiries.popDue(now)) found.push(due);
    return found;
  }

  /** Through the messages that are there now and whose topic the valid filter takes in. The order depends only on the calls made before. */
  walk(filter: string): RetainedWalk {
    return new RetainedWalk(this.root, filter, this.clock);
  }

  /** Whether one more step of a walk may be taken at `now`; false: at the next millisecond. */
  takeStep(now: Millis): boolean {
    if (now !== this.steppedAt) {
      this.steppedAt = now;
      this.steps = 0;
    }
    return this.steps++ < STEPS_PER_MS;
  }

  /** All at once. */
  match(filter: string): BrokerMessage[] {
    return [...this.walk(filter).rest()];
  }

  private clearLevels(levels: readonly string[]): boolean {
    const path = this.pathOf(levels);
    const last = path.at(-1)!;
    if (path.length <= levels.length || last.message === undefined) return false;
    this.count--;
    this.bytes -= bytesOf(last.message);
    last.message = undefined;
    if (last.expiry !== undefined) this.expiries.cancel(last.expiry);
    last.expiry = undefined;
    for (let i = levels.length; i > 0; i--) {
      if (path[i]!.message !== undefined || path[i]!.children !== undefined) break;
      const siblings = path[i - 1]!.children!;
      siblings.delete(levels[i - 1]!);
      this.nodes--;
      if (siblings.size > 0) break;
      path[i - 1]!.children = undefined;
    }
    return true;
  }

  /** The nodes along the levels from the root on, as far as there are any. */
  private pathOf(levels: readonly string[]): RetainedNode[] {
    let node: RetainedNode | undefined = this.root;
    const path = [node];
    for (const level of levels) {
      node = node.children?.get(level);
      if (node === undefined) break;
      path.push(node);
    }
    return path;
  }

  private hasRoomFor(bytes: number, nodes: number): boolean {
    const { retainedMessagesMax, retainedBytesMax } = this.limits;
    const levelBytes = (this.nodes + nodes - this.count - 1) * RETAINED_LEVEL_BYTES;
    return this.count < retainedMessagesMax && this.bytes + bytes + Math.max(0, levelBytes) <= retainedBytesMax;
  }
}
