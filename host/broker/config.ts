// What a broker can be told: its limits, each with its unit, its default, how to do without it, and what a client hears that
// exceeds it; and who may do what.
import type { Access } from './access.js';

export interface BrokerConfig {
  /** Connections at a time. One more is answered with Server busy (3.1.1: 0x03) and closed. */
  readonly connectionsMax: number;
  /** CONNECTs a second, on average over a second. More are answered with Connection rate exceeded (3.1.1: 0x03). */
  readonly connectsPerSecondMax: number;
  /** From the opening of a connection to its CONNECT, ms, and again from there to the end of authentication. Infinity: for ever. */
  readonly connectTimeoutMs: number;
  /** Keep-alive, seconds, 1 to 65,535: a client of MQTT 5.0 that asks for more, or for none, is told this; an older one is held to it. Infinity: as asked. */
  readonly keepAliveSMax: number;
  /** The largest packet from a client, bytes, with its header. A larger one closes the connection (Packet too large). */
  readonly packetBytesMax: number;
  /** Bytes a second from one client, on average over a second. More are not read until their time has come. */
  readonly bytesPerSecondMax: number;
  /** QoS 1 and 2 messages of one client that are not acknowledged yet, 1 to 65,535. More: Receive Maximum exceeded. Clients before 5.0 are bounded by their identifiers alone. */
  readonly receiveMax: number;
  /** The highest QoS there is. A PUBLISH above it: QoS not supported; a subscription is granted it at most. */
  readonly qosMax: 0 | 1 | 2;
  /** Topic aliases a client may set up, 0 to 65,535. One above: Topic Alias invalid. */
  readonly topicAliasMax: number;
  /** QoS 1 and 2 messages on their way to one client at a time, 1 to 65,535. A client may ask for fewer. */
  readonly inflightMax: number;
  /** Messages that wait behind those, a session. 0: none may wait. One more is dropped. */
  readonly queueMessagesMax: number;
  /** Bytes of topics, payloads and properties that wait behind those, a session. */
  readonly queueBytesMax: number;
  /** Sessions, connected or not. A CONNECT that would need one more is refused with Quota exceeded (3.1.1: 0x03). */
  readonly sessionsMax: number;
  /** Filters of one session. One more is refused with Quota exceeded (3.1.1: 0x80). */
  readonly subscriptionsPerSessionMax: number;
  /** Bytes of the filters of one session, 256 for each of their levels included. One more is refused as above. */
  readonly subscriptionBytesPerSessionMax: number;
  /** Retained messages. One more is passed on and not retained. */
  readonly retainedMessagesMax: number;
  /** Bytes of topics, payloads and properties of retained messages, and 256 for each level of a topic that no other shares, but for one a message. */
  readonly retainedBytesMax: number;
  /** Levels of a topic. A deeper filter is refused (Topic Filter invalid), a message to a deeper name too (Topic Name invalid; before 5.0 it is acknowledged and dropped). */
  readonly topicLevelsMax: number;
  /** How long a session may outlive its connection, ms. A client that asks for longer is told this. Infinity: as asked. */
  readonly offlineSessionMsMax: number;
  /** What becomes of a message that the client may not publish: `drop` (with Not authorized where its version can be told), or `disconnect`. */
  readonly deniedPublish: 'drop' | 'disconnect';
  /** True: a payload that claims to be UTF-8 and is not is refused (Payload format invalid). */
  readonly checksPayloadFormat: boolean;
  /** Where clients that ask for it may have answers sent: this and the client identifier are their Response Information. Empty: none is told. */
  readonly responseTopicPrefix: string;
  /** Who may do what. Absent: everybody everything. */
  readonly access?: Access;
}

const MIB = 1024 * 1024;

export const BROKER_DEFAULTS: BrokerConfig = {
  connectionsMax: 100_000,
  connectsPerSecondMax: Number.POSITIVE_INFINITY,
  connectTimeoutMs: 10_000,
  keepAliveSMax: Number.POSITIVE_INFINITY,
  packetBytesMax: MIB,
  bytesPerSecondMax: Number.POSITIVE_INFINITY,
  receiveMax: 1_000,
  qosMax: 2,
  topicAliasMax: 64,
  inflightMax: 100,
  queueMessagesMax: 1_000,
  queueBytesMax: MIB,
  sessionsMax: 100_000,
  subscriptionsPerSessionMax: 10_000,
  subscriptionBytesPerSessionMax: 16 * MIB,
  retainedMessagesMax: 100_000,
  retainedBytesMax: 64 * MIB,
  topicLevelsMax: 128,
  offlineSessionMsMax: Number.POSITIVE_INFINITY,
  deniedPublish: 'drop',
  checksPayloadFormat: false,
  responseTopicPrefix: '',
};
