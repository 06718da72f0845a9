// docs/FOOTPRINT.md, written from the figures.
import { readBoard } from '../../host/firmware/boards.js';
import type { FirmwareRow } from './firmware.js';
import type { Footprint } from './main.js';
import type { ClientRow } from './objects.js';
import type { WamrRow } from './wamr.js';

const bytes = (value: number): string => value.toLocaleString('en-US');

/** MQTT-SN client with all of 1.2: octets of text on a Cortex-M4. */
const CLIENT_AIM = { cpu: '-mcpu=cortex-m4', textBytes: 6_300 } as const;
const LINEAR_AIM_BYTES = 4_096;
/** The whole application, the port included, in this much RAM. */
const RAM_AIM_BYTES = 8_192;

/** What the aim for the client was made from: wolfMQTT's smaller client, with `-Os` and no other flag for size. */
const WOLFMQTT_SN_BYTES = 6_309;

/** Native clients of other people: measured once, with the compiler and the flags that are said below. */
const OTHERS: readonly (readonly [client: string, protocol: string, textBytes: string])[] = [
  ['wolfMQTT, MQTT-SN client and packets', 'MQTT-SN 1.2', bytes(WOLFMQTT_SN_BYTES)],
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

/** What to try next where an aim is missed. */
const NEXT_FOR_CLIENT = `make sequences of instructions that are repeated into functions: an outliner, which LLVM has for Thumb-2 and gcc has not`;
const NEXT_FOR_LINEAR = `keep the texts of applications as octets of UTF-8: as strings of AssemblyScript each takes two octets a letter and a header of 20`;
const NEXT_FOR_RAM = `take the ring of the serial line out of the port where the module's own buffer can take its octets`;

const HEADER = `# Footprint

Written by \`npm run footprint -- --write\`; do not edit. Octets throughout. Native code is made from the WebAssembly module by
Thimble's own backend and compiled by the compilers below, as \`thimble build APP --board B\` does it.
`;

const ABOUT_FIRMWARE = `The whole firmware: the module, the board's port and what it takes from the C library. *stack used* is the high-water mark of the
painted stack after a quarter of an hour on a radio that loses 15 % both ways, doubles 8 % and reorders 5 %, played call by call
in the emulator; *stack at most* is the worst case of the same firmware, the whole call graph with an interrupt at the worst
moment. Its loop takes calls from outside, so both may be a little more or less than those of the board's own firmware, whose
worst case each build prints and holds against what the board keeps. *RAM* is data, bss and what the board keeps for the stack.
Modules that wait for calls of firmware in C (\`modem-mqttsn\`, \`forwarder\`) are played through all of their verbs; of their
*text* the linker leaves out what nobody calls in the board's own: the client's whole size is in the next table.`;

const ABOUT_CLIENT = `\`modem-mqttsn\` with every verb and every packet of MQTT-SN 1.2, code and constants, without port and C library, as the figures of
other clients are taken. *text* is with our flags, with which all firmware is compiled (host/firmware/native/flags.ts): \`-Os\` and
what makes its code smaller still. *-Os alone* is with no other flag for size, as the figures of the other clients below are.
*checked* holds each access to memory against the module's regions and its alignment. *plain wasm2c* is what wabt makes of the
same module, with \`-Os\`, before the library that it needs besides.`;

const ABOUT_WAMR = `RAM that WAMR's fast interpreter takes for a module that lies in flash, besides linear memory: its translation (*load*), its
*instance*, and what runs it (*exec_env*, without the operand stack). On a core of 32 bits as the build works it out; and on this
machine, whose pointers have 64, as WAMR's own pool says, to which the build's figures are held. *operand stack* is what the
module can need at most on 32 bits.`;

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
    formatFlags(footprint),
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

/** The client on the core of the aim. */
function aimedClient({ client }: Footprint): ClientRow {
  return client.find(({ board }) => readBoard(board).toolchain!.flags.includes(CLIENT_AIM.cpu))!;
}

/** Whose flags a figure has decides about it: said of ours, and of the one that ours is held against. */
function formatFlags(footprint: Footprint): string {
  const { textBytes, plainTextBytes } = aimedClient(footprint);
  const more = plainTextBytes - WOLFMQTT_SN_BYTES;
  const held =
    more > 0
      ? `${bytes(more)} more than wolfMQTT`
      : more < 0
        ? `${bytes(-more)} less than wolfMQTT`
        : 'as many as wolfMQTT';
  return `The client's ${bytes(textBytes)} are with our flags. With \`-Os\` alone, as wolfMQTT's ${bytes(WOLFMQTT_SN_BYTES)} are, it has ${bytes(plainTextBytes)}: ${held}.\n`;
}

function formatAims(footprint: Footprint): string {
  const { firmware, wamr } = footprint;
  const { textBytes } = aimedClient(footprint);
  const linear = [...firmware, ...wamr].map(({ linearBytes }) => linearBytes);
  const smallest = firmware.filter(({ board }) => readBoard(board).ramBytes === RAM_AIM_BYTES);
  const aims: readonly Aim[] = [
    {
      what: 'MQTT-SN client with all of 1.2, text on a Cortex-M4, our flags',
      is: textBytes,
      atMost: CLIENT_AIM.textBytes,
      next: NEXT_FOR_CLIENT,
    },
    {
      what: 'linear memory, the largest of all modules',
      is: Math.max(...linear),
      atMost: LINEAR_AIM_BYTES,
      next: NEXT_FOR_LINEAR,
    },
    {
      what: `RAM of the largest application with its port on ${smallest[0]?.board}`,
      is: Math.max(...smallest.map(ramOf)),
      atMost: RAM_AIM_BYTES,
      next: NEXT_FOR_RAM,
    },
  ];
  return formatTable(['aim', 'at most', 'is', '', 'next idea'], aims.map(formatAim), 1);
}

interface Aim {
  readonly what: string;
  readonly is: number;
  readonly atMost: number;
  readonly next: string;
}

function formatAim({ what, is, atMost, next }: Aim): string[] {
  const by = atMost - is;
  const figures = [what, bytes(atMost), bytes(is)];
  if (by >= 0) return [...figures, `met, ${bytes(by)} to spare`, '–'];
  return [...figures, `**missed by ${bytes(-by)}**`, next];
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
    bytes(row.stackBytes),
    bytes(row.stackWorstBytes),
    bytes(ramOf(row)),
    bytes(row.linearBytes),
  ]);
  return formatTable(head, cells, 2);
}

function formatClient(rows: readonly ClientRow[]): string {
  const head = ['core', 'flags', 'text', '-Os alone', 'checked', 'plain wasm2c'];
  const cells = rows.map(({ board, core, textBytes, plainTextBytes, checkedTextBytes, wasm2cTextBytes }) => [
    core,
    `\`${readBoard(board).toolchain!.flags.join(' ')}\``,
    bytes(textBytes),
    bytes(plainTextBytes),
    bytes(checkedTextBytes),
    wasm2cTextBytes === null ? '–' : bytes(wasm2cTextBytes),
  ]);
  return formatTable(head, cells, 2);
}

function formatWamr(rows: readonly WamrRow[]): string {
  const memory = ['load', 'instance', 'exec_env'];
  const head = ['module', 'wasm', 'linear memory', 'operand stack', ...memory, ...memory.map((m) => `${m}, 64 bits`)];
  const cells = rows.map((row) => [
    row.module,
    ...[row.wasmBytes, row.linearBytes, row.stackBytes].map(bytes),
    ...[row.on32Bit, row.measured].flatMap((m) => [m.loadBytes, m.instanceBytes, m.execEnvBytes].map(bytes)),
  ]);
  return formatTable(head, cells, 1);
}

/** Columns from `numbersFrom` on stand right. */
function formatTable(head: readonly string[], rows: readonly (readonly string[])[], numbersFrom: number): string {
  const isFacts = head.every((cell) => cell === '');
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((name, i) => (!isFacts && i >= numbersFrom && name !== 'next idea' ? '---:' : '---')).join('|');
  return `${line(head)}\n|${rule}|\n${rows.map(line).join('\n')}\n`;
}
