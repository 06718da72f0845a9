// The report of a simulation as a person reads it.
import type { SimReport } from '../sim/report.js';
import type { Scenario } from '../sim/scenario.js';
import { colours, count, number, table } from './output.js';
import { clock } from './sim.js';

const QOS_ROWS = [
  ['2', 'QoS 2, exactly once'],
  ['1', 'QoS 1, at least once'],
  ['0', 'QoS 0, at most once'],
  ['-1', 'QoS -1, no connection'],
] as const;

export function formatReport(report: SimReport, scenario: Scenario): string {
  const lines = [
    `${colours.bold(report.scenario)}: ${scenario.description ?? ''}`,
    `${count(report.devices, 'device')}, ${clock(report.virtualMs)} of virtual time in ${(report.wallMs / 1000).toFixed(1)} s, seed ${report.seed}`,
    '',
    qosTable(report),
    '',
    classTable(report),
    '',
    `  ${count(report.wills, 'will')} published, ${count(report.retained, 'retained message')} given to newcomers`,
    ...gatewayLines(report),
    ...resetLines(report),
    ...updateLines(report),
    ...tooLongLines(report),
    ...violationLines(report),
    '',
    `  digest ${report.digest}`,
  ];
  return lines.join('\n');
}

function qosTable({ qos }: SimReport): string {
  const rows = QOS_ROWS.map(([key, label]) => {
    const f = qos[key];
    const missing = f.sent - f.delivered - f.orphaned;
    return [
      label,
      number(f.sent),
      number(f.delivered),
      number(missing),
      number(f.orphaned),
      number(f.duplicates),
      milliseconds(f.latencyMs.p50),
      milliseconds(f.latencyMs.p99),
    ];
  });
  return table(
    ['messages', 'sent', 'delivered', 'lost', 'died with device', 'duplicates', 'median ms', 'p99 ms'],
    rows,
  );
}

function classTable(report: SimReport): string {
  const rows = report.classes.map((c) => [
    c.class,
    number(c.devices),
    number(c.datagramsUp + c.datagramsDown),
    number(c.bytesUp),
    number(c.bytesDown),
    number(c.lost),
    number(c.retransmissions),
  ]);
  const total = report.classes.reduce((sum, c) => sum + c.datagramsUp + c.datagramsDown, 0);
  rows.push(['gateway, to them', '', '', '', '', '', number(report.gatewayRetransmissions)]);
  rows.push([
    'all',
    number(report.devices),
    number(total),
    number(report.classes.reduce((sum, c) => sum + c.bytesUp, 0)),
    number(report.classes.reduce((sum, c) => sum + c.bytesDown, 0)),
    number(report.classes.reduce((sum, c) => sum + c.lost, 0)),
    number(report.retransmissions),
  ]);
  return table(['class', 'devices', 'datagrams', 'bytes up', 'bytes down', 'lost on air', 'sent again'], rows);
}

function milliseconds(value: number | null): string {
  return value === null ? '–' : number(value);
}

function gatewayLines({ gateways, moves }: SimReport): string[] {
  if (gateways.length === 0) return [];
  const lines = gateways.map(
    ({ gwId, crashes, downMs }) => `  gateway ${gwId}: ${times(crashes)} down, ${clock(downMs)} in all`,
  );
  return [...lines, `  devices turned to another gateway ${times(moves)}`];
}

function times(value: number): string {
  return value === 1 ? 'once' : `${number(value)} times`;
}

function resetLines({ classes }: SimReport): string[] {
  return classes.flatMap(({ class: name, resets: { trap, watchdog } }) => [
    ...(trap === 0 ? [] : [`  ${colours.yellow(`${name}: reset ${times(trap)} by a trap in its module`)}`]),
    ...(watchdog === 0 ? [] : [`  ${colours.yellow(`${name}: reset ${times(watchdog)} by the watchdog`)}`]),
  ]);
}

function updateLines({ classes }: SimReport): string[] {
  return classes.flatMap(({ class: name, updates }) => {
    if (updates === undefined) return [];
    const versions = Object.entries(updates.versions).map(
      ([version, devices]) => `${count(devices, 'device')} on ${version}`,
    );
    const others = [
      ...(updates.rolledBack === 0 ? [] : [`rolled back ${times(updates.rolledBack)}`]),
      ...(updates.refused === 0 ? [] : [`refused by ${count(updates.refused, 'device')}`]),
      ...(updates.outcomes.stuck === undefined ? [] : [`${number(updates.outcomes.stuck)} stuck`]),
    ];
    return [`  ${name}: ${[...versions, ...others].join(', ')}`];
  });
}

function tooLongLines({ classes }: SimReport): string[] {
  const tooLong = classes.reduce((sum, c) => sum + c.tooLong, 0);
  if (tooLong === 0) return [];
  return [
    `  ${colours.yellow(`${count(tooLong, 'datagram')} ${wasOrWere(tooLong)} longer than the MTU and never sent`)}`,
  ];
}

function violationLines({ violations, qos }: SimReport): string[] {
  if (qos[1].sent + qos[2].sent === 0) return [`  ${colours.yellow('no message of QoS 1 or 2 was sent')}`];
  if (violations.length === 0) return [`  ${colours.green('every promise of QoS 1 and 2 was kept')}`];
  const shown = violations.slice(0, 10).map((v) => `    ${v.kind}: ${v.message}`);
  const more = violations.length > shown.length ? [`    and ${violations.length - shown.length} more`] : [];
  const head = `${count(violations.length, 'promise')} of QoS 1 and 2 ${wasOrWere(violations.length)} broken:`;
  return [`  ${colours.red(head)}`, ...shown, ...more];
}

function wasOrWere(value: number): string {
  return value === 1 ? 'was' : 'were';
}
