// docs/FOOTPRINT.md, written from the figures.
import { readBoard } from '../../host/firmware/boards.js';
import type { FirmwareRow } from './firmware.js';
import type { Footprint } from './main.js';
import type { ClientRow } from './objects.js';
import type { WamrRow } from './wamr.js';

/** MQTT-SN client with all of 1.2: octets of text on a Cortex-M4. */
const CLIENT_AIM = { cpu: '-mcpu=cortex-m4', textBytes: 6_300 } as const;
const LINEAR_AIM_BYTES = 4_096;
/** The whole application, the port included, in this much RAM. */
const RAM_AIM_BYTES = 8_192;

/** Native clients of other people: measured once, with the compiler and the flags that are said below. */
const OTHERS: readonly (readonly [client: string, protocol: string, textBytes: string])[] = [
  ['wolfMQTT, MQTT-SN client and packets', 'MQTT-SN 1.2', '6,309'],
  ['Paho MQTT-SN packet library alone, no client', 'MQTT-SN 1.2', '5,263'],
  ['MQTT-C', 'MQTT 3.1.1', '5,546'],
  ['Paho MQTT C, packets and client', 'MQTT 3.1.1', '6,252'],
  ['coreMQTT 2.3.1', 'MQTT 3.1.1', '6,890'],
  ['coreMQTT 5.0.2', 'MQTT 5', '18,711'],
  ['wolfMQTT, no error strings', 'MQTT 3.1.1', '7,558'],
  ['wolfMQTT, no error strings', 'MQTT 5', '12,622'],
];
const OTHERS_BUILT =
  "Debian's arm-none-eabi-gcc 12.2, `-Os -mcpu=cortex-m4 -mthumb -DNDEBUG`, no C library and no port";

/** What to try next where the aim of the client's text is missed. */
const NEXT_IDEA = `the datagrams of most packets are encoded and decoded field by field through one table; what is left is mostly the
session's logic, of which the next largest part is the search for topics by name: one pass over names instead of one a purpose`;

const HEADER = `# Footprint

Written by \`npm run footprint -- --write\`; do not edit. Octets throughout. Native code is made from the WebAssembly module by
Thimble's own backend and compiled by the compilers below, as \`thimble build APP --board B\` does it.
`;

const ABOUT_FIRMWARE = `The whole firmware: the module, the board's port and what it takes from the C library. *stack used* is the high-water mark of the
painted stack after a quarter of an hour on a radio that loses 15 % both ways, doubles 8 % and reorders 5 %, played call by call
in the emulator; *stack at most* is the worst case of the whole call graph, an interrupt at the worst moment included. *RAM* is data,
bss and what the board keeps for the stack. Modules that wait for calls of firmware in C (\`modem-mqttsn\`, \`forwarder\`) use no
stack by themselves, and the linker leaves out of them what nobody calls here: their whole size is in the next table.`;

const ABOUT_CLIENT = `\`modem-mqttsn\` with every verb and every packet of MQTT-SN 1.2, code and constants, without port and C library, as the figures of
other clients are taken. *checked* holds each access to memory against the module's regions. *plain wasm2c* is what wabt makes of
the same module, before the library that it needs besides.`;

const ABOUT_WAMR = `On this machine, whose pointers have 64 bits: on a core of 32 bits everything but linear memory is about half. What WAMR's fast
interpreter takes for a module is mostly its translation. *operand stack* is what the module can need at most on 32 bits, as the build works it
out (\`operandStackBytes\`).`;

export function formatFootprint(footprint: Footprint, date: string | undefined): string {
  const { versions, firmware, wamr, client } = footprint;
  const facts = [
    ...Object.entries(versions),
    ...(date === undefined ? [] : [['commit of', date]]),
    ['command', '`npm run footprint -- --write`'],
  ];
  return [
    HEADER,
    formatTable(['', ''], facts as string[][], 0),
    '## Aims\n',
    formatAims(footprint),
    `## Firmware\n\n${ABOUT_FIRMWARE}\n`,
    formatFirmware(firmware),
    `## The client alone\n\n${ABOUT_CLIENT}\n`,
    formatClient(client),
    `For comparison, native clients of other people (${OTHERS_BUILT}):\n`,
    formatTable(['client', 'protocol', 'text'], OTHERS, 2),
    `## WAMR\n\n${ABOUT_WAMR}\n`,
    formatWamr(wamr),
  ].join('\n');
}

function formatAims({ firmware, client, wamr }: Footprint): string {
  const { textBytes } = client.find(({ board }) => readBoard(board).toolchain!.flags.includes(CLIENT_AIM.cpu))!;
  const linear = [...firmware, ...wamr].map(({ linearBytes }) => linearBytes);
  const smallest = firmware.filter(({ board }) => readBoard(board).ramBytes === RAM_AIM_BYTES);
  const rows = [
    aim('MQTT-SN client with all of 1.2, text on a Cortex-M4', textBytes, CLIENT_AIM.textBytes),
    aim('linear memory, the largest of all modules', Math.max(...linear), LINEAR_AIM_BYTES),
    aim(
      `RAM of the largest application with its port on ${smallest[0]?.board}`,
      Math.max(...smallest.map(ramOf)),
      RAM_AIM_BYTES,
    ),
  ];
  const table = formatTable(['aim', 'at most', 'is', ''], rows, 1);
  return textBytes <= CLIENT_AIM.textBytes ? table : `${table}\nThe next idea for the client: ${NEXT_IDEA}.\n`;
}

function aim(what: string, is: number, atMost: number): string[] {
  const by = atMost - is;
  return [what, bytes(atMost), bytes(is), by >= 0 ? `met, ${bytes(by)} to spare` : `**missed by ${bytes(-by)}**`];
}

const ramOf = ({ dataBytes, bssBytes, stackReservedBytes }: FirmwareRow): number =>
  dataBytes + bssBytes + stackReservedBytes;

function formatFirmware(rows: readonly FirmwareRow[]): string {
  const head = [
    'module',
    'board',
    'wasm',
    'text',
    'data',
    'bss',
    'stack used',
    'stack at most',
    'RAM',
    'linear memory',
  ];
  const cells = rows.map((row) => [
    row.module,
    row.board,
    ...[row.wasmBytes, row.textBytes, row.dataBytes, row.bssBytes].map(bytes),
    row.stackBytes === null ? '–' : bytes(row.stackBytes),
    bytes(row.stackWorstBytes),
    bytes(ramOf(row)),
    bytes(row.linearBytes),
  ]);
  return formatTable(head, cells, 2);
}

function formatClient(rows: readonly ClientRow[]): string {
  const head = ['core', 'flags', 'text', 'checked', 'plain wasm2c'];
  const cells = rows.map(({ board, core, textBytes, checkedTextBytes, wasm2cTextBytes }) => [
    core,
    `\`-Os ${readBoard(board).toolchain!.flags.join(' ')}\``,
    bytes(textBytes),
    bytes(checkedTextBytes),
    wasm2cTextBytes === null ? '–' : bytes(wasm2cTextBytes),
  ]);
  return formatTable(head, cells, 2);
}

function formatWamr(rows: readonly WamrRow[]): string {
  const head = ['module', 'board', 'wasm', 'load', 'instance', 'exec_env', 'operand stack', 'linear memory'];
  const cells = rows.map((row) => [
    row.module,
    row.board,
    ...[row.wasmBytes, row.loadBytes, row.instanceBytes, row.execEnvBytes, row.stackBytes, row.linearBytes].map(bytes),
  ]);
  return formatTable(head, cells, 2);
}

/** Columns from `numbersFrom` on stand right. */
function formatTable(head: readonly string[], rows: readonly (readonly string[])[], numbersFrom: number): string {
  const isFacts = head.every((cell) => cell === '');
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, i) => (!isFacts && i >= numbersFrom ? '---:' : '---')).join('|');
  return `${line(head)}\n|${rule}|\n${rows.map(line).join('\n')}\n`;
}

const bytes = (value: number): string => value.toLocaleString('en-US');
