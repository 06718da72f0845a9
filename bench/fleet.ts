// Device-hours per second: the shipped scenario, with more and more devices.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scaleGroups } from '../host/cli/sim.js';
import { BUILD_DIR, PACKAGE_ROOT } from '../host/firmware/paths.js';
import { parseScenario, type Scenario } from '../host/sim/scenario.js';
import { Simulation } from '../host/sim/simulation.js';
import { type Effort, measure, type Row, type Task } from './measure.js';

const FLEETS = [30, 300, 3_000];
const FLEETS_QUICK = [30];
/** A run of the largest takes seconds. */
const SAMPLES_MIN = 4;
const S_PER_HOUR = 3_600;

function lab(): Scenario {
  const file = join(PACKAGE_ROOT, 'host', 'sim', 'scenarios', 'lab.json');
  return parseScenario(readFileSync(file, 'utf8'), file);
}

function taskOf(scenario: Scenario, devices: number, modules: ReadonlyMap<string, Uint8Array>): Task {
  const scaled = { ...scenario, devices: scaleGroups(scenario.devices, devices) };
  return {
    task: `${devices.toLocaleString('en-US')} devices`,
    subject: 'scenario lab',
    unit: 'device-hours',
    units: (devices * scenario.durationS) / S_PER_HOUR,
    run: () => {
      const simulation = new Simulation({ scenario: scaled, modules });
      simulation.run();
      const { violations } = simulation.report(0);
      if (violations.length > 0) throw new Error(`${devices} devices: ${violations[0]!.message}`);
    },
  };
}

export function benchFleets(effort: Effort, isQuick: boolean): Promise<Row[]> {
  const scenario = lab();
  const apps = new Set(scenario.devices.map(({ app }) => app));
  const modules = new Map([...apps].map((app) => [app, readFileSync(join(BUILD_DIR, 'apps', `${app}.wasm`))]));
  const tasks = (isQuick ? FLEETS_QUICK : FLEETS).map((devices) => taskOf(scenario, devices, modules));
  return measure('fleet', tasks, { ...effort, samplesMin: isQuick ? 1 : SAMPLES_MIN });
}
