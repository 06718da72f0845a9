// A scenario: the fleet, its links, the applications on the other side, and how long they run. Plain JSON, checked against
// a schema; every option has a default except who takes part.
import { Ajv } from 'ajv';
import { PREDEFINED_SCHEMA } from '../core/predefined-schema.js';
import { explainSchemaError } from '../core/schema-error.js';
import type { PredefinedConfig } from '../gateway/config.js';
import type { Qos } from '../ports.js';
import { CHUNK_BYTES_MAX, CHUNK_BYTES_MIN } from '../update/chunks.js';
import { findContradiction } from './contradictions.js';
import type { LinkOptions } from './link.js';

/** Both directions of a device's radio. What is left out is LINK_DEFAULTS. */
export interface RadioOptions {
  readonly up?: Partial<LinkOptions>;
  readonly down?: Partial<LinkOptions>;
}

/** Devices of a kind. */
export interface DeviceGroup {
  /** What the report calls them, and what clients address them by. */
  readonly class: string;
  /** The application they run: the name of an example, or a file. */
  readonly app: string;
  readonly count: number;
  /** Instead of the scenario's radio. */
  readonly radio?: RadioOptions;
  /** When they are switched on: at a moment of their own, spread over this much time. Seconds, default 10. */
  readonly bootSpreadS?: number;
  /** When they lose power for good, seconds. Default: never. */
  readonly diesAtS?: number;
  /** What they are shipped with, as updates see it. Default "0.0.0". */
  readonly version?: string;
}

/** Another module for every device of a class, in chunks over MQTT, through the broker like anything else. */
export interface ScenarioUpdate {
  readonly class: string;
  /** The application they are to run then: the name of an example, or a file. */
  readonly app: string;
  /** Its version, such as "1.1.0". */
  readonly version: string;
  /** When its first chunks go out, seconds. */
  readonly atS: number;
  /** Where the devices want their chunks, and where they tell; `{serial}` stands for a device's eight digits. */
  readonly topic: string;
  readonly status: string;
  /** Octets of a chunk. Default 128. */
  readonly chunkBytes?: number;
  /** How long a device has to confirm, seconds. Default 300. */
  readonly trialS?: number;
  /** What is wrong with it: an octet of its signature or of its module, or a chunk that is never sent. Default: nothing. */
  readonly corrupt?: 'signature' | 'module' | 'chunk';
}

export interface ClientSubscription {
  readonly filter: string;
  readonly qos: Qos;
}

/** Messages for each device of a class in turn; `{serial}` in the topic stands for the device's eight digits. */
export interface ClientCommand {
  readonly class: string;
  readonly topic: string;
  /** One after another, for ever; `{n}` in them stands for the command's running number, from 1. */
  readonly payloads: readonly string[];
  readonly qos: Qos;
  /** From one message to the next, seconds. */
  readonly everyS: number;
  /** When the first one goes out, seconds; default: after one `everyS`. */
  readonly fromS?: number;
}

/** An application at the broker. */
export interface ScenarioClient {
  readonly name: string;
  /** When it connects, seconds; default 0. */
  readonly joinsAtS?: number;
  readonly subscribe?: readonly ClientSubscription[];
  readonly commands?: readonly ClientCommand[];
  /** Its deliveries decide over the report's figures for messages from devices. Exactly one client does. */
  readonly measures?: boolean;
}

/** When a gateway crashes, and for how long: each time drawn anew, seconds from the first to the second. */
export interface OutageOptions {
  /** From its start to the crash. */
  readonly everyS: readonly [min: number, max: number];
  /** Till it starts again. */
  readonly forS: readonly [min: number, max: number];
}

export interface ScenarioGateway {
  /** GwId, 0 to 255; no two the same. */
  readonly gwId: number;
  /** Default: it never crashes. No crash begins after the scenario's end. */
  readonly outages?: OutageOptions;
  /** Sessions outlive a crash, as with a store on disk. Default false. */
  readonly keepsSessions?: boolean;
  /** T_ADV, seconds, 0 (never) or 1 to 65,535. Default 960. */
  readonly advertiseS?: number;
}

export interface Scenario {
  readonly name: string;
  readonly description?: string;
  /** Default of --seed, 0 to 2^32 - 1. */
  readonly seed: number;
  /** Virtual seconds. */
  readonly durationS: number;
  readonly radio?: RadioOptions;
  /** Topics that gateway and devices know beforehand. */
  readonly predefined?: PredefinedConfig;
  /** T_retry of the gateway, ms, 1 to 600,000. Default 10,000. */
  readonly gatewayRetryMs?: number;
  /**
   * All in reach of every device, before one broker. Devices hear each other's broadcasts then. Default: one gateway, which
   * needs no address.
   */
  readonly gateways?: readonly ScenarioGateway[];
  /**
   * Rounds of loops and calls of functions after which the watchdog resets a device that does not come back from one call, 1,000
   * to 2^31 - 1. Default 1,000,000.
   */
  readonly watchdogSteps?: number;
  readonly devices: readonly DeviceGroup[];
  readonly clients: readonly ScenarioClient[];
  /** At most one for a class. */
  readonly updates?: readonly ScenarioUpdate[];
}

/** A scenario that is not one. The message names the place and what is allowed. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
  readonly code = 'ERR_SCENARIO';
}

export const BOOT_SPREAD_S_DEFAULT = 10;
export const GATEWAYS_MAX = 16;
/** What one run can hold: serial numbers have 17 bits for the device. */
export const DEVICES_MAX = 131_072;

const percent = { type: 'number', minimum: 0, maximum: 100 };
const milliseconds = { type: 'integer', minimum: 0, maximum: 3_600_000 };
const name = {
  type: 'string',
  pattern: '^[A-Za-z0-9._-]{1,64}$',
  description: '1 to 64 letters, digits, dots, underscores and hyphens',
};
const seconds = { type: 'number', minimum: 0, maximum: 31_536_000 };
const version = {
  type: 'string',
  pattern: '^\\d{1,4}\\.\\d{1,4}\\.\\d{1,4}$',
  description: 'three numbers, such as 1.2.3',
};
const qos = { enum: [0, 1, 2] };

const loss = {
  type: 'object',
  required: ['model'],
  discriminator: { propertyName: 'model' },
  oneOf: [
    { properties: { model: { const: 'none' } }, additionalProperties: false },
    {
      properties: { model: { const: 'bernoulli' }, lossPercent: percent },
      required: ['lossPercent'],
      additionalProperties: false,
    },
    {
      properties: {
        model: { const: 'gilbert-elliott' },
        goodToBadPercent: percent,
        badToGoodPercent: percent,
        lossGoodPercent: percent,
        lossBadPercent: percent,
      },
      required: ['goodToBadPercent', 'badToGoodPercent'],
      additionalProperties: false,
    },
    {
      properties: {
        model: { const: 'trace' },
        receivedHex: { type: 'string', pattern: '^[0-9A-Fa-f]+$', description: 'hexadecimal digits, 1 or more' },
        intervalMs: { type: 'integer', minimum: 1, maximum: 86_400_000 },
      },
      required: ['receivedHex'],
      additionalProperties: false,
    },
  ],
};

const link = {
  type: 'object',
  properties: {
    loss,
    delayMsMin: milliseconds,
    delayMsMax: milliseconds,
    duplicatePercent: percent,
    reorderPercent: percent,
    reorderMsMax: { ...milliseconds, minimum: 1 },
    mtuBytes: { type: 'integer', minimum: 1, maximum: 65_507 },
  },
  additionalProperties: false,
};

/** From the shortest to the longest. */
const spanS = { type: 'array', items: { ...seconds, minimum: 0.001 }, minItems: 2, maxItems: 2 };

const radio = { type: 'object', properties: { up: link, down: link }, additionalProperties: false };

const SCHEMA = {
  type: 'object',
  required: ['name', 'seed', 'durationS', 'devices', 'clients'],
  properties: {
    $schema: { type: 'string' },
    name,
    description: { type: 'string' },
    seed: { type: 'integer', minimum: 0, maximum: 0xffffffff },
    durationS: { ...seconds, exclusiveMinimum: 0 },
    radio,
    gatewayRetryMs: { type: 'integer', minimum: 1, maximum: 600_000 },
    gateways: {
      type: 'array',
      minItems: 1,
      maxItems: GATEWAYS_MAX,
      items: {
        type: 'object',
        required: ['gwId'],
        properties: {
          gwId: { type: 'integer', minimum: 0, maximum: 255 },
          outages: {
            type: 'object',
            required: ['everyS', 'forS'],
            properties: { everyS: spanS, forS: spanS },
            additionalProperties: false,
          },
          keepsSessions: { type: 'boolean' },
          advertiseS: { type: 'integer', minimum: 0, maximum: 65_535 },
        },
        additionalProperties: false,
      },
    },
    predefined: PREDEFINED_SCHEMA,
    watchdogSteps: { type: 'integer', minimum: 1_000, maximum: 0x7fffffff },
    devices: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['class', 'app', 'count'],
        properties: {
          class: name,
          app: { type: 'string', minLength: 1 },
          count: { type: 'integer', minimum: 1, maximum: DEVICES_MAX },
          radio,
          bootSpreadS: seconds,
          diesAtS: seconds,
          version,
        },
        additionalProperties: false,
      },
    },
    updates: {
      type: 'array',
      items: {
        type: 'object',
        required: ['class', 'app', 'version', 'atS', 'topic', 'status'],
        properties: {
          class: name,
          app: { type: 'string', minLength: 1 },
          version,
          atS: seconds,
          topic: { type: 'string', minLength: 1 },
          status: { type: 'string', minLength: 1 },
          chunkBytes: { type: 'integer', minimum: CHUNK_BYTES_MIN, maximum: CHUNK_BYTES_MAX },
          trialS: { ...seconds, minimum: 1 },
          corrupt: { enum: ['signature', 'module', 'chunk'] },
        },
        additionalProperties: false,
      },
    },
    clients: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name'],
        properties: {
          name,
          joinsAtS: seconds,
          measures: { type: 'boolean' },
          subscribe: {
            type: 'array',
            items: {
              type: 'object',
              required: ['filter', 'qos'],
              properties: { filter: { type: 'string', minLength: 1 }, qos },
              additionalProperties: false,
            },
          },
          commands: {
            type: 'array',
            items: {
              type: 'object',
              required: ['class', 'topic', 'payloads', 'qos', 'everyS'],
              properties: {
                class: name,
                topic: { type: 'string', minLength: 1 },
                payloads: { type: 'array', minItems: 1, items: { type: 'string' } },
                qos,
                everyS: { ...seconds, minimum: 0.001 },
                fromS: seconds,
              },
              additionalProperties: false,
            },
          },
        },
        additionalProperties: false,
      },
    },
  },
  additionalProperties: false,
};

const validate = new Ajv({ discriminator: true, strict: false, verbose: true }).compile(SCHEMA);

/** Takes parsed JSON for a scenario, or throws a ScenarioError that begins with `source`. */
export function checkScenario(value: unknown, source: string): Scenario {
  if (!validate(value)) throw new ScenarioError(`${source}: ${explainSchemaError(validate.errors!, 'the scenario')}`);
  const scenario = value as unknown as Scenario;
  const problem = findContradiction(scenario);
  if (problem !== undefined) throw new ScenarioError(`${source}: ${problem}`);
  return scenario;
}

/** The text of a scenario file. */
export function parseScenario(text: string, source: string): Scenario {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ScenarioError(`${source}: not JSON: ${(error as Error).message}`);
  }
  return checkScenario(value, source);
}
