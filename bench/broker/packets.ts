// The packets of the load, made before the clock runs: MQTT 3.1.1, so that every broker can take them.

/** Payload octets of every message. The first eight are for the time. */
export const PAYLOAD_BYTES = 64;

// The first byte of a packet:
//     7   6   5   4     3     2   1     0
//   +---------------+-----+---------+--------+
//   |     type      | DUP |   QoS   | RETAIN |
//   +---------------+-----+---------+--------+
export const TYPE = 0xf0;
export const CONNECT = 0x10;
export const CONNACK = 0x20;
export const PUBLISH = 0x30;
export const PUBACK = 0x40;
export const PUBREC = 0x50;
export const PUBREL = 0x62;
export const PUBCOMP = 0x70;
export const SUBSCRIBE = 0x82;
export const SUBACK = 0x90;
export const DISCONNECT = 0xe0;
export const QOS_SHIFT = 1;
const RETAIN = 0x01;
export const QOS = 0x03;

const LEVEL_MQTT_3_1_1 = 4;
const CLEAN_SESSION = 0x02;
/** None: no client says anything that was not asked for. */
const KEEP_ALIVE_S = 0;
const SUBSCRIBE_ID = 1;

const U16_BYTES = 2;
const BYTE_SHIFT = 8;
const BYTE = 0xff;
const LENGTH_MORE = 0x80;
const LENGTH_SHIFT = 7;

export const ACK_BYTES = 4;

const u16 = (value: number): Buffer => Buffer.of(value >> BYTE_SHIFT, value & BYTE);

/** With its length before it, as the protocol has all text. */
function textOf(text: string): Buffer {
  const octets = Buffer.from(text);
  return Buffer.concat([u16(octets.length), octets]);
}

function packet(first: number, ...body: Uint8Array[]): Buffer {
  const whole = Buffer.concat(body);
  const length: number[] = [];
  let rest = whole.length;
  for (; rest >= LENGTH_MORE; rest >>>= LENGTH_SHIFT) length.push((rest & (LENGTH_MORE - 1)) | LENGTH_MORE);
  return Buffer.concat([Buffer.of(first, ...length, rest), whole]);
}

export function connect(clientId: string): Buffer {
  const head = Buffer.of(LEVEL_MQTT_3_1_1, CLEAN_SESSION);
  return packet(CONNECT, textOf('MQTT'), head, u16(KEEP_ALIVE_S), textOf(clientId));
}

export function subscribe(filters: string | readonly string[], qos: number): Buffer {
  const requests = [filters].flat().map((filter: string) => Buffer.concat([textOf(filter), Buffer.of(qos)]));
  return packet(SUBSCRIBE, u16(SUBSCRIBE_ID), ...requests);
}

export function publish(
  topic: string,
  qos: number,
  packetId: number,
  payloadBytes = PAYLOAD_BYTES,
  retain = false,
): Buffer {
  const id = qos === 0 ? Buffer.alloc(0) : u16(packetId);
  const first = PUBLISH | (qos << QOS_SHIFT) | (retain ? RETAIN : 0);
  return packet(first, textOf(topic), id, Buffer.alloc(payloadBytes, 'm'));
}

export const DISCONNECTED = packet(DISCONNECT);

/**
 * PUBLISHes of one topic one behind the other, with the identifiers from 1 on, so that one write sends as many of them
 * as may go.
 */
export class PublishRing {
  /** Octets of each. */
  readonly frameBytes: number;
  private readonly octets: Buffer;
  private next = 0;

  constructor(
    topic: string,
    qos: number,
    /** More of them than can be on their way at a time, since after so many the identifiers begin again. */
    private readonly frames: number,
  ) {
    this.octets = Buffer.concat(Array.from({ length: frames }, (_, i) => publish(topic, qos, i + 1)));
    this.frameBytes = this.octets.length / frames;
  }

  /** The next of them, at most so many: fewer where the ring ends. */
  take(count: number): Buffer {
    const taken = Math.min(count, this.frames - this.next);
    const from = this.next * this.frameBytes;
    this.next = (this.next + taken) % this.frames;
    return this.octets.subarray(from, from + taken * this.frameBytes);
  }
}

/** The acknowledgements that answer what one read has brought: together they are one write. */
export class Acks {
  private octets = Buffer.alloc(0);
  private used = 0;

  add(type: number, high: number, low: number): void {
    if (this.used === this.octets.length) this.grow();
    const { octets, used } = this;
    octets[used] = type;
    octets[used + 1] = U16_BYTES;
    octets[used + 2] = high;
    octets[used + 3] = low;
    this.used = used + ACK_BYTES;
  }

  /** Undefined when there are none. The octets are the caller's. */
  take(): Buffer | undefined {
    if (this.used === 0) return undefined;
    const taken = Buffer.allocUnsafe(this.used);
    this.octets.copy(taken, 0, 0, this.used);
    this.used = 0;
    return taken;
  }

  private grow(): void {
    const larger = Buffer.alloc(Math.max(this.octets.length * 2, ACK_BYTES * 64));
    this.octets.copy(larger);
    this.octets = larger;
  }
}
