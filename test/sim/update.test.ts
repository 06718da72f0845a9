// Fleets that take updates of their application over lossy radios: all of them, or none, and none is ever lost.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { APPS_DIR, BUILD_DIR, PACKAGE_ROOT } from '../../host/firmware/paths.js';
import { signUpdate, simulationKey, verifierOf } from '../../host/firmware/sign-update.js';
import type { ClassFigures, SimReport } from '../../host/sim/report.js';
import { checkScenario, parseScenario, type Scenario } from '../../host/sim/scenario.js';
import { SIM_UPDATE_NAME } from '../../host/sim/sim-updates.js';
import { Simulation } from '../../host/sim/simulation.js';
import { buildApp } from '../host/firmware/modules.js';

const FILE = join(PACKAGE_ROOT, 'host', 'sim', 'scenarios', 'update.json');
const built = (app: string): Uint8Array => new Uint8Array(readFileSync(join(BUILD_DIR, 'apps', `${app}.wasm`)));
const shipped = parseScenario(readFileSync(FILE, 'utf8'), FILE);
const FEW = 12;

/** The scenario, small, with another update. */
function variant(change: object, count = FEW, durationS = 3_600): Scenario {
  const updates = [{ ...shipped.updates![0], ...change }];
  return checkScenario(
    JSON.parse(JSON.stringify({ ...shipped, durationS, devices: [{ ...shipped.devices[0], count }], updates })),
    'variant',
  );
}

function run(
  scenario: Scenario,
  module = built('updatable-next'),
  seed = 1,
): { report: SimReport; node: ClassFigures } {
  const key = simulationKey();
  const version = scenario.updates![0]!.version;
  const simulation = new Simulation({
    scenario,
    seed,
    modules: new Map([['updatable', built('updatable')]]),
    updates: { signed: [signUpdate(module, { name: SIM_UPDATE_NAME, version }, key)], verify: verifierOf(key) },
  });
  simulation.run();
  const report = simulation.report(0);
  expect(report.violations).toEqual([]);
  return { report, node: report.classes[0]! };
}

describe('The scenario update', () => {
  it('brings all hundred devices to the new version, and breaks no promise', () => {
    const { report, node } = run(shipped);
    expect(node.updates).toEqual({
      versions: { '1.1.0': 100 },
      rolledBack: 0,
      refused: 0,
      outcomes: { confirmed: 100 },
    });
    expect(node.resets).toEqual({ trap: 0, watchdog: 0 });
    expect(report.qos['2'].sent).toBeGreaterThan(5_000); // they have worked all the while
    expect(report.qos['2'].delivered + report.qos['2'].orphaned).toBe(report.qos['2'].sent);
  });

  it('is the same with the same seed, and another with another', () => {
    const [one, again, other] = [1, 1, 2].map((seed) => run(variant({}), undefined, seed).report);
    expect(again).toEqual(one);
    expect(other!.digest).not.toBe(one!.digest);
    expect(other!.classes[0]!.updates!.versions).toEqual({ '1.1.0': FEW });
  });
});

describe('An update that is not whole changes nothing', () => {
  const UNCHANGED = { versions: { '1.0.0': FEW }, rolledBack: 0 };

  it.each(['signature', 'module'])('with an octet of its %s changed', (corrupt) => {
    const { node } = run(variant({ corrupt }));
    expect(node.updates).toEqual({ ...UNCHANGED, refused: FEW, outcomes: { refused: FEW } });
  });

  it('with a chunk that is never sent', () => {
    const { node } = run(variant({ corrupt: 'chunk' }));
    expect(node.updates).toEqual({ ...UNCHANGED, refused: 0, outcomes: { stuck: FEW } });
  });

  it('of a version that is not newer', () => {
    const { node } = run(variant({ version: '1.0.0' }));
    // Whoever publishes it hears that this very version works already.
    expect(node.updates).toMatchObject(UNCHANGED);
    expect(run(variant({ version: '0.9.0' })).node.updates).toEqual({
      ...UNCHANGED,
      refused: FEW,
      outcomes: { refused: FEW },
    });
  });
});

describe('An update that does not work is rolled back', () => {
  const source = readFileSync(join(APPS_DIR, 'updatable.ts'), 'utf8')
    .replace("'../index'", "'thimble'")
    .replace("run('1.0.0')", "run('1.1.0')")
    .replace('","confirmed":true', '"'); // nor does it say so
  const modules = new Map<string, Uint8Array>();
  const BAD = [
    ['never confirms', ''],
    ['traps', 'unreachable();'],
    ['never comes back', 'for (;;) client.now();'],
  ] as const;

  beforeAll(async () => {
    for (const [what, instead] of BAD) {
      const changed = source.replace('client.confirm();', instead);
      expect(changed).not.toBe(source);
      expect(changed).not.toContain('"confirmed"');
      modules.set(what, new Uint8Array(readFileSync((await buildApp({ 'bad.ts': changed })).out)));
    }
    modules.set(
      'is no module',
      Uint8Array.from({ length: 2_000 }, (_, i) => i & 0xff),
    );
  });

  it.each([...BAD.map(([what]) => what), 'is no module'])('because it %s', (what) => {
    const { node, report } = run(variant({ trialS: 60 }), modules.get(what));
    expect(node.updates).toMatchObject({
      versions: { '1.0.0': FEW },
      rolledBack: FEW,
      outcomes: { 'rolled-back': FEW }, // although the one on trial says its version
    });
    const { trap, watchdog } = node.resets;
    expect(trap > 0).toBe(what === 'traps' || what === 'is no module');
    expect(watchdog > 0).toBe(what === 'never comes back');
    // They work again, and for good.
    expect(report.qos['2'].delivered).toBeGreaterThan((FEW * 3_600) / 60 / 2);
  });

  it('once and no more, although its publisher sends it again', () => {
    const { node } = run(variant({ trialS: 60 }), modules.get('traps'));
    expect(node.updates!.outcomes).toEqual({ 'rolled-back': FEW });
    expect(node.resets).toEqual({ trap: FEW, watchdog: 0 });
  });
});

describe('A scenario’s updates', () => {
  it.each([
    [{ class: 'nobody' }, 'nobody'],
    [{ atS: 3_600 }, 'durationS'],
    [{ topic: 'fleet/update' }, '{serial}'],
    [{ status: 'fleet/+/{serial}' }, 'status'],
    [{ version: '1.1' }, 'version'],
    [{ corrupt: 'everything' }, 'corrupt'],
    [{ chunkBytes: 16 }, 'chunkBytes'],
  ])('are refused with %j, and a word about it', (change, word) => {
    expect(() => variant(change)).toThrow(
      expect.objectContaining({ code: 'ERR_SCENARIO', message: expect.stringContaining(word) }),
    );
  });
});
