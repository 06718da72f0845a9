// One client's registered topics. Ids of type "normal" only: predefined and short ones are other topics, whatever their
// number (5.3.4). The table lives as long as the session (7.3).
import { TOPIC_ID_NONE, TOPIC_ID_RESERVED } from '../../assembly/protocol/index.js';

export interface RegisteredTopic {
  readonly id: number;
  readonly name: string;
  /** The client has been told, or has asked for, this id. */
  readonly known: boolean;
}

interface Topic extends RegisteredTopic {
  known: boolean;
}

export class TopicTable {
  private readonly byName = new Map<string, Topic>();
  private readonly byId = new Map<number, Topic>();
  private nextId = TOPIC_ID_NONE + 1;

  /** `topicsMax` from 1 to 65,534. */
  constructor(private readonly topicsMax: number) {}

  get size(): number {
    return this.byId.size;
  }

  all(): Iterable<RegisteredTopic> {
    return this.byId.values();
  }

  /** Takes over a table from before a restart. */
  restore(topics: Iterable<RegisteredTopic>): void {
    for (const { id, name, known } of topics) {
      this.add({ id, name, known });
      this.nextId = Math.max(this.nextId, id + 1);
    }
  }

  nameOf(id: number): string | undefined {
    return this.byId.get(id)?.name;
  }

  /** The id of `name` if the client knows it. */
  knownIdOf(name: string): number | undefined {
    const topic = this.byName.get(name);
    return topic?.known ? topic.id : undefined;
  }

  /** The id of `name`, a new one if need be: the same name always has the same id. Undefined when all are taken. */
  assign(name: string): number | undefined {
    const topic = this.byName.get(name);
    if (topic !== undefined) return topic.id;
    if (this.nextId === TOPIC_ID_RESERVED || this.byId.size >= this.topicsMax) return undefined;
    const id = this.nextId++;
    this.add({ id, name, known: false });
    return id;
  }

  /** The client knows the id, or said that it does not (ReturnCode 0x02). Unknown ids are ignored. */
  setKnown(id: number, known: boolean): void {
    const topic = this.byId.get(id);
    if (topic !== undefined) topic.known = known;
  }

  private add(topic: Topic): void {
    this.byName.set(topic.name, topic);
    this.byId.set(topic.id, topic);
  }
}
