// The two codecs behind one interface: datagrams to flat packets (see vectors/README.md) and back.
import { readFileSync } from 'node:fs';
import { PacketType, TopicType } from '../../assembly/protocol/index.js';
import { decode, encode, isFault } from '../../host/wire/index.js';
import { type FlatPacket, flatOf, fromHex, packetOf, toHex } from '../vectors/load.js';

export interface Codec {
  readonly name: string;
  /** Whether names are characters, and refused where they are none, or octets. */
  readonly names: 'text' | 'octets';
  /** The packet, or what is wrong with it: a stable word or number of the codec's own. */
  decode(datagram: Uint8Array): FlatPacket | { readonly fault: string | number };
  encode(packet: FlatPacket): Uint8Array;
}

export const hostCodec: Codec = {
  name: 'the host',
  names: 'text',
  decode(datagram) {
    const packet = decode(datagram);
    return isFault(packet) ? { fault: packet.code } : flatOf(packet);
  },
  encode: (packet) => encode(packetOf(packet)),
};

type NumberField = Exclude<keyof FlatPacket, 'data' | 'nodeId' | 'inner'>;

/** Class Packet of assembly/codec/packet.ts: eleven 32-bit words. */
const WORD = {
  type: 0,
  flags: 4,
  code: 8,
  duration: 12,
  topicId: 16,
  msgId: 20,
  data: 24,
  dataBytes: 28,
  present: 32,
  inner: 36,
  innerBytes: 40,
};
const RECORD_BYTES = 44;

/** What the word `code` is called, by packet type. */
const CODE_NAME: Partial<Record<PacketType, NumberField>> = {
  [PacketType.Advertise]: 'gwId',
  [PacketType.SearchGw]: 'radius',
  [PacketType.GwInfo]: 'gwId',
  [PacketType.Connect]: 'protocolId',
  [PacketType.ConnAck]: 'returnCode',
  [PacketType.RegAck]: 'returnCode',
  [PacketType.PubAck]: 'returnCode',
  [PacketType.SubAck]: 'returnCode',
  [PacketType.WillTopicResp]: 'returnCode',
  [PacketType.WillMsgResp]: 'returnCode',
  [PacketType.Forwarded]: 'ctrl',
};

/** The bits of Flags that mean something, by packet type (5.3.4); the device hands over the octet as it came. */
const FLAGS_USED: Partial<Record<PacketType, number>> = {
  [PacketType.Connect]: 0x0c,
  [PacketType.WillTopic]: 0x70,
  [PacketType.Publish]: 0xf3,
  [PacketType.Subscribe]: 0xe3,
  [PacketType.SubAck]: 0x60,
  [PacketType.Unsubscribe]: 0x03,
  [PacketType.WillTopicUpd]: 0x70,
};

/** The numbers of a packet, and whether it has a variable part, by packet type (5.4). */
const FIELDS: Record<PacketType, readonly (NumberField | 'data')[]> = {
  [PacketType.Advertise]: ['gwId', 'duration'],
  [PacketType.SearchGw]: ['radius'],
  [PacketType.GwInfo]: ['gwId', 'data'],
  [PacketType.Connect]: ['flags', 'protocolId', 'duration', 'data'],
  [PacketType.ConnAck]: ['returnCode'],
  [PacketType.WillTopicReq]: [],
  [PacketType.WillTopic]: ['flags', 'data'],
  [PacketType.WillMsgReq]: [],
  [PacketType.WillMsg]: ['data'],
  [PacketType.Register]: ['topicId', 'msgId', 'data'],
  [PacketType.RegAck]: ['topicId', 'msgId', 'returnCode'],
  [PacketType.Publish]: ['flags', 'topicId', 'msgId', 'data'],
  [PacketType.PubAck]: ['topicId', 'msgId', 'returnCode'],
  [PacketType.PubComp]: ['msgId'],
  [PacketType.PubRec]: ['msgId'],
  [PacketType.PubRel]: ['msgId'],
  [PacketType.Subscribe]: ['flags', 'msgId', 'data'],
  [PacketType.SubAck]: ['flags', 'topicId', 'msgId', 'returnCode'],
  [PacketType.Unsubscribe]: ['flags', 'msgId', 'data'],
  [PacketType.UnsubAck]: ['msgId'],
  [PacketType.PingReq]: ['data'],
  [PacketType.PingResp]: [],
  [PacketType.Disconnect]: ['duration'],
  [PacketType.WillTopicUpd]: ['flags', 'data'],
  [PacketType.WillTopicResp]: ['returnCode'],
  [PacketType.WillMsgUpd]: ['data'],
  [PacketType.WillMsgResp]: ['returnCode'],
  [PacketType.Forwarded]: ['ctrl'],
};

/** Bodies that may be absent altogether. */
const OPTIONAL: readonly number[] = [PacketType.WillTopic, PacketType.WillTopicUpd, PacketType.Disconnect];
const FILTERS: readonly number[] = [PacketType.Subscribe, PacketType.Unsubscribe];

interface CodecExports extends Record<string, unknown> {
  readonly memory: WebAssembly.Memory;
  packet(): number;
  buffer(): number;
  bufferBytes(): number;
  decode(bytes: number): number;
  encode(): number;
}

/** The codec of the device, as built. */
export class DeviceCodec implements Codec {
  readonly name = 'the device';
  readonly names = 'octets';
  /** Largest datagram either way. */
  readonly capacity: number;
  private readonly exports: CodecExports;
  private readonly memory: Uint8Array;
  private readonly view: DataView;
  private readonly record: number;
  private readonly input: number;

  constructor(file = new URL('../../build/modules/codec-mqttsn.wasm', import.meta.url)) {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)), {});
    this.exports = instance.exports as CodecExports;
    this.memory = new Uint8Array(this.exports.memory.buffer);
    this.view = new DataView(this.exports.memory.buffer);
    this.record = this.exports.packet();
    this.input = this.exports.buffer();
    this.capacity = this.exports.bufferBytes();
  }

  /** `guard` fills the octets behind the datagram: what is decoded must not depend on it. */
  decode(datagram: Uint8Array, guard = 0xa5): FlatPacket | { readonly fault: number } {
    this.memory.fill(guard, this.input, this.input + this.capacity);
    this.memory.set(datagram, this.input);
    const result = this.exports.decode(datagram.length);
    return result < 0 ? { fault: result } : this.read(datagram.length);
  }

  private word(at: number): number {
    return this.view.getInt32(this.record + at, true);
  }

  /** Octets that the record points to; they must lie in the datagram. */
  private octets(at: number, length: number, datagramBytes: number): string {
    if (length === 0) return '';
    const offset = at - this.input;
    if (offset < 0 || length < 0 || offset + length > datagramBytes)
      throw new RangeError('a pointer leaves the datagram');
    return toHex(this.memory.subarray(at, at + length));
  }

  private read(datagramBytes: number): FlatPacket {
    const type = this.word(WORD.type) as PacketType;
    const flat: Record<string, number | string> = { type };
    if (OPTIONAL.includes(type) && this.word(WORD.present) === 0) return { type };
    const flags = this.word(WORD.flags) & (FLAGS_USED[type] ?? 0);
    for (const field of FIELDS[type]) {
      if (field === 'flags') flat.flags = flags;
      else if (field !== 'data')
        flat[field] = this.word(field === CODE_NAME[type] ? WORD.code : WORD[field as 'msgId']);
      else if (FILTERS.includes(type) && (flags & 3) !== TopicType.Normal) flat.topicId = this.word(WORD.topicId);
      else flat.data = this.octets(this.word(WORD.data), this.word(WORD.dataBytes), datagramBytes);
    }
    if (type === PacketType.Forwarded) {
      flat.nodeId = this.octets(this.word(WORD.data), this.word(WORD.dataBytes), datagramBytes);
      flat.inner = this.octets(this.word(WORD.inner), this.word(WORD.innerBytes), datagramBytes);
    }
    return flat as unknown as FlatPacket;
  }

  encode(packet: FlatPacket): Uint8Array {
    this.memory.fill(0, this.record, this.record + RECORD_BYTES);
    const set = (at: number, value: number): void => this.view.setInt32(this.record + at, value, true);
    const data = fromHex(packet.data ?? packet.nodeId ?? '');
    const inner = fromHex(packet.inner ?? '');
    this.memory.set(data, this.input);
    this.memory.set(inner, this.input + data.length);
    for (const field of ['type', 'flags', 'duration', 'topicId', 'msgId'] as const)
      set(WORD[field], packet[field] ?? 0);
    set(WORD.code, packet[CODE_NAME[packet.type as PacketType] ?? 'type'] ?? 0);
    set(WORD.data, this.input);
    set(WORD.dataBytes, data.length);
    set(WORD.present, packet.flags !== undefined || packet.duration !== undefined ? 1 : 0);
    set(WORD.inner, this.input + data.length);
    set(WORD.innerBytes, inner.length);
    const bytes = this.exports.encode();
    if (bytes < 0) throw new RangeError(`the device does not encode this: ${bytes}`);
    return this.memory.slice(this.input + this.capacity, this.input + this.capacity + bytes);
  }
}
