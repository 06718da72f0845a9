// What can be set about a gateway. Every number is an integer; lists of defaults and ranges stand with the fields.
import { N_RETRY, T_ADV_MS, T_RETRY_MS, T_WAIT_MS } from '../../assembly/protocol/index.js';
import type { PermissionsConfig } from './permissions.js';

/** Predefined topics: client id, or `*` for everybody, to topic id (decimal, 1 to 65534) to topic name. */
export type PredefinedConfig = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface GatewayConfig {
  /** GwId of ADVERTISE and GWINFO. 0 to 255, default 1. */
  readonly gwId: number;
  /** A client's own table goes before `*`. Default none. */
  readonly predefined: PredefinedConfig;
  /** Who may connect, publish and subscribe. Default: everybody may do everything. */
  readonly permissions?: PermissionsConfig;
  /** T_retry: wait for an answer before a packet is sent again, ms. 1 to 600,000, default 10,000 (7.2). */
  readonly tRetryMs: number;
  /** N_retry: how often a packet is sent again before the client counts as lost. 0 to 100, default 5 (7.2). */
  readonly nRetry: number;
  /** T_ADV: from one ADVERTISE to the next, ms. 0 (never advertise) or 1,000 to 65,535,000, default 960,000 (7.2). */
  readonly tAdvMs: number;
  /** T_WAIT: how long nothing is delivered to a client that answered "congestion", ms. 1 to 3,600,000, default 301,000. */
  readonly tWaitMs: number;
  /**
   * The largest packet sent to a client, Length included. 16 to 65,535, default 255: a client cannot tell its limit, and
   * a datagram that it cannot take costs it the connection, where a message dropped here is counted and logged (6.10).
   */
  readonly maxPacketBytes: number;
  /** The longest topic name that a client is asked to REGISTER, octets of UTF-8. 1 to 65,527, default 249. */
  readonly topicBytesMax: number;
  /** Registered topics a client. 1 to 65,534, default 65,534: all ids there are. */
  readonly topicsMax: number;
  /**
   * Octets of registered topic names of a client, and of its filters, each. 1,024 to 2^30, default 65,536: two thousand names of
   * 32 octets.
   */
  readonly namesBytesMax: number;
  /** Subscriptions a client. 1 to 65,535, default 1,024. */
  readonly subscriptionsMax: number;
  /** Messages that wait for a client, asleep or not. 1 to 65,535, default 100. */
  readonly bufferMessagesMax: number;
  /** Octets of topic and payload that wait for a client. 256 to 2^30, default 65,536. */
  readonly bufferBytesMax: number;
  /** Requests of a client that the broker has not answered yet; beyond it the client is told "congestion". 1 to 1,024, default 16. */
  readonly requestsMax: number;
  /** PUBLISHes with QoS 2 of a client that wait for its PUBREL; the oldest is forgotten. 1 to 65,535, default 16. */
  readonly qos2Max: number;
  /** Requests of a client that are remembered against late duplicates. 1 to 1,024, default 16. */
  readonly recentMax: number;
  /** How long after its answer the exact copy of a request counts as made by the network, ms. 0 (never) to 60,000, default 5,000. */
  readonly lateDuplicateMs: number;
  /** Sessions, connected and remembered; the one longest offline is forgotten for a new one. 1 to 2^20, default 10,000. */
  readonly sessionsMax: number;
  /** Clients that are being asked for their will at a time. 1 to 65,535, default 256. */
  readonly dialogsMax: number;
  /** How long the broker may take to accept a session, ms. 1 to 600,000, default 30,000. */
  readonly upstreamTimeoutMs: number;
  /**
   * The first pause before the gateway's own session with the broker is tried again, ms. It doubles up to
   * `upstreamRetryMsMax`, with jitter. 1 to 600,000, default 1,000.
   */
  readonly upstreamRetryMs: number;
  /** 1 to 600,000, default 30,000. */
  readonly upstreamRetryMsMax: number;
  /** Client id, towards the broker, of the session that carries everybody's QoS -1 (7.1). Default `thimble-gateway-<gwId>`. */
  readonly connectionlessClientId: string;
}

/** Fills in the defaults. The ranges are for whoever reads configuration from outside. */
export function gatewayConfig(partial: Partial<GatewayConfig> = {}): GatewayConfig {
  const gwId = partial.gwId ?? 1;
  return {
    gwId,
    predefined: {},
    tRetryMs: T_RETRY_MS,
    nRetry: N_RETRY,
    tAdvMs: T_ADV_MS,
    tWaitMs: T_WAIT_MS,
    maxPacketBytes: 255,
    topicBytesMax: 249,
    topicsMax: 65_534,
    namesBytesMax: 65_536,
    subscriptionsMax: 1_024,
    bufferMessagesMax: 100,
    bufferBytesMax: 65_536,
    requestsMax: 16,
    qos2Max: 16,
    recentMax: 16,
    lateDuplicateMs: 5_000,
    sessionsMax: 10_000,
    dialogsMax: 256,
    upstreamTimeoutMs: 30_000,
    upstreamRetryMs: 1_000,
    upstreamRetryMsMax: 30_000,
    connectionlessClientId: `thimble-gateway-${gwId}`,
    ...partial,
  };
}
