// One client's registered topics. Ids of type "normal" only: predefined and short ones are other topics, whatever their
// number (5.3.4). The table lives as long as the session (7.3).
import { TOPIC_ID_NONE, TOPIC_ID_RESERVED } from '../../assembly/protocol/index.js';
import { between } from '../core/random.js';
import type { Random } from '../ports.js';
import { nameBytes } from '../wire/index.js';

const TOPIC_ID_MIN = TOPIC_ID_NONE + 1;
const TOPIC_ID_MAX = TOPIC_ID_RESERVED - 1;

export interface RegisteredTopic {
  readonly id: number;
  readonly name: string;
  /** The client has been told, or has asked for, this id. */
  readonly known: boolean;
}

interface Topic extends RegisteredTopic {
  known: boolean;
}

/** Up to so many topics, going through them costs no more than a second Map, which most clients then do without. */
const LISTED_MAX = 8;

export class TopicTable {
  private readonly byId = new Map<number, Topic>();
  /** From one more than `LISTED_MAX` on. */
  private byName: Map<string, Topic> | undefined;
  private firstId: number;
  /** Octets of all names. */
  bytes = 0;

  /**
   * `topicsMax` from 1 to 65,534; `bytesMax` octets of names. Ids begin anywhere: a client that does not know that this gateway has forgotten it must
   * hear of its old ids that they mean nothing, rather than have them mean something else.
   */
  constructor(
    private readonly topicsMax: number,
    private readonly bytesMax: number,
    random: Random,
  ) {
    this.firstId = between(random, TOPIC_ID_MIN, TOPIC_ID_MAX);
  }

  get size(): number {
    return this.byId.size;
  }

  all(): Iterable<RegisteredTopic> {
    return this.byId.values();
  }

  /** Takes over a table from before a restart, in its order. */
  restore(topics: Iterable<RegisteredTopic>): void {
    for (const { id, name, known } of topics) {
      if (this.size === 0) this.firstId = id;
      this.add({ id, name, known });
    }
  }

  /** The name that the client means by `id`; undefined where it was not told, or has not confirmed it. */
  nameOf(id: number): string | undefined {
    const topic = this.byId.get(id);
    return topic?.known ? topic.name : undefined;
  }

  /** The id of `name` if the client knows it. */
  knownIdOf(name: string): number | undefined {
    const topic = this.find(name);
    return topic?.known ? topic.id : undefined;
  }

  /** The id of `name`, a new one if need be: the same name always has the same id. Undefined when there is no room. */
  assign(name: string): number | undefined {
    const topic = this.find(name);
    if (topic !== undefined) return topic.id;
    if (this.size >= this.topicsMax || this.bytes + nameBytes(name) > this.bytesMax) return undefined;
    // Ids are never given back, so the next one is as far from the first as there are topics.
    const id = TOPIC_ID_MIN + ((this.firstId - TOPIC_ID_MIN + this.size) % TOPIC_ID_MAX);
    this.add({ id, name, known: false });
    return id;
  }

  /** The client knows the id, or said that it does not (ReturnCode 0x02). Unknown ids are ignored. */
  setKnown(id: number, known: boolean): void {
    const topic = this.byId.get(id);
    if (topic !== undefined) topic.known = known;
  }

  private find(name: string): Topic | undefined {
    if (this.byName !== undefined) return this.byName.get(name);
    for (const topic of this.byId.values()) if (topic.name === name) return topic;
    return undefined;
  }

  private add(topic: Topic): void {
    this.bytes += nameBytes(topic.name);
    this.byId.set(topic.id, topic);
    if (this.byName !== undefined) this.byName.set(topic.name, topic);
    else if (this.byId.size > LISTED_MAX) this.byName = new Map(Array.from(this.byId.values(), (t) => [t.name, t]));
  }
}
