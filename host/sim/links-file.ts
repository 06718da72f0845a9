// Measured links: the CSV that holds them, and how a fleet's devices get theirs. Text in, links out; docs/LINKS.md is the
// format's description.
import { between } from '../core/random.js';
import type { Random } from '../ports.js';
import { isReceived, type TraceConfig } from './loss.js';

/** One direction between two nodes as it was measured. */
export interface MeasuredLink {
  /** Injected noise, dBm: tells measurements of the same nodes apart. */
  readonly noiseDbm: number;
  readonly txNode: string;
  readonly rxNode: string;
  /** Mean of the receiver's signal strength reading; a relative scale. */
  readonly meanRssi: number;
  /** Four packets a digit, the first packet's bit first; 1 = received. Lower case. */
  readonly receivedHex: string;
  /** Share of received packets, 0 to 100. */
  readonly receivedPercent: number;
}

/** What a device was given: `uplink` carries its datagrams to the gateway, `downlink` the gateway's to it. */
export interface DeviceLinks {
  /** The measured link that serves as uplink. */
  readonly measured: MeasuredLink;
  readonly uplink: TraceConfig;
  readonly downlink: TraceConfig;
}

export interface AssignOptions {
  /** Links that received less are left out, and so are those whose way back did; 0 to 100, default ASSIGN_RECEIVED_PERCENT_MIN. */
  readonly minReceivedPercent?: number;
}

/** Below it a link is one that nobody would have installed a sensor on. */
export const ASSIGN_RECEIVED_PERCENT_MIN = 50;

/** What can be wrong with a file of links. */
export type LinksFileErrorCode =
  /** No header, or no link below it. */
  | 'ERR_LINKS_EMPTY'
  /** The header lacks a column. */
  | 'ERR_LINKS_COLUMN_MISSING'
  /** The header names a column twice. */
  | 'ERR_LINKS_COLUMN_REPEATED'
  /** A row has more or fewer fields than the header. */
  | 'ERR_LINKS_FIELD_COUNT'
  /** `noise_dbm` or `mean_rssi` is not a number. */
  | 'ERR_LINKS_NUMBER'
  /** `tx_node` or `rx_node` is empty or too long. */
  | 'ERR_LINKS_NODE'
  /** `received_hex` is empty or not hexadecimal. */
  | 'ERR_LINKS_HEX'
  /** The same nodes, in the same direction, at the same noise level as on an earlier line. */
  | 'ERR_LINKS_REPEATED'
  /** The file is right, but no link receives as much as was asked for. */
  | 'ERR_LINKS_NONE_USABLE';

export class LinksFileError extends Error {
  override readonly name = 'LinksFileError';

  /** `line` counts from 1, the header's included; `column` is the column's name. Either is undefined where it says nothing. */
  constructor(
    readonly code: LinksFileErrorCode,
    readonly line: number | undefined,
    readonly column: string | undefined,
    problem: string,
  ) {
    const lineAt = line === undefined ? '' : `, line ${line}`;
    const columnAt = column === undefined ? '' : `, column ${column}`;
    super(`links file${lineAt}${columnAt}: ${problem}`);
  }
}

const COLUMNS = ['noise_dbm', 'tx_node', 'rx_node', 'mean_rssi', 'received_hex'] as const;
type Column = (typeof COLUMNS)[number];

/** Long enough for any address that a testbed gives its nodes. */
export const NODE_CHARS_MAX = 64;

/** Reads the whole file; throws LinksFileError at the first thing that is wrong. */
export function parseLinks(text: string): Links {
  const lines = text.replace(BYTE_ORDER_MARK, '').split(LINE_END);
  let header: Header | undefined;
  const links: MeasuredLink[] = [];
  const lineOf = new Map<string, number>();
  for (const [index, content] of lines.entries()) {
    if (content.trim() === '') continue;
    const line = index + 1;
    const fields = content.split(',').map((field) => field.trim());
    if (header === undefined) {
      header = parseHeader(fields, line);
      continue;
    }
    const link = parseRow(header, fields, line);
    const key = keyOf(link.noiseDbm, link.txNode, link.rxNode);
    const earlier = lineOf.get(key);
    if (earlier !== undefined) throw repeated(link, line, earlier);
    lineOf.set(key, line);
    links.push(link);
  }
  if (header === undefined) throw empty(undefined, `holds no header; needed is ${COLUMNS.join(',')}`);
  if (links.length === 0) throw empty(lines.length, 'holds no link below its header; needed is a line for each link');
  return new Links(links);
}

const BYTE_ORDER_MARK = /^\ufeff/;
const LINE_END = /\r\n|\n|\r/;

function empty(line: number | undefined, problem: string): LinksFileError {
  return new LinksFileError('ERR_LINKS_EMPTY', line, undefined, problem);
}

function repeated(link: MeasuredLink, line: number, earlier: number): LinksFileError {
  return new LinksFileError(
    'ERR_LINKS_REPEATED',
    line,
    'tx_node',
    `${link.txNode} to ${link.rxNode} at ${link.noiseDbm} dBm stands on line ${earlier} already; ` +
      'allowed is one line for each direction and noise level',
  );
}

interface Header {
  /** Fields of every row. */
  readonly count: number;
  readonly indexOf: Readonly<Record<Column, number>>;
}

function parseHeader(fields: readonly string[], line: number): Header {
  const indexOf: Record<Column, number> = { noise_dbm: 0, tx_node: 0, rx_node: 0, mean_rssi: 0, received_hex: 0 };
  for (const column of COLUMNS) {
    const index = fields.indexOf(column);
    if (index < 0) {
      const problem = `is not in the header ${quote(fields.join(','))}; needed are ${COLUMNS.join(', ')}, in any order`;
      throw new LinksFileError('ERR_LINKS_COLUMN_MISSING', line, column, problem);
    }
    if (fields.lastIndexOf(column) !== index) {
      const problem = 'stands in the header twice; allowed is once';
      throw new LinksFileError('ERR_LINKS_COLUMN_REPEATED', line, column, problem);
    }
    indexOf[column] = index;
  }
  return { count: fields.length, indexOf };
}

function parseRow(header: Header, fields: readonly string[], line: number): MeasuredLink {
  if (fields.length !== header.count) {
    const problem = `has ${fields.length} fields; allowed are ${header.count}, as many as the header has`;
    throw new LinksFileError('ERR_LINKS_FIELD_COUNT', line, undefined, problem);
  }
  const at = (column: Column): string => fields[header.indexOf[column]]!;
  const receivedHex = parseHex(at('received_hex'), line);
  return {
    noiseDbm: parseNumber(at('noise_dbm'), line, 'noise_dbm'),
    txNode: parseNode(at('tx_node'), line, 'tx_node'),
    rxNode: parseNode(at('rx_node'), line, 'rx_node'),
    meanRssi: parseNumber(at('mean_rssi'), line, 'mean_rssi'),
    receivedHex,
    receivedPercent: receivedPercentOf(receivedHex),
  };
}

const DECIMAL = /^[+-]?\d+(\.\d+)?$/;
const HEX = /^[0-9a-f]+$/;

function parseNumber(field: string, line: number, column: Column): number {
  if (DECIMAL.test(field)) return Number(field);
  const problem = `${quote(field)} is not a number; allowed are decimals such as -10 or 26.8`;
  throw new LinksFileError('ERR_LINKS_NUMBER', line, column, problem);
}

function parseNode(field: string, line: number, column: Column): string {
  if (field.length >= 1 && field.length <= NODE_CHARS_MAX) return field;
  const problem = `${quote(field)} is no name of a node; allowed are 1 to ${NODE_CHARS_MAX} characters without commas`;
  throw new LinksFileError('ERR_LINKS_NODE', line, column, problem);
}

function parseHex(field: string, line: number): string {
  const receivedHex = field.toLowerCase();
  if (HEX.test(receivedHex)) return receivedHex;
  const problem =
    `${quote(field)} is not hexadecimal; allowed are 1 or more digits 0-9 and a-f, ` +
    "four packets a digit, the first packet's bit first";
  throw new LinksFileError('ERR_LINKS_HEX', line, 'received_hex', problem);
}

/** A message shows the beginning of what it complains about, not a trace of ten thousand digits. */
const QUOTE_CHARS_MAX = 40;

function quote(value: string): string {
  return JSON.stringify(value.length <= QUOTE_CHARS_MAX ? value : `${value.slice(0, QUOTE_CHARS_MAX)}...`);
}

const BITS_PER_DIGIT = 4;

function receivedPercentOf(receivedHex: string): number {
  const packets = receivedHex.length * BITS_PER_DIGIT;
  let received = 0;
  for (let i = 0; i < packets; i++) if (isReceived(receivedHex, i)) received++;
  return (received * 100) / packets;
}

function keyOf(noiseDbm: number, txNode: string, rxNode: string): string {
  return `${noiseDbm},${txNode},${rxNode}`;
}

/** All links of a file, in its order. */
export class Links {
  private readonly byKey = new Map<string, MeasuredLink>();

  constructor(readonly all: readonly MeasuredLink[]) {
    for (const link of all) this.byKey.set(keyOf(link.noiseDbm, link.txNode, link.rxNode), link);
  }

  /** Those that received at least this share of packets, 0 to 100. */
  usable(minReceivedPercent: number): MeasuredLink[] {
    return this.all.filter((link) => link.receivedPercent >= minReceivedPercent);
  }

  /** The way back at the same noise level; undefined where it was not measured. */
  reverseOf(link: MeasuredLink): MeasuredLink | undefined {
    return this.byKey.get(keyOf(link.noiseDbm, link.rxNode, link.txNode));
  }
}

/**
 * Gives each device, in order, a link drawn from the usable ones (several devices may get the same): the link as uplink
 * and its way back as downlink. Where the way back was not measured the link serves as both: the loss models start a trace
 * at an offset of their own, so that the directions do not fade together. Device n's links depend on the file, the
 * options, `random` and n, but not on how many devices follow.
 */
export function assign(
  links: Links,
  deviceCount: number,
  random: Random,
  { minReceivedPercent = ASSIGN_RECEIVED_PERCENT_MIN }: AssignOptions = {},
): DeviceLinks[] {
  // A device that hears nothing never connects, however well it is heard.
  const candidates = links
    .usable(minReceivedPercent)
    .filter((link) => (links.reverseOf(link)?.receivedPercent ?? link.receivedPercent) >= minReceivedPercent);
  if (candidates.length === 0) throw noneUsable(links, minReceivedPercent);
  return Array.from({ length: deviceCount }, () => {
    const measured = candidates[between(random, 0, candidates.length - 1)]!;
    return { measured, uplink: traceOf(measured), downlink: traceOf(links.reverseOf(measured) ?? measured) };
  });
}

function traceOf(link: MeasuredLink): TraceConfig {
  return { model: 'trace', receivedHex: link.receivedHex };
}

function noneUsable(links: Links, minReceivedPercent: number): LinksFileError {
  const problem =
    `none of its ${links.all.length} links received ${minReceivedPercent} % of packets in both directions; ` +
    'ask for less, or take another file';
  return new LinksFileError('ERR_LINKS_NONE_USABLE', undefined, undefined, problem);
}
