// What the random runs have found, each as the shortest story that shows it.
import { describe, expect, it } from 'vitest';
import { PacketType, PROTOCOL_ID, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import { MemoryStore } from '../../../host/core/memory-store.js';
import type { Packet } from '../../../host/wire/index.js';
import { short, World } from './world.js';

const kept = { cleanSession: false } as const;
const WILL = { qos: 1, retain: false, topic: 'will' } as const;

describe('a client', () => {
  it('that has moved by PINGREQ is at its new address after a restart, and nobody speaks for it from the old one', () => {
    const world = new World({}, new MemoryStore());
    const device = world.device('old', 'a').connected(kept);
    device.address = 'new';
    device.ping('a').hearOne(PacketType.PingResp);
    world.restart();
    world.pass(1_000);
    world.device('old', 'a').ping().hearOne(PacketType.Disconnect);
    device.ping().hearOne(PacketType.PingResp);
  });

  it('that moves to where another was is sent the will of that one there', () => {
    const world = new World();
    const other = world.device('new', 'b').connected();
    const device = world.device('old', 'a').connected();
    device.subscribe('ab');
    world.broker.session('b').abort = () => world.broker.deliver('a', 'ab', 'will');
    expect(other.hear()).toEqual([]);
    const moved = world.device('new', 'a').ping('a');
    expect(device.hear()).toEqual([]);
    expect(moved.hear().map(({ type }) => type)).toContain(PacketType.Publish);
    moved.ping().hearOne(PacketType.PingResp);
  });

  it('that has moved is not told of a late copy of its CONNECT from where it was', () => {
    const world = new World();
    const device = world.device('old', 'a').connected();
    const moved = world.device('new', 'a').ping('a');
    moved.hear();
    device.connect();
    expect([...moved.hear(), ...device.hear()]).toEqual([]);
    expect(world.gateway.counters.lateDuplicates).toBe(1);
    moved.ping().hearOne(PacketType.PingResp);
  });

  it.each([
    ['not understood', { protocolId: PROTOCOL_ID + 1 }, false],
    ['without a client id that is allowed', { clientId: '' }, false],
    ['at a time without a broker', {}, true],
  ])(
    'whose CONNECT is refused because it is %s is asked no more for the will of an earlier one',
    (_why, odd, isDown) => {
      const world = new World();
      const device = world.device('x', 'a').connect({ will: true });
      device.hearOne(PacketType.WillTopicReq);
      if (isDown) world.broker.goDown();
      device.connect({ ...odd, duration: 1 });
      expect(device.hearOne(PacketType.ConnAck).returnCode).not.toBe(ReturnCode.Accepted);
      world.pass(60_000);
      expect(device.hear()).toEqual([]);
    },
  );

  it('that connects under another name hears nothing of what its old name asked for', () => {
    const world = new World({}, undefined, (broker) => {
      broker.holdsConnect = true;
    });
    const device = world.device('x', 'old').connect();
    world.device('x', 'new').connect({ will: true }).hearOne(PacketType.WillTopicReq);
    world.broker.holdsConnect = false;
    if (world.broker.session('old').over === undefined) world.broker.connect();
    expect(device.hear()).toEqual([]);
    device.say({ type: PacketType.WillTopic, will: WILL }, { type: PacketType.WillMsg, message: new Uint8Array() });
    expect(device.hear().at(-1)).toEqual({ type: PacketType.ConnAck, returnCode: ReturnCode.Accepted });
    expect(world.broker.session('new').options.clientId).toBe('new');
  });
});

describe('a client that connects once more, with a will,', () => {
  it.each([
    ['agrees', (broker: World['broker']) => broker.connect()],
    ['does not', (broker: World['broker']) => broker.lose('a')],
  ])('while its first CONNECT waits hears nothing of that when the broker %s', (_how, decide) => {
    const world = new World({}, undefined, (broker) => {
      broker.holdsConnect = true;
    });
    const device = world.device('x', 'a').connect(kept);
    device.connect({ ...kept, will: true }).hearOne(PacketType.WillTopicReq);
    if (world.broker.session('a').over === undefined) decide(world.broker);
    expect(device.hear()).toEqual([]);
    world.broker.holdsConnect = false;
    device.say({ type: PacketType.WillTopic, will: WILL }, { type: PacketType.WillMsg, message: new Uint8Array() });
    expect(device.hear().at(-1)).toEqual({ type: PacketType.ConnAck, returnCode: ReturnCode.Accepted });
  });
});

describe('a client that was there before a restart', () => {
  const begin = () => {
    const world = new World({}, new MemoryStore());
    const device = world.device('x', 'a').connected(kept);
    return { world, device, broker: world.broker };
  };

  it.each<[string, Packet]>([
    ['a REGISTER', { type: PacketType.Register, topicId: 0, msgId: 1, topicName: 'topic' }],
    ['a DISCONNECT with a duration', { type: PacketType.Disconnect, duration: 60 }],
  ])('and is refused by the broker when it is heard has no answer to %s but DISCONNECT', (_what, packet) => {
    const { world, device, broker } = begin();
    world.restart();
    broker.refusesConnect = true;
    device.say(packet).hearOne(PacketType.Disconnect);
    expect(world.gateway.gauges()).toMatchObject({ offline: 1, asleep: 0, topics: 0 });
  });

  it('and says PUBACK first has not thereby taken the message that it is sent when it is heard', () => {
    const { world, device, broker } = begin();
    device.subscribe('t', 1);
    world.restart();
    broker.deliver('a', 't', 'x', 1);
    const puback: Packet = { type: PacketType.PubAck, topicId: 1, msgId: 1, returnCode: ReturnCode.Accepted };
    device.say(puback).hearOne(PacketType.Publish);
    expect(broker.acknowledged).toEqual([]);
    device.say(puback);
    expect(broker.acknowledged).toEqual(['x']);
  });

  it('and was then connecting from elsewhere is not thought to be where somebody else is now', () => {
    const { world, device, broker } = begin();
    broker.holdsConnect = true;
    device.address = 'y';
    device.connect({ ...kept, will: true });
    device.say({ type: PacketType.WillTopic, will: WILL }, { type: PacketType.WillMsg, message: new Uint8Array() });
    broker.holdsConnect = false;
    const other = world.device('x', 'b').connected(kept);
    world.restart();
    world.pass(1_000);
    expect(world.gateway.gauges()).toMatchObject({ active: 1, offline: 1 });
    other.ping().hearOne(PacketType.PingResp);
  });
});

describe('of a broker that never sends PUBREL', () => {
  it('only the latest messages that were dropped are remembered; of an older one the client is asked', () => {
    const world = new World({ maxPacketBytes: 40 });
    const device = world.device('x', 'a').connected(kept);
    const { events } = world.broker.session('a');
    const tooLong = { topic: 'ab', payload: new Uint8Array(40), qos: 2, retain: false } as const;
    const ids = Array.from({ length: 129 }, (_, i) => i + 1);
    for (const id of ids) events.message(tooLong, id, false, world.now);
    for (const id of ids.slice(1)) events.released(id, world.now);
    expect(device.hear()).toEqual([]);
    events.released(1, world.now);
    expect(device.hearOne(PacketType.PubRel)).toMatchObject({ msgId: 1 });
  });
});

describe('of a client that floods', () => {
  const LIMITS = { requestsMax: 2, qos2Max: 2 } as const;
  const TOPIC = short('ab');

  function flooding() {
    const world = new World(LIMITS);
    const device = world.device('x', 'a').connected(kept);
    world.broker.holds = true;
    return { world, device, broker: world.broker };
  }

  it('no PUBREL goes to the broker twice while it is being answered, nor one without a MsgId', () => {
    const { world, device, broker } = flooding();
    const pubrel = (msgId: number): Packet => ({ type: PacketType.PubRel, msgId });
    device.say(pubrel(0), pubrel(5), pubrel(5), pubrel(6), pubrel(7));
    expect(broker.releasedIds).toEqual([5, 6]);
    expect(world.gateway.counters.malformed).toBe(1);
    broker.release();
    expect(device.hear().map((packet) => 'msgId' in packet && packet.msgId)).toEqual([5, 6]);
    device.say(pubrel(7)).hearOne(PacketType.PubComp);
  });

  it('QoS 0 waits within limits for a session that the broker has not opened yet', () => {
    const { world, device, broker } = flooding();
    broker.holdsConnect = true;
    device.say({ type: PacketType.WillTopicUpd, will: WILL }); // opens it anew
    for (let i = 0; i < 5; i++) device.publish(TOPIC, `${i}`);
    const refused = { type: PacketType.PubAck, msgId: 0, returnCode: ReturnCode.Congestion };
    expect(device.hear()).toMatchObject([refused, refused, refused]);
    broker.connect();
    expect(broker.published).toHaveLength(LIMITS.requestsMax);
    expect(world.gateway.counters.congested).toBe(3);
  });

  it('SUBSCRIBEs that the broker has not answered count as subscriptions', () => {
    const world = new World({ subscriptionsMax: 2 });
    const device = world.device('x', 'a').connected(kept);
    world.broker.holds = true;
    const subscribe = (msgId: number, name: string): Packet => {
      return { type: PacketType.Subscribe, dup: false, qos: 0, msgId, topic: { kind: TopicType.Normal, name } };
    };
    device.say(subscribe(1, 'one'), subscribe(2, 'two'), subscribe(3, 'one'), subscribe(4, 'three'));
    const refused = { type: PacketType.SubAck, msgId: 4, returnCode: ReturnCode.Congestion };
    expect(device.hear()).toMatchObject([refused]);
    world.broker.release();
    expect(world.gateway.gauges()).toMatchObject({ subscriptions: 2 });
  });

  it('no MsgId of QoS 2 is used anew while the broker is still to answer it', () => {
    const world = new World({ ...LIMITS, requestsMax: 16 });
    const device = world.device('x', 'a').connected(kept);
    world.broker.holds = true;
    for (const msgId of [1, 2, 3, 1]) device.publish(TOPIC, `${msgId}`, 2, msgId);
    expect(world.broker.publishedAs.map(([id]) => id)).toEqual([1, 2]);
    expect(device.hearOne(PacketType.PubAck)).toMatchObject({ msgId: 3, returnCode: ReturnCode.Congestion });
    world.broker.release();
    expect(device.publish(TOPIC, '3', 2, 3).hear()).toMatchObject(
      [1, 2, 3].map((msgId) => ({ type: PacketType.PubRec, msgId })),
    );
  });

  it('the oldest handshake that was given up is ended with the broker, which would take a new message for the old one', () => {
    const { world, device, broker } = flooding();
    broker.release();
    for (const msgId of [1, 2, 3]) device.publish(TOPIC, `${msgId}`, 2, msgId);
    expect(broker.releasedIds).toEqual([1]);
    device.publish(TOPIC, 'another', 2, 1);
    expect(broker.releasedIds).toEqual([1, 2]);
    expect(broker.publishedAs.map(([id]) => id)).toEqual([1, 2, 3, 1]);
    expect(world.gateway.counters.publishesInQos2).toBe(4);
  });

  it.each([
    [1, 2],
    [2, 1],
  ] as const)('no MsgId is used at QoS %i and at QoS %i at a time', (first, second) => {
    const { device, broker } = flooding();
    device.publish(TOPIC, 'x', first, 1).publish(TOPIC, 'y', second, 1);
    expect(broker.publishedAs).toEqual([[1, false]]);
    broker.release();
    device.publish(TOPIC, 'y', second, 1);
    expect(broker.published.map(({ qos }) => qos)).toEqual([first, second]);
  });
});
