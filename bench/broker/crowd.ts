// Many clients that say nothing: how fast they come and go, and what the broker keeps for each.
import { Client, CONNECTING_MAX, inParallel, openClients } from './client.js';
import { wait } from './flood.js';
import { cpuSeconds, openFilesMax, residentBytes } from './proc.js';

export interface ConnectsResult {
  readonly connectionsPerSecond: number;
  /** Busy of one core, percent. Undefined where nobody knows. */
  readonly brokerCpuPercent?: number;
  readonly generatorCpuPercent: number;
  readonly connections: number;
}

export interface IdleResult {
  readonly connections: number;
  /** Of the broker's resident memory, what came with the connections, a connection. Undefined where nobody knows. */
  readonly bytesPerConnection?: number;
  /** Resident memory without any. */
  readonly emptyBytes?: number;
  /** Fewer than asked for: so many files may be open. */
  readonly openFilesMax?: number;
}

const MS_PER_S = 1_000;
const US_PER_S = 1e6;
/** Files that a process has open besides its connections, about. */
const OTHER_FILES = 200;
/** What a broker has to do after the last CONNECT, garbage included, should be over after this. */
const SETTLE_MS = 500;

/** CONNECT, CONNACK, DISCONNECT and the end, many at a time. */
export async function benchConnects(port: number, brokerPid: number, connections: number): Promise<ConnectsResult> {
  const brokerBefore = cpuSeconds(brokerPid);
  const ownBefore = process.cpuUsage();
  const start = performance.now();
  await inParallel(connections, CONNECTING_MAX, async (index) => {
    const client = await Client.open(port, `visitor-${index}`);
    await client.close();
  });
  const seconds = (performance.now() - start) / MS_PER_S;
  const own = process.cpuUsage(ownBefore);
  const brokerAfter = cpuSeconds(brokerPid);
  return {
    connectionsPerSecond: connections / seconds,
    ...(brokerBefore !== undefined &&
      brokerAfter !== undefined && { brokerCpuPercent: (100 * (brokerAfter - brokerBefore)) / seconds }),
    generatorCpuPercent: (100 * (own.user + own.system)) / US_PER_S / seconds,
    connections,
  };
}

/** Connections that stay. As many as asked for, or as files may be open here and at the broker. */
export async function benchIdle(port: number, brokerPid: number, wanted: number): Promise<IdleResult> {
  const filesMax = Math.min(openFilesMax(brokerPid) ?? wanted, openFilesMax(process.pid) ?? wanted);
  const possible = Math.max(0, filesMax - OTHER_FILES);
  const connections = Math.min(wanted, possible);
  const before = residentBytes(brokerPid);
  const clients = await openClients(port, 'idle-', connections);
  await wait(SETTLE_MS);
  const after = residentBytes(brokerPid);
  const gone = clients.filter(({ isOpen }) => !isOpen).length;
  if (gone > 0) throw new Error(`the broker has ended ${gone} of ${connections} idle connections`);
  return {
    connections,
    ...(before !== undefined &&
      after !== undefined && { bytesPerConnection: (after - before) / connections, emptyBytes: before }),
    ...(connections < wanted && { openFilesMax: filesMax }),
  };
}
