import { describe, expect, it } from 'vitest';
import { PacketType, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import type { Packet } from '../../../host/wire/index.js';
import type { Device } from './world.js';
import { normal, predefined, publishOf, short, text, World } from './world.js';

const payloads = (world: World) => world.broker.published.map(({ payload }) => text(payload));
const pubrel = (msgId: number): Packet => ({ type: PacketType.PubRel, msgId });
const types = (device: Device) => device.hear().map(({ type }) => type);
const subscribe = (msgId: number, name: string): Packet => {
  const topic = { kind: TopicType.Normal, name } as const;
  return { type: PacketType.Subscribe, dup: false, qos: 1, msgId, topic };
};
const unsubscribe = (msgId: number, name: string): Packet => {
  return { type: PacketType.Unsubscribe, msgId, topic: { kind: TopicType.Normal, name } };
};

describe('REGISTER', () => {
  it('gives the same name the same id and others others, far beyond fifty', () => {
    const world = new World();
    const device = world.device('a').connected();
    const ids = Array.from({ length: 1_000 }, (_, i) => device.register(`t/${i}`));
    expect(new Set(ids).size).toBe(1_000);
    expect(Math.min(...ids)).toBeGreaterThan(0);
    expect(Math.max(...ids)).toBeLessThan(0xffff);
    expect(device.register('t/7')).toBe(ids[7]);
  });

  it('takes only so many octets of names from a client, in topics and in filters', () => {
    const world = new World({ namesBytesMax: 1_024 });
    const device = world.device('a').connected();
    const name = (i: number) => `${i}`.padStart(200, 'x');
    for (let i = 0; i < 5; i++) device.register(name(i));
    device.say({ type: PacketType.Register, topicId: 0, msgId: 77, topicName: name(5) });
    expect(device.hearOne(PacketType.RegAck)).toMatchObject({ msgId: 77, returnCode: ReturnCode.Congestion });
    expect(device.register(name(3))).toBeGreaterThan(0);
    for (let i = 0; i < 5; i++) device.subscribe(`${name(i)}/#`);
    const topic = { kind: TopicType.Normal, name: `${name(5)}/#` } as const;
    device.say({ type: PacketType.Subscribe, dup: false, qos: 1, msgId: 78, topic });
    expect(device.hearOne(PacketType.SubAck)).toMatchObject({ msgId: 78, returnCode: ReturnCode.Congestion });
    expect(world.gateway.gauges().namesBytes).toBe(5 * 200 + 5 * 202);
  });

  it('gives all 65,534 ids, past the last one too, and then no more', () => {
    const world = new World({ namesBytesMax: 2 ** 20 });
    const device = world.device('a').connected();
    const ids = new Set<number>();
    for (let i = 0; i < 65_534; i++) ids.add(device.register(`${i}`));
    expect(ids.size).toBe(65_534);
    expect([ids.has(0), ids.has(0xffff)]).toEqual([false, false]);
    device.say({ type: PacketType.Register, topicId: 0, msgId: 5, topicName: 'one more' });
    expect(device.hearOne(PacketType.RegAck).returnCode).toBe(ReturnCode.Congestion);
  });

  it('begins with another id for each session, so that ids from before a restart mean nothing', () => {
    const world = new World();
    const device = world.device('a').connected({ cleanSession: false });
    const before = device.register('t');
    world.restart();
    world.device('b').connected();
    device.connected({ cleanSession: false });
    expect(device.register('u')).not.toBe(before);
    device.publish(normal(before), 'x', 1);
    expect(device.hearOne(PacketType.PubAck).returnCode).toBe(ReturnCode.InvalidTopicId);
  });

  it('echoes the MsgId', () => {
    const world = new World();
    const device = world.device('a').connected();
    device.say({ type: PacketType.Register, topicId: 0, msgId: 0xbeef, topicName: 'x/y' });
    const accepted = { type: PacketType.RegAck, msgId: 0xbeef, returnCode: 0 };
    expect(device.hearOne(PacketType.RegAck)).toMatchObject(accepted);
  });

  it('refuses names that nobody can publish to', () => {
    const world = new World();
    const device = world.device('a').connected();
    for (const topicName of ['', 'a/+', '#']) {
      device.say({ type: PacketType.Register, topicId: 0, msgId: device.nextMsgId(), topicName });
      expect(device.hearOne(PacketType.RegAck).returnCode).toBe(ReturnCode.NotSupported);
    }
  });

  it('is answered with congestion when all ids are taken', () => {
    const world = new World({ topicsMax: 1 });
    const device = world.device('a').connected();
    device.register('x');
    device.say({ type: PacketType.Register, topicId: 0, msgId: 5, topicName: 'y' });
    expect(device.hearOne(PacketType.RegAck).returnCode).toBe(ReturnCode.Congestion);
  });
});

describe('PUBLISH to the broker', () => {
  it('goes by normal, predefined and short topics, which are different topics', () => {
    const id = new World().device('a').connected().register('registered');
    const world = new World({ predefined: { '*': { [id]: 'everybody', 2: 'everybody/2' }, a: { 2: 'own/2' } } });
    const device = world.device('a').connected();
    expect(device.register('registered')).toBe(id);
    for (const topic of [normal(id), predefined(id), predefined(2), short('ab'), short('é')])
      device.publish(topic, 'x');
    const topics = world.broker.published.map(({ topic }) => topic);
    expect(topics).toEqual(['registered', 'everybody', 'own/2', 'ab', 'é']);
    expect(device.hear()).toEqual([]);
  });

  it('is refused with 0x02 when the client has not confirmed the id: it may mean another topic by it', () => {
    const world = new World();
    const device = world.device('a').connected();
    device.subscribe('#');
    world.broker.deliver('a', 'some/topic', 'x');
    const { topicId } = device.hearOne(PacketType.Register);
    device.publish(normal(topicId), 'x', 1);
    expect(device.hearOne(PacketType.PubAck).returnCode).toBe(ReturnCode.InvalidTopicId);
    expect(world.broker.published).toEqual([]);
  });

  it('is refused with 0x02 at any QoS when the topic id means nothing', () => {
    const world = new World();
    const device = world.device('a').connected();
    for (const [qos, msgId] of [
      [0, 0],
      [1, 3],
      [2, 4],
    ] as const) {
      for (const topic of [normal(9), predefined(9)]) {
        device.publish(topic, 'x', qos, msgId);
        const refused = { type: PacketType.PubAck, topicId: 9, msgId, returnCode: ReturnCode.InvalidTopicId };
        expect(device.hearOne(PacketType.PubAck)).toEqual(refused);
      }
    }
    device.publish(short('+/'), 'x', 1, 5);
    expect(device.hearOne(PacketType.PubAck)).toMatchObject({ topicId: 0x2b2f, returnCode: 2 });
    expect(world.broker.published).toEqual([]);
  });

  it('with QoS 1 is acknowledged when the broker has it, and a retransmission meanwhile is swallowed', () => {
    const world = new World();
    const device = world.device('a').connected();
    world.broker.holds = true;
    device.publish(short('ab'), 'x', 1, 3).publish(short('ab'), 'x', 1, 3, true);
    expect(device.hear()).toEqual([]);
    world.broker.release();
    expect(device.hearOne(PacketType.PubAck)).toMatchObject({ msgId: 3, topicId: 0x6162, returnCode: 0 });
    expect(payloads(world)).toEqual(['x']);
  });

  it('with QoS 1 is published again when the acknowledgement was lost, even at once', () => {
    const world = new World();
    const device = world.device('a').connected();
    device.publish(short('ab'), 'x', 1, 3).publish(short('ab'), 'x', 1, 3, true);
    expect(types(device)).toEqual([PacketType.PubAck, PacketType.PubAck]);
    expect(payloads(world)).toEqual(['x', 'x']);
  });

  it('with QoS 2 is published once, however often its packets are repeated', () => {
    const world = new World();
    const device = world.device('a').connected();
    world.broker.holds = true;
    device.publish(short('ab'), 'x', 2, 3).publish(short('ab'), 'x', 2, 3, true);
    expect(device.hear()).toEqual([]);
    world.broker.release();
    expect(types(device)).toEqual([PacketType.PubRec]);
    device.publish(short('ab'), 'x', 2, 3, true).hearOne(PacketType.PubRec);
    world.pass(60_000);
    device.publish(short('ab'), 'x', 2, 3, true).hearOne(PacketType.PubRec);
    device.say(pubrel(3)).hearOne(PacketType.PubComp);
    device.say(pubrel(3)).hearOne(PacketType.PubComp);
    expect(payloads(world)).toEqual(['x']);
    device.publish(short('ab'), 'x', 2, 4).hearOne(PacketType.PubRec);
    expect(payloads(world)).toEqual(['x', 'x']);
  });

  it('with QoS 2 is remembered over a reconnect with CleanSession=0', () => {
    const world = new World();
    const device = world.device('a').connected({ cleanSession: false });
    device.publish(short('ab'), 'x', 2, 3).hear();
    world.broker.lose('a');
    world.pass(60_000);
    device.connected({ cleanSession: false });
    device.publish(short('ab'), 'x', 2, 3, true).hearOne(PacketType.PubRec);
    expect(payloads(world)).toEqual(['x']);
  });

  it('with QoS 2 that the broker had not taken when it was lost is published again', () => {
    const world = new World();
    const device = world.device('a').connected({ cleanSession: false });
    world.broker.holds = true;
    device.publish(short('ab'), 'x', 2, 3);
    world.broker.lose('a');
    world.broker.release();
    world.pass(60_000);
    device.connected({ cleanSession: false });
    device.publish(short('ab'), 'x', 2, 3, true).hearOne(PacketType.PubRec);
    expect(payloads(world)).toEqual(['x', 'x']);
  });

  it('under the MsgId of an open handshake is another message if it has other octets', () => {
    const world = new World();
    const device = world.device('a').connected();
    device.publish(short('ab'), 'x', 2, 1).publish(short('ab'), 'y', 2, 1);
    expect(payloads(world)).toEqual(['x', 'y']);
  });

  it('that the broker refuses is answered with not supported, and may be tried again', () => {
    const world = new World();
    const device = world.device('a').connected();
    world.broker.refuses = true;
    for (const qos of [1, 2] as const) {
      device.publish(short('ab'), 'x', qos, 3);
      expect(device.hearOne(PacketType.PubAck).returnCode).toBe(ReturnCode.NotSupported);
    }
    expect(world.gateway.counters.refusedByBroker).toBe(2);
    expect(world.details[world.logged.indexOf('publish-refused')]).toMatchObject({
      clientId: 'a',
      topic: 'ab',
      qos: 1,
    });
    world.broker.refuses = false;
    device.publish(short('ab'), 'x', 2, 3).hearOne(PacketType.PubRec);
  });

  it('with MsgId 0 and QoS 1 or 2 is malformed', () => {
    const world = new World();
    const device = world.device('a').connected();
    device.publish(short('ab'), 'x', 1, 0).publish(short('ab'), 'x', 2, 0);
    expect(device.hear()).toEqual([]);
    expect(world.gateway.counters.malformed).toBe(2);
    expect(world.broker.published).toEqual([]);
  });

  it('is answered with congestion when the broker has too many to answer', () => {
    const world = new World({ requestsMax: 2 });
    const device = world.device('a').connected();
    world.broker.holds = true;
    for (let msgId = 1; msgId <= 3; msgId++) device.publish(short('ab'), 'x', 1, msgId);
    expect(device.hearOne(PacketType.PubAck)).toMatchObject({ msgId: 3, returnCode: ReturnCode.Congestion });
  });

  it('does not keep the octets of the datagram', () => {
    const world = new World();
    const device = world.device('a').connected();
    const datagram = Uint8Array.of(8, PacketType.Publish, 2, 0x61, 0x62, 0, 0, 0x78);
    device.sayBytes(datagram);
    datagram.fill(0);
    expect(payloads(world)).toEqual(['x']);
  });
});

describe('PUBLISH with QoS -1', () => {
  it("goes by one broker session for everybody, the gateway's own", () => {
    const world = new World({ gwId: 4, predefined: { '*': { 1: 'alarm' }, a: { 1: 'own' } } });
    world.device('a').connected().publish(predefined(1), 'known', -1);
    for (const address of ['x', 'y']) world.device(address).publish(predefined(1), address, -1);
    world.device('z').publish(short('ab'), 'z', -1);
    expect(world.broker.presences.map(({ options }) => options.clientId)).toEqual(['thimble-gateway-4']);
    expect(world.broker.opened.map(({ options }) => options.clientId)).toEqual(['a']);
    expect(world.broker.published.map(({ topic }) => topic)).toEqual(['own', 'alarm', 'alarm', 'ab']);
    expect(world.sent).toEqual([]);
  });

  it('waits for the broker session to open', () => {
    const world = new World({}, undefined, (broker) => {
      broker.holdsPresence = true;
    });
    world.device('x').publish(short('ab'), 'x', -1);
    expect(payloads(world)).toEqual([]);
    world.broker.presences[0]!.events.connected(false, world.now);
    expect(payloads(world)).toEqual(['x']);
  });

  it('is dropped with a registered or unknown id, and while the broker is away', () => {
    const world = new World();
    const device = world.device('x').publish(normal(1), 'x', -1).publish(predefined(1), 'x', -1);
    world.broker.lose('thimble-gateway-1');
    device.publish(short('ab'), 'x', -1);
    expect(device.hear()).toEqual([]);
    expect(world.gateway.counters.droppedQosMinus1).toBe(3);
    world.pass(10_000);
    device.publish(short('ab'), 'back', -1);
    expect(payloads(world)).toEqual(['back']);
  });
});

describe('SUBSCRIBE', () => {
  it('by name is answered with the id of the topic, by wildcards with 0', () => {
    const world = new World();
    const device = world.device('a').connected();
    const id = device.register('t/2');
    expect(device.subscribe('t/1')).toBe(id + 1);
    expect(device.subscribe('t/2')).toBe(id);
    expect(device.subscribe('t/+')).toBe(0);
    expect(device.subscribe('#')).toBe(0);
  });

  it('by predefined id is answered with that id, by short name with 0', () => {
    const world = new World({ predefined: { '*': { 5: 'p/5' } } });
    const device = world.device('a').connected();
    const by = { type: PacketType.Subscribe, dup: false, qos: 2, msgId: 7 } as const;
    device.say({ ...by, topic: { kind: TopicType.Predefined, id: 5 } });
    const accepted = { type: PacketType.SubAck, qos: 2, topicId: 5, msgId: 7, returnCode: 0 };
    expect(device.hearOne(PacketType.SubAck)).toEqual(accepted);
    device.say({ ...by, topic: { kind: TopicType.Short, name: 'ab' } });
    expect(device.hearOne(PacketType.SubAck).topicId).toBe(0);
    device.say({ ...by, msgId: 8, topic: { kind: TopicType.Predefined, id: 6 } });
    expect(device.hearOne(PacketType.SubAck).returnCode).toBe(ReturnCode.InvalidTopicId);
    expect(world.broker.session('a').subscribed).toEqual([
      ['p/5', 2],
      ['ab', 2],
    ]);
  });

  it('is refused with 0x03 when the filter is invalid or the broker says no', () => {
    const world = new World();
    const device = world.device('a').connected().say(subscribe(1, 'a/#/b'));
    expect(device.hearOne(PacketType.SubAck).returnCode).toBe(ReturnCode.NotSupported);
    world.broker.refuses = true;
    expect(device.say(subscribe(2, 'a')).hearOne(PacketType.SubAck).returnCode).toBe(ReturnCode.NotSupported);
  });

  it('again is carried out again, for its retained messages', () => {
    const world = new World();
    const device = world.device('a').connected();
    expect(device.subscribe('t')).toBe(device.subscribe('t'));
    expect(world.broker.session('a').subscribed.length).toBe(2);
  });

  it('beyond the limit is answered with congestion', () => {
    const world = new World({ subscriptionsMax: 1 });
    const device = world.device('a').connected().say(subscribe(1, 'a'), subscribe(2, 'b'), subscribe(3, 'a'));
    const codes = device.hear().map((packet) => (packet as { returnCode: number }).returnCode);
    expect(codes).toEqual([ReturnCode.Accepted, ReturnCode.Congestion, ReturnCode.Accepted]);
  });
});

describe('UNSUBSCRIBE', () => {
  it('is always acknowledged', () => {
    const world = new World({ predefined: { '*': { 5: 'p/5' } } });
    const device = world.device('a').connected().say(unsubscribe(1, 't/#'), unsubscribe(2, '#/'));
    for (const id of [5, 6]) {
      device.say({ type: PacketType.Unsubscribe, msgId: 3 + id, topic: { kind: TopicType.Predefined, id } });
    }
    expect(types(device)).toEqual(new Array(4).fill(PacketType.UnsubAck));
    expect(world.broker.unsubscribed).toEqual(['t/#', 'p/5']);
  });
});

describe('a late copy', () => {
  it('of SUBSCRIBE does not revive what was unsubscribed since', () => {
    const world = new World();
    const device = world.device('a').connected().say(subscribe(1, 't'), unsubscribe(2, 't'), subscribe(1, 't'));
    expect(types(device)).toEqual([PacketType.SubAck, PacketType.UnsubAck, PacketType.SubAck]);
    expect(world.broker.session('a').subscribed.length).toBe(1);
  });

  it('of a QoS 2 PUBLISH after its handshake is answered and not published', () => {
    const world = new World();
    const device = world.device('a').connected().publish(short('ab'), 'x', 2, 3).say(pubrel(3));
    device.hear();
    world.pass(5_000);
    device.publish(short('ab'), 'x', 2, 3, true).hearOne(PacketType.PubRec);
    device.say(pubrel(3)).hearOne(PacketType.PubComp);
    expect(payloads(world)).toEqual(['x']);
    world.pass(1);
    device.publish(short('ab'), 'x', 2, 3).hearOne(PacketType.PubRec);
    expect(payloads(world)).toEqual(['x', 'x']);
  });

  it('of a request that the broker has not answered is swallowed, however late', () => {
    const world = new World();
    world.broker.holds = true;
    const device = world.device('a').connected().say(subscribe(1, 't'));
    world.pass(60_000);
    device.say(subscribe(1, 't'));
    world.broker.release();
    device.hearOne(PacketType.SubAck);
    expect(world.broker.session('a').subscribed.length).toBe(1);
  });

  it('is taken for a request of its own from a client that gives all requests one MsgId', () => {
    const world = new World();
    const device = world.device('a').connected().say(subscribe(1, 't'), unsubscribe(1, 't'), subscribe(1, 't'));
    device.publish(short('ab'), 'x', 2, 1).say(pubrel(1));
    device.publish(short('ab'), 'x', 2, 1).say(pubrel(1));
    expect(payloads(world)).toEqual(['x', 'x']);
    expect(world.broker.session('a').subscribed.length).toBe(2);
  });

  it('is remembered of the last requests only', () => {
    const world = new World({ recentMax: 2 });
    const device = world.device('a').connected().say(subscribe(1, 'a'), subscribe(2, 'b'), subscribe(3, 'c'));
    device.say(subscribe(1, 'a'), subscribe(3, 'c'));
    expect(world.broker.session('a').subscribed.map(([filter]) => filter)).toEqual(['a', 'b', 'c', 'a']);
  });
});

describe('REGISTER and SUBSCRIBE in parallel', () => {
  it('do not wait for one another', () => {
    const world = new World();
    world.broker.holds = true;
    const device = world
      .device('a')
      .connected()
      .say(subscribe(1, 't'), publishOf(short('ab'), 'x', 1, 2));
    device.say({ type: PacketType.Register, topicId: 0, msgId: 3, topicName: 'r' }).hearOne(PacketType.RegAck);
    world.broker.release();
    expect(types(device)).toEqual([PacketType.SubAck, PacketType.PubAck]);
  });
});
