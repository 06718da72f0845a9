// Any MQTT broker as the gateway's upstream: one MQTT connection for each session. MQTT.js carries the packets; the
// handshakes of QoS 1 and 2 are the owner's, step by step.
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Log, Millis, Qos, Upstream, UpstreamEvents, UpstreamOptions, UpstreamSession } from '../ports.js';
import type { MqttConnection } from './mqtt-connection.js';
import { isSecure, MqttNodes, parseNode, UpstreamUrlError } from './mqtt-nodes.js';
import { QosKnowledge } from './mqtt-qos.js';
import { MqttSession, type SessionContext } from './mqtt-session.js';

export { UpstreamUrlError } from './mqtt-nodes.js';

export interface MqttUpstreamOptions {
  /**
   * At least one: `mqtt://`, `mqtts://`, `ws://` or `wss://`, host, optionally port, and `USER:PASSWORD@` with `%` escapes.
   * Several are nodes of one cluster, which share sessions: where one cannot be reached the next is tried.
   */
  readonly urls: readonly string[];
  /**
   * 4 (MQTT 3.1.1) or 5. Default 4, which every broker speaks. 5 where the broker does: then refusals have reasons,
   * and limits are told instead of guessed.
   */
  readonly protocolVersion?: 4 | 5;
  /** For `mqtts://` and `wss://`; texts in PEM. `insecure`: takes a broker whose certificate proves nothing. */
  readonly tls?: {
    /** Who is trusted, instead of the system's authorities. */
    readonly ca?: string;
    /** The gateway's own certificate and key, both or none. */
    readonly cert?: string;
    readonly key?: string;
    readonly insecure?: boolean;
  };
  /** 0 to 65,535, default 60; 0: none, and a dead network is never noticed. */
  readonly keepAliveS?: number;
  readonly clock: () => Millis;
  readonly log?: Log;
}

const KEEP_ALIVE_S_DEFAULT = 60;

/** Certificates or a key that cannot be used; `cause` is Node's error. */
export class UpstreamTlsError extends Error {
  override readonly name = 'UpstreamTlsError';
  readonly code = 'ERR_UPSTREAM_TLS';

  constructor(cause: Error) {
    super(`the certificates or the key for the broker cannot be used: ${cause.message}`, { cause });
  }
}

export class MqttUpstream implements Upstream {
  private readonly sessions = new Set<MqttSession>();
  private readonly connections = new Set<MqttConnection>();
  /** Connections that were left and are not gone, by client id, and who waits for that. */
  private readonly departures = new Map<
    string,
    { readonly connection: MqttConnection; readonly waiting: (() => void)[] }
  >();
  private readonly qos: QosKnowledge;
  private readonly context: SessionContext;
  private isStopped = false;
  private whenEmpty: (() => void) | undefined;

  /** Throws UpstreamUrlError and UpstreamTlsError. Whether anybody listens there is seen by sessions. */
  constructor(options: MqttUpstreamOptions) {
    const { urls, protocolVersion = 4, tls, keepAliveS = KEEP_ALIVE_S_DEFAULT, clock, log = () => {} } = options;
    if (urls.length === 0) throw new UpstreamUrlError('no broker is named');
    const nodes = urls.map(parseNode);
    const secureContext = nodes.some(isSecure) ? makeSecureContext(tls) : undefined;
    this.qos = new QosKnowledge(log);
    this.context = {
      connection: { protocolVersion, keepAliveS, secureContext, insecure: tls?.insecure ?? false },
      nodes: new MqttNodes(nodes),
      qos: this.qos,
      clock,
      log,
      opened: (connection) => this.connections.add(connection),
      gone: (connection, clientId) => this.forget(connection, clientId),
      whenFree: (clientId, dial) => {
        const departure = this.departures.get(clientId);
        if (departure === undefined) dial();
        else departure.waiting.push(dial);
      },
      leaving: (clientId, connection) => {
        const waiting = this.departures.get(clientId)?.waiting ?? [];
        this.departures.set(clientId, { connection, waiting });
      },
      ended: (session) => this.sessions.delete(session),
    };
  }

  get qosMax(): Qos {
    return this.qos.max;
  }

  /** Requests made before `connected` are lost. */
  open(options: UpstreamOptions, events: UpstreamEvents, now: Millis): UpstreamSession {
    const session = new MqttSession(this.context, options, events, now);
    this.sessions.add(session);
    if (this.isStopped) session.stop();
    else session.start();
    return session;
  }

  /** Says DISCONNECT on every connection and waits until all are gone. Owners of open sessions hear `closed`. */
  async close(): Promise<void> {
    this.isStopped = true;
    for (const session of [...this.sessions]) session.stop();
    if (this.connections.size > 0) await new Promise<void>((resolve) => (this.whenEmpty = resolve));
  }

  private forget(connection: MqttConnection, clientId: string): void {
    this.connections.delete(connection);
    const departure = this.departures.get(clientId);
    if (departure?.connection === connection) {
      this.departures.delete(clientId);
      for (const dial of departure.waiting) dial();
    }
    if (this.connections.size === 0) this.whenEmpty?.();
  }
}

function makeSecureContext(tls: MqttUpstreamOptions['tls']): SecureContext {
  const { ca, cert, key } = tls ?? {};
  try {
    return createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
  } catch (error) {
    throw new UpstreamTlsError(error as Error);
  }
}
