// Abuse of real sockets: clients that do not read, that begin and do not go on, that come in crowds and vanish in the middle. No
// times are looked at, but that what has a limit of time ends; `npm run bench:broker -- --only abuse` measures latency and memory.
import { once } from 'node:events';
import { connect as dial, type Socket } from 'node:net';
import type { MqttClient } from 'mqtt';
import { afterAll, describe, expect, it } from 'vitest';
import { Broker } from '../../host/broker/broker.js';
import { JournalState } from '../../host/broker/journal-state.js';
import { MemoryJournal } from '../../host/core/memory-journal.js';
import { Xoshiro128 } from '../../host/core/random.js';
import { openListeners } from '../../host/net/listeners.js';
import {
  Authority,
  answerOf,
  CONNACK,
  connectBytes,
  Ears,
  HOST,
  publishBytes,
  subscribeBytes,
  World,
} from '../host/net/listeners-world.js';
import { times } from './arena.js';

const MIB = 1024 * 1024;
const BYSTANDERS = 2;

class Bystanders {
  private calls = 0;

  private constructor(
    private readonly publisher: MqttClient,
    private readonly ears: Ears,
  ) {}

  /** They are the first that come, at the first of the listeners. */
  static async join(world: World, options = {}): Promise<Bystanders> {
    const publisher = await world.join('bystander-p', options);
    const reader = await world.join('bystander', options);
    const ears = new Ears(reader);
    await reader.subscribeAsync('bystander/#', { qos: 1 });
    return new Bystanders(publisher, ears);
  }

  /** Messages come through, all of them, in their order. */
  async areWell(count = 20): Promise<void> {
    const sent = times(count, () => `${++this.calls}`);
    for (const text of sent) await this.publisher.publishAsync('bystander/x', text, { qos: 1 });
    expect(await this.ears.next(count)).toEqual(sent);
  }
}

const gone = (socket: Socket): Promise<unknown> => (socket.destroyed ? Promise.resolve() : once(socket, 'close'));

describe('a client that does not read', () => {
  const world = new World();

  it('costs its buffers and its queue, and is given up after a while', async () => {
    const limits = { writeBufferBytesMax: MIB, stallMsMax: 1_500 };
    await world.open({}, limits, { queueMessagesMax: 100, queueBytesMax: MIB });
    const bystanders = await Bystanders.join(world);
    const slow = await world.tcp(connectBytes('slow'), subscribeBytes('flood'));
    await once(slow, 'data');
    slow.pause();
    const flood = await world.tcp(connectBytes('flood'));
    const packet = publishBytes('flood', Buffer.alloc(65_000));
    const { counters } = world.broker;
    const before = counters.messagesOutQos0;
    for (let i = 0; i < 10; i++) {
      for (let j = 0; j < 64; j++) if (!flood.write(packet)) await once(flood, 'drain');
      await bystanders.areWell();
    }
    while (counters.connectionsNow > BYSTANDERS + 1) await bystanders.areWell(1);
    expect(counters.droppedSlow).toBeGreaterThan(400);
    // The rest is in buffers: ours, and the system's, of which nobody knows how large they are.
    expect(counters.messagesOutQos0 - before).toBeLessThan(240);
    expect(world.broker.clients().map(({ clientId }) => clientId)).not.toContain('slow');
    await bystanders.areWell();
  });

  it('and says things that are to be answered is not read either', async () => {
    await world.open({}, { writeBufferBytesMax: 65_536, stallMsMax: 60_000 });
    const bystanders = await Bystanders.join(world);
    const slow = await world.tcp(connectBytes('slow'));
    await once(slow, 'data');
    slow.pause();
    const pings = Buffer.alloc(MIB, Buffer.of(0xc0, 0x00));
    const { counters } = world.broker;
    let before = -1;
    // Until the broker takes no more: it answers each with as many bytes, so its own buffer is what holds it up.
    for (let total = 0; before !== counters.bytesIn && total < 64; total++) {
      before = counters.bytesIn;
      slow.write(pings);
      await bystanders.areWell();
    }
    expect(slow.writableLength).toBeGreaterThan(0);
    expect(counters.bytesIn).toBeLessThan(60 * MIB);
  });
});

describe('connections that begin and do not go on', () => {
  const world = new World();
  const authority = new Authority();
  const server = authority.issue('server', 'server');
  afterAll(() => authority.remove());

  it('are closed at their time, at whatever door, and leave nothing', async () => {
    const tls = { key: server.key, cert: server.cert };
    const specs = [
      { kind: 'mqtt', host: HOST, port: 0 },
      { kind: 'mqtts', host: HOST, port: 0, tls },
      { kind: 'ws', host: HOST, port: 0 },
      { kind: 'wss', host: HOST, port: 0, tls },
      { kind: 'mqtt', host: HOST, port: 0, proxyProtocol: true },
    ] as const;
    await world.openAll(specs, { limits: { handshakeMsMax: 500 } }, { connectTimeoutMs: 500 });
    const bystanders = await Bystanders.join(world);
    const begun = [
      Buffer.alloc(0),
      Buffer.of(0x10, 0xff), // CONNECT, and half of a length
      Buffer.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01), // ClientHello
      Buffer.from('GET /mqtt HTTP/1.1\r\nUpgrade: webso'),
      Buffer.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00), // the PROXY protocol
    ];
    const sockets: Socket[] = [];
    for (const { port } of world.listeners.listening) {
      for (const bytes of begun) {
        for (let i = 0; i < 10; i++) {
          const socket = dial({ host: HOST, port, noDelay: true });
          socket.on('error', () => {});
          socket.resume();
          socket.write(bytes);
          sockets.push(socket);
        }
      }
    }
    await bystanders.areWell();
    await Promise.all(sockets.map(gone));
    await bystanders.areWell();
    expect(world.listeners.listening.map(({ connections }) => connections)).toEqual([BYSTANDERS, 0, 0, 0, 0]);
    expect(world.broker.counters).toMatchObject({ connectionsNow: BYSTANDERS, sessionsNow: BYSTANDERS });
  });
});

describe('crowds', () => {
  const world = new World();

  it('that connect in a burst are let in at the rate that there may be, and each hears what became of it', async () => {
    await world.open({}, {}, { connectsPerSecondMax: 50 });
    const bystanders = await Bystanders.join(world);
    const crowd = times(600, async (i) => {
      const socket = await world.tcp(connectBytes(`c${i}`));
      return answerOf(socket);
    });
    const answers = await Promise.all(crowd);
    const accepted = answers.filter((answer) => answer?.equals(CONNACK)).length;
    expect(answers.filter((answer) => answer?.equals(Buffer.of(0x20, 2, 0, 3)))).toHaveLength(600 - accepted);
    expect(accepted).toBeGreaterThanOrEqual(48);
    expect(world.broker.counters.connectionsRefused).toBe(600 - accepted);
    expect(600 - accepted).toBeGreaterThan(0);
    await bystanders.areWell();
  });

  it('that are more than a listener takes are closed as they come', async () => {
    await world.open({}, { connectionsMax: 50 });
    const bystanders = await Bystanders.join(world);
    const crowd = times(200, async (i) => answerOf(await world.tcp(connectBytes(`c${i}`))));
    const answers = await Promise.all(crowd);
    expect(answers.filter((answer) => answer !== undefined)).toHaveLength(50 - BYSTANDERS);
    await bystanders.areWell();
  });

  it('that vanish in mid-load, with a reset, leave nothing behind', async () => {
    await world.open({});
    const bystanders = await Bystanders.join(world);
    const packet = publishBytes('load', Buffer.alloc(2_000));
    const crowd = await Promise.all(
      times(150, async (i) => {
        const socket = await world.tcp(connectBytes(`c${i}`), subscribeBytes('load'));
        await once(socket, 'data');
        return socket;
      }),
    );
    for (const [i, socket] of crowd.entries()) {
      for (let j = 0; j < 5; j++) socket.write(packet);
      socket.write(packet.subarray(0, 100));
      // Its own bytes are on their way, and those of others to it.
      if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      socket.resetAndDestroy();
    }
    await bystanders.areWell();
    await Promise.all(crowd.map(gone));
    while (world.broker.counters.connectionsNow > BYSTANDERS) await bystanders.areWell(1);
    expect(world.broker.counters).toMatchObject({ sessionsNow: BYSTANDERS, subscriptionsNow: 1 });
    expect(world.listeners.listening[0]!.connections).toBe(BYSTANDERS);
    await bystanders.areWell();
  });
});

describe('a journal that stalls', () => {
  it('has the broker read no more of a client than it holds answers for, and all of it when it goes on', async () => {
    let isStalled = false;
    const flush = (): void => {
      if (!isStalled) setImmediate(() => isStalled || journal.flush(performance.now()));
    };
    const journal = new MemoryJournal(flush);
    const broker = new Broker({}, { random: new Xoshiro128(1), durable: new JournalState(journal, 0) });
    const listeners = await openListeners(broker, [{ kind: 'mqtt', host: HOST, port: 0 }]);
    const { port } = listeners.listening[0]!;
    try {
      const lasting = Buffer.concat([connectBytes('c')]);
      lasting[9] = 0; // not clean
      const socket = dial({ host: HOST, port, noDelay: true });
      let heard = 0;
      socket.on('data', (chunk) => {
        heard += chunk.length;
      });
      socket.write(lasting);
      socket.write(subscribeBytes('t'));
      while (heard < CONNACK.length + 5) await once(socket, 'data');
      isStalled = true;
      const MESSAGES = 60_000;
      const publish = (id: number): Buffer => Buffer.of(0x32, 5, 0, 1, 0x74, id >> 8, id & 0xff);
      socket.write(subscribeBytes('u')); // something to be durable
      for (let id = 1; id <= MESSAGES; id += 1_000) socket.write(Buffer.concat(times(1_000, (i) => publish(id + i))));
      let before = -1;
      while (before !== broker.counters.messagesInQos1 || before < 1_000) {
        before = broker.counters.messagesInQos1;
        for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(before).toBeLessThan(MESSAGES / 2);
      isStalled = false;
      journal.flush(performance.now());
      while (broker.counters.messagesInQos1 < MESSAGES) await once(socket, 'data');
      expect(broker.counters.violations).toBe(0);
      socket.destroy();
    } finally {
      await listeners.close({ graceMs: 100 });
    }
  });
});
