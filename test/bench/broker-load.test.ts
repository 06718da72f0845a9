// The load of bench:broker: it must find every packet, count every message, and say so when one is missing.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { flood } from '../../bench/broker/flood.js';
import { pace, quantile } from '../../bench/broker/pace.js';
import {
  Acks,
  CONNACK,
  CONNECT,
  PAYLOAD_BYTES,
  PUBACK,
  PUBLISH,
  PublishRing,
  publish,
  QOS,
  QOS_SHIFT,
  SUBACK,
  SUBSCRIBE,
  subscribe,
  TYPE,
} from '../../bench/broker/packets.js';
import { FrameScanner } from '../../bench/broker/scanner.js';
import { type Shape, Traffic } from '../../bench/broker/traffic.js';

describe('The scanner', () => {
  /** One with a length of one octet, one with two, one with three, and one without a body. */
  const packets = [
    publish('a/b', 0, 0),
    publish('t'.repeat(200), 1, 7),
    subscribe('x'.repeat(20_000), 2),
    Buffer.of(0xd0, 0),
    publish('a/b', 2, 9),
  ];
  const stream = Buffer.concat(packets);

  function scan(chunks: readonly Buffer[]): Buffer[] {
    const found: Buffer[] = [];
    const scanner = new FrameScanner((bytes, at, bodyAt, end) => {
      const frame = Buffer.from(bytes.subarray(at, end));
      // The body begins where the length ends, which is the first octet without the continuation bit.
      let length = 1;
      while (frame[length]! >= 0x80) length++;
      expect(bodyAt - at).toBe(length + 1);
      found.push(frame);
    });
    for (const chunk of chunks) {
      const lent = Buffer.alloc(chunk.length + 3, 0xff); // what lies behind the chunk is not of it
      chunk.copy(lent);
      scanner.scan(lent, chunk.length);
      lent.fill(0xee); // the octets are the caller's again
    }
    return found;
  }

  /** As numbers: thousands of octets are compared hundreds of times. */
  function expectAll(found: readonly Buffer[]): void {
    expect(found.map(({ length }) => length)).toEqual(packets.map(({ length }) => length));
    expect(Buffer.compare(Buffer.concat(found), stream)).toBe(0);
  }

  it('finds every packet of a stream that is cut in two, wherever it is cut', () => {
    // Within the long packet, one cut is as another: only the ends are of interest.
    const cuts = [...Array(400).keys(), ...Array.from({ length: 100 }, (_, i) => stream.length - i)];
    for (const cut of cuts) expectAll(scan([stream.subarray(0, cut), stream.subarray(cut)]));
  });

  it('finds every packet of a stream that comes octet by octet', () => {
    expectAll(scan([...stream].map((octet) => Buffer.of(octet))));
  });

  it('gives nothing of a packet whose end has not come', () => {
    expect(scan([stream.subarray(0, stream.length - 1)]).length).toBe(packets.length - 1);
  });
});

describe('The ring of PUBLISHes', () => {
  it('gives them in order with the identifiers from 1 on, and begins again after the last', () => {
    const ring = new PublishRing('a/b', 1, 5);
    const of = (ids: readonly number[]): Buffer => Buffer.concat(ids.map((id) => publish('a/b', 1, id)));
    expect(ring.take(3)).toEqual(of([1, 2, 3]));
    expect(ring.take(3)).toEqual(of([4, 5])); // up to its end
    expect(ring.take(1)).toEqual(of([1]));
  });
});

describe('Acknowledgements', () => {
  it('are one write each read, with the identifiers as they came', () => {
    const acks = new Acks();
    expect(acks.take()).toBeUndefined();
    for (let id = 0; id < 100; id++) acks.add(PUBACK, id >> 8, id & 0xff);
    const each = Array.from({ length: 100 }, (_, id) => [PUBACK, 2, 0, id]);
    expect([...acks.take()!]).toEqual(each.flat());
    expect(acks.take()).toBeUndefined();
  });
});

describe('A quantile', () => {
  it('is the smallest value that at least its part of all does not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
    expect([quantile(hundred, 0.5), quantile(hundred, 0.99), quantile([3], 0.99)]).toEqual([50, 99, 3]);
  });
});

/** A broker that gives each message to its subscribers as often as it is told, and acknowledges it. */
class Fake {
  /** How often, for the message of that number. */
  copies: (message: number) => number = () => 1;
  published = 0;
  private readonly subscribers: Socket[] = [];
  private readonly server: Server;

  constructor() {
    this.server = createServer((socket) => {
      const scanner = new FrameScanner((bytes, at, bodyAt, end) =>
        this.take(socket, Buffer.from(bytes.subarray(at, end)), bodyAt - at),
      );
      socket.on('data', (chunk) => scanner.scan(chunk, chunk.length));
      socket.on('error', () => {});
    });
  }

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  close(): void {
    this.server.close();
  }

  private take(socket: Socket, packet: Buffer, bodyAt: number): void {
    const first = packet[0]!;
    const type = first & TYPE;
    if (type === CONNECT) socket.write(Buffer.of(CONNACK, 2, 0, 0));
    else if (type === (SUBSCRIBE & TYPE)) {
      this.subscribers.push(socket);
      socket.write(Buffer.of(SUBACK, 3, packet[bodyAt]!, packet[bodyAt + 1]!, packet.at(-1)!));
    } else if (type === PUBLISH) {
      const copies = this.copies(this.published++);
      for (const subscriber of this.subscribers) for (let i = 0; i < copies; i++) subscriber.write(packet);
      const idAt = packet.length - PAYLOAD_BYTES - 2;
      if (((first >> QOS_SHIFT) & QOS) === 1) socket.write(Buffer.of(PUBACK, 2, packet[idAt]!, packet[idAt + 1]!));
    }
  }
}

describe('The count of deliveries', () => {
  const windows = { messagesMax: 20, deliveriesMax: 40, inflightMax: 4 };
  const options = { windows, warmupMs: 1, timeMs: 20, brokerPid: process.pid, silenceMsMax: 200 };
  const open: { close(): void }[] = [];
  afterEach(() => {
    for (const each of open.splice(0)) each.close();
  });

  async function around(shape: Shape): Promise<{ fake: Fake; traffic: Traffic }> {
    const fake = new Fake();
    open.push(fake);
    const traffic = await Traffic.open(await fake.listen(), shape);
    open.push(traffic);
    return { fake, traffic };
  }

  for (const qos of [0, 1]) {
    it(`is complete at QoS ${qos} when every subscriber gets every message of every publisher`, async () => {
      const { fake, traffic } = await around({ publishers: 3, subscribers: 2, qos });
      const result = await flood(traffic, options);
      expect(result.sent).toBeGreaterThan(0);
      expect(fake.published).toBe(result.sent);
      expect(result.expected).toBe(2 * result.sent);
      expect(result.received).toBe(result.expected);
    });
  }

  it('lacks a message that never arrives, and the run ends all the same', async () => {
    const { fake, traffic } = await around({ publishers: 1, subscribers: 2, qos: 0 });
    fake.copies = (message) => (message === 3 ? 0 : 1);
    const { expected, received } = await flood(traffic, options);
    expect(expected - received).toBe(2);
  });

  it('has one too many when a message arrives twice', async () => {
    const { fake, traffic } = await around({ publishers: 1, subscribers: 1, qos: 1 });
    fake.copies = (message) => (message === 3 ? 2 : 1);
    const { expected, received } = await flood(traffic, options);
    expect(received - expected).toBe(1);
  });

  it('never lets more be on its way than the window, nor more be open than a publisher may have', async () => {
    const { fake, traffic } = await around({ publishers: 2, subscribers: 1, qos: 1 });
    let open = 0;
    let onTheirWay = 0;
    fake.copies = () => {
      open = Math.max(open, traffic.inflight);
      onTheirWay = Math.max(onTheirWay, traffic.expected - traffic.tally.received);
      return 1;
    };
    await flood(traffic, options);
    expect(open).toBeGreaterThan(0);
    expect(open).toBeLessThanOrEqual(2 * windows.inflightMax);
    expect(onTheirWay).toBeLessThanOrEqual(windows.messagesMax);
  });

  it('at a moderate rate is of as many messages as the rate and the time come to, each with its latency', async () => {
    const { fake, traffic } = await around({ publishers: 2, subscribers: 3, qos: 1 });
    const result = await pace(traffic, { messagesPerSecond: 1_000, timeMs: 20, inflightMax: 4 });
    expect(fake.published).toBe(20);
    expect(result).toMatchObject({ deliveries: 60, expected: 60, received: 60 });
    expect(result.p99Ms).toBeGreaterThanOrEqual(result.p50Ms!);
    expect(result.p50Ms).toBeGreaterThan(0);
  });

  it('at a moderate rate tells a lost message from the others', async () => {
    const { fake, traffic } = await around({ publishers: 1, subscribers: 1, qos: 0 });
    fake.copies = (message) => (message === 3 ? 0 : 1);
    const load = { messagesPerSecond: 1_000, timeMs: 10, inflightMax: 4, silenceMsMax: 200 };
    expect(await pace(traffic, load)).toMatchObject({ deliveries: 9, expected: 10, received: 9 });
  });
});

describe('A client of the load', () => {
  it('takes no subscription at another QoS than it asked for', async () => {
    const server = createServer((socket) => {
      socket.once('data', () => {
        socket.write(Buffer.of(CONNACK, 2, 0, 0));
        socket.once('data', () => socket.write(Buffer.of(SUBACK, 3, 0, 1, 1)));
      });
      socket.on('error', () => {});
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await expect(Traffic.open(port, { publishers: 1, subscribers: 1, qos: 2 })).rejects.toThrow(
      'QoS 1 is granted, not 2',
    );
    server.close();
  });

  it('is told why the broker does not take its connection', async () => {
    const server = createServer((socket) => {
      socket.once('data', () => socket.write(Buffer.of(CONNACK, 2, 0, 5)));
      socket.on('error', () => {});
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const opened = Traffic.open(port, { publishers: 1, subscribers: 1, qos: 0 });
    await expect(opened).rejects.toThrow('refuses the connection with 5');
    server.close();
  });
});
