import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  Counter,
  ErrorCode,
  EventKind,
  IMAGE_BYTES_AT,
  IMAGE_COUNTERS_AT,
  IMAGE_LAYOUT_AT,
  IMAGE_MAGIC_AT,
  IMAGE_SEAL_AT,
  PacketType,
} from '../../../assembly/protocol/index.js';
import type { DeviceEvent } from '../../../host/device/abi.js';
import { type Device, DeviceModule } from '../../../host/device/device.js';
import { decode, encode, type Packet } from '../../../host/wire/index.js';
import { deviceText, fromText } from '../firmware/modules.js';

const MODEM = readFileSync(new URL('../../../build/modules/modem-mqttsn.wasm', import.meta.url));
const CODEC = readFileSync(new URL('../../../build/modules/codec-mqttsn.wasm', import.meta.url));
const octets = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Where the image has the time of the current call: class Client lies at 8, `now` 24 octets in. */
const NOW_AT = 32;

/** A board that remembers. */
class Desk {
  readonly sent: Packet[] = [];
  readonly events: DeviceEvent[] = [];
  send(datagram: Uint8Array): number {
    this.sent.push(decode(datagram.slice()) as Packet);
    return datagram.length;
  }
  event(event: DeviceEvent): void {
    this.events.push(event);
  }
}

const receive = (device: Device, packet: Packet, now: number): number => device.receive(encode(packet), now);
function connect(device: Device, id: string, now: number): void {
  device.call('identify', device.write(octets(id)));
  device.call('connect', 60, 0, now);
  receive(device, { type: PacketType.ConnAck, returnCode: 0 }, now);
  device.poll(now);
}

describe('a module', () => {
  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['noise', Uint8Array.from({ length: 200 }, (_, i) => i * 7)],
    ['half of one', MODEM.subarray(0, 4_000)],
    ['one without the contract', CODEC],
    ['one without anything', fromText('(module)')],
    ['one that wants more than a board has', deviceText('(import "env" "led" (func (param i32)))')],
    ['one that wants what a board does not have', deviceText('(import "board" "reboot" (func))')],
  ])('is not made of %s', (_what, bytes) => {
    expect(() => new DeviceModule(bytes, 'thing')).toThrow(
      expect.objectContaining({ code: 'ERR_MODULE_LOAD', message: expect.stringContaining('thing') }),
    );
  });

  it('says what it misses', () => {
    expect(() => new DeviceModule(CODEC)).toThrow(
      /abi, image, imageBytes, rx, rxBytes, peer, peerBytes, start, receive, poll, resume, seal/,
    );
  });

  it('of another contract version is refused', () => {
    expect(() => new DeviceModule(deviceText('', 1))).toThrow(expect.objectContaining({ code: 'ERR_MODULE_ABI' }));
    expect(new DeviceModule(deviceText('', 2)).imageBytes).toBe(16);
  });

  it('that is no modem has no verbs', () => {
    const sensor = readFileSync(new URL('../../../build/apps/sensor.wasm', import.meta.url));
    const device = new DeviceModule(sensor).create(new Desk());
    device.start(0, 1);
    expect(() => device.call('publish', 0, 0, 0, 0, 0)).toThrow(expect.objectContaining({ code: 'ERR_VERB' }));
    expect(() => device.call('memory')).toThrow(expect.objectContaining({ code: 'ERR_VERB' }));
  });
});

describe('a device', () => {
  let module: DeviceModule;
  let desk: Desk;
  let device: Device;

  beforeEach(() => {
    module = new DeviceModule(MODEM, 'modem');
    desk = new Desk();
    device = module.create(desk);
    device.start(0, 42);
  });

  it('waits for ever where it has nothing to do', () => {
    expect(device.poll(0)).toBe(Number.POSITIVE_INFINITY);
  });

  it('takes the low 32 bits of any clock', () => {
    for (const now of [2 ** 31, 2 ** 32 + 5, 2 ** 52]) {
      const other = module.create(desk);
      other.start(now, 1);
      connect(other, 'a', now);
      expect(other.poll(now + 44_000)).toBe(1_000);
    }
  });

  it('tells of datagrams longer than its buffer, and keeps them out of everything else', () => {
    const before = device.save();
    const long = new Uint8Array(100_000).fill(0xff);
    expect(device.receive(long, 0)).toBe(ErrorCode.TooLong);
    expect(device.write(long)).toBe(ErrorCode.TooLong);
    const after = device.save();
    const rxStart = module.rxAt - module.imageAt;
    // Only counters, the receive buffer and the time may differ.
    expect(after.subarray(0, NOW_AT)).toEqual(before.subarray(0, NOW_AT));
    expect(after.subarray(NOW_AT + 4, IMAGE_MAGIC_AT)).toEqual(before.subarray(NOW_AT + 4, IMAGE_MAGIC_AT));
    const tables = IMAGE_COUNTERS_AT + 4 * Counter.Count;
    expect(after.subarray(tables, rxStart)).toEqual(before.subarray(tables, rxStart));
    expect(after.subarray(rxStart + module.rxBytes)).toEqual(before.subarray(rxStart + module.rxBytes));
    expect(device.counter(Counter.DatagramsIn)).toBe(1);
  });

  it('hands over copies: what a board keeps does not change under it', () => {
    connect(device, 'dev', 0);
    const topic = { kind: 2, name: 'ab' } as const;
    const message = (text: string): Packet => ({
      type: PacketType.Publish,
      dup: false,
      qos: 0,
      retain: false,
      topic,
      msgId: 0,
      data: octets(text),
    });
    receive(device, message('first'), 0);
    receive(device, message('other'), 0);
    expect(
      desk.events.filter((e) => e.kind === EventKind.Message).map((e) => [e.name, Buffer.from(e.data).toString()]),
    ).toEqual([
      ['ab', 'first'],
      ['ab', 'other'],
    ]);
  });

  it('must not be called from within its own board', () => {
    let error: unknown;
    const hasty = module.create({
      send: (datagram) => {
        try {
          hasty.receive(encode({ type: PacketType.ConnAck, returnCode: 0 }), 0);
        } catch (e) {
          error = e;
        }
        return datagram.length;
      },
    });
    hasty.start(0, 1);
    hasty.call('identify', hasty.write(octets('a')));
    expect(hasty.call('connect', 60, 0, 0)).toBe(0);
    expect(error).toMatchObject({ code: 'ERR_DEVICE_BUSY' });
    // Nothing happened; later is fine.
    expect(hasty.call('link')).toBe(1);
    expect(hasty.receive(encode({ type: PacketType.ConnAck, returnCode: 0 }), 0)).toBe(0);
    expect(hasty.call('link')).toBe(2);
  });

  it('may be called again after its board has thrown', () => {
    const broken = module.create({
      send: () => {
        throw new Error('the antenna fell off');
      },
    });
    broken.start(0, 1);
    broken.call('identify', broken.write(octets('a')));
    expect(() => broken.call('connect', 60, 0, 0)).toThrow('the antenna fell off');
    expect(broken.call('link')).toBe(1);
  });
});

describe('addresses', () => {
  const [here, there] = [Uint8Array.of(1, 2, 3), Uint8Array.from({ length: 18 }, (_, i) => i)];

  it('go with datagrams both ways, and are copies of nobody', () => {
    const module = new DeviceModule(MODEM);
    const sent: number[][] = [];
    const device = module.create({
      send: (datagram, to) => {
        sent.push([...to]);
        return datagram.length;
      },
    });
    device.start(0, 1);
    device.call('identify', device.write(octets('a')));
    device.call('connect', 60, 0, 0);
    device.receive(encode({ type: PacketType.ConnAck, returnCode: 0 }), 0, there);
    expect(device.receive(encode({ type: PacketType.PingReq, clientId: '' }), 0, here)).toBe(ErrorCode.Unexpected);
    expect(device.receive(encode({ type: PacketType.PingReq, clientId: '' }), 0, there)).toBe(0);
    expect(sent).toEqual([[], [...there]]);
  });

  it('longer than the module has room for are none', () => {
    const module = new DeviceModule(MODEM);
    expect(module.addressBytes).toBe(18);
    const sent: number[][] = [];
    const device = module.create({ send: (datagram, to) => sent.push([...to]) && datagram.length });
    device.start(0, 1);
    device.call('identify', device.write(octets('a')));
    device.call('connect', 60, 0, 0);
    device.receive(encode({ type: PacketType.ConnAck, returnCode: 0 }), 0, new Uint8Array(19).fill(7));
    device.receive(encode({ type: PacketType.PingReq, clientId: '' }), 0);
    expect(sent).toEqual([[], []]);
  });
});

describe('devices that share a module', () => {
  it('do not disturb each other: each does what it does alone', () => {
    const shared = new DeviceModule(MODEM);
    const script = (device: Device, desk: Desk, seed: number): (() => void)[] => [
      () => device.start(seed, seed),
      () => connect(device, `dev-${seed}`, seed),
      () => device.call('topic', device.write(octets(`topic/${seed}`))),
      () => device.call('publish', 0, device.write(octets(`hello ${seed}`)), 2, 0, seed),
      () => device.poll(seed + 10),
      () => device.call('subscribe', 0, 1),
      () => device.poll(seed + 20),
      () => {
        const register = desk.sent.find((packet) => packet.type === PacketType.Register) as { msgId: number };
        receive(device, { type: PacketType.RegAck, topicId: seed, msgId: register.msgId, returnCode: 0 }, seed + 30);
      },
      () => device.poll(seed + 10_100),
      () => device.poll(seed + 70_000),
    ];
    const seeds = Array.from({ length: 20 }, (_, i) => i + 1);
    const together = seeds.map((seed) => {
      const desk = new Desk();
      const device = shared.create(desk);
      return { desk, device, steps: script(device, desk, seed) };
    });
    for (let step = 0; step < 10; step++) for (const { steps } of together) steps[step]!();
    for (const [i, seed] of seeds.entries()) {
      const desk = new Desk();
      const device = new DeviceModule(MODEM).create(desk);
      for (const step of script(device, desk, seed)) step();
      expect(desk.sent.length).toBeGreaterThan(4);
      expect(together[i]!.desk.sent).toEqual(desk.sent);
      expect(together[i]!.desk.events).toEqual(desk.events);
      expect(together[i]!.device.save()).toEqual(device.save());
    }
  });

  it('must not be called from within the board of another', () => {
    const module = new DeviceModule(MODEM);
    const other = module.create(new Desk());
    other.start(0, 2);
    const before = other.save();
    const caller = module.create({
      send: (datagram) => {
        expect(() => other.receive(datagram.slice(), 0)).toThrow(expect.objectContaining({ code: 'ERR_DEVICE_BUSY' }));
        expect(() => other.save()).toThrow(expect.objectContaining({ code: 'ERR_DEVICE_BUSY' }));
        return datagram.length;
      },
    });
    caller.start(0, 1);
    caller.call('identify', caller.write(octets('a')));
    expect(caller.call('connect', 60, 0, 0)).toBe(0);
    expect(caller.call('link')).toBe(1);
    expect(other.save()).toEqual(before);
  });
});

describe('an image', () => {
  const module = new DeviceModule(MODEM);
  const fresh = (desk = new Desk()): Device => {
    const device = module.create(desk);
    device.start(0, 7);
    return device;
  };

  it('is a copy, as long as the module says', () => {
    const device = fresh();
    const image = device.save();
    expect(image).toHaveLength(module.imageBytes);
    connect(device, 'a', 0);
    expect(image).not.toEqual(device.save());
    image.fill(0);
    expect(device.call('link')).toBe(2);
  });

  it('restored elsewhere is the same device, and asks at once whether its session stands', () => {
    const device = fresh();
    connect(device, 'a', 5_000);
    const desk = new Desk();
    const twin = new DeviceModule(MODEM).create(desk);
    twin.restore(device.save(), 900_000);
    expect(twin.call('link')).toBe(2);
    twin.poll(900_000);
    expect(desk.sent).toMatchObject([{ type: PacketType.PingReq }]);
  });

  it('that is damaged is refused, and the device stays what it was', () => {
    const device = fresh();
    connect(device, 'a', 0);
    const before = device.save();
    const image = fresh().save();
    for (let at = 0; at < image.length; at += 61) {
      const damaged = image.slice();
      damaged[at]! ^= 0x10;
      expect(() => device.restore(damaged, 0), `octet ${at}`).toThrow(expect.objectContaining({ code: 'ERR_IMAGE' }));
      expect(device.save()).toEqual(before);
    }
    device.restore(image, 0);
    expect(device.call('link')).toBe(0);
  });

  it('that was taken without a seal can be loaded, on the same clock', () => {
    const device = fresh();
    connect(device, 'a', 0);
    const image = device.save().fill(0, IMAGE_SEAL_AT, IMAGE_SEAL_AT + 4);
    const twin = module.create(new Desk());
    twin.load(image);
    expect(twin.call('link')).toBe(2);
    expect(() => twin.restore(image, 0)).toThrow(expect.objectContaining({ code: 'ERR_IMAGE' }));
  });

  it('can be gone back to any number of times', () => {
    const desk = new Desk();
    const device = fresh(desk);
    connect(device, 'a', 0);
    const image = device.save();
    for (let i = 0; i < 3; i++) {
      receive(device, { type: PacketType.Disconnect, duration: undefined }, 0);
      expect(device.call('link')).toBe(7);
      device.load(image);
      expect(device.call('link')).toBe(2);
    }
  });

  it('of a clone goes its own way', () => {
    const device = fresh();
    connect(device, 'a', 0);
    const board = new Desk();
    const clone = device.clone(board);
    expect(clone.save()).toEqual(device.save());
    receive(clone, { type: PacketType.Disconnect, duration: undefined }, 0);
    expect([device.call('link'), clone.call('link')]).toEqual([2, 7]);
    expect(board.events.map((event) => event.kind)).toEqual([EventKind.Lost]);
  });

  it.each<[string, (image: Uint8Array) => Uint8Array]>([
    ['too short', (image) => image.subarray(1)],
    ['too long', (image) => Uint8Array.of(...image, 0)],
    ['empty', () => new Uint8Array()],
    ['without its magic', (image) => image.fill(0, IMAGE_MAGIC_AT, IMAGE_MAGIC_AT + 4)],
    ['of a device that was never started', (image) => image.fill(0)],
    ['of another layout', (image) => image.fill(9, IMAGE_LAYOUT_AT, IMAGE_LAYOUT_AT + 1)],
    ['that says another length', (image) => image.fill(9, IMAGE_BYTES_AT, IMAGE_BYTES_AT + 1)],
  ])('%s is refused, and the device stays what it was', (_what, spoil) => {
    const device = fresh();
    connect(device, 'a', 0);
    const before = device.save();
    const spoilt = spoil(device.save());
    for (const take of [() => device.restore(spoilt, 0), () => device.load(spoilt)]) {
      expect(take).toThrow(expect.objectContaining({ code: 'ERR_IMAGE' }));
      expect(device.save()).toEqual(before);
    }
  });
});
