// The scenario of the promise tests: a radio at its worst, devices that talk all the time, commands for each of them.
import { join } from 'node:path';
import { compile } from '../../host/firmware/compile.js';
import { link } from '../../host/firmware/link.js';
import type { Violation } from '../../host/sim/ledger.js';
import type { LinkOptions } from '../../host/sim/link.js';
import { checkScenario, type Scenario } from '../../host/sim/scenario.js';
import { Simulation } from '../../host/sim/simulation.js';

const TALKER = join(import.meta.dirname, 'apps', 'talker.ts');

/** 30 % loss each way, copies, and datagrams that are two seconds late. */
const BAD_RADIO: LinkOptions = {
  loss: { model: 'bernoulli', lossPercent: 30 },
  delayMsMin: 20,
  delayMsMax: 200,
  duplicatePercent: 10,
  reorderPercent: 20,
  reorderMsMax: 2_000,
  mtuBytes: 255,
};

export const TALKERS: Scenario = checkScenario(
  {
    name: 'talkers',
    seed: 1,
    durationS: 900,
    radio: { up: BAD_RADIO, down: BAD_RADIO },
    devices: [{ class: 'talker', app: 'talker', count: 4 }],
    clients: [
      { name: 'listener', measures: true, subscribe: [{ filter: 'talk/#', qos: 2 }] },
      {
        name: 'commander',
        commands: [
          { class: 'talker', topic: 'talk/{serial}/in1', payloads: ['one {n}'], qos: 1, everyS: 15 },
          { class: 'talker', topic: 'talk/{serial}/in2', payloads: ['two {n}'], qos: 2, everyS: 15 },
        ],
      },
    ],
  },
  'talkers',
);

/** A change to the device's sources: in the file that ends so, the first text becomes the second. */
export interface Patch {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** The talker's module, with `patches` applied. Fails where a patch no longer fits the source. */
export async function buildTalker(patches: readonly Patch[] = []): Promise<Uint8Array> {
  const unused = new Set(patches);
  const compiled = await compile({
    entry: 'application',
    application: TALKER,
    patch: (path, text) =>
      patches
        .filter((patch) => path.endsWith(patch.file) && text.includes(patch.from))
        .reduce((patched, patch) => {
          unused.delete(patch);
          return patched.replace(patch.from, patch.to);
        }, text),
  });
  for (const { file, from } of unused) throw new Error(`the patch of ${file} does not fit any more: ${from}`);
  return link(compiled).bytes;
}

export interface Outcome {
  readonly seed: number;
  readonly sent: number;
  readonly delivered: number;
  readonly violations: readonly Violation[];
}

export function runTalkers(module: Uint8Array, seed: number, scenario: Scenario = TALKERS): Outcome {
  const order = new SpokenOrder();
  const simulation = new Simulation({
    scenario,
    seed,
    modules: new Map([['talker', module]]),
    delivered: (node, topic, payload) => order.arrived(node, topic, payload),
  });
  simulation.run();
  const { qos, violations } = simulation.report(0);
  return {
    seed,
    sent: qos[1].sent + qos[2].sent,
    delivered: qos[1].delivered + qos[2].delivered,
    violations: [...violations, ...order.violations],
  };
}

/**
 * The order in which the applications spoke, by the numbers in their messages: the simulator itself sees a device's message
 * only when it is on the air.
 */
class SpokenOrder {
  readonly violations: Violation[] = [];
  private readonly seen = new Map<string, Set<number>>();
  private readonly last = new Map<string, number>();

  arrived(node: string, topic: string, payload: Uint8Array): void {
    const stream = `${node} ${topic}`;
    const number = Number(/\d+$/.exec(new TextDecoder().decode(payload))?.[0]);
    const seen = this.seen.get(stream) ?? new Set();
    this.seen.set(stream, seen);
    if (seen.has(number)) return; // only first arrivals are in order
    seen.add(number);
    const last = this.last.get(stream) ?? 0;
    if (number < last) this.violations.push({ kind: 'order', message: `${stream}: ${number} after ${last}` });
    this.last.set(stream, Math.max(number, last));
  }
}
