// The scenario that comes with Thimble, over many seeds: what `npm start` shows must hold for whoever tries another one.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseScenario } from '../../host/sim/scenario.js';
import { Simulation } from '../../host/sim/simulation.js';

const ROOT = join(import.meta.dirname, '..', '..');
const SEEDS = 200;
/** Wills that two devices leave behind. Others can only come from a radio that was gone for longer than a keep-alive. */
const WILLS = 2;

describe('The lab', () => {
  const scenario = parseScenario(readFileSync(join(ROOT, 'host', 'sim', 'scenarios', 'lab.json'), 'utf8'), 'lab.json');
  const modules = new Map(
    scenario.devices.map(({ app }) => [app, new Uint8Array(readFileSync(join(ROOT, 'build', 'apps', `${app}.wasm`)))]),
  );
  const reports = Array.from({ length: SEEDS }, (_, seed) => {
    const simulation = new Simulation({ scenario, seed, modules });
    simulation.run();
    return simulation.report(0);
  });

  it(`keeps every promise with ${SEEDS} seeds`, () => {
    const broken = reports.flatMap((r) => r.violations.map((v) => `seed ${r.seed}: ${v.kind}: ${v.message}`));
    expect(broken).toEqual([]);
  });

  it('publishes the wills of the devices that die, and hardly any other', () => {
    const wills = reports.map((r) => r.wills);
    expect(Math.min(...wills)).toBe(WILLS);
    expect(wills.filter((n) => n > WILLS).length).toBeLessThan(SEEDS / 5);
  });

  it('does something else with every seed', () => {
    expect(new Set(reports.map((r) => r.digest)).size).toBe(SEEDS);
  });
});
