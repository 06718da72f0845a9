// An application at the broker, as a scenario describes it: it subscribes, and it sends commands to devices in turn.
import type { Message, Millis, PacketId, Upstream, UpstreamSession } from '../ports.js';
import type { ClientCommand, ScenarioClient } from './scenario.js';
import type { Scheduler } from './scheduler.js';

export interface CommandTarget {
  readonly device: string;
  readonly topic: string;
  readonly round: number;
}

export interface SimClientEvents {
  delivered(message: Message, now: Millis): void;
  /** `device` is whom it is for. */
  published(message: Message, device: string, now: Millis): void;
  /** The client has spoken to the broker, whose deadlines may have moved. */
  acted(now: Millis): void;
  /** Where the `index`-th message of a command goes, and how often it has been round; undefined where that device is not ready. */
  nextTarget(command: ClientCommand, index: number): CommandTarget | undefined;
}

const encoder = new TextEncoder();
const MS_PER_S = 1000;
const PACKET_ID_MAX = 0xffff;

export class SimClient {
  private session: UpstreamSession | undefined;
  private lastId: PacketId = 0;

  constructor(
    readonly options: ScenarioClient,
    private readonly upstream: Upstream,
    private readonly scheduler: Scheduler,
    private readonly events: SimClientEvents,
  ) {}

  /** Connects at its time, subscribes, and begins its commands. */
  schedule(): void {
    const joinsMs = Math.round((this.options.joinsAtS ?? 0) * MS_PER_S);
    this.scheduler.at(joinsMs, (now) => this.join(now));
    for (const command of this.options.commands ?? []) {
      const everyMs = Math.max(1, Math.round(command.everyS * MS_PER_S));
      const firstMs = Math.round((command.fromS ?? command.everyS) * MS_PER_S);
      this.scheduler.at(Math.max(firstMs, joinsMs), (now) => this.command(command, everyMs, 0, now));
    }
  }

  private join(now: Millis): void {
    const { name, subscribe } = this.options;
    this.session = this.upstream.open(
      { clientId: name, clean: true },
      {
        connected: () => {},
        message: (message, id, _dup, then) => {
          this.events.delivered(message, then);
          this.session?.acknowledge(id, then);
        },
        released: (id, then) => this.session?.complete(id, then),
        closed: () => {
          this.session = undefined;
        },
      },
      now,
    );
    for (const { filter, qos } of subscribe ?? []) this.session.subscribe(filter, qos, now, () => {});
    this.events.acted(now);
  }

  private command(command: ClientCommand, everyMs: number, index: number, now: Millis): void {
    const target = this.events.nextTarget(command, index);
    if (target !== undefined) {
      const payload = command.payloads[target.round % command.payloads.length]!;
      const message: Message = {
        topic: target.topic,
        payload: encoder.encode(payload.replaceAll('{n}', String(index + 1))),
        qos: command.qos,
        retain: false,
      };
      this.events.published(message, target.device, now);
      this.publish(message, now);
      this.events.acted(now);
    }
    this.scheduler.at(now + everyMs, (then) => this.command(command, everyMs, index + 1, then));
  }

  private publish(message: Message, now: Millis): void {
    const { session } = this;
    const id = message.qos === 0 ? 0 : this.nextId();
    session?.publish(message, id, false, now, (_outcome, then) => {
      if (message.qos === 2) session.release(id, then, () => {});
    });
  }

  private nextId(): PacketId {
    this.lastId = this.lastId === PACKET_ID_MAX ? 1 : this.lastId + 1;
    return this.lastId;
  }
}
