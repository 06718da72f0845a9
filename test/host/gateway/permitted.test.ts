// What the gateway does with permissions: the rules themselves are tested in permissions.test.ts.
import { describe, expect, it } from 'vitest';
import { PacketType, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import { MemoryStore } from '../../../host/core/memory-store.js';
import { predefined, publishOf, short, World } from './world.js';

const permissions = {
  a: { publish: ['up/{clientId}', 'ab'], subscribe: ['down/#'] },
  '*': { publish: ['xy'] },
};
const DENIED = { returnCode: ReturnCode.NotSupported };

describe('a client with permissions', () => {
  it('that has none may not connect', () => {
    const world = new World({ permissions: { a: {} } });
    const device = world.device('b').connect();
    expect(device.hearOne(PacketType.ConnAck)).toMatchObject(DENIED);
    expect(world.broker.opened).toEqual([]);
    expect(world.gateway.counters.denied).toBe(1);
    world.device('a').connect().hearOne(PacketType.ConnAck);
  });

  it('may name what it may publish or subscribe to, and nothing else', () => {
    const device = new World({ permissions }).device('a').connected();
    expect(device.register('up/a')).toBeGreaterThan(0);
    expect(device.register('down/1')).toBeGreaterThan(0);
    device.say({ type: PacketType.Register, topicId: 0, msgId: 9, topicName: 'up/b' });
    expect(device.hearOne(PacketType.RegAck)).toMatchObject({ ...DENIED, msgId: 9 });
  });

  it('is told at every QoS that it may not publish', () => {
    const world = new World({ permissions, predefined: { '*': { 1: 'up/b', 2: 'up/a' } } });
    const device = world.device('a').connected();
    for (const qos of [0, 1, 2] as const) {
      device.publish(predefined(1), 'x', qos, qos);
      expect(device.hearOne(PacketType.PubAck)).toMatchObject({ ...DENIED, msgId: qos });
    }
    device.publish(predefined(2), 'x', 1).hearOne(PacketType.PubAck);
    expect(world.broker.published.map(({ topic }) => topic)).toEqual(['up/a']);
    expect(world.logged).toContain('publish-denied');
  });

  it('may subscribe to what its filters cover', () => {
    const world = new World({ permissions });
    const device = world.device('a').connected();
    expect(device.subscribe('down/x')).toBeGreaterThan(0);
    device.say({
      type: PacketType.Subscribe,
      dup: false,
      qos: 1,
      msgId: 9,
      topic: { kind: TopicType.Normal, name: '#' },
    });
    expect(device.hearOne(PacketType.SubAck)).toMatchObject({ ...DENIED, msgId: 9 });
  });

  it('may have as a will what it may publish, also by an update', () => {
    const world = new World({ permissions });
    const will = (topic: string) => ({ qos: 0, retain: false, topic }) as const;
    const device = world.device('a').connected({ will: true });
    device.say({ type: PacketType.WillTopic, will: will('up/b') });
    expect(device.hearOne(PacketType.ConnAck)).toMatchObject(DENIED);
    device.connected();
    device.say({ type: PacketType.WillTopicUpd, will: will('up/b') });
    expect(device.hearOne(PacketType.WillTopicResp)).toMatchObject(DENIED);
    device.say({ type: PacketType.WillTopicUpd, will: will('up/a') });
    expect(device.hearOne(PacketType.WillTopicResp)).toMatchObject({ returnCode: ReturnCode.Accepted });
  });

  it('publishes without a connection what everybody may', () => {
    const world = new World({ permissions });
    const stranger = world.device('z').say(publishOf(short('ab'), 'x', -1, 0), publishOf(short('xy'), 'y', -1, 0));
    expect(stranger.hear()).toEqual([]);
    expect(world.broker.published.map(({ topic }) => topic)).toEqual(['xy']);
    expect(world.gateway.counters.droppedQosMinus1).toBe(1);
  });

  it('is forgotten by a restart that takes the permission to connect away', () => {
    const store = new MemoryStore();
    const world = new World({}, store);
    const device = world.device('a').connected({ cleanSession: false });
    world.configure({ permissions: { b: {} } });
    world.restart();
    const opened = world.broker.opened.length;
    device.ping().hearOne(PacketType.Disconnect);
    expect(world.broker.opened).toHaveLength(opened);
    expect([...store.entries()]).toEqual([]);
  });

  it('loses by a restart the will and the subscriptions that it may not have any more', () => {
    const world = new World({}, new MemoryStore());
    const device = world.device('a').connect({ cleanSession: false, will: true });
    device.say({ type: PacketType.WillTopic, will: { qos: 0, retain: false, topic: 'up/b' } });
    device.say({ type: PacketType.WillMsg, message: new Uint8Array([1]) }).hear();
    for (const filter of ['down/#', 'secret/#']) device.subscribe(filter, 1);
    world.configure({ permissions });
    world.broker.forget('a');
    world.restart();
    device.connect({ cleanSession: false }).hearOne(PacketType.ConnAck);
    const session = world.broker.session('a');
    expect(session.options.will).toBeUndefined();
    expect(session.subscribed).toEqual([['down/#', 1]]);
  });

  it('gets nothing any more that its permissions, changed since it subscribed, do not allow', () => {
    const store = new MemoryStore();
    const world = new World({}, store);
    const device = world.device('a').connected({ cleanSession: false });
    device.subscribe('secret', 2);
    world.configure({ permissions });
    world.restart();
    device.ping().hearOne(PacketType.PingResp);
    for (const qos of [0, 1, 2] as const) world.broker.deliver('a', 'secret', 'x', qos);
    expect(device.hear()).toEqual([]);
    expect(world.gateway.counters.droppedDenied).toBe(3);
    expect(world.broker.unacknowledged('a')).toEqual([]);
  });
});
