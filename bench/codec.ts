// Packets per second: the device's codec in V8, the host's, and mqtt-packet with the MQTT packets that say the same.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import mqtt, { type Packet as MqttPacket } from 'mqtt-packet';
import { PacketType, PROTOCOL_ID, ReturnCode, TopicType } from '../assembly/protocol/index.js';
import { BUILD_DIR } from '../host/firmware/paths.js';
import { decode, encode, isFault, type Packet } from '../host/wire/index.js';
import { type Effort, measure, type Row, repeat, type Task } from './measure.js';

const BATCH = 1_000;
const PAYLOAD_BYTES = 32;
const TOPIC = 'home/sensor-0000002a/temperature';
const CLIENT_ID = 'sensor-0000002a';
const KEEP_ALIVE_S = 60;
const TOPIC_ID = 3;
const MSG_ID = 7;
const PAYLOAD = new Uint8Array(PAYLOAD_BYTES).fill(0x2a);

interface Sample {
  readonly name: string;
  readonly sn: Packet;
  /** Undefined where MQTT has no such packet. */
  readonly mqtt?: MqttPacket;
}

const SAMPLES: readonly Sample[] = [
  {
    name: 'CONNECT',
    sn: {
      type: PacketType.Connect,
      will: false,
      cleanSession: true,
      protocolId: PROTOCOL_ID,
      duration: KEEP_ALIVE_S,
      clientId: CLIENT_ID,
    },
    mqtt: {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      keepalive: KEEP_ALIVE_S,
      clientId: CLIENT_ID,
    },
  },
  {
    name: `PUBLISH, QoS 1, ${PAYLOAD_BYTES} B`,
    sn: {
      type: PacketType.Publish,
      dup: false,
      qos: 1,
      retain: false,
      topic: { kind: TopicType.Normal, id: TOPIC_ID },
      msgId: MSG_ID,
      data: PAYLOAD,
    },
    mqtt: {
      cmd: 'publish',
      dup: false,
      qos: 1,
      retain: false,
      topic: TOPIC,
      messageId: MSG_ID,
      payload: Buffer.from(PAYLOAD),
    },
  },
  {
    name: 'SUBACK',
    sn: { type: PacketType.SubAck, qos: 1, topicId: TOPIC_ID, msgId: MSG_ID, returnCode: ReturnCode.Accepted },
    mqtt: { cmd: 'suback', messageId: MSG_ID, granted: [1] },
  },
  {
    name: 'REGISTER',
    sn: { type: PacketType.Register, topicId: 0, msgId: MSG_ID, topicName: TOPIC },
  },
];

interface CodecExports {
  readonly memory: WebAssembly.Memory;
  packet(): number;
  buffer(): number;
  bufferBytes(): number;
  decode(bytes: number): number;
  encode(): number;
}

/** Words of class Packet, see assembly/codec/packet.ts. */
const RECORD_WORDS = 11;
const DATA_WORD = 6;
const DATA_BYTES_WORD = 7;

/** The device's codec, with its memory as the host reaches it. */
class DeviceCodec {
  private readonly exports: CodecExports;
  private readonly memory: Uint8Array;
  private readonly record: Int32Array;
  private readonly input: number;
  private readonly output: number;

  constructor() {
    const module = new WebAssembly.Module(readFileSync(join(BUILD_DIR, 'modules', 'codec-mqttsn.wasm')));
    this.exports = new WebAssembly.Instance(module, {}).exports as unknown as CodecExports;
    const { buffer } = this.exports.memory;
    this.memory = new Uint8Array(buffer);
    this.record = new Int32Array(buffer, this.exports.packet(), RECORD_WORDS);
    this.input = this.exports.buffer();
    this.output = this.input + this.exports.bufferBytes();
  }

  /** Copies the datagram in, and takes it apart. */
  decode(datagram: Uint8Array): number {
    this.memory.set(datagram, this.input);
    const result = this.exports.decode(datagram.length);
    if (result !== 0) throw new Error(`the device's codec refuses the sample: ${result}`);
    return this.record[0]!;
  }

  /** What `encode` needs for this datagram: the record, and the octets that it points to. */
  recordOf(datagram: Uint8Array): { readonly record: Int32Array; readonly data: Uint8Array } {
    this.decode(datagram);
    const at = this.record[DATA_WORD]!;
    return {
      record: this.record.slice(),
      data: this.memory.slice(at, at + this.record[DATA_BYTES_WORD]!),
    };
  }

  /** Copies record and octets in, writes the packet, and copies it out. */
  encode({ record, data }: { readonly record: Int32Array; readonly data: Uint8Array }): Uint8Array {
    this.record.set(record);
    this.record[DATA_WORD] = this.input;
    this.memory.set(data, this.input);
    const length = this.exports.encode();
    if (length <= 0) throw new Error(`the device's codec refuses the sample: ${length}`);
    return this.memory.slice(this.output, this.output + length);
  }
}

const UNIT = 'packets';

function tasksOf({ name, sn, mqtt: packet }: Sample, device: DeviceCodec): Task[] {
  const datagram = encode(sn);
  if (isFault(decode(datagram))) throw new Error(`${name}: the sample is no packet`);
  const record = device.recordOf(datagram);
  if (Buffer.compare(device.encode(record), datagram) !== 0) throw new Error(`${name}: the codecs disagree`);
  const task = (verb: string, subject: string, action: () => unknown): Task => ({
    task: `${verb} ${name}`,
    subject,
    unit: UNIT,
    units: BATCH,
    run: () => repeat(BATCH, action),
  });
  const encoders = [
    task('encode', 'device (WASM)', () => device.encode(record)),
    task('encode', 'host', () => encode(sn)),
  ];
  const decoders = [
    task('decode', 'device (WASM)', () => device.decode(datagram)),
    task('decode', 'host', () => decode(datagram)),
  ];
  if (packet !== undefined) {
    const octets = mqtt.generate(packet);
    const parser = mqtt.parser({ protocolVersion: 4 });
    let parsed: unknown;
    parser.on('packet', (found) => {
      parsed = found;
    });
    const parse = (): unknown => {
      parser.parse(octets);
      return parsed;
    };
    encoders.push(task('encode', 'mqtt-packet', () => mqtt.generate(packet)));
    decoders.push(task('decode', 'mqtt-packet', parse));
  }
  return [...encoders, ...decoders];
}

export function benchCodecs(effort: Effort): Promise<Row[]> {
  const device = new DeviceCodec();
  return measure(
    'codec',
    SAMPLES.flatMap((sample) => tasksOf(sample, device)),
    effort,
  );
}
