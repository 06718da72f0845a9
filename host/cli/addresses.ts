// Ports and addresses that options take.
import { isIP } from 'node:net';
import { parseAddress } from '../net/udp.js';
import { UsageError } from './failure.js';

const PORT_MAX = 65_535;

/** A port to listen at. Throws ERR_USAGE_PORT. */
export function portOf(option: string, text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= PORT_MAX) return port;
  throw new UsageError('ERR_USAGE_PORT', `${option} ${text}: a port from 0 (any free one) to ${PORT_MAX}`);
}

/**
 * A broadcast address or multicast group, where one is given: numeric, since whole networks have no names. Throws
 * ERR_USAGE_BROADCAST.
 */
export function checkBroadcast(address: string | undefined): void {
  if (address === undefined) return;
  const { host, port } = parseAddress(address) ?? { host: '', port: 0 };
  if (isIP(host) !== 0 && port > 0) return;
  const allowed = 'IP:PORT, such as 192.168.1.255:1884 or [ff02::1]:1884; no name';
  throw new UsageError('ERR_USAGE_BROADCAST', `--broadcast ${address}: ${allowed}`);
}

/** Where an MQTT-SN gateway listens. Throws ERR_USAGE_GATEWAY. */
export function gatewayOf(address: string): { readonly host: string; readonly port: number } {
  const gateway = parseAddress(address);
  if (gateway !== undefined && gateway.port > 0) return gateway;
  throw new UsageError('ERR_USAGE_GATEWAY', `--gateway ${address}: HOST:PORT, such as 127.0.0.1:1884`);
}
