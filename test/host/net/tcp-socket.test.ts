// The part of a connection that is the same on every channel, on one that does what the test says, in virtual time.
import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Broker } from '../../../host/broker/broker.js';
import { PacketStream } from '../../../host/broker/stream.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import { Arrival } from '../../../host/net/arrival.js';
import { BrokerTimer } from '../../../host/net/broker-timer.js';
import type { Channel, ChannelEvents } from '../../../host/net/channel.js';
import { Flusher, MqttSocket, SOCKET_LIMITS } from '../../../host/net/mqtt-socket.js';
import { BATCH_BYTES_MAX, UNCOPIED_BYTES_MIN } from '../../../host/net/write-batch.js';
import { CONNACK, connectBytes, publishBytes, subscribeBytes } from './listeners-world.js';

const LIMITS = { ...SOCKET_LIMITS, writeBufferBytesMax: 100_000, stallMsMax: 5_000, closeGraceMs: 1_000 };
const SUBACK = Buffer.of(0x90, 0x03, 0x00, 0x01, 0x00);
const PING = Buffer.of(0xc0, 0x00);
const PONG = Buffer.of(0xd0, 0x00);

/** A network that takes nothing until it is told to. */
class Network implements Channel {
  events!: ChannelEvents;
  written: Uint8Array[] = [];
  /** What is taken at once, from now on. */
  takes = true;
  pendingBytes = 0;
  isReading = true;
  ended: string | undefined;
  isDestroyed = false;

  open(events: ChannelEvents): void {
    this.events = events;
  }

  write(bytes: Uint8Array): void {
    // As the network does: what is not taken at once is read later, from the same memory.
    this.written.push(this.takes ? Uint8Array.from(bytes) : bytes);
    if (!this.takes) this.pendingBytes += bytes.length;
  }

  cork(): void {}
  uncork(): void {}

  pause(): void {
    this.isReading = false;
  }

  resume(): void {
    this.isReading = true;
  }

  end(reason: string): void {
    this.ended = reason;
  }

  destroy(): void {
    this.isDestroyed = true;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.written);
  }

  takeAll(): void {
    this.pendingBytes = 0;
    this.takes = true;
    this.events.drained();
  }
}

let broker: Broker;
let network: Network;
let socket: MqttSocket;
let now: number;
let context: ConstructorParameters<typeof MqttSocket>[0];

function open(): Network {
  const opened = new Network();
  socket = new MqttSocket(context, opened, { transport: 'tcp' });
  return opened;
}

/** What was written goes out. */
const turn = (): Promise<void> => vi.advanceTimersByTimeAsync(0).then(() => {});

async function pass(ms: number): Promise<void> {
  now += ms;
  await vi.advanceTimersByTimeAsync(ms);
}

/** A client that has subscribed to everything, and what it was told of that is forgotten. */
async function subscribed(): Promise<Network> {
  const opened = open();
  opened.events.received(Buffer.concat([connectBytes(`c${broker.counters.connections}`), subscribeBytes('#')]));
  await turn();
  expect(opened.bytes).toEqual(Buffer.concat([CONNACK, SUBACK]));
  opened.written = [];
  return opened;
}

const publish = (payload: Buffer): void => broker.publish({ topic: 't', payload, qos: 0, retain: false }, now);

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] });
  now = 1_000;
  broker = new Broker({}, { random: new Xoshiro128(1) });
  const clock = () => now;
  context = {
    broker,
    clock,
    log: () => {},
    limits: LIMITS,
    timer: new BrokerTimer(broker, clock),
    flusher: new Flusher(),
  };
  network = await subscribed();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('What is written', () => {
  it('in one turn goes out as one', async () => {
    for (let i = 0; i < 100; i++) publish(Buffer.from(`${i}`));
    expect(network.written).toEqual([]);
    await turn();
    expect(network.written).toHaveLength(1);
    expect(network.bytes).toEqual(Buffer.concat(Array.from({ length: 100 }, (_, i) => publishBytes('t', `${i}`))));
  });

  it('is copied where it is small, and not where it is large', async () => {
    const sizes = [1, UNCOPIED_BYTES_MIN, 2, 3, UNCOPIED_BYTES_MIN + 1, UNCOPIED_BYTES_MIN, 4];
    for (const size of sizes) publish(Buffer.alloc(size, size));
    await turn();
    expect(network.written).toHaveLength(6);
    expect(network.bytes).toEqual(Buffer.concat(sizes.map((size) => publishBytes('t', Buffer.alloc(size, size)))));
  });

  it('does not wait for the end of the turn where it is much', () => {
    const payload = Buffer.alloc(1_000);
    const count = Math.ceil(BATCH_BYTES_MAX / publishBytes('t', payload).length);
    for (let i = 0; i < count - 1; i++) publish(payload);
    expect(network.written).toEqual([]);
    publish(payload);
    expect(network.written).toHaveLength(1);
  });

  it('stays as it was until the network has taken it, whatever others are told meanwhile', async () => {
    network.takes = false;
    const second = await subscribed();
    const third = await subscribed();
    third.takes = false;
    const expected: Buffer[] = [];
    for (let i = 0; i < 2_000; i++) {
      const some = [Buffer.from(`first ${i}`), Buffer.from(`second ${i}`)];
      for (const payload of some) publish(payload);
      expected.push(...some.map((payload) => publishBytes('t', payload)));
      await turn();
    }
    for (const each of [network, second, third]) expect(each.bytes.equals(Buffer.concat(expected))).toBe(true);
  });
});

describe('A client that does not read', () => {
  const fill = async (): Promise<void> => {
    network.takes = false;
    for (let i = 0; i < 10; i++) publish(Buffer.alloc(10_000));
    await turn();
  };

  it('is not read from either, until it has read', async () => {
    await fill();
    expect(network.isReading).toBe(false);
    network.takeAll();
    expect(network.isReading).toBe(true);
    network.events.received(PING);
    await turn();
    expect(network.bytes.subarray(-2)).toEqual(PONG);
    await pass(LIMITS.stallMsMax);
    expect(network.ended).toBeUndefined();
  });

  it('gets what waited for it, once it has read', async () => {
    await fill();
    network.written = [];
    publish(Buffer.from('later'));
    await turn();
    expect(network.written).toEqual([]);
    network.takeAll();
    await turn();
    expect(network.bytes).toEqual(publishBytes('t', 'later'));
  });

  it('is given up in the end, and cut off', async () => {
    await fill();
    await pass(LIMITS.stallMsMax - 1);
    expect(network.ended).toBeUndefined();
    await pass(1);
    expect(network.ended).toBe('slow');
    expect(network.isReading).toBe(false);
    await pass(LIMITS.closeGraceMs - 1);
    expect(network.isDestroyed).toBe(false);
    await pass(1);
    expect(network.isDestroyed).toBe(true);
  });
});

describe('A client that sends too much', () => {
  /** The stream says that its client is ahead of its rate by so long. */
  const overdo = (ms: number): void => {
    const receive = vi.spyOn(PacketStream.prototype, 'receive').mockImplementationOnce(function (this: PacketStream) {
      this.resumeAt = now + ms;
    });
    network.events.received(PING);
    receive.mockRestore();
  };

  it('is not read from before its stream says so', async () => {
    overdo(300);
    expect(network.isReading).toBe(false);
    await pass(299);
    expect(network.isReading).toBe(false);
    await pass(1);
    expect(network.isReading).toBe(true);
  });

  it('is read from where the moment has passed', () => {
    overdo(0);
    expect(network.isReading).toBe(true);
  });

  it('and does not read is read from when neither is so any more', async () => {
    network.takes = false;
    for (let i = 0; i < 10; i++) publish(Buffer.alloc(10_000));
    await turn();
    overdo(300);
    network.takeAll();
    expect(network.isReading).toBe(false);
    await pass(300);
    expect(network.isReading).toBe(true);
    overdo(300);
    network.takes = false;
    for (let i = 0; i < 10; i++) publish(Buffer.alloc(10_000));
    await turn();
    await pass(300);
    expect(network.isReading).toBe(false);
    network.takeAll();
    expect(network.isReading).toBe(true);
  });
});

describe('The end', () => {
  it('comes with the last words, and then with patience for so long', async () => {
    network.events.received(PING);
    network.events.received(Buffer.of(0xe0, 0x00)); // DISCONNECT
    expect(network.bytes).toEqual(PONG);
    expect(network.ended).toBe('disconnect');
    await pass(LIMITS.closeGraceMs);
    expect(network.isDestroyed).toBe(true);
  });

  it('leaves no timer behind', async () => {
    socket.pauseUntil(now + 500);
    network.events.closed();
    await turn();
    context.timer.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('of a client that says no more is the end of its connection', () => {
    network.events.ended();
    expect(broker.counters.connectionsNow).toBe(0);
    expect(network.ended).toBe('left');
  });

  it('comes at once where the broker has stopped', () => {
    broker.stop(now);
    expect(open().ended).toBe('stopped');
  });

  it('can be given more time', async () => {
    socket.leave(3_000);
    await pass(2_999);
    expect(network.isDestroyed).toBe(false);
    await pass(1);
    expect(network.isDestroyed).toBe(true);
  });
});

describe('A limit of time that is Infinity', () => {
  const AGES_MS = 1_000_000_000;

  it('never gives up a client that does not read', async () => {
    context = { ...context, limits: { ...LIMITS, stallMsMax: Number.POSITIVE_INFINITY } };
    const slow = await subscribed();
    slow.takes = false;
    for (let i = 0; i < 11; i++) publish(Buffer.alloc(10_000));
    await pass(AGES_MS);
    expect(slow.isReading).toBe(false);
    expect(slow.ended).toBe(undefined);
  });

  it('leaves a client all the time it takes to go', async () => {
    socket.leave(Number.POSITIVE_INFINITY);
    expect(network.ended).toBe('left');
    await pass(AGES_MS);
    expect(network.isDestroyed).toBe(false);
  });

  it('leaves a client all the time it takes to come', async () => {
    const other = new Socket();
    new Arrival(other, () => {}).limit(Number.POSITIVE_INFINITY);
    await pass(AGES_MS);
    expect(other.destroyed).toBe(false);
    other.destroy();
  });
});
