// Where brokers are: URLs taken apart, and which node of a cluster a client goes to.
import type { Millis } from '../ports.js';

export type MqttScheme = 'mqtt' | 'mqtts' | 'ws' | 'wss';

/** Ports that the schemes have by custom (IANA for MQTT, HTTP's for WebSocket). */
const PORT_OF: Readonly<Record<MqttScheme, number>> = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 };
const SECURE: readonly MqttScheme[] = ['mqtts', 'wss'];
const WEB_SOCKET: readonly MqttScheme[] = ['ws', 'wss'];

/** A URL is wrong. */
export class UpstreamUrlError extends Error {
  readonly code = 'ERR_UPSTREAM_URL';

  constructor(what: string) {
    super(
      `${what}; a broker is named mqtt://HOST:PORT, or with mqtts://, ws://, wss://, and USER:PASSWORD@ where it asks`,
    );
    this.name = 'UpstreamUrlError';
  }
}

/** One broker, or one node of a cluster. */
export interface MqttNode {
  readonly scheme: MqttScheme;
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** WebSocket: path and query, from `/`. */
  readonly path: string;
  readonly username?: string;
  readonly password?: string;
  /** For logs: without the password. */
  readonly label: string;
}

export const isSecure = (node: MqttNode): boolean => SECURE.includes(node.scheme);
export const isWebSocket = (node: MqttNode): boolean => WEB_SOCKET.includes(node.scheme);

/** Throws UpstreamUrlError. */
export function parseNode(text: string): MqttNode {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // Never the text itself: it may hold a password.
  const shown = text.replace(/\/\/.*@/, '//***@');
  const scheme = url?.protocol.slice(0, -1) as MqttScheme | undefined;
  if (url === undefined || scheme === undefined || !Object.hasOwn(PORT_OF, scheme)) {
    throw new UpstreamUrlError(`"${shown}" is no URL of a broker`);
  }
  if (url.hostname === '') throw new UpstreamUrlError(`"${shown}" names no host`);
  if (url.port === '0') throw new UpstreamUrlError(`"${shown}" has port 0`);
  const path = `${url.pathname === '' ? '/' : url.pathname}${url.search}`;
  if (!WEB_SOCKET.includes(scheme) && path !== '/') {
    throw new UpstreamUrlError(`"${shown}" has a path, which only ws:// and wss:// have`);
  }
  if (url.hash !== '') throw new UpstreamUrlError(`"${shown}" has a fragment`);
  const port = url.port === '' ? PORT_OF[scheme] : Number(url.port);
  return {
    scheme,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    path,
    ...(url.username !== '' && { username: unescaped(url.username, shown) }),
    ...(url.password !== '' && { password: unescaped(url.password, shown) }),
    label: `${scheme}://${url.hostname}:${port}`,
  };
}

function unescaped(text: string, shown: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UpstreamUrlError(`"${shown}" has a % that escapes nothing`);
  }
}

/** How long a node that failed is asked last, ms. */
const SUSPECT_MS = 30_000;

/**
 * Which node a client goes to. Each client has an order of its own that depends on nothing but its name and the nodes, so that
 * every gateway sends it to the same one, clients spread evenly, and those of a dead node spread over all the others.
 */
export class MqttNodes {
  private readonly failedAt = new Map<MqttNode, Millis>();

  constructor(private readonly nodes: readonly MqttNode[]) {}

  /** Every node once, the one to ask first in front. */
  orderFor(clientId: string, now: Millis): MqttNode[] {
    const ranked = this.nodes.map((node) => ({
      node,
      rank: hash(`${clientId}\n${node.label}`),
      suspect: now - (this.failedAt.get(node) ?? Number.NEGATIVE_INFINITY) < SUSPECT_MS ? 1 : 0,
    }));
    ranked.sort((a, b) => a.suspect - b.suspect || a.rank - b.rank);
    return ranked.map(({ node }) => node);
  }

  failed(node: MqttNode, now: Millis): void {
    this.failedAt.set(node, now);
  }

  answered(node: MqttNode): void {
    this.failedAt.delete(node);
  }
}

const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const MIX = 0x85ebca6b;

/** FNV-1a over UTF-16 units; its last bits are mixed, since names that differ at their end would else keep an order. */
function hash(text: string): number {
  let value = FNV_BASIS;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), FNV_PRIME);
  value = Math.imul(value ^ (value >>> 16), MIX);
  return (value ^ (value >>> 13)) >>> 0;
}
