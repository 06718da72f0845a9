import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SimReport } from '../../../host/sim/report.js';
import { checkScenario } from '../../../host/sim/scenario.js';
import { Simulation } from '../../../host/sim/simulation.js';

const APPS = join(import.meta.dirname, '..', '..', '..', 'build', 'apps');
const moduleOf = (app: string): Uint8Array => new Uint8Array(readFileSync(join(APPS, `${app}.wasm`)));

const ALARMS = { class: 'alarm', app: 'alarm', count: 3 };
const EVERYTHING = { name: 'all', measures: true, subscribe: [{ filter: 'home/#', qos: 2 }] };

function run(change: object): SimReport {
  const scenario = checkScenario(
    { name: 'test', seed: 1, durationS: 300, devices: [ALARMS], clients: [EVERYTHING], ...change },
    'test',
  );
  const modules = new Map(scenario.devices.map(({ app }) => [app, moduleOf(app)]));
  const simulation = new Simulation({ scenario, modules });
  simulation.run();
  return simulation.report(0);
}

describe('A simulation', () => {
  it('delivers everything over radios that lose nothing', () => {
    const { qos, violations, classes } = run({});
    expect(qos['2'].sent).toBeGreaterThan(20);
    expect(qos['2'].delivered).toBe(qos['2'].sent);
    expect(violations).toEqual([]);
    expect(classes).toMatchObject([{ class: 'alarm', devices: 3, lost: 0, tooLong: 0, retransmissions: 0 }]);
  });

  it('counts what somebody has subscribed to, and from when on', () => {
    const all = run({}).qos['2'].sent;
    const some = run({ clients: [{ ...EVERYTHING, joinsAtS: 150 }] });
    expect(some.qos['2'].sent).toBeLessThan(all);
    expect(some.qos['2'].delivered).toBe(some.qos['2'].sent);
    expect(run({ clients: [{ ...EVERYTHING, subscribe: [{ filter: 'home/+/status', qos: 1 }] }] }).qos['2'].sent).toBe(
      0,
    );
  });

  it('says that a message is lost only when it had the time to arrive', () => {
    // So many devices on so bad a radio that something is always on its way.
    const bad = { loss: { model: 'bernoulli', lossPercent: 40 } };
    const { violations, overtimeMs, qos } = run({ devices: [{ ...ALARMS, count: 30 }], radio: { up: bad, down: bad } });
    expect(qos['2'].delivered).toBe(qos['2'].sent);
    expect(violations).toEqual([]);
    expect(overtimeMs).toBeGreaterThan(5_000);
  });

  it('calls nothing lost that was never sent', () => {
    const deaf = { loss: { model: 'bernoulli', lossPercent: 100 } };
    const { violations, qos } = run({
      devices: [{ class: 'light', app: 'light', count: 1, bootSpreadS: 0 }],
      radio: { up: deaf, down: deaf },
    });
    expect([violations, qos['1'].sent]).toEqual([[], 0]);
  });

  it('does not put on the air what is longer than the MTU, and counts it', () => {
    const { classes, bytesOnAir } = run({ radio: { up: { mtuBytes: 10 } } });
    expect(classes[0]!.tooLong).toBeGreaterThan(0);
    expect(classes[0]!.datagramsUp).toBe(0);
    expect(bytesOnAir).toBe(classes[0]!.bytesDown);
  });

  it('publishes the will of a device that dies, and owes nothing for it', () => {
    const { wills, violations } = run({ devices: [{ ...ALARMS, diesAtS: 100 }] });
    expect(wills).toBe(ALARMS.count);
    expect(violations).toEqual([]);
  });
});
