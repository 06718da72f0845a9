// For tests of applications, as `thimble/testing`: a scenario in virtual time, its report, and every message that arrived.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { moduleFile } from './cli/module-file.js';
import type { SimReport } from './sim/report.js';
import { parseScenario, type Scenario } from './sim/scenario.js';
import { Simulation } from './sim/simulation.js';

/** A message that has reached somebody, in the order in which they did. */
export interface Arrival {
  /** Whom it has reached: a client's name, or `device:` and its number from 0. */
  readonly node: string;
  readonly topic: string;
  /** The payload, read as UTF-8. */
  readonly text: string;
  readonly payload: Uint8Array;
  /** Virtual milliseconds since the beginning; past the report's `virtualMs` for what was still owed at the end. */
  readonly atMs: number;
}

export interface Simulated {
  /** As of `thimble sim --json`; `violations` are the promises that were not kept. */
  readonly report: SimReport;
  readonly messages: readonly Arrival[];
}

export interface SimulateOptions {
  /** Instead of the scenario's, 0 to 2^32 - 1: another day. */
  readonly seed?: number;
}

const decoder = new TextDecoder();

/**
 * Runs a scenario: one that is given, or a JSON file. Applications in it are files seen from the current folder, which are
 * built first. The same scenario and seed give the same messages. Throws what `thimble sim` says.
 */
export async function simulate(scenario: string | Scenario, options: SimulateOptions = {}): Promise<Simulated> {
  const what =
    typeof scenario === 'string' ? parseScenario(readFileSync(scenario, 'utf8'), basename(scenario)) : scenario;
  const modules = new Map<string, Uint8Array>();
  for (const { app } of what.devices) {
    if (!modules.has(app)) modules.set(app, readFileSync(await moduleFile(app)));
  }
  const messages: Arrival[] = [];
  const simulation = new Simulation({
    scenario: what,
    modules,
    ...(options.seed !== undefined && { seed: options.seed }),
    delivered: (node, topic, payload, atMs) => {
      const copy = payload.slice(); // what is handed out is valid during this call only
      messages.push({ node, topic, text: decoder.decode(copy), payload: copy, atMs });
    },
  });
  const begin = performance.now();
  simulation.run();
  return { report: simulation.report(Math.round(performance.now() - begin)), messages };
}
