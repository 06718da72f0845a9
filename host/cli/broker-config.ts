// The configuration file of `thimble broker`: JSON, checked against a schema, defaults for everything.
import { Ajv } from 'ajv';
import { PERMISSIONS_SCHEMA } from '../core/permissions-schema.js';
import { PREDEFINED_SCHEMA } from '../core/predefined-schema.js';
import { explainSchemaError } from '../core/schema-error.js';
import type { GatewayConfig } from '../gateway/index.js';
import { parseNode, UpstreamUrlError } from '../net/mqtt-nodes.js';
import { UsageError } from './failure.js';
import { readInput } from './files.js';

/** How to reach another broker; what the command line says goes before it. */
export interface UpstreamFileConfig {
  /** As `--upstream`: here a password is seen by nobody who lists processes. */
  readonly urls?: readonly string[];
  /** 4 (MQTT 3.1.1) or 5; default 4. */
  readonly protocolVersion?: 4 | 5;
  /** 0 (none) to 65,535; default 60. */
  readonly keepAliveS?: number;
}

export interface BrokerFileConfig {
  readonly gateway?: Partial<GatewayConfig>;
  readonly upstream?: UpstreamFileConfig;
}

const whole = (minimum: number, maximum: number): object => ({ type: 'integer', minimum, maximum });

/** Ranges as documented at GatewayConfig. */
const SCHEMA = {
  type: 'object',
  properties: {
    gateway: {
      type: 'object',
      properties: {
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
        maxPacketBytes: whole(16, 65_535),
        topicBytesMax: whole(1, 65_527),
        topicsMax: whole(1, 65_534),
        namesBytesMax: whole(1_024, 2 ** 30),
        subscriptionsMax: whole(1, 65_535),
        bufferMessagesMax: whole(1, 65_535),
        bufferBytesMax: whole(256, 2 ** 30),
        requestsMax: whole(1, 1_024),
        qos2Max: whole(1, 65_535),
        recentMax: whole(1, 1_024),
        lateDuplicateMs: whole(0, 60_000),
        sessionsMax: whole(1, 2 ** 20),
        dialogsMax: whole(1, 65_535),
        upstreamTimeoutMs: whole(1, 600_000),
        upstreamRetryMs: whole(1, 600_000),
        upstreamRetryMsMax: whole(1, 600_000),
        connectionlessClientId: { type: 'string', minLength: 1, maxLength: 65_535 },
      },
      additionalProperties: false,
    },
    upstream: {
      type: 'object',
      properties: {
        urls: { type: 'array', minItems: 1, items: { type: 'string' } },
        protocolVersion: { enum: [4, 5] },
        keepAliveS: whole(0, 65_535),
      },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
};

const validate = new Ajv({ strict: false, verbose: true }).compile(SCHEMA);

/** Reads and checks a file. Throws ERR_USAGE_CONFIG and ERR_UPSTREAM_URL with the place and what is allowed. */
export function readBrokerConfig(file: string): BrokerFileConfig {
  let value: unknown;
  const text = readInput('--config', file).toString('utf8');
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError('ERR_USAGE_CONFIG', `${file}: not JSON: ${(error as Error).message}`);
  }
  if (!validate(value)) {
    throw new UsageError('ERR_USAGE_CONFIG', `${file}: ${explainSchemaError(validate.errors!, 'the configuration')}`);
  }
  const config = value as BrokerFileConfig;
  checkUrls(file, config.upstream?.urls ?? []);
  return config;
}

function checkUrls(file: string, urls: readonly string[]): void {
  for (const [index, url] of urls.entries()) {
    try {
      parseNode(url);
    } catch (error) {
      if (!(error instanceof UpstreamUrlError)) throw error;
      throw new UsageError(error.code, `${file}: upstream.urls[${index}]: ${error.message}`);
    }
  }
}
