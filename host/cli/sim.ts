// thimble sim: a fleet in virtual time.
import { existsSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import cliProgress from 'cli-progress';
import { PACKAGE_ROOT } from '../firmware/paths.js';
import { signUpdate, simulationKey, verifierOf } from '../firmware/sign-update.js';
import type { Millis } from '../ports.js';
import type { Direction } from '../sim/digest.js';
import { type Links, LinksFileError, parseLinks } from '../sim/links-file.js';
import { DEVICES_MAX, parseScenario, type Scenario, ScenarioError } from '../sim/scenario.js';
import { SIM_UPDATE_NAME, type SimUpdateOptions } from '../sim/sim-updates.js';
import { Simulation } from '../sim/simulation.js';
import { CaptureFile } from './capture.js';
import { Exit, isCoded, UsageError } from './failure.js';
import { checkOutput, readInput } from './files.js';
import { moduleFile } from './module-file.js';
import { SEED_MAX, wholeNumber } from './numbers.js';
import { count, print, printError, printJson } from './output.js';
import { formatReport } from './sim-report.js';

export interface SimCommandOptions {
  readonly seed?: string;
  readonly hours?: string;
  readonly devices?: string;
  readonly links?: string;
  readonly pcap?: string;
  readonly report?: string;
  readonly json?: boolean;
}

const SCENARIOS_DIR = join(PACKAGE_ROOT, 'host', 'sim', 'scenarios');
const MS_PER_HOUR = 3_600_000;
const S_PER_HOUR = 3_600;
const HOURS_MAX = 8_760;

export async function runSim(name: string, options: SimCommandOptions): Promise<void> {
  const scenario = adapt(readScenario(name), options);
  const seed = options.seed === undefined ? scenario.seed : wholeNumber('--seed', options.seed, 0, SEED_MAX);
  const links = options.links === undefined ? undefined : readLinks(options.links);
  const modules = await loadModules(scenario);
  const updates = await loadUpdates(scenario);
  if (options.report !== undefined) checkOutput('--report', options.report);
  const file = options.pcap === undefined ? undefined : new CaptureFile(options.pcap);
  const simulation = new Simulation({
    scenario,
    seed,
    modules,
    ...(links && { links }),
    ...(updates && { updates }),
    ...(file && { tap: (device, direction, bytes, now) => capture(file, device, direction, bytes, now) }),
  });
  const again = `repeat it with: ${commandLine(name, seed, options)}`;
  let wallMs: Millis;
  try {
    wallMs = runWithProgress(simulation, options.json === true);
  } catch (error) {
    if (isCoded(error)) error.message += `; ${again}`;
    throw error;
  } finally {
    file?.close();
  }
  const report = simulation.report(wallMs);
  if (options.report !== undefined) writeFileSync(options.report, `${JSON.stringify(report, null, 2)}\n`);
  if (options.json === true) printJson(report);
  else print(formatReport(report, scenario));
  if (report.violations.length > 0) {
    printError(`${count(report.violations.length, 'promise')} broken; ${again}`);
    const isSafety = report.violations.some((v) => v.kind !== 'lost');
    process.exitCode = isSafety ? Exit.Safety : Exit.Liveness;
  }
}

/** What was typed as far as it decides over the run, with the seed that was taken. */
function commandLine(name: string, seed: number, options: SimCommandOptions): string {
  const { devices, hours, links } = options;
  const others = Object.entries({ devices, hours, links }).filter(([, value]) => value !== undefined);
  return ['thimble sim', name, `--seed ${seed}`, ...others.map(([option, value]) => `--${option} ${value}`)].join(' ');
}

/** A file, or the name of one of the scenarios that come with Thimble. */
function readScenario(name: string): Scenario {
  const shipped = join(SCENARIOS_DIR, `${name}.json`);
  const file = !name.includes('/') && existsSync(shipped) ? shipped : name;
  if (!existsSync(file)) {
    throw new ScenarioError(
      `no scenario "${name}": a JSON file, or the name of one that comes with thimble, such as lab`,
    );
  }
  return parseScenario(readInput('the scenario', file).toString('utf8'), basename(file));
}

/** --hours and --devices change the scenario; the classes keep their shares. */
function adapt(scenario: Scenario, options: SimCommandOptions): Scenario {
  let adapted = scenario;
  if (options.hours !== undefined) {
    const hours = Number(options.hours);
    if (!(hours > 0 && hours <= HOURS_MAX)) {
      throw new UsageError('ERR_USAGE_HOURS', `--hours ${options.hours}: a number above 0, up to ${HOURS_MAX}`);
    }
    adapted = { ...adapted, durationS: hours * S_PER_HOUR };
  }
  if (options.devices !== undefined) {
    const wanted = wholeNumber('--devices', options.devices, scenario.devices.length, DEVICES_MAX);
    adapted = { ...adapted, devices: scaleGroups(scenario.devices, wanted) };
  }
  return adapted;
}

/** Shares kept as well as whole devices allow: the counts add up to `wanted`, and no group vanishes. Throws ERR_USAGE_DEVICES. */
export function scaleGroups(groups: Scenario['devices'], wanted: number): Scenario['devices'] {
  const total = groups.reduce((sum, group) => sum + group.count, 0);
  const counts = groups.map((group) => Math.max(1, Math.floor((group.count * wanted) / total)));
  const largest = groups.reduce((best, group, i) => (group.count > groups[best]!.count ? i : best), 0);
  counts[largest]! += wanted - counts.reduce((sum, count) => sum + count, 0);
  if (counts[largest]! < 1) {
    throw new UsageError('ERR_USAGE_DEVICES', `--devices ${wanted}: too few for ${groups.length} groups of devices`);
  }
  return groups.map((group, i) => ({ ...group, count: counts[i]! }));
}

function readLinks(file: string): Links {
  try {
    return parseLinks(readInput('--links', file).toString('utf8'));
  } catch (error) {
    if (error instanceof LinksFileError) error.message = `${file}: ${error.message}`;
    throw error;
  }
}

async function loadModules(scenario: Scenario): Promise<Map<string, Uint8Array>> {
  const modules = new Map<string, Uint8Array>();
  for (const { app } of scenario.devices) {
    if (!modules.has(app)) modules.set(app, readInput('the module', await moduleFile(app)));
  }
  return modules;
}

/** The scenario's updates, signed by a key that only simulated devices trust: the same one every time, so that runs repeat. */
async function loadUpdates({ updates = [] }: Scenario): Promise<SimUpdateOptions | undefined> {
  if (updates.length === 0) return undefined;
  const key = simulationKey();
  const signed: Uint8Array[] = [];
  for (const { app, version } of updates) {
    const module = readInput('the module', await moduleFile(app));
    signed.push(signUpdate(module, { name: SIM_UPDATE_NAME, version }, key));
  }
  return { signed, verify: verifierOf(key) };
}

/** Runs it, with a bar on stderr where somebody looks. Returns the wall time, ms. */
function runWithProgress(simulation: Simulation, quiet: boolean): Millis {
  const bar =
    quiet || process.stderr.isTTY !== true
      ? undefined
      : new cliProgress.SingleBar({
          format: '  {bar} {percentage} %  {virtual} of {of} simulated',
          barCompleteChar: '█',
          barIncompleteChar: '░',
          hideCursor: true,
          clearOnComplete: true,
          stream: process.stderr,
        });
  const show = (now: Millis): object => ({ virtual: clock(now), of: clock(simulation.durationMs) });
  const begin = performance.now();
  bar?.start(simulation.durationMs, 0, show(0));
  try {
    simulation.run((now) => bar?.update(now, show(now)));
  } finally {
    bar?.stop();
  }
  return Math.round(performance.now() - begin);
}

/** 3,725,000 ms is "1:02:05". */
export function clock(ms: Millis): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${Math.floor(ms / MS_PER_HOUR)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}`;
}

/** In captures devices are 10.x.y.z and the gateway is 10.0.0.1, all on MQTT-SN's port. */
const CAPTURE_PORT = 1884;
const GATEWAY_ADDRESS = `10.0.0.1:${CAPTURE_PORT}`;
const MICROS_PER_MS = 1000;

function capture(file: CaptureFile, index: number, direction: Direction, payload: Uint8Array, now: Millis): void {
  const number = index + 2; // after the gateway
  const device = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}:${CAPTURE_PORT}`;
  const [from, to] = direction === 'up' ? [device, GATEWAY_ADDRESS] : [GATEWAY_ADDRESS, device];
  file.add(from, to, payload, now * MICROS_PER_MS);
}
