// What a gateway knows again after its process was killed: sessions that their clients want kept, with topic ids,
// subscriptions and whereabouts.
import { beforeEach, describe, expect, it } from 'vitest';
import { PacketType, ReturnCode } from '../../../assembly/protocol/index.js';
import { MemoryStore } from '../../../host/core/memory-store.js';
import { normal, type PublishPacket, puback, World } from './world.js';

const kept = { cleanSession: false } as const;

let store: MemoryStore;
let world: World;
beforeEach(() => {
  store = new MemoryStore();
  world = new World({}, store);
});

const keys = () => [...store.entries()].map(([key]) => key);

const restart = () => world.restart();

describe('after a restart', () => {
  it('a connected client goes on as if nothing had happened: its topic ids, and its subscriptions', () => {
    const device = world.device('a').connected(kept);
    const id = device.register('up');
    const subscribed = device.subscribe('down', 1);
    restart();
    device.publish(normal(id), 'x', 1).hearOne(PacketType.PubAck);
    expect(world.broker.published.map(({ topic }) => topic)).toEqual(['up']);
    world.broker.deliver('a', 'down', 'y', 1);
    expect(device.hearOne(PacketType.Publish)).toMatchObject({ topic: normal(subscribed) });
    expect(world.gateway.counters.sessionsRestored).toBe(1);
  });

  it('what the client says before the broker has the session open waits for it', () => {
    const device = world.device('a').connected(kept);
    const id = device.register('up');
    world.broker.holdsConnect = true;
    restart();
    device.publish(normal(id), 'x', 1);
    expect(device.hear()).toEqual([]);
    world.broker.connect();
    device.hearOne(PacketType.PubAck);
  });

  it('a topic registered by the gateway for a wildcard keeps its id', () => {
    const device = world.device('a').connected(kept);
    device.subscribe('#', 1);
    world.broker.deliver('a', 'some/topic', 'x', 0);
    const register = device.hearOne(PacketType.Register);
    device.say({ ...register, type: PacketType.RegAck, returnCode: ReturnCode.Accepted }).hear();
    restart();
    device.ping().hearOne(PacketType.PingResp);
    world.broker.deliver('a', 'some/topic', 'y', 0);
    expect(device.hearOne(PacketType.Publish)).toMatchObject({ topic: normal(register.topicId) });
  });

  it('an id is never given to another topic', () => {
    const device = world.device('a').connected(kept);
    const ids = ['one', 'two'].map((name) => device.register(name));
    restart();
    expect(device.register('three')).not.toBeOneOf(ids);
    expect(device.register('one')).toBe(ids[0]);
  });

  it('a sleeper is asleep, and gets what was kept when it wakes', () => {
    const device = world.device('a').connected(kept);
    device.subscribe('t', 1);
    device.sleep(60);
    restart();
    world.broker.deliver('a', 't', 'x', 1);
    expect(device.hear()).toEqual([]);
    const publish = device.ping('a').hearOne(PacketType.Publish) as PublishPacket;
    device.say(puback(publish)).hearOne(PacketType.PingResp);
  });

  it('a sleeper that does not wake is lost at the end of its sleep, and its will published', () => {
    const device = world.device('a');
    const will = { qos: 1, retain: false, topic: 'gone' } as const;
    device.connect({ ...kept, will: true });
    device.say({ type: PacketType.WillTopic, will }, { type: PacketType.WillMsg, message: new Uint8Array([1, 255]) });
    device.sleep(60);
    restart();
    device.ping('a').hearOne(PacketType.PingResp); // which hands the will over again
    world.broker.wills.length = 0;
    world.pass(100_000);
    expect(world.broker.wills).toEqual([{ ...will, payload: new Uint8Array([1, 255]) }]);
  });

  it('a client that had said goodbye finds its topic ids, and is not taken for connected', () => {
    const device = world.device('a').connected(kept);
    const id = device.register('up');
    device.say({ type: PacketType.Disconnect, duration: undefined }).hear();
    restart();
    expect(world.gateway.gauges()).toMatchObject({ offline: 1, active: 0 });
    device.publish(normal(id), 'x').hearOne(PacketType.Disconnect);
    device.connected(kept).publish(normal(id), 'x');
    expect(world.broker.published.map(({ topic }) => topic)).toEqual(['up']);
  });

  it('a client behind a forwarder is found behind it', () => {
    const node = new Uint8Array([0xab, 0x01]);
    const device = world.device('forwarder', 'a');
    const wrap = (inner: Uint8Array) => new Uint8Array([5, 0xfe, 0, ...node, ...inner]);
    const connect = new Uint8Array([7, PacketType.Connect, 0, 1, 0, 60, 0x61]);
    device.sayBytes(wrap(connect)).hear();
    restart();
    device.sayBytes(wrap(new Uint8Array([2, PacketType.PingReq])));
    expect(device.hearOne(PacketType.Forwarded)).toMatchObject({ wirelessNodeId: node });
  });

  it('nothing is left of a client that wants no memory, and it is told so', () => {
    const device = world.device('a').connected(kept);
    device.register('t');
    device.connected();
    expect(keys()).toEqual([]);
    restart();
    device.ping().hearOne(PacketType.Disconnect);
  });

  it('the record stands before the client is told that its topic is registered', () => {
    const device = world.device('a').connected(kept);
    store.put = () => {
      throw new Error('disk full');
    };
    expect(() => device.register('t')).toThrow('disk full');
    expect(device.hear()).toEqual([]);
  });

  it('a client that is not heard is left where it is: it may be on another gateway by now', () => {
    const device = world.device('a').connected(kept);
    const opened = world.broker.opened.length;
    restart();
    world.pass(3_600_000);
    expect(world.broker.opened).toHaveLength(opened);
    expect(device.hear()).toEqual([]);
    expect(world.gateway.gauges()).toMatchObject({ active: 0, offline: 1 });
  });

  it('where the broker does not answer in time, the client is told by DISCONNECT', () => {
    const device = world.device('a').connected(kept);
    world.broker.holdsConnect = true;
    restart();
    device.ping().hearOne(PacketType.PingResp);
    world.pass(31_000);
    device.hearOne(PacketType.Disconnect);
  });

  it('records that are none are dropped, with a word to the operator', () => {
    store.put('session/x', new Uint8Array([0xff]));
    store.put('session/y', new TextEncoder().encode('{"version":99}'));
    store.put('other/z', new Uint8Array());
    restart();
    expect(keys()).toEqual(['other/z']);
    expect(world.logged.filter((event) => event === 'session-record-dropped')).toHaveLength(2);
  });
});
