// A part of a device's life as the calls into its module that make it up, recorded on V8 in virtual time between the real
// gateway and broker: so that an engine can be given the same (calls.ts), and what it takes can be measured.
import type { Millis, Qos, UpstreamSession } from '../../host/ports.js';
import { type Call, Recorder, type Request } from './calls.js';
import { type Inhabitant, World, type WorldOptions } from './world.js';

export interface DayOptions extends Pick<WorldOptions, 'radio' | 'outage'> {
  /** Of the device, and of the radio. */
  readonly seed: number;
  readonly durationMs: Millis;
  /** What an application at the broker publishes, one after another, one every `everyMs`. */
  readonly publishes?: readonly Publish[];
  readonly everyMs?: Millis;
  /** Of a modem module: what the native application does. */
  readonly script?: Script;
}

/** Calls a verb, with `octets` at rx(). Returns its result. */
export type Verb = (name: string, args?: readonly number[], octets?: Uint8Array) => number;

/** At so many seconds. */
export type Script = readonly (readonly [atS: number, act: (verb: Verb, now: Millis) => void])[];

export interface Publish {
  readonly topic: string;
  readonly payload: string;
  readonly qos: Qos;
}

const NOTHING = new Uint8Array();
const SECOND: Millis = 1_000;
const START_MS = SECOND;

/** Records what the application in `wasm` lives through. */
export function recordDay(wasm: Uint8Array, options: DayOptions): Call[] {
  return new Day(wasm, options).run();
}

class Day implements Inhabitant {
  private readonly recorder: Recorder;
  private readonly world: World;

  constructor(
    wasm: Uint8Array,
    private readonly options: DayOptions,
  ) {
    const { seed, durationMs } = options;
    this.recorder = new Recorder(wasm);
    this.world = new World({ ...options, radioSeed: seed, endMs: durationMs }, this);
  }

  run(): Call[] {
    const { world } = this;
    const { seed, durationMs, publishes = [], everyMs = durationMs, script = [] } = this.options;
    world.at(START_MS, (now) => {
      this.step({ kind: 'start', now, seed });
      world.poll(now);
    });
    for (const [atS, act] of script) {
      world.at(atS * SECOND, (now) => {
        act((name, args = [], octets = NOTHING) => this.step({ kind: 'verb', now, name, args, octets }), now);
        world.poll(now);
      });
    }
    const client = publishes.length === 0 ? undefined : this.openClient();
    for (let i = 0; publishes.length > 0 && (i + 1) * everyMs < durationMs; i++) {
      world.at((i + 1) * everyMs, (now) => publish(client!, publishes[i % publishes.length]!, i + 1, now));
    }
    world.run();
    return this.recorder.calls;
  }

  get isOn(): boolean {
    return this.recorder.calls.length > 0;
  }

  receive(datagram: Uint8Array, now: Millis): void {
    this.step({ kind: 'receive', now, datagram, from: NOTHING });
  }

  poll(now: Millis): Millis {
    return this.step({ kind: 'poll', now });
  }

  private openClient(): UpstreamSession {
    const hears = { connected: () => {}, message: () => {}, released: () => {}, closed: () => {} };
    return this.world.upstream.open({ clientId: 'hall', clean: true }, hears, 0);
  }

  private step(request: Request): number {
    const { result, sent } = this.recorder.call(request);
    for (const { datagram } of sent) this.world.say(datagram);
    return result;
  }
}

/** What an application at the broker publishes; `id` is its packet identifier. */
export function publish(client: UpstreamSession, { topic, payload, qos }: Publish, id: number, now: Millis): void {
  const message = { topic, payload: new TextEncoder().encode(payload), qos, retain: false };
  client.publish(message, qos === 0 ? 0 : id, false, now, (_, then) => {
    if (qos === 2) client.release(id, then, () => {});
  });
}
