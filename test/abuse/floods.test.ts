// Too much of everything, each against its limit: what the abuser hears, that no more is kept than the limit says, and that
// bystanders notice nothing.
import { describe, expect, it } from 'vitest';
import { isValidTopicName } from '../../host/core/topics.js';
import { Door } from '../conformance/mqtt-5.0-access.js';
import { ack, connect, disconnect, PINGREQ, publish, subscribe, unsubscribe } from '../conformance/mqtt-5.0-wire.js';
import { Arena, type Attacker, times } from './arena.js';

const HOUR_S = 3_600;
const FOR_AN_HOUR = { properties: { sessionExpiryS: HOUR_S } };
const SERVER_BUSY = 0x89;
const QUOTA_EXCEEDED = 0x97;
const RATE_EXCEEDED = 0x9f;
const TOO_LARGE = 0x95;
const RECEIVE_MAXIMUM = 0x93;
const ALIAS_INVALID = 0x94;
const MALFORMED = 0x81;
/** The bystanders' own, in every arena. */
const BYSTANDERS = 4;

const saidTo = (attacker: Attacker) => attacker.answer().reasons[0];

describe('floods of connects', () => {
  it('are refused beyond the connections that there may be, and let in again when others go', () => {
    const world = new Arena({ connectionsMax: 20 });
    const crowd = times(100, (i) => world.attacker().say(connect(`c${i}`)));
    const isIn = (attacker: Attacker): boolean => attacker.closedBy === undefined;
    expect(crowd.filter(isIn)).toHaveLength(20 - BYSTANDERS);
    for (const one of crowd.filter((each) => !isIn(each))) expect(saidTo(one)).toBe(SERVER_BUSY);
    expect(world.counters.connectionsNow).toBe(20);
    world.bystandersAreWell();
    for (const one of crowd) one.drop();
    world.intruder('late');
  });

  it('are refused beyond so many a second, and cost the bystanders nothing', () => {
    const world = new Arena({ connectsPerSecondMax: 10 });
    world.pass(1_000);
    for (let second = 0; second < 3; second++) {
      const crowd = times(500, (i) => world.attacker().say(connect(`c${second}-${i}`)));
      expect(crowd.filter(({ closedBy }) => closedBy === undefined)).toHaveLength(10);
      for (const one of crowd.filter(({ closedBy }) => closedBy !== undefined)) expect(saidTo(one)).toBe(RATE_EXCEEDED);
      world.bystandersAreWell();
      world.pass(1_000);
    }
  });

  it('that stay half open are closed at their time, and what they began to say is gone', () => {
    const world = new Arena({ connectTimeoutMs: 1_000, connectionsMax: 1_000 });
    const silent = times(300, () => world.attacker());
    const half = times(300, (i) => world.attacker().say(connect(`c${i}`).subarray(0, 9)));
    expect(world.counters.connectionsNow).toBe(600 + BYSTANDERS);
    world.pass(999);
    expect(world.counters.connectTimeouts).toBe(0);
    world.bystandersAreWell();
    world.pass(1);
    for (const one of [...silent, ...half]) expect([one.closedBy, one.sentBytes]).toEqual(['connect-timeout', 0]);
    expect(world.counters).toMatchObject({ connectTimeouts: 600, connectionsNow: BYSTANDERS, sessionsNow: BYSTANDERS });
  });

  it('one byte at a time are closed at the same time: a byte gives no more of it', () => {
    const world = new Arena({ connectTimeoutMs: 1_000 });
    const attacker = world.attacker();
    const bytes = connect('drip', { username: 'x'.repeat(1_000) });
    for (let i = 0; attacker.closedBy === undefined; i++) {
      attacker.say(bytes.subarray(i, i + 1));
      world.pass(10);
      expect(i).toBeLessThan(100);
    }
    expect(attacker.closedBy).toBe('connect-timeout');
  });

  it('with a packet above the largest are closed by its header, and none of it is kept', () => {
    const world = new Arena({ packetBytesMax: 10_000 });
    const attacker = world.attacker().say(connect('c', { username: 'x'.repeat(20_000) }).subarray(0, 5));
    expect(attacker.closedBy).toBe('malformed');
    const other = world.intruder('other');
    other.say(publish('t', 'x'.repeat(20_000)).subarray(0, 5));
    expect(saidTo(other)).toBe(TOO_LARGE);
    world.bystandersAreWell();
  });
});

describe('sessions', () => {
  it('that stay behind are as many as there may be, and end at their time', () => {
    const world = new Arena({ sessionsMax: 50 });
    const crowd = times(200, (i) => {
      const one = world.attacker().say(connect(`c${i}`, FOR_AN_HOUR));
      one.drop();
      return one;
    });
    expect(world.counters.sessionsNow).toBe(50);
    const refused = crowd.filter(({ closedBy }) => closedBy === 'refused');
    expect(refused).toHaveLength(200 - (50 - BYSTANDERS));
    for (const one of refused) expect(saidTo(one)).toBe(QUOTA_EXCEEDED);
    // Who has one comes in.
    world.intruder('c0', FOR_AN_HOUR);
    world.bystandersAreWell();
    world.pass(HOUR_S * 1_000);
    expect(world.counters.sessionsNow).toBe(BYSTANDERS + 1);
  });

  it('that are cut short by the broker are told so', () => {
    const world = new Arena({ offlineSessionMsMax: 60_000 });
    const attacker = world.attacker().say(connect('c', { properties: { sessionExpiryS: 0xffff_ffff } }));
    expect(attacker.heard()).toMatchObject([{ type: 'connack', properties: { sessionExpiryS: 60 } }]);
    attacker.drop();
    world.pass(60_000);
    expect(world.counters.sessionsNow).toBe(BYSTANDERS);
  });

  it('that two clients take from each other a thousand times leave one session, one connection and a will each', () => {
    const world = new Arena();
    const heir = world.reader('heir', 'will');
    const rivals: Attacker[] = [];
    for (let i = 0; i < 1_000; i++) {
      const will = { topic: 'will', payload: `${i}` };
      rivals.push(world.attacker().say(connect('rival', { ...FOR_AN_HOUR, will }), subscribe(1, [{ filter: 't' }])));
    }
    expect(world.counters).toMatchObject({ sessionsTakenOver: 999, willsPublished: 999 });
    expect(world.counters.connectionsNow).toBe(BYSTANDERS + 2);
    expect(world.counters.subscriptionsNow).toBe(BYSTANDERS - 1 + 2);
    for (const rival of rivals.slice(0, -1))
      expect(rival.heard().at(-1)).toMatchObject({ type: 'disconnect', reason: 0x8e });
    expect(heir.payloads()).toEqual(times(999, (i) => `${i}`));
    world.bystandersAreWell();
  });
});

describe('subscriptions', () => {
  it('by the thousand in one packet are granted as far as they may be', () => {
    const world = new Arena({ subscriptionsPerSessionMax: 1_000 });
    const attacker = world.intruder('c');
    attacker.subscribe(times(10_000, (i) => ({ filter: `t/${i}` })));
    const { reasons } = attacker.answer();
    expect(reasons.slice(0, 1_000).every((reason) => reason === 0)).toBe(true);
    expect(reasons.slice(1_000).every((reason) => reason === QUOTA_EXCEEDED)).toBe(true);
    expect(world.counters.subscriptionsNow).toBe(1_000 + BYSTANDERS - 1);
    world.bystandersAreWell();
    attacker.drop();
    expect(world.counters.subscriptionsNow).toBe(BYSTANDERS - 1);
  });

  it('deeper than they may be are refused, those of 65,535 levels too', () => {
    const world = new Arena({ topicLevelsMax: 16 });
    const attacker = world.intruder('c');
    attacker.subscribe([
      { filter: '/'.repeat(65_535) },
      { filter: `${'+/'.repeat(16)}#` },
      { filter: '+/'.repeat(15) },
    ]);
    expect(attacker.answer().reasons).toEqual([0x8f, 0x8f, 0]);
    attacker.publish('/'.repeat(65_535), '', { qos: 1 });
    expect(attacker.answer()).toEqual({ type: 'puback', reasons: [0x90] });
    world.bystandersAreWell();
  });

  it('shared by thousands bring each message to one of them, also while they come and go', () => {
    const world = new Arena();
    const crowd = times(2_000, (i) =>
      world.attacker().say(connect(`c${i}`), subscribe(1, [{ filter: '$share/g/t/#' }])),
    );
    for (const one of crowd) one.forget();
    for (let i = 0; i < 2_000; i += 2) crowd[i]!.drop();
    const publisher = world.intruder('p');
    publisher.say(...times(2_000, (i) => publish(`t/${i}`)));
    const counts = crowd.map((one) => one.heard().length);
    expect(counts.filter((_, i) => i % 2 === 1).every((count) => count === 2)).toBe(true);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2_000);
    for (const one of crowd) one.drop();
    publisher.publish('t/x', '', { qos: 1 });
    expect(publisher.answer()).toEqual({ type: 'puback', reasons: [0x10] });
    world.bystandersAreWell();
  });

  it('set up and taken back in a storm leave nothing', () => {
    const world = new Arena();
    const attacker = world.intruder('c');
    for (let i = 0; i < 5_000; i++) {
      const filters = [`${i}/+/#`, `$share/g${i}/t`];
      attacker.say(
        subscribe(
          1,
          filters.map((filter) => ({ filter })),
        ),
        unsubscribe(2, filters),
      );
      attacker.forget();
      if (i % 1_000 === 0) world.bystandersAreWell();
    }
    expect(world.counters.subscriptionsNow).toBe(BYSTANDERS - 1);
    expect(world.info('c').subscriptions).toEqual([]);
  });
});

describe('retained messages', () => {
  it('are as many as there may be; more are passed on all the same', () => {
    const world = new Arena({ retainedMessagesMax: 100 });
    const live = world.intruder('live');
    live.subscribe([{ filter: 'r/#' }]).forget();
    const attacker = world.intruder('c');
    attacker.say(...times(5_000, (i) => publish(`r/${i}`, 'x', { retain: true })));
    expect(world.counters).toMatchObject({ retainedNow: 100, retainRefused: 4_900 });
    expect(live.heard()).toHaveLength(5_000);
    expect(world.reader('late', 'r/#').payloads()).toHaveLength(100);
    world.bystandersAreWell();
    attacker.say(...times(5_000, (i) => publish(`r/${i}`, '', { retain: true })));
    expect(world.counters.retainedNow).toBe(0);
  });

  it('take the bytes that they may, whatever they consist of', () => {
    const world = new Arena({ retainedBytesMax: 100_000 });
    const attacker = world.intruder('c');
    const userProperties = times(100, (i) => [`${i}`, 'x'.repeat(50)] as const);
    for (let i = 0; i < 1_000; i++) {
      attacker.publish(`p${i}`, '', { retain: true });
      attacker.publish(`p${i}`, 'x', { retain: true, properties: { userProperties } });
      attacker.publish(`${i}${'t'.repeat(5_000)}`, 'x', { retain: true });
      attacker.publish(`q${i}`, 'x'.repeat(5_000), { retain: true });
    }
    expect(world.counters.retainedNow).toBeGreaterThan(10);
    expect(world.counters.retainedNow).toBeLessThanOrEqual(20);
    world.bystandersAreWell();
  });
});

describe('packets before the end of authentication', () => {
  const waiting = (config = {}): readonly [Arena, Attacker, Door] => {
    const door = new Door((request) => ({ outcome: request.clientId === 'c' ? 'continue' : 'accepted' }) as never);
    const world = new Arena({ access: door, ...config });
    door.verdict = 'later';
    return [world, world.attacker().say(connect('c')), door];
  };

  it('wait up to a hundred, in their order', () => {
    const [world, attacker, door] = waiting();
    attacker.say(subscribe(1, [{ filter: 't' }]), ...times(99, (i) => publish('t', `${i}`)));
    expect(attacker.sentBytes).toBe(0);
    door.waiting[0]!({ outcome: 'accepted' }, world.now);
    const heard = attacker.heard();
    expect(heard.slice(0, 2).map(({ type }) => type)).toEqual(['connack', 'suback']);
    expect(heard.slice(2)).toMatchObject(times(99, (i) => ({ type: 'publish', payload: `${i}` })));
  });

  it('end the connection beyond that', () => {
    const [world, attacker] = waiting();
    attacker.say(...times(100, () => PINGREQ));
    expect(attacker.closedBy).toBeUndefined();
    attacker.say(PINGREQ);
    expect(attacker.closedBy).toBe('violation');
    world.bystandersAreWell();
  });

  it.each([
    ['payloads', publish('t', 'x'.repeat(6_000))],
    ['topics', publish('x'.repeat(6_000))],
    ['properties', publish('t', '', { properties: { contentType: 'x'.repeat(6_000) } })],
    ['filters', subscribe(1, [{ filter: 'x'.repeat(6_000) }])],
    ['filters to be rid of', unsubscribe(1, ['x'.repeat(6_000)])],
    ['user properties', subscribe(1, [{ filter: 't' }], { userProperties: [['a', 'x'.repeat(6_000)]] })],
  ])('end it when they are larger than one packet may be, be they %s', (_, packet) => {
    const [world, attacker] = waiting({ packetBytesMax: 10_000 });
    attacker.say(packet);
    expect(attacker.closedBy).toBeUndefined();
    attacker.say(packet);
    expect(attacker.closedBy).toBe('violation');
    world.bystandersAreWell();
  });

  it('and their client go when nobody answers', () => {
    const [world, attacker, door] = waiting({ connectTimeoutMs: 1_000 });
    attacker.say(publish('t', 'x', { retain: true }));
    world.pass(1_000);
    expect(attacker.closedBy).toBe('connect-timeout');
    door.waiting[0]!({ outcome: 'accepted' }, world.now);
    expect(world.counters).toMatchObject({ retainedNow: 0, sessionsNow: BYSTANDERS });
    world.bystandersAreWell();
  });
});

describe('handshakes', () => {
  it('that are begun and never ended are as many as the broker has said', () => {
    const world = new Arena({ receiveMax: 100 });
    const attacker = world.intruder('c');
    attacker.say(...times(100, (i) => publish('t', '', { qos: 2, id: i + 1 })));
    expect(attacker.heard()).toHaveLength(100);
    attacker.publish('t', '', { qos: 2, id: 101 });
    expect(saidTo(attacker)).toBe(RECEIVE_MAXIMUM);
    world.bystandersAreWell();
  });

  it('of an older version are as many as there are identifiers, and are forgotten with the session', () => {
    const world = new Arena();
    const attacker = world.attacker().say(connect4('old'));
    for (let round = 0; round < 2; round++) {
      for (let id = 1; id <= 0xffff; id++) attacker.say(publish4('t', id));
    }
    expect(world.counters).toMatchObject({ messagesInQos2: 0xffff, duplicatesIn: 0xffff });
    expect(attacker.closedBy).toBeUndefined();
    world.bystandersAreWell();
    attacker.drop();
    expect(world.counters.sessionsNow).toBe(BYSTANDERS);
  });

  it('that nobody has begun are answered one by one, and keep nothing', () => {
    const world = new Arena();
    const attacker = world.intruder('c');
    attacker.say(...times(50_000, (i) => ack('pubrel', (i % 0xffff) + 1)));
    attacker.say(...times(50_000, (i) => ack('pubrec', (i % 0xffff) + 1)));
    attacker.say(...times(50_000, (i) => ack('puback', (i % 0xffff) + 1)));
    expect(world.counters.acksUnknown).toBe(100_000);
    expect(attacker.sentBytes).toBeLessThan(100_000 * 6);
    expect(world.info('c')).toMatchObject({ inflight: 0, queued: 0, isConnected: true });
    world.bystandersAreWell();
  });

  it('that a client leaves open take its window and its queue, and no identifier comes twice', () => {
    const world = new Arena({ inflightMax: 0xffff, queueMessagesMax: 10 });
    const attacker = world.intruder('c');
    attacker.subscribe([{ filter: 't', qos: 1 }]).forget();
    const ids = new Set<number>();
    for (let i = 0; i < 0xffff + 100; i++) {
      world.broker.publish({ topic: 't', payload: new Uint8Array(0), qos: 1, retain: false }, world.now);
      if (i % 1_000 === 0) for (const packet of attacker.heard()) if (packet.type === 'publish') ids.add(packet.id);
    }
    for (const packet of attacker.heard()) if (packet.type === 'publish') ids.add(packet.id);
    expect(ids.size).toBe(0xffff);
    expect(world.info('c')).toMatchObject({ inflight: 0xffff, queued: 10 });
    expect(world.counters.droppedQueueFull).toBe(90);
    attacker.say(ack('puback', 7));
    expect(attacker.heard()).toMatchObject([{ type: 'publish', id: 7 }]);
    world.bystandersAreWell();
  });
});

describe('topic aliases', () => {
  it('are as many as the broker has said', () => {
    const world = new Arena({ topicAliasMax: 10 });
    const attacker = world.intruder('c');
    for (let i = 0; i < 1_000; i++)
      attacker.publish('x'.repeat(1_000), '', { properties: { topicAlias: (i % 10) + 1 } });
    expect(attacker.closedBy).toBeUndefined();
    attacker.publish('x', '', { properties: { topicAlias: 11 } });
    expect(saidTo(attacker)).toBe(ALIAS_INVALID);
    world.bystandersAreWell();
  });

  it('towards a client are not more than that, however many it takes', () => {
    const world = new Arena({ topicAliasMax: 10 });
    const attacker = world.intruder('c', { properties: { topicAliasMaximum: 0xffff } });
    attacker.subscribe([{ filter: 'a/#' }]).forget();
    attacker.say(...times(1_000, (i) => publish(`a/${i}`)));
    const aliases = attacker.heard().map(({ properties }) => properties.topicAlias);
    expect(Math.max(...aliases.map((alias) => alias ?? 0))).toBe(10);
    expect(aliases).toHaveLength(1_000);
  });
});

describe('strings and properties', () => {
  it('as long as they can be go through, and are not remembered', () => {
    const world = new Arena();
    const topic = 'ü'.repeat(32_767);
    expect(isValidTopicName(topic)).toBe(true);
    const attacker = world.intruder('x'.repeat(65_535));
    attacker.subscribe([{ filter: topic }]).forget();
    attacker.publish(topic, 'here');
    expect(attacker.heard()).toMatchObject([{ type: 'publish', topic, payload: 'here' }]);
    world.bystandersAreWell();
  });

  it('by the thousand go through, in their order', () => {
    const world = new Arena();
    const attacker = world.intruder('c');
    attacker.subscribe([{ filter: 't' }]).forget();
    const userProperties = times(3_000, (i) => ['a', `${i}`] as const);
    attacker.publish('t', '', { properties: { userProperties } });
    expect(attacker.heard()).toMatchObject([{ type: 'publish', properties: { userProperties } }]);
    attacker.subscribe([{ filter: 't' }], { userProperties: userProperties });
    expect(attacker.answer().type).toBe('suback');
    world.bystandersAreWell();
  });

  it('cut off end the connection', () => {
    const world = new Arena();
    const attacker = world.intruder('c');
    const packet = Uint8Array.from(publish('t', '', { properties: { userProperties: [['a', 'b']] } }));
    packet[7] = 0xff; // the length of a name
    attacker.say(packet);
    expect(saidTo(attacker)).toBe(MALFORMED);
    world.bystandersAreWell();
  });
});

describe('wills', () => {
  it('of hundreds that vanish at once all come, and those that are refused do not', () => {
    const world = new Arena();
    const heir = world.intruder('heir');
    heir.subscribe([{ filter: 'will/#' }]).forget();
    const crowd = times(500, (i) => {
      const options = {
        will: { topic: `will/${i}`, payload: 'gone', properties: { willDelayS: i % 2 === 0 ? 0 : 10 } },
      };
      return world.attacker().say(connect(`c${i}`, { ...FOR_AN_HOUR, ...options }));
    });
    for (const one of crowd) one.drop();
    expect(heir.heard()).toHaveLength(250);
    world.bystandersAreWell();
    for (let i = 1; i < 500; i += 4) world.intruder(`c${i}`, FOR_AN_HOUR).say(disconnect());
    world.pass(10_000);
    expect(heir.heard()).toHaveLength(125);
    expect(world.counters.willsPublished).toBe(375);
    world.bystandersAreWell();
  });
});

/** MQTT 3.1.1. */
const connect4 = (clientId: string): Uint8Array =>
  Buffer.concat([
    Buffer.of(0x10, 12 + clientId.length, 0, 4),
    Buffer.from('MQTT'),
    Buffer.of(4, 2, 0, 0, 0, clientId.length),
    Buffer.from(clientId),
  ]);
const publish4 = (topic: string, id: number): Uint8Array =>
  Buffer.concat([
    Buffer.of(0x34, 4 + topic.length, 0, topic.length),
    Buffer.from(topic),
    Buffer.of(id >> 8, id & 0xff),
  ]);
