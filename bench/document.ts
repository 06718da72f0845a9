// docs/BENCHMARKS.md, written from the figures.

import type { InstructionRow } from './instructions.js';
import type { Result } from './main.js';
import type { Load, Row } from './measure.js';
import type { MemoryRow } from './memory.js';

interface Section {
  readonly title: string;
  readonly about: string;
}

/** What the figures of each group mean, and what they do not. */
const SECTIONS: Readonly<Record<string, Section>> = {
  codec: {
    title: 'Codecs',
    about: `Packets of MQTT-SN, and the packets of MQTT 3.1.1 that say the same; MQTT has no REGISTER. The three do not do the same
work, so read the rows as what a caller gets for its time, not as a race:

- **device (WASM)** is the codec that goes onto microcontrollers, run by V8 on this machine. Figures include the way
  across the border: the datagram, or the eleven words of the packet's record and its variable data, are copied into
  linear memory, and what was encoded is copied out. It takes a packet apart in place: names stay octets, and nothing
  is allocated. They say nothing about its speed on a microcontroller.
- **host** makes and reads JavaScript objects, with names checked and decoded as UTF-8; payloads are views.
- **mqtt-packet** is the codec of the broker's TCP side. It reads a stream, whose packets it first has to find. Its
  PUBLISH carries the whole topic name, where MQTT-SN's carries two octets.`,
  },
  fleet: {
    title: 'Fleets',
    about: `The scenario that comes with Thimble (\`thimble sim lab\`, ten virtual minutes, seed 1), its groups scaled up. One device
for one virtual hour is a device-hour. A run is everything: devices in WASM, lossy radios, gateway, broker, the
applications, the digest of every datagram, and the check of every promise. Its devices talk often: most of them every 10
to 40 seconds.`,
  },
  image: {
    title: 'Images',
    about: `A device is a block of bytes. *Save* copies it out into a new array; *restore* checks an image, copies it in and lets the
device set its clock. *Switch* is what a simulator does from one event to the next: put one device's image aside, bring in
the other's, and poll it.`,
  },
  gateway: {
    title: 'Gateway',
    about: `Datagrams that the gateway takes and gives, with the broker behind it in the same process, in virtual time: no socket and
no waiting, so this is what the cores themselves cost. Payloads have 32 octets. QoS 1 is two datagrams a message, PUBLISH
and PUBACK. The devices' side of each datagram, encoding and decoding with the host's codec, is included.`,
  },
  'gateway, UDP loopback': {
    title: 'Gateway, UDP over loopback',
    about: `The same gateway and broker on a real socket, in a process of their own; the devices, each with its own socket, are
another process. Payloads have 32 octets. Everybody waits: at QoS 1 for each PUBACK, from devices at QoS 0 for the
PINGRESP after eight messages, to devices for as many messages as were asked for, sixteen. So nothing is lost, and that
is checked: whatever is sent is counted at both ends, and one datagram too few or too many ends the bench. *CPU* is the
time, the system's included, that the gateway's process takes for a message with everything that belongs to it. *Busy* is
the share of one core; where the load is less busy than the gateway, it is the gateway that limits.`,
  },
};

const ABOUT_MEMORY = `What V8's heap and the arrays outside of it gain by a client, after the garbage is collected; each figure comes from a
process of its own. Every client has connected with CleanSession=0, registered a topic, subscribed to another, and
exchanged a message of QoS 1 in each direction; one that is *asleep* has another message, of 32 octets, waiting for it.
*Gateway* is in front of a broker that keeps nothing, *gateway and broker* has Thimble's own in the same process.`;

const ABOUT_INSTRUCTIONS = `Instructions that a device takes for one message of 32 octets to a topic that it has registered: all calls into the module from
one PUBLISH to before the next, so at QoS 1 with the PUBACK, the mean of twenty; what the port does to send is not counted. On
cores, of an emulator whose clock ticks with each instruction, so these figures are exact and the same on every machine; under WAMR, instructions of its
fast interpreter, of which each takes many of the machine's.`;

const HEADER = `# Benchmarks

Written by \`npm run bench -- --write\`; do not edit. Figures are medians, and *±* is half of the confidence interval of 95 %
around the mean, in percent of the mean. They hold for the machine below; compare rows of one table, and run it yourself
for anything else.
`;

export function formatDocument(
  { machine, versions, rows, memory, instructions }: Result,
  date: string | undefined,
): string {
  const facts = [
    ['machine', `${machine.cpu}, ${machine.cores} cores`],
    ['system', machine.os],
    [
      'versions',
      `thimble ${versions.thimble}, node ${versions.node}, V8 ${versions.v8}, mqtt-packet ${versions.mqttPacket}`,
    ],
    ...(date === undefined ? [] : [['commit of', date]]),
    ['command', '`npm run bench -- --write`'],
  ];
  const sections = Object.entries(SECTIONS).map(([group, { title, about }]) => {
    const own = rows.filter((row) => row.group === group);
    return `## ${title}\n\n${about}\n\n${formatTable(own)}`;
  });
  return [
    HEADER,
    `| | |\n|---|---|\n${facts.map(([key, value]) => `| ${key} | ${value} |`).join('\n')}\n`,
    ...sections,
    formatMemory(memory),
    formatInstructions(instructions),
  ].join('\n');
}

function formatTable(rows: readonly Row[]): string {
  const unit = rows[0]?.unit ?? 'units';
  if (rows.some(({ load }) => load !== undefined)) return formatLoadTable(unit, rows);
  const lines = rows.map(
    ({ task, subject, perSecond, errorPercent }) =>
      `| ${task} | ${subject} | ${formatRate(perSecond)} | ${errorPercent.toFixed(1)} % |`,
  );
  return `| | | ${unit} per second | ± |\n|---|---|---:|---:|\n${lines.join('\n')}\n`;
}

function formatLoadTable(unit: string, rows: readonly Row[]): string {
  const lines = rows.flatMap(({ task, subject, perSecond, errorPercent, load }) => {
    if (load === undefined) return [];
    const cells = [task, subject, formatRate(perSecond), `${errorPercent.toFixed(1)} %`, ...formatLoad(load)];
    return [`| ${cells.join(' | ')} |`];
  });
  const head = `| | | ${unit} per second | ± | CPU a message | gateway busy | load busy | messages, all answered |`;
  return `${head}\n|---|---|---:|---:|---:|---:|---:|---:|\n${lines.join('\n')}\n`;
}

export function formatLoad({ cpuUsPerMessage, cpuPercent, loadCpuPercent, messages }: Load): string[] {
  const percent = (value: number): string => `${Math.round(value)} %`;
  const us = `${cpuUsPerMessage.toFixed(1)} µs`;
  return [us, percent(cpuPercent), percent(loadCpuPercent), messages.toLocaleString('en-US')];
}

function formatMemory(rows: readonly MemoryRow[]): string {
  const lines = rows.map(({ part, state, clients, bytesPerClient }) => {
    return `| ${part} | ${state} | ${clients.toLocaleString('en-US')} | ${formatRate(bytesPerClient)} |`;
  });
  const head = '| memory of | clients that are | clients | octets a client |\n|---|---|---:|---:|';
  return `## Memory of a gateway\n\n${ABOUT_MEMORY}\n\n${head}\n${lines.join('\n')}\n`;
}

/** A row for each core, a column for each QoS. */
export function formatInstructions(rows: readonly InstructionRow[]): string {
  const boards = [...new Set(rows.map(({ board }) => board))];
  const lines = boards.map((board) => {
    const own = rows.filter((row) => row.board === board);
    const cells = [0, 1].map((qos) => formatCount(own.find((row) => row.qos === qos)!.instructions));
    return `| ${[board, own[0]!.core, ...cells].join(' | ')} |`;
  });
  const head = '| board | core | QoS 0 | QoS 1 |\n|---|---|---:|---:|';
  return `## Instructions for a message\n\n${ABOUT_INSTRUCTIONS}\n\n${head}\n${lines.join('\n')}\n`;
}

/** All digits: it is a count. */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

const SIGNIFICANT_DIGITS = 3;

/** Three significant digits: the rest is noise. */
export function formatRate(perSecond: number): string {
  return Number(perSecond.toPrecision(SIGNIFICANT_DIGITS)).toLocaleString('en-US');
}
