// What may stand in the configuration file of `thimble broker`. docs/broker-config.schema.json is this, for editors.
import type { BrokerConfig } from '../broker/config.js';
import { PACKET_BYTES_LIMIT } from '../broker/frames.js';
import { PERMISSIONS_SCHEMA } from '../core/permissions-schema.js';
import { PREDEFINED_SCHEMA } from '../core/predefined-schema.js';
import { IDENTITY_SCHEMA } from '../identity/schema.js';
import type { ListenerLimits } from '../net/listeners.js';
import { LOG_LEVELS } from '../server/logs.js';

/** For Infinity, which JSON does not have. */
export const UNLIMITED = 'unlimited';

const whole = (minimum: number, maximum: number): object => ({ type: 'integer', minimum, maximum });
const TEXT = { type: 'string', minLength: 1, maxLength: 4_096 };
const FLAG = { type: 'boolean' };

const within = (minimum: number, maximum: number, unit: string): object => ({
  ...whole(minimum, maximum),
  description: `a whole number of ${unit} from ${minimum} to ${maximum}`,
});

const atLeast = (minimum: number, unit: string, maximum?: number): object => ({
  anyOf: [{ const: UNLIMITED }, { type: 'integer', minimum, ...(maximum !== undefined && { maximum }) }],
  description: `a whole number of ${unit} from ${minimum}${maximum === undefined ? '' : ` to ${maximum}`}, or "${UNLIMITED}"`,
});

const object = (properties: object, required: readonly string[] = []): object => ({
  type: 'object',
  properties,
  ...(required.length > 0 && { required }),
  additionalProperties: false,
});

const U16_MAX = 65_535;

/** As documented at BrokerConfig. */
const LIMITS: Readonly<Record<keyof Omit<BrokerConfig, 'access'>, object>> = {
  connectionsMax: atLeast(0, 'connections'),
  connectsPerSecondMax: atLeast(1, 'CONNECTs a second'),
  connectTimeoutMs: atLeast(0, 'milliseconds'),
  keepAliveSMax: atLeast(1, 'seconds', U16_MAX),
  packetBytesMax: within(16, PACKET_BYTES_LIMIT, 'octets'),
  bytesPerSecondMax: atLeast(1, 'octets a second'),
  receiveMax: within(1, U16_MAX, 'messages'),
  qosMax: { enum: [0, 1, 2] },
  topicAliasMax: within(0, U16_MAX, 'aliases'),
  inflightMax: within(1, U16_MAX, 'messages'),
  queueMessagesMax: atLeast(0, 'messages'),
  queueBytesMax: atLeast(0, 'octets'),
  sessionsMax: atLeast(0, 'sessions'),
  subscriptionsPerSessionMax: atLeast(0, 'subscriptions'),
  subscriptionBytesPerSessionMax: atLeast(0, 'octets'),
  retainedMessagesMax: atLeast(0, 'messages'),
  retainedBytesMax: atLeast(0, 'octets'),
  topicLevelsMax: atLeast(0, 'levels'),
  offlineSessionMsMax: atLeast(0, 'milliseconds'),
  deniedPublish: { enum: ['drop', 'disconnect'] },
  checksPayloadFormat: FLAG,
  responseTopicPrefix: {
    type: 'string',
    pattern: '^[^+#\\u0000]*$',
    description: 'the beginning of a topic, without + and #',
  },
};

/** As documented at ListenerLimits and SocketLimits. */
const LISTENER_LIMITS: Readonly<Record<keyof ListenerLimits, object>> = {
  connectionsMax: within(1, 10_000_000, 'connections'),
  handshakeMsMax: within(100, 600_000, 'milliseconds'),
  headBytesMax: within(1_024, 1_048_576, 'octets'),
  messageBytesMax: within(16, PACKET_BYTES_LIMIT, 'octets'),
  keepAliveProbeMs: within(1_000, 86_400_000, 'milliseconds'),
  writeBufferBytesMax: within(65_536, 2 ** 30, 'octets'),
  stallMsMax: within(100, 3_600_000, 'milliseconds'),
  closeGraceMs: within(0, 600_000, 'milliseconds'),
};

const TLS = object(
  {
    key: TEXT,
    cert: TEXT,
    ca: TEXT,
    crl: TEXT,
    requestCert: { enum: ['no', 'optional', 'required'] },
    minVersion: { enum: ['TLSv1.2', 'TLSv1.3'] },
    ciphers: TEXT,
  },
  ['key', 'cert'],
);

const LISTENER = object(
  {
    name: TEXT,
    kind: { enum: ['mqtt', 'mqtts', 'ws', 'wss', 'alpn'] },
    host: TEXT,
    port: whole(0, U16_MAX),
    tls: TLS,
    path: { type: 'string', pattern: '^/', description: 'a path that begins with /' },
    origins: { type: 'array', items: TEXT },
    proxyProtocol: FLAG,
  },
  ['kind', 'port'],
);

/** Ranges as documented at GatewayConfig. */
const GATEWAY = object({
  gwId: whole(0, 255),
  predefined: PREDEFINED_SCHEMA,
  permissions: PERMISSIONS_SCHEMA,
  tRetryMs: whole(1, 600_000),
  nRetry: whole(0, 100),
  tAdvMs: {
    anyOf: [{ const: 0 }, whole(1_000, 65_535_000)],
    description: '0 (never), or a whole number from 1000 to 65535000',
  },
  tWaitMs: whole(1, 3_600_000),
  maxPacketBytes: whole(16, U16_MAX),
  topicBytesMax: whole(1, 65_527),
  topicsMax: whole(1, 65_534),
  namesBytesMax: whole(1_024, 2 ** 30),
  subscriptionsMax: whole(1, U16_MAX),
  bufferMessagesMax: whole(1, U16_MAX),
  bufferBytesMax: whole(256, 2 ** 30),
  requestsMax: whole(1, 1_024),
  qos2Max: whole(1, U16_MAX),
  recentMax: whole(1, 1_024),
  lateDuplicateMs: whole(0, 60_000),
  sessionsMax: whole(1, 2 ** 20),
  dialogsMax: whole(1, U16_MAX),
  upstreamTimeoutMs: whole(1, 600_000),
  upstreamRetryMs: whole(1, 600_000),
  upstreamRetryMsMax: whole(1, 600_000),
  connectionlessClientId: { type: 'string', minLength: 1, maxLength: U16_MAX },
});

const UPSTREAM = object({
  urls: { type: 'array', minItems: 1, items: { type: 'string' } },
  protocolVersion: { enum: [4, 5] },
  keepAliveS: whole(0, U16_MAX),
});

const SYS = object({
  intervalMs: {
    anyOf: [{ const: 0 }, whole(100, 86_400_000)],
    description: 'a whole number of milliseconds from 100 to 86400000, or 0 (never)',
  },
});

export const BROKER_CONFIG_SCHEMA = {
  type: 'object',
  properties: {
    $schema: { type: 'string' },
    listeners: { type: 'array', minItems: 1, items: LISTENER },
    limits: object(LIMITS),
    listenerLimits: object(LISTENER_LIMITS),
    identity: IDENTITY_SCHEMA,
    data: TEXT,
    durability: { enum: ['disk', 'process'] },
    sys: SYS,
    log: object({ level: { enum: LOG_LEVELS }, format: { enum: ['text', 'json'] } }),
    gateway: GATEWAY,
    upstream: UPSTREAM,
  },
  additionalProperties: false,
};

/** docs/broker-config.schema.json. */
export const BROKER_CONFIG_DOCUMENT = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Configuration of thimble broker',
  description: 'See docs/BROKER.md. File names begin at the folder of the configuration.',
  ...BROKER_CONFIG_SCHEMA,
};
