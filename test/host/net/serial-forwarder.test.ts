import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PacketType } from '../../../assembly/protocol/index.js';
import { type ForwardedLine, type ForwarderOptions, SerialForwarder } from '../../../host/net/serial-forwarder.js';
import { decode, encode, type Packet } from '../../../host/wire/index.js';
import { until } from '../../e2e/world.js';

const HOST = '127.0.0.1';
const PINGRESP = encode({ type: PacketType.PingResp });
const ADVERTISE = encode({ type: PacketType.Advertise, gwId: 3, duration: 900 });
const SEARCHGW = encode({ type: PacketType.SearchGw, radius: 2 });

type Forwarded = Extract<Packet, { type: PacketType.Forwarded }>;

const envelope = (wirelessNodeId: Uint8Array, inner: Uint8Array, ctrl = 0): Uint8Array =>
  encode({ type: PacketType.Forwarded, ctrl, wirelessNodeId, inner });

/** A socket in the gateway's place, a forwarder, and lines that keep what they are handed. */
class World {
  readonly heard: Forwarded[] = [];
  readonly said: string[] = [];
  readonly lines = new Map<string, Uint8Array[]>();
  forwarder!: SerialForwarder;
  private from = 0;

  private constructor(readonly gateway: Socket) {}

  static async open(options: Partial<ForwarderOptions> = {}): Promise<World> {
    const gateway = createSocket('udp4').bind(0, HOST);
    await once(gateway, 'listening');
    const world = new World(gateway);
    gateway.on('message', (datagram, { port }) => {
      world.from = port;
      world.heard.push(decode(new Uint8Array(datagram)) as Forwarded);
    });
    const { port } = gateway.address();
    world.forwarder = await SerialForwarder.open({
      gateway: { host: HOST, port },
      onLog: (line, level, text) => world.said.push(`${line} ${level} ${text}`),
      ...options,
    });
    return world;
  }

  add(name: string, nodeId?: Uint8Array, takes = true): ForwardedLine {
    const packets: Uint8Array[] = [];
    this.lines.set(name, packets);
    const send = (packet: Uint8Array): boolean => {
      if (takes) packets.push(packet.slice());
      return takes;
    };
    return this.forwarder.add({ name, send, ...(nodeId && { nodeId }) });
  }

  /** From the gateway, which knows where the forwarder is from what that has said. */
  async answer(...datagrams: Uint8Array[]): Promise<void> {
    const { up, down, dropped } = this.forwarder.counters;
    await until('a word', () => this.heard.length > 0);
    for (const datagram of datagrams) this.gateway.send(datagram, this.from, HOST);
    await until('the answers', () => {
      const now = this.forwarder.counters;
      return now.up + now.down + now.dropped >= up + down + dropped + datagrams.length;
    });
  }

  async close(): Promise<void> {
    await this.forwarder.close();
    this.gateway.close();
  }
}

let world: World;

beforeEach(async () => {
  world = await World.open();
});

afterEach(() => world.close());

describe('a serial forwarder', () => {
  it("puts what a board says into an envelope with its line's node id", async () => {
    const nodeId = Uint8Array.of(1, 2, 3);
    world.add('a', nodeId).receive(SEARCHGW);
    const [heard] = await until('the envelope', () => world.heard.length > 0 && world.heard);
    expect(heard).toMatchObject({ type: PacketType.Forwarded, ctrl: 0 });
    expect([...heard!.wirelessNodeId]).toEqual([...nodeId]);
    expect([...heard!.inner]).toEqual([...SEARCHGW]);
  });

  it('hands what an envelope holds to the line that it names', async () => {
    const [a, b] = [world.add('a'), world.add('b')];
    a.receive(SEARCHGW);
    await world.answer(envelope(b.nodeId, PINGRESP));
    expect(world.lines.get('a')).toEqual([]);
    expect(world.lines.get('b')).toEqual([PINGRESP]);
    expect(world.forwarder.counters).toEqual({ up: 1, down: 1, dropped: 0 });
  });

  it.each([
    ['an envelope with a radius', envelope(Uint8Array.of(99), PINGRESP, 1), PINGRESP],
    ['an ADVERTISE', ADVERTISE, ADVERTISE],
  ])('hands %s to every board', async (_, datagram, packet) => {
    world.add('a').receive(SEARCHGW);
    world.add('b');
    await world.answer(datagram);
    await until('both', () => world.lines.get('b')!.length > 0);
    expect([...world.lines.values()]).toEqual([[packet], [packet]]);
  });

  it.each([
    ['for a node that is not here', envelope(Uint8Array.of(99), PINGRESP)],
    ['without an envelope that is for one client', PINGRESP],
    ['that is no packet', Uint8Array.of(9, 9)],
  ])('drops what comes %s', async (_, datagram) => {
    world.add('a').receive(SEARCHGW);
    await world.answer(datagram);
    expect(world.forwarder.counters).toEqual({ up: 1, down: 0, dropped: 1 });
    expect(world.lines.get('a')).toEqual([]);
  });

  it.each([
    ['has lost octets', PINGRESP.subarray(1)],
    ['has octets too many', Uint8Array.of(...PINGRESP, 0)],
    ['is in an envelope already', envelope(Uint8Array.of(1), PINGRESP)],
    ['is an envelope with nothing in it', Uint8Array.of(4, PacketType.Forwarded, 0, 1)],
  ])('passes nothing on that %s', async (_, frame) => {
    const line = world.add('a');
    line.receive(frame);
    line.receive(SEARCHGW);
    await until('the one', () => world.heard.length > 0);
    expect(world.heard.map(({ inner }) => [...inner])).toEqual([[...SEARCHGW]]);
    expect(world.forwarder.counters.dropped).toBe(1);
  });

  it('shows what a board says to people, without what would be a command to their terminal', () => {
    const text = new TextEncoder().encode('hot: 41 °C\x1b[2J\r\n!');
    world.add('oven').receive(Uint8Array.of(0, 1, ...text));
    expect(world.said).toEqual(['oven 1 hot: 41 °C [2J !']);
    expect(world.forwarder.counters.up).toBe(0);
  });

  it('counts what a line cannot take as dropped', async () => {
    const line = world.add('a', undefined, false);
    line.receive(SEARCHGW);
    await world.answer(envelope(line.nodeId, PINGRESP));
    expect(world.forwarder.counters).toEqual({ up: 1, down: 0, dropped: 1 });
  });

  it('derives node ids from names, and the same from the same', async () => {
    const other = await World.open();
    const [a, b] = [world.add('/dev/ttyACM0'), world.add('/dev/ttyACM1')];
    expect([...other.add('/dev/ttyACM0').nodeId]).toEqual([...a.nodeId]);
    expect([...b.nodeId]).not.toEqual([...a.nodeId]);
    await other.close();
  });

  it('takes no node id twice, and none that is too long or empty', () => {
    world.add('a', Uint8Array.of(1));
    expect(() => world.add('b', Uint8Array.of(1))).toThrow(/a and b/);
    expect(() => world.add('c', new Uint8Array())).toThrow(RangeError);
    expect(() => world.add('c', new Uint8Array(9))).toThrow(RangeError);
  });

  it('goes on where no gateway is there, and says so', async () => {
    const errors: Error[] = [];
    const alone = await World.open({ onNetworkError: (error) => errors.push(error) });
    alone.gateway.close();
    await once(alone.gateway, 'close');
    const line = alone.add('a');
    line.receive(SEARCHGW);
    await until('a complaint', () => errors.length > 0);
    line.receive(SEARCHGW);
    expect(alone.forwarder.counters.up).toBe(2);
    await alone.forwarder.close();
  });
});
