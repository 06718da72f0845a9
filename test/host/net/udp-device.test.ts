import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EventKind, PacketType } from '../../../assembly/protocol/index.js';
import { DeviceModule } from '../../../host/device/device.js';
import { build } from '../../../host/firmware/build.js';
import { fromPeer, toPeer } from '../../../host/net/peer-address.js';
import {
  type StateStore,
  startUdpDevice,
  type UdpDevice,
  type UdpDeviceOptions,
} from '../../../host/net/udp-device.js';
import { decode, encode, type Packet } from '../../../host/wire/index.js';
import { scratch } from '../firmware/modules.js';

const HOST = '127.0.0.1';
const ALL_OF_LOOPBACK = '127.255.255.255';

let module: Uint8Array;
beforeAll(async () => {
  const out = join(scratch(), 'modem.wasm');
  const limits = { T_RETRY_MS: 40, RECONNECT_MS_MAX: 40, T_SEARCHGW_MS: 10, N_RETRY: 1 };
  await build({ name: 'modem-mqttsn', entry: 'modem-mqttsn', out, contract: true, limits });
  module = readFileSync(out);
});

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0)) await thing.close();
});

/** A gateway that is a socket and a list of what it has heard. */
class Node {
  readonly heard: Packet[] = [];
  private from: RemoteInfo | undefined;
  private readonly waiting: (() => void)[] = [];
  private constructor(readonly socket: Socket) {
    socket.on('message', (octets, from) => {
      this.from = from;
      this.heard.push(decode(octets) as Packet);
      for (const wake of this.waiting.splice(0)) wake();
    });
  }

  static async at(host: string, port = 0): Promise<Node> {
    const socket = createSocket({ type: 'udp4', reuseAddr: port > 0 });
    open.push({ close: () => socket.close() });
    socket.bind(port, host);
    await once(socket, 'listening');
    return new Node(socket);
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** The first packet of this type, which may be yet to come. */
  async hears(type: PacketType): Promise<Packet> {
    for (;;) {
      const packet = this.heard.find((p) => p.type === type);
      if (packet !== undefined) return packet;
      await new Promise<void>((wake) => this.waiting.push(wake));
    }
  }

  say(packet: Packet, port = this.from!.port, host = HOST): void {
    this.socket.send(encode(packet), port, host);
  }
}

interface Running {
  readonly device: UdpDevice;
  /** Resolves when the client has told this. */
  told(kind: EventKind): Promise<void>;
}

async function run(gateway: number, options: Partial<UdpDeviceOptions> = {}): Promise<Running> {
  const kinds: EventKind[] = [];
  const waiting: (() => void)[] = [];
  const device = await startUdpDevice(new DeviceModule(module), {
    host: HOST,
    port: gateway,
    seed: 1,
    onEvent: ({ kind }) => {
      kinds.push(kind);
      for (const wake of waiting.splice(0)) wake();
    },
    ...options,
  });
  open.push(device);
  device.act((d) => d.call('identify', d.write(Uint8Array.of(0x61))));
  return {
    device,
    told: async (kind) => {
      while (!kinds.includes(kind)) await new Promise<void>((wake) => waiting.push(wake));
    },
  };
}

const connAck: Packet = { type: PacketType.ConnAck, returnCode: 0 };

describe('a device on UDP', () => {
  it('speaks with the gateway it was given', async () => {
    const gateway = await Node.at(HOST);
    const { device, told } = await run(gateway.port);
    device.act((d, now) => d.call('connect', 0, 0, now));
    await gateway.hears(PacketType.Connect);
    gateway.say(connAck);
    await told(EventKind.Connected);
    device.act((d, now) => d.call('disconnect', now));
    await gateway.hears(PacketType.Disconnect);
  });

  it('tells that nobody listens where its gateway should be', async () => {
    const gone = await Node.at(HOST);
    const { port } = gone;
    gone.socket.close();
    open.length = 0;
    let onNetworkError: (error: Error) => void = () => {};
    const refused = new Promise<Error>((resolve) => (onNetworkError = resolve));
    const { device } = await run(port, { onNetworkError });
    device.act((d, now) => d.call('connect', 0, 0, now));
    expect(await refused).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('goes to the gateway that it hears of, and ignores the others', async () => {
    const [home, other] = [await Node.at(HOST), await Node.at(HOST)];
    const { device, told } = await run(home.port);
    device.act((d) => d.call('discover', 1));
    device.act((d, now) => d.call('connect', 0, 0, now));
    await home.hears(PacketType.SearchGw); // without a broadcast address there is nobody else to ask
    const { port, address } = other.socket.address();
    home.say({ type: PacketType.GwInfo, gwId: 2, gwAdd: toPeer({ host: address, port }) });
    await other.hears(PacketType.Connect);
    other.say(connAck);
    await told(EventKind.Connected);
    expect(home.heard.map(({ type }) => type)).toEqual([PacketType.SearchGw]);
    home.say({ type: PacketType.Disconnect, duration: undefined });
    other.say({ type: PacketType.PingReq, clientId: '' });
    await other.hears(PacketType.PingResp);
    expect(device.device.call('link')).toBe(2);
  });

  it('hears broadcasts and searches by broadcast where it is told to', async () => {
    const gateway = await Node.at(HOST);
    const neighbour = await Node.at('0.0.0.0');
    const { port } = neighbour;
    neighbour.socket.close();
    open.splice(-1);
    const listener = await Node.at('0.0.0.0', port);
    const { device, told } = await run(9, { broadcast: `${ALL_OF_LOOPBACK}:${port}` });
    device.act((d) => d.call('discover', 1));
    device.act((d, now) => d.call('connect', 0, 0, now));
    await listener.hears(PacketType.SearchGw);
    gateway.socket.setBroadcast(true);
    gateway.say({ type: PacketType.Advertise, gwId: 1, duration: 900 }, port, ALL_OF_LOOPBACK);
    await gateway.hears(PacketType.Connect);
    gateway.say(connAck);
    await told(EventKind.Connected);
  });

  it('with a broadcast address that is none does not start', async () => {
    await expect(run(9, { broadcast: 'everywhere' })).rejects.toThrow('ip:port');
  });

  it('closes twice without harm', async () => {
    const gateway = await Node.at(HOST);
    const { device } = await run(gateway.port, { broadcast: `${ALL_OF_LOOPBACK}:${gateway.port + 1}` });
    await device.close();
    await device.close();
  });
});

describe('an address of UDP', () => {
  it.each([
    ['127.0.0.1', 1884, [127, 0, 0, 1, 7, 92], '127.0.0.1'],
    ['::1', 65_535, [...Array(15).fill(0), 1, 255, 255], '0:0:0:0:0:0:0:1'],
    ['::', 0, Array(18).fill(0), '0:0:0:0:0:0:0:0'],
    ['fe80::1:2%eth0', 1, [0xfe, 0x80, ...Array(10).fill(0), 0, 1, 0, 2, 0, 1], 'fe80:0:0:0:0:0:1:2'],
    ['1:2:3:4:5:6:7:8', 258, [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 1, 2], '1:2:3:4:5:6:7:8'],
    ['64:ff9b::1.2.3.4', 3, [0, 0x64, 0xff, 0x9b, ...Array(8).fill(0), 1, 2, 3, 4, 0, 3], '64:ff9b:0:0:0:0:102:304'],
    ['::ffff:10.0.0.1', 3, [10, 0, 0, 1, 0, 3], '10.0.0.1'],
  ])('%s port %d is octets, and back', (host, port, octets, again) => {
    expect([...toPeer({ host, port })]).toEqual(octets);
    expect(fromPeer(Uint8Array.from(octets))).toEqual({ host: again, port });
  });

  it('is nothing else', () => {
    expect(toPeer({ host: 'localhost', port: 1 })).toHaveLength(0);
    expect(fromPeer(new Uint8Array(7))).toBeUndefined();
    expect(fromPeer(new Uint8Array())).toBeUndefined();
  });
});

/** Keeps the last image, and remembers what was asked of it. */
class Memory implements StateStore {
  readonly asked: string[] = [];
  image: Uint8Array | undefined;

  load(): Uint8Array | undefined {
    return this.image;
  }

  keep(image: Uint8Array): void {
    this.asked.push('keep');
    this.image = image;
  }

  forget(): void {
    this.asked.push('forget');
    this.image = undefined;
  }
}

describe('a device on UDP whose state is kept', () => {
  it('goes on from there after it was off', async () => {
    const [gateway, state, begun] = [await Node.at(HOST), new Memory(), [] as string[]];
    const onBegin = (how: string): void => void begun.push(how);
    const first = await run(gateway.port, { state, onBegin });
    first.device.act((d, now) => d.call('connect', 0, 0, now));
    await gateway.hears(PacketType.Connect);
    gateway.say(connAck);
    await first.told(EventKind.Connected);
    await first.device.close();
    const second = await run(gateway.port, { state, onBegin });
    await gateway.hears(PacketType.PingReq); // whether its session still stands
    expect(second.device.device.call('link')).toBe(2);
    expect(begun).toEqual(['started', 'resumed']);
  });

  it('says nothing that does not follow from what is kept', async () => {
    const [gateway, state] = [await Node.at(HOST), new Memory()];
    const { device } = await run(gateway.port, { state, tap: () => state.asked.push('say') });
    state.asked.length = 0;
    const kept = state.image!;
    device.act((d, now) => d.call('connect', 0, 0, now));
    expect(state.asked).toEqual(['say', 'keep']); // the module said it to the board, which kept the state
    expect(state.image).not.toEqual(kept);
    await gateway.hears(PacketType.Connect); // and only then sent it
  });

  it('says nothing at all where its state cannot be kept', async () => {
    const [gateway, state] = [await Node.at(HOST), new Memory()];
    const { device } = await run(gateway.port, { state });
    state.keep = () => {
      throw new Error('the disk is full');
    };
    expect(() => device.act((d, now) => d.call('connect', 0, 0, now))).toThrow('the disk is full');
    const other = createSocket('udp4');
    open.push({ close: () => other.close() });
    other.send(encode(connAck), gateway.port, HOST); // arrives after whatever the device would have said
    await gateway.hears(PacketType.ConnAck);
    expect(gateway.heard.map(({ type }) => type)).toEqual([PacketType.ConnAck]);
  });

  it('starts anew where what was kept is damaged', async () => {
    const [gateway, state, begun] = [await Node.at(HOST), new Memory(), [] as string[]];
    const first = await run(gateway.port, { state });
    await first.device.close();
    state.image = state.image!.with(100, state.image![100]! ^ 1);
    await run(gateway.port, { state, onBegin: (how) => void begun.push(how) });
    expect(begun).toEqual(['started']);
  });
});
