// Publishers and subscribers of one run, and the count of every message between them. How fast messages come is not
// decided here: `send` is called by who floods or paces, and `onProgress` says that something has arrived.
import type { Client } from './client.js';
import { openClients } from './client.js';
import {
  Acks,
  PAYLOAD_BYTES,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  PublishRing,
  QOS,
  QOS_SHIFT,
  TYPE,
} from './packets.js';

/** Messages of a publisher before its packet identifiers begin again: more than any window. */
const RING_FRAMES = 4_096;

/** All publishers' topics are below it; each has as many digits, so that all PUBLISHes are of one length. */
const TOPIC = 'bench/from/';
const TOPIC_DIGITS = 4;
const FILTER = 'bench/from/+';

export interface Shape {
  readonly publishers: number;
  readonly subscribers: number;
  readonly qos: number;
}

/** What all clients of a run have done. */
export interface Tally {
  sent: number;
  /** Deliveries. */
  received: number;
  /** Messages whose exchange between publisher and broker is over. At QoS 0, none. */
  acknowledged: number;
}

export class Publisher {
  private sent = 0;
  private acknowledged = 0;
  private readonly acks = new Acks();
  private readonly ring: PublishRing;

  constructor(
    private readonly client: Client,
    index: number,
    private readonly qos: number,
    private readonly tally: Tally,
    private readonly onProgress: () => void,
  ) {
    this.ring = new PublishRing(`${TOPIC}${String(index).padStart(TOPIC_DIGITS, '0')}`, qos, RING_FRAMES);
    client.listen({ frame: this.frame, readDone: this.readDone });
  }

  /** Messages that wait for the broker's word. */
  get inflight(): number {
    return this.qos === 0 ? 0 : this.sent - this.acknowledged;
  }

  send(messages: number): void {
    for (let left = messages; left > 0; ) {
      const octets = this.ring.take(left);
      this.client.write(octets);
      left -= octets.length / this.ring.frameBytes;
    }
    this.sent += messages;
    this.tally.sent += messages;
  }

  /** One message that carries the time. */
  sendAt(timeMs: number): void {
    const octets = Buffer.from(this.ring.take(1));
    octets.writeDoubleBE(timeMs, octets.length - PAYLOAD_BYTES);
    this.client.write(octets);
    this.sent++;
    this.tally.sent++;
  }

  private readonly frame = (bytes: Buffer, at: number, bodyAt: number): void => {
    const type = bytes[at]! & TYPE;
    if (type === (this.qos === 1 ? PUBACK : PUBCOMP)) {
      this.acknowledged++;
      this.tally.acknowledged++;
    } else if (type === PUBREC) this.acks.add(PUBREL, bytes[bodyAt]!, bytes[bodyAt + 1]!);
    else throw new Error(`a publisher is sent a packet of type ${type >> 4}`);
  };

  private readonly readDone = (): void => {
    const octets = this.acks.take();
    if (octets !== undefined) this.client.write(octets);
    this.onProgress();
  };
}

export class Subscriber {
  /** Called with the time in each message, when it is set. */
  onTime: ((timeMs: number) => void) | undefined;
  private readonly acks = new Acks();
  private readonly answer: number;

  constructor(
    private readonly client: Client,
    private readonly qos: number,
    private readonly tally: Tally,
    private readonly onProgress: () => void,
  ) {
    this.answer = qos === 1 ? PUBACK : PUBREC;
    client.listen({ frame: this.frame, readDone: this.readDone });
  }

  private readonly frame = (bytes: Buffer, at: number, bodyAt: number, end: number): void => {
    const first = bytes[at]!;
    const type = first & TYPE;
    if (type === PUBLISH) {
      if (((first >> QOS_SHIFT) & QOS) !== this.qos) throw new Error(`a message arrives at another QoS: ${first}`);
      this.tally.received++;
      if (this.qos !== 0) {
        const idAt = end - PAYLOAD_BYTES - 2;
        this.acks.add(this.answer, bytes[idAt]!, bytes[idAt + 1]!);
      }
      this.onTime?.(bytes.readDoubleBE(end - PAYLOAD_BYTES));
    } else if (type === (PUBREL & TYPE)) this.acks.add(PUBCOMP, bytes[bodyAt]!, bytes[bodyAt + 1]!);
    else throw new Error(`a subscriber is sent a packet of type ${type >> 4}`);
  };

  private readonly readDone = (): void => {
    const octets = this.acks.take();
    if (octets !== undefined) this.client.write(octets);
    this.onProgress();
  };
}

/** The clients of one run. Every subscriber is to get every message. */
export class Traffic {
  onProgress: () => void = () => {};
  readonly tally: Tally = { sent: 0, received: 0, acknowledged: 0 };
  readonly publishers: readonly Publisher[];
  private readonly clients: readonly Client[];
  readonly subscribers: readonly Subscriber[];

  private constructor(
    readonly shape: Shape,
    publishers: readonly Client[],
    subscribers: readonly Client[],
  ) {
    this.clients = [...publishers, ...subscribers];
    const { tally } = this;
    const progress = (): void => this.onProgress();
    this.publishers = publishers.map((client, index) => new Publisher(client, index, shape.qos, tally, progress));
    this.subscribers = subscribers.map((client) => new Subscriber(client, shape.qos, tally, progress));
  }

  static async open(port: number, shape: Shape): Promise<Traffic> {
    const subscribers = await openClients(port, 'sub-', shape.subscribers);
    await Promise.all(subscribers.map((client) => client.subscribe(FILTER, shape.qos)));
    return new Traffic(shape, await openClients(port, 'pub-', shape.publishers), subscribers);
  }

  /** All clients leave. */
  close(): void {
    for (const client of this.clients) void client.close();
  }

  /** Deliveries that there must be in the end. */
  get expected(): number {
    return this.tally.sent * this.shape.subscribers;
  }

  /** Messages that wait for the broker's word. */
  get inflight(): number {
    return this.shape.qos === 0 ? 0 : this.tally.sent - this.tally.acknowledged;
  }
}
