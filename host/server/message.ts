// Messages as a program has them: what it publishes, in its own words, and what it is given.
import { BrokerError } from '../broker/errors.js';
import type { BrokerMessage } from '../broker/packets.js';
import { decodeMessageProperties, encodeMessageProperties, type MessageProperties } from '../broker/properties.js';
import type { Millis, Qos } from '../ports.js';

/** Text as UTF-8, octets as they are, nothing for `undefined`, and everything else as JSON. */
export type Payload = string | Uint8Array | object | number | boolean | null | undefined;

export interface PublishOptions extends Omit<MessageProperties, 'userProperties'> {
  /** Default: 0. */
  readonly qos?: Qos;
  /** Whether it is kept for those who subscribe later; without a payload it takes away what is kept. Default: false. */
  readonly retain?: boolean;
  /** How long it is of use, whole seconds, 0 to 4,294,967,295. Default: for ever. */
  readonly expiryS?: number;
  /** A name with several values is sent as often. Default: none. */
  readonly userProperties?: Readonly<Record<string, string | readonly string[]>> | MessageProperties['userProperties'];
}

const EXPIRY_S_MAX = 0xffff_ffff;
const MS_PER_SECOND = 1_000;
const EMPTY = new Uint8Array(0);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Throws ERR_BROKER_MESSAGE for what MQTT cannot carry. The topic is the broker's to check. */
export function messageOf(topic: string, payload: Payload, options: PublishOptions, now: Millis): BrokerMessage {
  const { qos = 0, retain = false, expiryS, userProperties, ...properties } = options;
  if (qos !== 0 && qos !== 1 && qos !== 2) throw invalid(`qos is ${String(qos)}; it must be 0, 1 or 2`);
  if (expiryS !== undefined && !(Number.isInteger(expiryS) && expiryS >= 0 && expiryS <= EXPIRY_S_MAX)) {
    throw invalid(`expiryS is ${expiryS}; it must be a whole number of 0 to ${EXPIRY_S_MAX} seconds`);
  }
  return {
    topic,
    payload: octetsOf(payload),
    qos,
    retain,
    properties: encodeMessageProperties({
      ...properties,
      ...(userProperties && { userProperties: pairsOf(userProperties) }),
    }),
    expiresAt: expiryS === undefined ? Number.POSITIVE_INFINITY : now + expiryS * MS_PER_SECOND,
  };
}

/** A copy: the broker keeps it, and the caller may go on writing into his own. */
function octetsOf(payload: Payload): Uint8Array {
  if (payload === undefined) return EMPTY;
  if (typeof payload === 'string') return encoder.encode(payload);
  if (payload instanceof Uint8Array) return Uint8Array.from(payload);
  const json = JSON.stringify(payload) as string | undefined;
  if (json === undefined) throw invalid(`a ${typeof payload} is no payload: give text, a Uint8Array, or what JSON has`);
  return encoder.encode(json);
}

function pairsOf(given: NonNullable<PublishOptions['userProperties']>): readonly (readonly [string, string])[] {
  if (Array.isArray(given)) return given as readonly (readonly [string, string])[];
  return Object.entries(given as Readonly<Record<string, string | readonly string[]>>).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, value] as const),
  );
}

const invalid = (what: string): BrokerError => new BrokerError('ERR_BROKER_MESSAGE', what);

/** A message that somebody has published. Others see the same payload: it must not be changed. */
export class ReceivedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;

  constructor(
    private readonly message: BrokerMessage,
    /** Who has published it. Undefined: this program, or it is a will. */
    readonly clientId: string | undefined,
  ) {
    const { topic, payload, qos, retain } = message;
    this.topic = topic;
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
  }

  /** The payload as UTF-8. */
  get text(): string {
    return decoder.decode(this.payload);
  }

  /** The payload as JSON. Throws SyntaxError where it is none. */
  json(): unknown {
    return JSON.parse(this.text);
  }

  /** What an MQTT 5.0 client says of it. */
  get properties(): MessageProperties {
    return decodeMessageProperties(this.message.properties);
  }
}
