// An update on its way to one device, over any broker.
import type { Message, Millis, PacketId, Upstream, UpstreamSession } from '../ports.js';
import { parseStatus, Sender, type SenderOptions, type UpdateOutcome } from './sender.js';

export interface PublisherOptions extends SenderOptions {
  readonly clientId: string;
  /** Where the device wants its chunks. */
  readonly topic: string;
  /** Where it says what it misses and what works. */
  readonly status: string;
  /** A chunk that is never sent: how a test takes one away. Default: none. */
  readonly omit?: number;
}

export interface PublisherEvents {
  /** What became of it. Called once. */
  done(outcome: UpdateOutcome, now: Millis): void;
  /** The device has told how many chunks it has. */
  progress?(chunks: number, total: number, now: Millis): void;
}

const PACKET_ID_MAX = 0xffff;

export class Publisher {
  private readonly sender: Sender;
  private session: UpstreamSession | undefined;
  private lastId: PacketId = 0;
  private isDone = false;
  private told = 0;

  constructor(
    private readonly options: PublisherOptions,
    private readonly upstream: Upstream,
    private readonly events: PublisherEvents,
  ) {
    this.sender = new Sender(options);
  }

  /** Connects, listens to the device, and begins. */
  start(now: Millis): void {
    const { clientId } = this.options;
    let isConnected = false; // perhaps before `open` has returned
    this.session = this.upstream.open(
      { clientId, clean: true },
      {
        connected: (_isPresent, then) => {
          isConnected = true;
          if (this.session !== undefined) this.listen(then);
        },
        message: (message, id, _dup, then) => this.hear(message, id, then),
        released: (id, then) => this.session?.complete(id, then),
        closed: (reason, then) => {
          this.session = undefined;
          this.finish({ kind: 'disconnected', reason }, then);
        },
      },
      now,
    );
    if (isConnected) this.listen(now);
  }

  private listen(now: Millis): void {
    const { status } = this.options;
    this.session?.subscribe(status, 1, now, (granted, then) => {
      if (granted === undefined) {
        this.finish({ kind: 'disconnected', reason: `no subscription to ${status}` }, then);
        return;
      }
      this.sender.start(then);
      this.send(then);
    });
  }

  nextDue(): Millis {
    return this.isDone ? Number.POSITIVE_INFINITY : this.sender.nextDue();
  }

  poll(now: Millis): void {
    this.sender.poll(now);
    this.send(now);
  }

  private hear(message: Message, id: PacketId, now: Millis): void {
    this.session?.acknowledge(id, now);
    const status = parseStatus(message.payload);
    if (status === undefined || this.isDone) return;
    this.sender.hear(status, message.retain, now);
    if (this.sender.known !== this.told) {
      this.told = this.sender.known;
      this.events.progress?.(this.told, this.sender.total, now);
    }
    this.send(now);
  }

  /** What may go out, or the end. */
  private send(now: Millis): void {
    const { topic, omit, chunks } = this.options;
    for (let payload = this.sender.take(); payload !== undefined; payload = this.sender.take()) {
      if (payload === chunks[omit ?? -1]) continue;
      this.lastId = this.lastId === PACKET_ID_MAX ? 1 : this.lastId + 1;
      this.session?.publish({ topic, payload, qos: 1, retain: false }, this.lastId, false, now, () => {});
    }
    if (this.sender.outcome !== undefined) this.finish(this.sender.outcome, now);
  }

  private finish(outcome: UpdateOutcome, now: Millis): void {
    if (this.isDone) return;
    this.isDone = true;
    this.session?.close(now);
    this.session = undefined;
    this.events.done(outcome, now);
  }
}
