// Brokers side by side: npm run bench:broker [-- --json | --write | --quick | --only ... | --brokers ...].
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { print, printJson, table } from '../../host/cli/output.js';
import { PACKAGE_ROOT } from '../../host/firmware/paths.js';
import { commitDate, describeMachine, type Machine } from '../machine.js';
import { BROKERS, type BrokerName, type BrokerSpec } from './brokers.js';
import { abuseTable, type Cells, connectsTable, formatDocument, idleTable, trafficTables } from './document.js';
import { CAN_PIN } from './pin.js';
import { type Measured, runBench } from './run.js';
import { type Effort, FULL, QOS_ALL, QUICK, type Selection, SHAPES, select, TASK_NAMES } from './tasks.js';

export interface Result extends Measured {
  readonly machine: Machine;
  readonly node: string;
  /** Whether broker and load had a core each. */
  readonly pinned: boolean;
  /** Processes that wanted a core in the minute before, on the average. */
  readonly loadAverage: number;
  readonly effort: Effort;
  readonly brokers: readonly { readonly name: BrokerName; readonly version: string }[];
  /** Brokers that are not installed, and how they would be. */
  readonly missing: readonly { readonly name: BrokerName; readonly install: string }[];
}

const NAMES = BROKERS.map(({ name }) => name);
const ROUNDS_MAX = 100;
const EXIT_USAGE = 2;

const HELP = `npm run bench:broker -- [options]

  --json            print one JSON document
  --write           write docs/BROKER-BENCHMARKS.md
  --quick           run everything once and smaller, to see that it runs; the figures mean nothing
  --brokers <list>  ${NAMES.join(',')}; default: all that are installed
  --only <list>     ${TASK_NAMES.join(',')}, or a shape
                    such as 4to1 or 1to200; default: all tasks
  --qos <list>      ${QOS_ALL.join(',')}; default: all
  --rounds <n>      1 to ${ROUNDS_MAX}; default: ${FULL.rounds}, with --quick ${QUICK.rounds}

Example:
  npm run bench:broker -- --brokers thimble,mosquitto --only one-to-one,20to1 --qos 0
`;

const DOCUMENT = join(PACKAGE_ROOT, 'docs', 'BROKER-BENCHMARKS.md');

const { values } = readOptions(() =>
  parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      brokers: { type: 'string' },
      only: { type: 'string' },
      qos: { type: 'string', default: QOS_ALL.join(',') },
      rounds: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  }),
);

function readOptions<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    process.stderr.write(`${(error as Error).message.replaceAll('\n', ' ')}; --help lists what there is\n`);
    process.exit(EXIT_USAGE);
  }
}

function refuse(option: string, found: string, allowed: string): never {
  process.stderr.write(`${option}: "${found}" is not possible; allowed: ${allowed}\n`);
  process.exit(EXIT_USAGE);
}

function selectedBrokers(): readonly BrokerSpec[] {
  const wanted = values.brokers?.split(',') ?? NAMES;
  return wanted.map((name) => {
    const found = BROKERS.find((spec) => spec.name === name);
    return found ?? refuse('--brokers', name, NAMES.join(', '));
  });
}

function selectedTasks(): Selection {
  const qos = values.qos.split(',').map((text) => {
    if (!QOS_ALL.map(String).includes(text)) refuse('--qos', text, QOS_ALL.join(', '));
    return Number(text);
  });
  const tasks = select(values.only?.split(','), qos, values.quick);
  return 'unknown' in tasks ? refuse('--only', tasks.unknown, `${TASK_NAMES.join(', ')}, ${SHAPES}`) : tasks;
}

function selectedEffort(): Effort {
  const effort = values.quick ? QUICK : FULL;
  if (values.rounds === undefined) return effort;
  const rounds = Number(values.rounds);
  const isPossible = Number.isInteger(rounds) && rounds >= 1 && rounds <= ROUNDS_MAX;
  return isPossible ? { ...effort, rounds } : refuse('--rounds', values.rounds, `1 to ${ROUNDS_MAX}`);
}

async function bench(): Promise<Result> {
  const loadAverage = loadavg()[0]!;
  const all = selectedBrokers().map((spec) => ({ spec, version: spec.version() }));
  const there = all.flatMap(({ spec, version }) => (version === undefined ? [] : [{ spec, version }]));
  const missing = all.filter(({ version }) => version === undefined);
  const effort = selectedEffort();
  const progress = (what: string): void => void process.stderr.write(`${what}\n`);
  const measured = await runBench({ brokers: there.map(({ spec }) => spec), tasks: selectedTasks(), effort, progress });
  return {
    machine: describeMachine(),
    node: process.versions.node,
    pinned: CAN_PIN,
    loadAverage,
    effort,
    brokers: there.map(({ spec, version }) => ({ name: spec.name, version })),
    missing: missing.map(({ spec }) => ({ name: spec.name, install: spec.install })),
    ...measured,
  };
}

function printResult(result: Result): void {
  const show = ({ head, rows }: Cells): void =>
    print(
      table(
        [...head],
        rows.map((row) => [...row]),
      ),
    );
  for (const { title, cells } of trafficTables(result.traffic)) {
    print(title);
    show(cells);
  }
  const others: readonly (readonly [title: string, rows: number, cells: () => Cells])[] = [
    ['Connections', result.connections.length, () => connectsTable(result.connections)],
    ['Memory', result.memory.length, () => idleTable(result.memory)],
    ['Under attack', result.abuse.length, () => abuseTable(result.abuse)],
  ];
  for (const [title, rows, cells] of others) {
    if (rows === 0) continue;
    print(title);
    show(cells());
  }
  if (values.quick) print('--quick: everything runs, and for moments only: the figures mean nothing');
  for (const { name, install } of result.missing) print(`${name} is not installed: ${install}`);
}

if (values.help) {
  process.stdout.write(HELP);
} else {
  const result = await bench();
  if (values.write) writeFileSync(DOCUMENT, formatDocument(result, commitDate()));
  if (values.json) printJson(result);
  else printResult(result);
}
