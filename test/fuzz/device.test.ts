// A million bad datagrams for the device in every state it can be in. It must neither trap nor write outside of its image,
// nor lose its way: `poll` goes on returning deadlines, and what it sends is MQTT-SN.
//
// A failure names the seed and the datagram; FUZZ_SEED and FUZZ_DATAGRAMS repeat or extend a run.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ErrorCode, PacketType, TopicType } from '../../assembly/protocol/index.js';
import { between, Xoshiro128 } from '../../host/core/random.js';
import { type Device, DeviceModule } from '../../host/device/device.js';
import { decode, encode, isFault, type Packet } from '../../host/wire/index.js';
import { fromHex, loadVectors } from '../vectors/load.js';
import { datagrams } from './datagrams.js';

const SEED = Number(process.env.FUZZ_SEED ?? 1);
const MODEM_DATAGRAMS = Number(process.env.FUZZ_DATAGRAMS ?? 1_000_000);
const APP_DATAGRAMS = MODEM_DATAGRAMS / 10;
/** The memory around the image is compared this often; a failure is then searched for one datagram at a time. */
const COMPARE_EVERY = 2_000;
/** After at most so many datagrams the device goes back to one of its prepared states. */
const STEPS_PER_RUN_MAX = 400;
/** The Wireless Node Id of a device behind a forwarder. */
const NODE = Uint8Array.of(7, 7, 7);
/** More than one call may tell, whatever arrives: EVENTS_MAX. */
const EVENTS_PER_CALL_MAX = 8;

const { good, malformed } = loadVectors();

/** A device, the states it can be in, and a gateway that sends noise and nonsense in equal parts. */
class Fuzz {
  readonly module: DeviceModule;
  readonly random: Xoshiro128;
  private readonly noise: () => Uint8Array;
  private readonly images: Uint8Array[] = [];
  private readonly outside: Uint8Array;
  private readonly device: Device;
  private events = 0;
  private lastMsgId = 0;
  now = 0;

  constructor(
    private readonly name: string,
    folder: string,
    readonly seed: number,
  ) {
    const file = new URL(`../../build/${folder}/${name}.wasm`, import.meta.url);
    this.module = new DeviceModule(readFileSync(file), name);
    this.random = new Xoshiro128(seed);
    this.noise = datagrams(this.random, good);
    this.device = this.module.create({
      send: (datagram) => this.onSend(datagram),
      event: (event) => {
        this.events++;
        if (event.name.length > 255 || event.data.length > this.module.rxBytes)
          throw new Error('an event without bounds');
      },
    });
    this.device.start(0, seed);
    this.outside = this.aroundImage();
  }

  get isModem(): boolean {
    return this.name.startsWith('modem');
  }

  private onSend(datagram: Uint8Array): number {
    const packet = decode(datagram);
    // Names that a stranger registered are octets to the device; to the host they may be no text.
    // An envelope is told by what is inside.
    if (!isFault(packet) && packet.type === PacketType.Forwarded) {
      this.onSend(packet.inner);
      return datagram.length;
    }
    if (isFault(packet) && packet.code !== 'bad-name') throw new Error(`the device sent no MQTT-SN: ${packet.code}`);
    if ('msgId' in packet) this.lastMsgId = packet.msgId;
    return this.random.nextU32() % 16 === 0 ? -1 : datagram.length;
  }

  /** All of linear memory but the image. */
  private aroundImage(): Uint8Array {
    const memory = this.module.memory.slice();
    return memory.fill(0, this.module.imageAt, this.module.imageAt + this.module.imageBytes);
  }

  private call(verb: string, ...args: number[]): number {
    return this.device.call(verb, ...args);
  }

  private verbs(...steps: (() => unknown)[]): void {
    for (const step of steps) {
      step();
      this.device.poll(this.now);
    }
  }

  private hear(packet: Packet): void {
    this.device.receive(encode(packet), this.now);
    this.device.poll(this.now);
  }

  private write(text: string): number {
    return this.device.write(new TextEncoder().encode(text));
  }

  /** States of a modem from which runs begin; of an application what it makes of a gateway that answers. */
  prepare(): void {
    const keep = (): void => void this.images.push(this.device.save());
    keep();
    if (this.isModem) this.prepareModem(keep);
    else {
      this.hear({ type: PacketType.ConnAck, returnCode: 0 });
      keep();
      this.now += 60_000;
      this.device.poll(this.now);
      this.hear({ type: PacketType.RegAck, topicId: 1, msgId: this.lastMsgId, returnCode: 0 });
      keep();
      this.hear({ type: PacketType.Disconnect, duration: undefined });
      keep();
    }
  }

  private prepareModem(keep: () => void): void {
    this.verbs(
      () => this.call('identify', this.write('fuzz')),
      () => this.call('topic', this.write('a/b')),
      () => this.call('topic', this.write('c/#')),
      () => this.call('predefined', 1),
      () => this.call('short', 0x6162),
      () => this.call('will', 0, this.write('gone'), 1, 0),
      () => this.call('connect', 60, 0, this.now),
    );
    keep(); // connecting
    this.hear({ type: PacketType.ConnAck, returnCode: 0 });
    keep(); // active, with nothing to do
    this.verbs(() => this.call('publish', 2, this.write('hello'), 2, 0, this.now));
    this.hear({ type: PacketType.PubRec, msgId: this.lastMsgId });
    keep(); // PUBCOMP is owed
    this.hear({ type: PacketType.PubComp, msgId: this.lastMsgId });
    this.verbs(
      () => this.call('publish', 2, this.write('hello'), 2, 0, this.now),
      () => this.call('publish', 0, this.write('queued'), 1, 0, this.now),
      () => this.call('subscribe', 1, 2),
      () => this.call('subscribe', 0, 1),
    );
    keep(); // PUBREC and SUBACK are owed
    const topic = { kind: TopicType.Predefined, id: 1 } as const;
    for (const msgId of [1, 2, 3]) {
      const data = Uint8Array.of(msgId);
      this.hear({ type: PacketType.Publish, dup: false, qos: 2, retain: false, topic, msgId, data });
    }
    this.verbs(() => this.call('connect', 60, 0, this.now));
    keep(); // and handshakes of the gateway are open
    this.verbs(() => this.call('sleep', 600, this.now));
    keep(); // falling asleep
    this.hear({ type: PacketType.Disconnect, duration: undefined });
    keep(); // asleep
    this.verbs(() => this.call('wake', this.now));
    keep(); // awake
    this.hear({ type: PacketType.Disconnect, duration: undefined });
    keep(); // lost
    this.verbs(
      () => this.call('disconnect', this.now),
      () => this.call('discover', 2),
      () => this.call('connect', 60, 0, this.now),
    );
    keep(); // searching
    this.hear({ type: PacketType.Advertise, gwId: 1, duration: 900 });
    this.hear({ type: PacketType.ConnAck, returnCode: 0 });
    this.verbs(() => this.call('will', 0, this.write('later'), 1, 0));
    keep(); // WILLTOPICRESP is owed
    this.device.start(this.now, this.seed);
    this.verbs(
      () => this.call('identify', this.write('node')),
      () => this.call('forwarded', this.device.write(NODE)),
      () => this.call('short', 0x6162),
      () => this.call('connect', 60, 0, this.now),
    );
    this.device.receive(this.wrap(encode({ type: PacketType.ConnAck, returnCode: 0 })), this.now);
    keep(); // behind a forwarder, mostly active
  }

  /** Begins again from one of the states. */
  reset(): void {
    this.device.load(this.images[between(this.random, 0, this.images.length - 1)]!);
    this.device.poll(this.now);
  }

  private next(): Uint8Array {
    return this.random.nextU32() % 2 === 0 ? this.plausible() : this.noise();
  }

  /** A well-formed packet of a gateway that has lost its mind: the right words at the wrong time. */
  private plausible(): Uint8Array {
    const any = (...choices: number[]): number => choices[this.random.nextU32() % choices.length]!;
    const octet = (): number => between(this.random, 0, 255);
    const msgId =
      any(this.lastMsgId, this.lastMsgId, this.lastMsgId - 1, between(this.random, 0, 4), octet() * 257) & 0xffff;
    const topicId = any(between(this.random, 0, 20), between(this.random, 0, 20), 0x6162, 0xffff);
    const ids = [topicId >> 8, topicId & 255, msgId >> 8, msgId & 255];
    const code = any(0, 0, 0, 1, 2, 3, 4);
    const flags = any(0, 0x20, 0x40, 0xc0, 0x60, 0x10) | any(0, 0, 1, 2, 3);
    const text = Uint8Array.from({ length: any(0, 1, 2, 5, 56, 57) }, () => any(0x61, 0x62, 0x2f, 0x23, octet()));
    const body = ((): number[] => {
      switch (any(0, 1, 2, 3, 4, 5, 6, 6, 6, 7, 7, 8, 8, 9, 9, 10, 11, 12, 13, 14, 15, 16, 17, 17)) {
        case 0:
          return [PacketType.ConnAck, code];
        case 1:
          return [PacketType.WillTopicReq];
        case 2:
          return [PacketType.WillMsgReq];
        case 3:
          return [PacketType.Register, ...ids, ...text];
        case 4:
          return [PacketType.RegAck, ...ids, code];
        case 5:
          return [PacketType.PubAck, ...ids, code];
        case 6:
          return [PacketType.Publish, flags, ...ids, ...text];
        case 7:
          return [PacketType.PubRec, ...ids.slice(2)];
        case 8:
          return [PacketType.PubRel, ...ids.slice(2)];
        case 9:
          return [PacketType.PubComp, ...ids.slice(2)];
        case 10:
          return [PacketType.SubAck, flags, ...ids, code];
        case 11:
          return [PacketType.UnsubAck, ...ids.slice(2)];
        case 12:
          return [any(PacketType.PingResp, PacketType.PingReq)];
        case 14:
          return [PacketType.Advertise, any(0, 1, 2, octet()), octet(), octet()];
        case 15:
          return [PacketType.SearchGw, octet()];
        case 16:
          return [
            PacketType.GwInfo,
            any(0, 1, 2, octet()),
            ...Array.from({ length: any(0, 6, 6, 18, 19) }, () => any(0, 1)),
          ];
        case 17:
          return [any(PacketType.WillTopicResp, PacketType.WillMsgResp), code];
        default:
          return [PacketType.Disconnect, ...(any(0, 1) === 0 ? [] : [0, 9])];
      }
    })();
    return Uint8Array.of(body.length + 1, ...body);
  }

  /** The envelope of a forwarder, mostly for the node that the device is where it is one. */
  private wrap(packet: Uint8Array): Uint8Array {
    const nodeId = this.random.nextU32() % 4 === 0 ? Uint8Array.of(1) : NODE;
    return Uint8Array.of(3 + nodeId.length, PacketType.Forwarded, this.random.nextU32() & 3, ...nodeId, ...packet);
  }

  /** One of a few addresses, or none, or one that is too long. */
  private from(): Uint8Array {
    const lengths = [0, 0, 6, 6, 6, 18, 19];
    return new Uint8Array(lengths[this.random.nextU32() % lengths.length]!).fill(this.random.nextU32() & 1);
  }

  /** One datagram, and now and then a verb; some time passes. */
  step(): void {
    this.events = 0;
    const datagram = this.random.nextU32() % 8 === 0 ? this.wrap(this.next()) : this.next();
    const result = this.device.receive(datagram, this.now, this.from());
    if (result > 0 || result < ErrorCode.Full) throw new Error(`receive returned ${result}`);
    if (this.random.nextU32() % 8 === 0) this.now += between(this.random, 0, 20_000);
    if (this.isModem && this.random.nextU32() % 6 === 0) this.anyVerb();
    const ms = this.device.poll(this.now);
    if (!(ms >= 0)) throw new Error(`poll returned ${ms}`);
    if (this.events > 2 * EVENTS_PER_CALL_MAX) throw new Error(`${this.events} events`);
  }

  inEveryState(act: (device: Device) => void): void {
    for (const image of this.images) {
      this.device.load(image);
      act(this.device);
    }
  }

  private anyVerb(): void {
    const { random, now } = this;
    const small = (): number => between(random, -2, 14);
    const wild = (): number => (random.nextU32() % 2 === 0 ? small() : random.nextU32() | 0);
    const bytes = (): number =>
      random.nextU32() % 4 === 0 ? Math.max(0, small()) : between(random, 0, this.module.rxBytes);
    const verbs = [
      () => this.call('connect', wild(), random.nextU32() % 2, now),
      () => this.call('connect', 60, random.nextU32() % 2, now),
      () => this.call('disconnect', now),
      () => this.call('sleep', wild(), now),
      () => this.call('wake', now),
      () => this.call('topic', bytes()),
      () => this.call('predefined', wild()),
      () => this.call('short', wild()),
      () => this.call('subscribe', wild(), small()),
      () => this.call('unsubscribe', wild()),
      () => this.call('publish', wild(), bytes(), small(), 0, now),
      () => this.call('publish', small(), bytes(), between(random, -1, 2), 1, now),
      () => this.call('publish', between(random, 0, 3), bytes(), between(random, 0, 2), 1, now),
      () => this.call('publish', between(random, 0, 3), bytes(), between(random, 0, 2), 1, now),
      () => this.call('will', wild(), bytes(), small(), 0),
      () => this.call('identify', bytes()),
      () => this.call('discover', small()),
      () => this.call('discover', 1),
      () => this.call('forwarded', small()),
      () => this.device.restore(this.device.save(), this.now),
    ];
    verbs[random.nextU32() % verbs.length]!();
  }

  /** Throws where an octet outside of the image is not what it was. */
  checkOutside(): void {
    const memory = this.aroundImage();
    if (memory.length !== this.outside.length) throw new Error('the memory has grown');
    if (Buffer.compare(memory, this.outside) === 0) return;
    const at = memory.findIndex((octet, i) => octet !== this.outside[i]);
    throw new Error(`octet ${at} outside of the image was changed`);
  }
}

function run(name: string, folder: string, seed: number, count: number): void {
  const fuzz = new Fuzz(name, folder, seed);
  fuzz.prepare();
  for (let i = 0, resetAt = 0; i < count; i++) {
    try {
      if (i === resetAt) {
        fuzz.reset();
        resetAt += between(fuzz.random, 1, STEPS_PER_RUN_MAX);
      }
      fuzz.step();
      if (i % COMPARE_EVERY === 0 || i === count - 1) fuzz.checkOutside();
    } catch (error) {
      const repeat = `FUZZ_SEED=${SEED} FUZZ_DATAGRAMS=${MODEM_DATAGRAMS} npx vitest run test/fuzz`;
      throw new Error(`${name}, seed ${seed}, datagram ${i}: ${(error as Error).message}\n  ${repeat}`, {
        cause: error,
      });
    }
  }
}

describe('a device under bad datagrams', () => {
  it(`survives ${MODEM_DATAGRAMS} of them as a modem, in every state`, () => {
    run('modem-mqttsn', 'modules', SEED, MODEM_DATAGRAMS);
  });

  it.each(['sensor', 'light'])(`survives ${APP_DATAGRAMS} of them as a %s`, (name) => {
    run(name, 'apps', SEED + 1, APP_DATAGRAMS);
  });

  it('survives every vector, whole and cut, in every state', () => {
    const fuzz = new Fuzz('modem-mqttsn', 'modules', SEED);
    fuzz.prepare();
    fuzz.inEveryState((device) => {
      for (const { hex } of [...good, ...malformed]) {
        const octets = fromHex(hex);
        for (let size = Math.max(0, octets.length - 20); size <= octets.length; size++) {
          device.receive(octets.subarray(0, size), fuzz.now);
          expect(device.poll(fuzz.now)).toBeGreaterThanOrEqual(0);
        }
      }
      fuzz.checkOutside();
    });
  });
});
