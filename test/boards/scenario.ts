// A day in the life of a device, as the calls into its module that make it up: recorded once on V8, in virtual time, between
// the real gateway and broker and over a radio that loses, doubles and reorders; to be replayed on any engine, which must
// answer each call with the same octets.
import { join } from 'node:path';
import { publish } from '../../bench/footprint/day.js';
import { type Inhabitant, World } from '../../bench/footprint/world.js';
import { type Device, DeviceModule } from '../../host/device/device.js';
import type { Millis, Qos, UpstreamSession } from '../../host/ports.js';
import type { LinkOptions } from '../../host/sim/link.js';

export const TOUR = join(import.meta.dirname, '..', 'e2e', 'apps', 'tour.ts');

export type Call =
  | { readonly call: 'start'; readonly now: Millis; readonly seed: number }
  | { readonly call: 'receive'; readonly now: Millis; readonly datagram: Uint8Array }
  | { readonly call: 'poll'; readonly now: Millis }
  | { readonly call: 'resume'; readonly now: Millis }
  | { readonly call: 'seal' };

/** A call, and what came of it. */
export interface Recorded {
  readonly call: Call;
  readonly result: number;
  readonly sent: readonly Uint8Array[];
  /** The state region afterwards, where the recording has looked: after each `seal`. */
  readonly image?: Uint8Array;
}

/** A recording, and what was seen at the broker while it was made. */
export interface Recording {
  readonly calls: readonly Recorded[];
  /** Messages as `QoS topic payload`, in order. */
  readonly messages: readonly string[];
}

const SECOND: Millis = 1_000;
const BAD_RADIO: Partial<LinkOptions> = {
  loss: { model: 'bernoulli', lossPercent: 15 },
  duplicatePercent: 8,
  reorderPercent: 5,
  delayMsMax: 300,
};
/** An outage longer than all tries of the client. */
const OUTAGE = { fromMs: 300 * SECOND, toMs: 420 * SECOND };
const END_MS = 700 * SECOND;

/** What is published to the device: seconds, QoS, and the payload for `do`, or for `in` where it begins with `>`. */
const SCRIPT: readonly (readonly [atS: number, qos: Qos, payload: string])[] = [
  [30, 2, 'say 0'],
  [32, 1, 'say 1'],
  [34, 2, 'say 2'],
  [50, 0, '>nought'],
  [51, 1, '>one'],
  [52, 2, '>two'],
  [53, 2, '>a message as long as sensors hardly ever have one: 0123456789 0123456789'],
  [80, 1, 'will'],
  [100, 1, 'sleep 40'],
  [115, 0, '>asleep, nought'],
  [116, 1, '>asleep, one'],
  [117, 2, '>asleep, two'],
  [180, 2, 'awake'],
  [240, 1, 'say 2'],
  [241, 2, 'say 2'],
  [290, 1, 'say 1'],
  [310, 2, '>during the outage'],
  [460, 2, 'say 2'],
  [461, 1, 'say 2'],
  [520, 1, 'sleep 30'],
  [600, 2, 'awake'],
  [640, 2, 'say 2'],
];

/** Plays the scenario with `wasm`, a build of the tour, on V8. `seed`: of the device; of the radio besides. */
export function record(wasm: Uint8Array, seed: number): Recording {
  return new Tour(wasm, seed).run();
}

class Tour implements Inhabitant {
  readonly isOn = true;
  private readonly calls: Recorded[] = [];
  private readonly messages: string[] = [];
  private readonly world: World;
  private readonly device: Device;
  private sent: Uint8Array[] = [];
  /** Packets sent so far that are the middle of a QoS 2 flow. */
  private middles = 0;

  constructor(
    wasm: Uint8Array,
    private readonly seed: number,
  ) {
    this.world = new World({ radioSeed: 2 * seed + 1, radio: BAD_RADIO, outage: OUTAGE, endMs: END_MS }, this);
    this.device = new DeviceModule(wasm, 'tour').create({
      send: (datagram) => {
        this.sent.push(datagram.slice());
        return datagram.length;
      },
    });
  }

  run(): Recording {
    const { world } = this;
    const session = this.openClient();
    const serial = this.seed.toString(16).padStart(8, '0');
    for (const [atS, qos, text] of SCRIPT) {
      const isIn = text.startsWith('>');
      const topic = `board/${serial}/${isIn ? 'in' : 'do'}`;
      world.at(atS * SECOND, (now) => publish(session, { topic, payload: isIn ? text.slice(1) : text, qos }, atS, now));
    }
    world.at(SECOND, (now) => {
      this.step({ call: 'start', now, seed: this.seed });
      world.poll(now);
    });
    world.run();
    this.hibernate(END_MS);
    return { calls: this.calls, messages: this.messages };
  }

  receive(datagram: Uint8Array, now: Millis): void {
    this.step({ call: 'receive', now, datagram });
  }

  poll(now: Millis): Millis {
    return this.step({ call: 'poll', now });
  }

  /** An application at the broker that hears everything. */
  private openClient(): UpstreamSession {
    const session: UpstreamSession = this.world.upstream.open(
      { clientId: 'hall', clean: true },
      {
        connected: () => {},
        message: ({ topic, payload, qos }, id, _dup, now) => {
          this.messages.push(`${qos} ${topic} ${new TextDecoder().decode(payload)}`);
          if (qos > 0) session.acknowledge(id, now);
        },
        released: (id, now) => session.complete(id, now),
        closed: () => {},
      },
      0,
    );
    session.subscribe('#', 2, 0, () => {});
    return session;
  }

  /** What a board does around a reset. */
  private hibernate(now: Millis): void {
    this.step({ call: 'seal' });
    this.step({ call: 'resume', now });
  }

  private step(call: Call): number {
    this.sent = [];
    const result = perform(this.device, call);
    const { sent } = this;
    const { region } = this.device.module;
    this.calls.push({ call, result, sent, ...(call.call === 'seal' && { image: region.slice() }) });
    for (const datagram of sent) this.say(datagram, 'now' in call ? call.now : 0);
    return result;
  }

  private say(datagram: Uint8Array, now: Millis): void {
    const isMiddle = datagram[1] === PUBREL || datagram[1] === PUBREC;
    if (isMiddle && this.middles++ % NAP_EVERY === 0) {
      this.world.at(now + NAP_MS, (then) => {
        this.hibernate(then);
        this.world.poll(then);
      });
    }
    this.world.say(datagram);
  }
}

const PUBREC = 0x0f;
const PUBREL = 0x10;
const NAP_EVERY = 3;
const NAP_MS: Millis = 2;

/** One call into a device on V8. */
export function perform(device: Device, call: Call): number {
  switch (call.call) {
    case 'start':
      return device.start(call.now, call.seed);
    case 'receive':
      return device.receive(call.datagram, call.now);
    case 'poll':
      return device.call('poll', call.now | 0);
    case 'resume':
      return device.call('resume', call.now | 0);
    case 'seal':
      return device.call('seal');
  }
}
