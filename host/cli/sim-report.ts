// The report of a simulation as a person reads it.
import type { SimReport } from '../sim/report.js';
import type { Scenario } from '../sim/scenario.js';
import { colours, number, table } from './output.js';
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
    `${number(report.devices)} devices, ${clock(report.virtualMs)} of virtual time in ${(report.wallMs / 1000).toFixed(1)} s, seed ${report.seed}`,
    '',
    qosTable(report),
    '',
    classTable(report),
    '',
    `  ${number(report.wills)} wills published, ${number(report.retained)} retained messages given to newcomers`,
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

function violationLines({ violations }: SimReport): string[] {
  if (violations.length === 0) return [`  ${colours.green('every promise of QoS 1 and 2 was kept')}`];
  const shown = violations.slice(0, 10).map((v) => `    ${v.kind}: ${v.message}`);
  const more = violations.length > shown.length ? [`    and ${violations.length - shown.length} more`] : [];
  return [`  ${colours.red(`${violations.length} promises of QoS 1 and 2 were broken:`)}`, ...shown, ...more];
}
