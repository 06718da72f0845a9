// Bytes to packets and back, one whole packet at a time: the frequent ones by hot-packets.ts, all others by
// mqtt-packet. These two files are the only ones of the broker that know Buffer.
import { generate, parser as newParser, type Packet as WirePacket } from 'mqtt-packet';
import { decodeHot, encodeAck, encodePublish } from './hot-packets.js';
import { LEVEL_MQTT_3_1, LEVEL_MQTT_3_1_1, type Packet } from './packets.js';
import { PacketType, packetTypeOf, protocolIn, shapeFaultOf } from './wellformed.js';

/** A packet, or why the bytes are none. */
export type Decoded = { readonly packet: Packet } | { readonly fault: string };

/** One parser for everybody: it is given whole packets only, so nothing stays in it from one call to the next. */
let parser = newParser();
let parsed: Decoded | undefined;

function renewParser(): void {
  parser = newParser();
  parser.on('packet', (packet) => {
    parsed = { packet: fromWire(packet) };
  });
  parser.on('error', (error: unknown) => {
    parsed = { fault: error instanceof Error ? error.message : String(error) };
  });
}

renewParser();

/** One packet from one frame of `FrameSplitter`. Never throws; keeps nothing of `frame`. */
export function decode(frame: Uint8Array, bodyAt: number): Decoded {
  const stranger = packetTypeOf(frame[0]!) === PacketType.Connect ? otherLevel(frame, bodyAt) : undefined;
  if (stranger !== undefined) return { packet: stranger };
  const fault = shapeFaultOf(frame, bodyAt);
  if (fault !== undefined) return { fault };
  const buffer = asBuffer(frame);
  const packet = decodeHot(buffer, bodyAt);
  return packet === undefined ? parse(buffer) : { packet };
}

function parse(frame: Buffer): Decoded {
  parsed = undefined;
  try {
    const left = parser.parse(frame);
    if (left === 0 && parsed !== undefined) return parsed;
  } catch (error) {
    parsed = { fault: error instanceof Error ? error.message : 'parser' };
  }
  renewParser(); // what is left in it would be read with the next packet
  return parsed ?? { fault: 'parser' };
}

/** The bytes of a packet. A PUBLISH of QoS 0 keeps them, since it may go to many. */
export function encode(packet: Packet): Uint8Array {
  switch (packet.cmd) {
    case 'publish':
      if (packet.qos > 0) return encodePublish(packet);
      packet.encoded ??= encodePublish(packet);
      return packet.encoded;
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return encodeAck(packet);
    default:
      return generate(packet as WirePacket);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A CONNECT of a level whose fields the parser may not know: enough of it for the refusal [MQTT-3.1.2-2]. */
function otherLevel(frame: Uint8Array, bodyAt: number): Packet | undefined {
  const protocol = protocolIn(frame, bodyAt);
  if (protocol === undefined) return undefined;
  const { name, level } = protocol;
  if (level === LEVEL_MQTT_3_1 || level === LEVEL_MQTT_3_1_1) return undefined;
  return { cmd: 'connect', clientId: '', protocolId: name, protocolVersion: level };
}

function fromWire(packet: WirePacket): Packet {
  if (packet.cmd !== 'connect' || packet.will === undefined) return packet as Packet;
  // The will's payload is copied, as that of a PUBLISH is.
  return { ...packet, will: { ...packet.will, payload: new Uint8Array(packet.will.payload as Buffer) } } as Packet;
}
