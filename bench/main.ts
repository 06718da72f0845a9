// The benches: npm run bench [-- --json | --write | --quick].
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { print, printJson, table } from '../host/cli/output.js';
import { PACKAGE_ROOT } from '../host/firmware/paths.js';
import { benchCodecs } from './codec.js';
import { formatCount, formatDocument, formatLoad, formatRate } from './document.js';
import { benchFleets } from './fleet.js';
import { benchGateway } from './gateway.js';
import { benchImages } from './image.js';
import { countInstructions, type InstructionRow } from './instructions.js';
import { commitDate, describeMachine, describeVersions, type Machine, type Versions } from './machine.js';
import { type Effort, FULL, QUICK, type Row } from './measure.js';
import { type MemoryRow, measureMemory } from './memory.js';
import { benchUdp } from './udp.js';

export interface Result {
  readonly machine: Machine;
  readonly versions: Versions;
  readonly rows: readonly Row[];
  /** What clients cost a gateway. */
  readonly memory: readonly MemoryRow[];
  /** What a message costs a device. Of boards whose tools are here. */
  readonly instructions: readonly InstructionRow[];
}

const HELP = `npm run bench -- [--json] [--write] [--quick]

  --json   print one JSON document
  --write  write docs/BENCHMARKS.md
  --quick  run everything once, to see that it runs; the figures mean nothing
`;

const DOCUMENT = join(PACKAGE_ROOT, 'docs', 'BENCHMARKS.md');

async function runBenches(effort: Effort, isQuick: boolean): Promise<Result> {
  const rows = [
    ...(await benchCodecs(effort)),
    ...(await benchFleets(effort, isQuick)),
    ...(await benchImages(effort)),
    ...(await benchGateway(effort)),
    ...(await benchUdp(effort, isQuick)),
  ];
  const memory = measureMemory(isQuick);
  return {
    machine: describeMachine(),
    versions: describeVersions(),
    rows,
    memory,
    instructions: await countInstructions(),
  };
}

function printRows(rows: readonly Row[]): void {
  const cells = rows.map(({ group, task, subject, unit, perSecond, errorPercent }) => [
    group,
    task,
    subject,
    formatRate(perSecond),
    unit,
    `${errorPercent.toFixed(1)} %`,
  ]);
  print(table(['bench', 'task', 'with', 'per second', 'of', '±'], cells));
}

function printLoads(rows: readonly Row[]): void {
  const cells = rows.flatMap(({ group, task, load }) => (load ? [[group, task, ...formatLoad(load)]] : []));
  print(table(['bench', 'task', 'CPU a message', 'gateway busy', 'load busy', 'messages, all answered'], cells));
}

function printMemory(rows: readonly MemoryRow[]): void {
  const cells = rows.map(({ part, state, clients, bytesPerClient }) => [part, state, clients, bytesPerClient]);
  print(table(['memory of', 'clients that are', 'clients', 'octets a client'], cells));
}

function printInstructions(rows: readonly InstructionRow[]): void {
  const cells = rows.map(({ core, qos, instructions }) => [`QoS ${qos}`, core, formatCount(instructions)]);
  print(table(['a message at', 'published by', 'instructions'], cells));
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    write: { type: 'boolean' },
    quick: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

if (values.help === true) {
  process.stdout.write(HELP);
} else {
  const isQuick = values.quick === true;
  const result = await runBenches(isQuick ? QUICK : FULL, isQuick);
  if (values.write === true) writeFileSync(DOCUMENT, formatDocument(result, commitDate()));
  if (values.json === true) printJson(result);
  else {
    printRows(result.rows);
    printLoads(result.rows);
    printMemory(result.memory);
    printInstructions(result.instructions);
  }
}
