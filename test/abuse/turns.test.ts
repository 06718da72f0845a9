// One client that sends without end: others are read in between.
import { expect, it } from 'vitest';
import { Broker } from '../../host/broker/broker.js';
import { Xoshiro128 } from '../../host/core/random.js';
import { BrokerTimer } from '../../host/net/broker-timer.js';
import type { Channel, ChannelEvents } from '../../host/net/channel.js';
import { Flusher, MqttSocket, SOCKET_LIMITS } from '../../host/net/mqtt-socket.js';
import { connectBytes, publishBytes } from '../host/net/listeners-world.js';

/** A network that has always more to read. */
class Firehose implements Channel {
  pendingBytes = 0;
  isReading = true;
  events!: ChannelEvents;

  open(events: ChannelEvents): void {
    this.events = events;
  }
  pause(): void {
    this.isReading = false;
  }
  resume(): void {
    this.isReading = true;
  }
  write(): void {}
  cork(): void {}
  uncork(): void {}
  end(): void {}
  destroy(): void {}
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('a client is read 64 KiB at a time, however large the chunks, and then again', async () => {
  const broker = new Broker({}, { random: new Xoshiro128(1) });
  const clock = (): number => 1_000;
  const timer = new BrokerTimer(broker, clock);
  const context = { broker, clock, log: () => {}, limits: SOCKET_LIMITS, timer, flusher: new Flusher() };
  const hose = new Firehose();
  new MqttSocket(context, hose, { transport: 'tcp' });
  hose.events.received(connectBytes('hose'));
  const chunk = publishBytes('t', Buffer.alloc(10_000));
  for (let turn = 0; turn < 3; turn++) {
    let bytes = 0;
    for (; hose.isReading; bytes += chunk.length) hose.events.received(chunk);
    expect(bytes).toBeGreaterThan(50_000);
    expect(bytes).toBeLessThan(90_000);
    await nextTurn();
    expect(hose.isReading).toBe(true);
  }
  hose.events.received(Buffer.alloc(70_000, chunk));
  hose.events.closed(); // while it waits for its turn
  await nextTurn();
  expect(hose.isReading).toBe(false);
  timer.stop();
});
