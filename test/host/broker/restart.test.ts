// A broker with a journal, and the one after it: what is neither lost nor comes back.
import { expect, it } from 'vitest';
import { Broker } from '../../../host/broker/broker.js';
import type { BrokerConfig } from '../../../host/broker/config.js';
import { JournalState } from '../../../host/broker/journal-state.js';
import { type ConnectPacket, type Packet, publishPacket } from '../../../host/broker/packets.js';
import { MemoryJournal } from '../../../host/core/memory-journal.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import type { Qos } from '../../../host/ports.js';
import { messageOf, textOf, utf8 } from './scripted.js';

class Life {
  readonly broker: Broker;
  /** Called for each packet to a client, in the middle of the broker's work. */
  onSend: (packet: Packet) => void = () => {};

  constructor(
    readonly journal: MemoryJournal,
    config: Partial<BrokerConfig> = {},
  ) {
    this.broker = new Broker(config, { random: new Xoshiro128(1), durable: new JournalState(journal, 0) });
    this.broker.restore(0);
  }

  /** The process is killed; all that it has committed is on the disk. */
  next(config: Partial<BrokerConfig> = {}): Life {
    this.settle();
    return new Life(this.journal.afterCrash(), config);
  }

  settle(): void {
    while (this.journal.hasEnded) this.journal.flush(0);
  }

  retain(topic: string, payload: string): void {
    this.broker.publish({ topic, payload: utf8(payload), qos: 1, retain: true }, 0);
  }

  connect(options: Partial<ConnectPacket> & { clientId: string }) {
    const heard: Packet[] = [];
    const connection = this.broker.accept(
      {
        send: (packet) => {
          heard.push(packet);
          this.onSend(packet);
        },
        close: () => {},
      },
      0,
    );
    connection.receive({ cmd: 'connect', clean: true, keepalive: 0, ...options }, 0);
    const payloads = (): string[] =>
      heard.splice(0).flatMap((packet) => (packet.cmd === 'publish' ? [textOf(packet.payload)] : []));
    const subscribe = (topic: string, qos: Qos = 0): void =>
      connection.receive({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] }, 0);
    return { connection, heard, payloads, subscribe };
  }

  /** What is retained, by their payloads. */
  retained(): string[] {
    const reader = this.connect({ clientId: 'reader' });
    reader.subscribe('#');
    this.settle();
    const payloads = reader.payloads();
    reader.connection.closed(0);
    return payloads;
  }
}

it('forgets for good the retained messages for which there is no room after a restart', () => {
  const first = new Life(new MemoryJournal());
  first.retain('a', 'old a');
  first.retain('b', 'old b');
  const small = first.next({ retainedMessagesMax: 1 });
  expect(small.retained()).toHaveLength(1);
  expect(small.broker.counters.retainRefused).toBe(1);
  small.retain('a', '');
  small.retain('b', '');
  expect(small.next().retained()).toEqual([]);
});

it.each([
  ['has no session', true],
  ['has one, and a will without delay', false],
])('publishes the will of a client that left with the process and %s, even if it is the first to come', (_, clean) => {
  const first = new Life(new MemoryJournal());
  first.connect({ clientId: 'watcher', clean: false }).subscribe('w', 1);
  first.connect({ clientId: 'c', clean, will: { topic: 'w', payload: utf8('gone'), qos: 1 } });
  const second = first.next();
  second.connect({ clientId: 'c', clean });
  second.broker.poll(0);
  expect(second.broker.counters.willsPublished).toBe(1);
  const third = second.next();
  const watcher = third.connect({ clientId: 'watcher', clean: false });
  third.settle();
  expect(watcher.payloads()).toEqual(['gone']);
});

it('goes on sending to a client that asks so much that some answer always waits for the disk', () => {
  const life = new Life(new MemoryJournal());
  const { connection, ...busy } = life.connect({ clientId: 'busy', clean: false });
  busy.subscribe('t');
  life.settle();
  let lastId = 0;
  const ask = (): void => connection.receive(publishPacket(messageOf('u', '', 2), 2, false, ++lastId), 0);
  while (!connection.isHeldUp) ask();
  life.broker.publish(messageOf('t', 'x'), 0);
  life.onSend = ({ cmd }) => {
    if (cmd === 'pubrec') ask(); // it is read on as soon as there is room
  };
  for (let i = 0; i < 2; i++) life.journal.flush(0);
  expect(connection.isHeldUp).toBe(true);
  expect(busy.payloads()).toEqual(['x']);
});
