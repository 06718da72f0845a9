// Clients that do not read, or not enough: what waits for them stays within their queue, in whatever kind of session, and what
// is lost is what must be.
import { describe, expect, it } from 'vitest';
import { JournalState } from '../../host/broker/journal-state.js';
import { MemoryJournal } from '../../host/core/memory-journal.js';
import { World5 } from '../conformance/mqtt-5.0-client.js';
import { ack, connect, PINGREQ, publish, subscribe } from '../conformance/mqtt-5.0-wire.js';
import { Arena, Attacker, times } from './arena.js';

const KIB = 1024;
const FOR_AN_HOUR = { properties: { sessionExpiryS: 3_600 } };

const payloadsOf = (attacker: Attacker): string[] =>
  attacker.heard().flatMap((packet) => (packet.type === 'publish' ? [packet.payload] : []));

describe('a client that does not read', () => {
  it('keeps the oldest of QoS 0, as many as may wait, and hears them in their order', () => {
    const world = new Arena({ queueMessagesMax: 100 });
    const slow = world.intruder('slow');
    slow.subscribe([{ filter: 't/#' }]).forget();
    slow.isCongested = true;
    const flood = world.intruder('flood');
    flood.say(...times(5_000, (i) => publish('t/x', `${i}`)));
    expect(world.info('slow').queued).toBe(100);
    expect(world.counters.droppedSlow).toBe(4_900);
    world.bystandersAreWell();
    slow.drained();
    expect(payloadsOf(slow)).toEqual(times(100, String));
  });

  it('keeps the oldest of QoS 1 and 2, without gaps, before any of QoS 0', () => {
    const world = new Arena({ queueMessagesMax: 100, inflightMax: 10 });
    const slow = world.intruder('slow');
    slow.subscribe([{ filter: 't/#', qos: 2 }]).forget();
    slow.isCongested = true;
    const flood = world.intruder('flood');
    flood.say(...times(200, (i) => publish('t/0', `a${i}`)));
    for (let i = 0; i < 400; i++) flood.publish('t/1', `b${i}`, { qos: 1, id: i + 1 }).forget();
    expect(world.info('slow').queued).toBe(100);
    expect(world.counters).toMatchObject({ droppedSlow: 200, droppedQueueFull: 300 });
    world.bystandersAreWell();
    slow.drained();
    const heard: string[] = [];
    for (let packets = slow.heard(); packets.length > 0; packets = slow.heard()) {
      for (const packet of packets) {
        if (packet.type !== 'publish') continue;
        heard.push(packet.payload);
        slow.say(ack('puback', packet.id));
      }
    }
    expect(heard).toEqual(times(100, (i) => `b${i}`));
  });

  it.each([0, 1])('takes no more bytes than may wait, at QoS %i, connected and away', (qos) => {
    const world = new Arena({ queueMessagesMax: Number.POSITIVE_INFINITY, queueBytesMax: 64 * KIB });
    const slow = world.intruder('slow', FOR_AN_HOUR);
    slow.subscribe([{ filter: 't/#', qos: 1 }]).forget();
    slow.isCongested = true;
    const flood = world.intruder('flood');
    const properties = { userProperties: [['n', 'x'.repeat(KIB - 4)]] as const };
    const packet = publish(`t/${'t'.repeat(KIB - 2)}`, 'x'.repeat(2 * KIB - 5), { qos, properties });
    const say = (): void => {
      for (let i = 0; i < 100; i++) flood.say(packet).forget();
    };
    say();
    expect(world.info('slow').queued).toBe(16);
    slow.drop();
    say();
    expect(world.info('slow').queued).toBe(qos === 0 ? 0 : 16);
    world.bystandersAreWell();
  });

  it('does not keep others from theirs, though thousands wait for it', () => {
    const world = new Arena();
    const crowd = times(200, (i) => {
      const slow = world.intruder(`slow-${i}`);
      slow.subscribe([{ filter: '#', qos: 2 }]).forget(); // also what the bystanders say
      slow.isCongested = i % 2 === 0;
      return slow;
    });
    for (let i = 0; i < 100; i++) world.bystandersAreWell();
    for (const [i, slow] of crowd.entries()) {
      const { inflight, queued } = world.info(`slow-${i}`);
      expect(queued + inflight).toBeLessThanOrEqual(300);
      slow.drop();
    }
    world.bystandersAreWell();
  });

  it('is given up by the adapter, and its will tells', () => {
    const world = new Arena();
    const heir = world.reader('heir', 'will');
    const slow = world.intruder('slow', { will: { topic: 'will', payload: 'slow' } });
    slow.isCongested = true;
    slow.stream.giveUp(world.now);
    expect(slow.closedBy).toBe('slow');
    expect(slow.answer()).toEqual({ type: 'disconnect', reasons: [0x97] });
    expect(heir.payloads()).toEqual(['slow']);
    world.bystandersAreWell();
  });

  it('that shares a subscription leaves the messages to those that read', () => {
    const world = new Arena();
    const crowd = times(10, (i) => {
      const one = world.intruder(`c${i}`);
      one.subscribe([{ filter: '$share/g/t', qos: 1 }]).forget();
      one.isCongested = i !== 3;
      return one;
    });
    const publisher = world.intruder('p');
    publisher.say(...times(50, (i) => publish('t', `${i}`)));
    expect(payloadsOf(crowd[3]!)).toEqual(times(50, (i) => `${i}`));
    for (const i of [0, 1, 2, 4]) expect(world.info(`c${i}`).queued).toBe(0);
  });
});

describe('clients that vanish in mid-load', () => {
  it('by the hundred leave nothing but the sessions that are to stay, and those no more than may wait', () => {
    const world = new Arena({ queueMessagesMax: 50, inflightMax: 10 });
    const crowd = times(400, (i) => {
      const one = world.intruder(`c${i}`, i % 2 === 0 ? FOR_AN_HOUR : {});
      one.subscribe([{ filter: 'load/#', qos: 2 }]).forget();
      return one;
    });
    for (const [i, one] of crowd.entries()) {
      // In the middle of a packet, of a handshake, or of nothing.
      one.publish(`load/${i}`, 'x', { qos: i % 3, id: 1 });
      one.say(publish('load/x', 'never whole').subarray(0, 7));
      one.drop();
      if (i % 50 === 0) world.bystandersAreWell();
    }
    expect(world.counters).toMatchObject({ connectionsNow: 4, sessionsNow: 4 + 200, subscriptionsNow: 3 + 200 });
    for (const { queued, inflight, clientId } of world.broker.clients()) {
      if (clientId.startsWith('c')) expect(queued + inflight).toBeLessThanOrEqual(60);
    }
    world.pass(3_600_000);
    expect(world.counters).toMatchObject({ connectionsNow: 4, sessionsNow: 4, subscriptionsNow: 3 });
    world.bystandersAreWell();
  });
});

describe('a journal that stalls', () => {
  it('keeps clients waiting for their answers, and says of those that ask on and on that it is not to hear them', () => {
    const journal = new MemoryJournal();
    const world = new World5({}, { durable: new JournalState(journal, 0) });
    const settle = (): void => {
      while (journal.hasEnded) journal.flush(world.now);
    };
    const attacker = new Attacker(world).say(connect('c', FOR_AN_HOUR), subscribe(1, [{ filter: 't', qos: 1 }]));
    const bystander = new Attacker(world).say(connect('bystander'), subscribe(1, [{ filter: 'b' }]));
    expect(attacker.sentBytes + bystander.sentBytes).toBe(0);
    settle();
    expect(attacker.heard().map(({ type }) => type)).toEqual(['connack', 'suback']);
    bystander.forget();

    attacker.say(...times(900, (i) => publish('t', `${i}`, { qos: 1, id: i + 1 })));
    expect(attacker.stream.isHeldUp).toBe(false);
    attacker.say(...times(200, () => PINGREQ));
    expect(attacker.stream.isHeldUp).toBe(true);
    expect(attacker.heard()).toEqual([]);
    // What promises nothing goes its way meanwhile.
    bystander.publish('b', 'still here');
    expect(payloadsOf(bystander)).toEqual(['still here']);
    expect(bystander.stream.isHeldUp).toBe(false);

    settle();
    expect(attacker.stream.isHeldUp).toBe(false);
    const heard = attacker.heard().map(({ type }) => type);
    expect(heard.filter((type) => type === 'puback')).toHaveLength(900);
    expect(heard.filter((type) => type === 'pingresp')).toHaveLength(200);
    expect(heard.filter((type) => type === 'publish')).toHaveLength(100);
  });

  it('is not held against the keep-alive of a client that is not read meanwhile', () => {
    const journal = new MemoryJournal();
    const world = new World5({}, { durable: new JournalState(journal, 0) });
    const busy = new Attacker(world).say(connect('busy', { ...FOR_AN_HOUR, keepAliveS: 10 }));
    busy.say(subscribe(1, [{ filter: 't' }]), ...times(1_001, () => PINGREQ));
    expect(busy.stream.isHeldUp).toBe(true);
    world.pass(60_000);
    expect(busy.closedBy).toBeUndefined();
    while (journal.hasEnded) journal.flush(world.now);
    expect(busy.stream.isHeldUp).toBe(false);
    world.pass(30_001);
    expect(busy.closedBy).toBe('keep-alive');
  });
});
