// What a broker can be told: its limits, each with its unit, its default and how to do without it; and who may do what.
import type { ConnackCode, ConnectPacket } from './packets.js';

export interface BrokerConfig {
  /** QoS 1 and 2 messages on their way to one client at a time, 1 to 65,535. */
  readonly inflightMax: number;
  /** Messages that wait behind those, a session. 0: none may wait. */
  readonly queueMessagesMax: number;
  /** Bytes of topics and payloads that wait behind those, a session. */
  readonly queueBytesMax: number;
  /** Sessions, connected or not. A CONNECT that would need one more is refused with 0x03. */
  readonly sessionsMax: number;
  /** Filters of one session. One more is refused with 0x80. */
  readonly subscriptionsPerSessionMax: number;
  /** Retained messages. One more is passed on and not retained. */
  readonly retainedMessagesMax: number;
  /** Bytes of topics and payloads of retained messages. */
  readonly retainedBytesMax: number;
  /** Levels of a topic. A deeper filter is refused with 0x80, a message to a deeper name acknowledged and dropped. */
  readonly topicLevelsMax: number;
  /** From the opening of a connection to its CONNECT, ms. Infinity: for ever. */
  readonly connectTimeoutMs: number;
  /** How long a persistent session outlives its connection, ms. Infinity: for ever, as MQTT 3.1.1 has it. */
  readonly offlineSessionMsMax: number;
  /** Who may do what. Absent: everybody everything. */
  readonly access?: Access;
}

const MIB = 1024 * 1024;

export const BROKER_DEFAULTS: BrokerConfig = {
  inflightMax: 20,
  queueMessagesMax: 1_000,
  queueBytesMax: MIB,
  sessionsMax: 100_000,
  subscriptionsPerSessionMax: 10_000,
  retainedMessagesMax: 100_000,
  retainedBytesMax: 64 * MIB,
  topicLevelsMax: 128,
  connectTimeoutMs: 10_000,
  offlineSessionMsMax: Number.POSITIVE_INFINITY,
};

/** The client that asks for something. */
export interface Client {
  readonly clientId: string;
  readonly username: string | undefined;
  /** What the adapter knows of the other end, as given to `accept`: a certificate, an address, or nothing. */
  readonly peer: unknown;
}

/** Answers at once and changes nothing in the broker. */
export interface Access {
  /** Accepted, or why not. `request` has passed all checks of the protocol. */
  connect(request: ConnectPacket, client: Client): ConnackCode;
  /** Asked for each message and, at CONNECT, for the will (whose refusal is 0x05). */
  publish(client: Client, topic: string): boolean;
  /** A refusal is 0x80 in the SUBACK. */
  subscribe(client: Client, filter: string): boolean;
}
