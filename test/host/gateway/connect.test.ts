import { describe, expect, it } from 'vitest';
import { PacketType, ReturnCode } from '../../../assembly/protocol/index.js';
import { encode } from '../../../host/wire/index.js';
import { bytes, normal, publishOf, text, World } from './world.js';

const will = { qos: 1, retain: true, topic: 'will/a' } as const;
const willTopic = { type: PacketType.WillTopic, will } as const;
const willMessage = { type: PacketType.WillMsg, message: bytes('dead') } as const;
const keep = { cleanSession: false };

describe('CONNECT', () => {
  it('opens one broker session for each client and answers when the broker has agreed', () => {
    const world = new World();
    world.broker.holdsConnect = true;
    const device = world.device('a').connect();
    expect(device.hear()).toEqual([]);
    world.broker.connect();
    expect(device.hearOne(PacketType.ConnAck).returnCode).toBe(ReturnCode.Accepted);
    expect(world.broker.opened.map(({ options }) => options)).toEqual([{ clientId: 'a', clean: true }]);
    world.device('b').connect();
    expect(world.broker.opened.length).toBe(2);
  });

  it('swallows a retransmission while the broker is being asked', () => {
    const world = new World();
    world.broker.holdsConnect = true;
    const device = world.device('a').connect().connect();
    world.broker.connect();
    device.hearOne(PacketType.ConnAck);
    expect(world.broker.opened.length).toBe(1);
  });

  it.each([{ protocolId: 2 }, { clientId: '' }, { clientId: 'x'.repeat(24) }])('is refused with %o', (wrong) => {
    const world = new World();
    const device = world.device('a').connect(wrong);
    expect(device.hearOne(PacketType.ConnAck).returnCode).toBe(ReturnCode.NotSupported);
    expect(world.broker.opened).toEqual([]);
  });

  it('takes client ids of 23 characters, whatever their octets', () => {
    const world = new World();
    for (const clientId of ['x'.repeat(23), 'é'.repeat(23), '🌊'.repeat(23)]) {
      expect(world.device('a').connect({ clientId }).hearOne(PacketType.ConnAck).returnCode).toBe(0);
    }
  });

  it('is answered with congestion when the broker refuses, is lost, or does not answer', () => {
    const world = new World({ upstreamTimeoutMs: 5_000 });
    world.broker.refusesConnect = true;
    const device = world.device('a').connect();
    expect(device.hearOne(PacketType.ConnAck).returnCode).toBe(ReturnCode.Congestion);
    world.broker.refusesConnect = false;
    world.broker.holdsConnect = true;
    device.connect();
    world.broker.lose('a');
    expect(device.hearOne(PacketType.ConnAck).returnCode).toBe(ReturnCode.Congestion);
    device.connect();
    world.pass(5_000);
    expect(device.hearOne(PacketType.ConnAck).returnCode).toBe(ReturnCode.Congestion);
    expect(world.broker.session('a').over).toBe('aborted');
    expect(world.gateway.sessionCount).toBe(0);
  });
});

describe('the will dialog', () => {
  it('asks for topic and message before CONNACK and hands the will to the broker', () => {
    const world = new World();
    const device = world.device('a').connect({ will: true });
    device.hearOne(PacketType.WillTopicReq);
    device.say(willTopic).hearOne(PacketType.WillMsgReq);
    device.say(willMessage).hearOne(PacketType.ConnAck);
    expect(world.broker.session('a').options).toEqual({
      clientId: 'a',
      clean: true,
      will: { topic: 'will/a', payload: bytes('dead'), qos: 1, retain: true },
    });
  });

  it('repeats its question when the client repeats itself, and by itself, and gives up', () => {
    const world = new World({ tRetryMs: 1_000, nRetry: 2 });
    const device = world.device('a').connect({ will: true }).connect({ will: true });
    expect(device.hear().map(({ type }) => type)).toEqual([PacketType.WillTopicReq, PacketType.WillTopicReq]);
    device.say(willTopic, willTopic);
    expect(device.hear().map(({ type }) => type)).toEqual([PacketType.WillMsgReq, PacketType.WillMsgReq]);
    world.pass(10_000);
    expect(device.hear().map(({ type }) => type)).toEqual([PacketType.WillMsgReq, PacketType.WillMsgReq]);
    device.say(willMessage).hearOne(PacketType.Disconnect);
  });

  it('repeats CONNACK when the last answer is repeated', () => {
    const world = new World();
    const device = world.device('a').connect({ will: true }).say(willTopic, willMessage);
    device.hear();
    device.say(willMessage).hearOne(PacketType.ConnAck);
    expect(world.broker.opened.length).toBe(1);
  });

  it('refuses a will topic with wildcards or without characters', () => {
    const world = new World();
    for (const topic of ['a/#', '']) {
      const device = world.device('a').connect({ will: true });
      device.hear();
      device.say({ ...willTopic, will: { ...will, topic } });
      expect(device.hearOne(PacketType.ConnAck).returnCode).toBe(ReturnCode.NotSupported);
    }
  });

  it('keeps the will over a CONNECT with CleanSession=0 and Will=0, and deletes it by an empty WILLTOPIC alone', () => {
    const world = new World();
    const device = world
      .device('a')
      .connect({ ...keep, will: true })
      .say(willTopic, willMessage);
    const id = device.register('x/y');
    world.pass(60_000);
    device.say({ type: PacketType.Disconnect, duration: undefined }).connected(keep);
    expect(world.broker.session('a').options.will?.topic).toBe('will/a');
    world.pass(60_000);
    device.connect({ ...keep, will: true }).hearOne(PacketType.WillTopicReq);
    device.say({ type: PacketType.WillTopic, will: undefined }).hearOne(PacketType.ConnAck);
    expect(world.broker.session('a').options.will).toBeUndefined();
    expect(device.register('x/y')).toBe(id);
  });

  it('forgets the will with CleanSession=1 and Will=0', () => {
    const world = new World();
    const device = world
      .device('a')
      .connect({ ...keep, will: true })
      .say(willTopic, willMessage);
    world.pass(60_000);
    device.connected({ cleanSession: true });
    expect(world.broker.session('a').options).toEqual({ clientId: 'a', clean: true });
  });

  it('refuses more dialogs than it is allowed', () => {
    const world = new World({ dialogsMax: 1 });
    world.device('a').connect({ will: true });
    const device = world.device('b').connect({ will: true });
    expect(device.hearOne(PacketType.ConnAck).returnCode).toBe(ReturnCode.Congestion);
  });
});

describe('the session', () => {
  it('is kept with CleanSession=0, also from a new address and without a goodbye', () => {
    const world = new World();
    const device = world.device('a').connected(keep);
    const id = device.register('t/1');
    device.address = 'elsewhere';
    device.connect(keep).hearOne(PacketType.ConnAck);
    device.publish(normal(id), 'hello');
    expect(text(world.broker.published[0]!.payload)).toBe('hello');
    expect(world.broker.opened.length).toBe(1);
    world.device('a').ping().hearOne(PacketType.Disconnect);
  });

  it('is wiped with CleanSession=1', () => {
    const world = new World();
    const device = world.device('a').connected(keep);
    const id = device.register('t/1');
    world.pass(60_000);
    device.connected();
    device.publish(normal(id), 'hello');
    expect(device.hearOne(PacketType.PubAck).returnCode).toBe(ReturnCode.InvalidTopicId);
    expect(world.broker.opened[0]!.over).toBe('closed');
  });

  it('with CleanSession=0 outlives DISCONNECT and loss, and with CleanSession=1 does not', () => {
    const world = new World();
    const kept = world.device('k').connected({ ...keep, duration: 60 });
    const id = kept.register('t/1');
    world.device('c').connected().say({ type: PacketType.Disconnect, duration: undefined });
    expect(world.gateway.sessionCount).toBe(1);
    world.pass(200_000);
    expect(world.gateway.counters.clientsLost).toBe(1);
    kept.connected(keep).publish(normal(id), 'again');
    expect(world.broker.published.length).toBe(1);
  });

  it('that is longest offline makes room for a new one, and a connected one never does', () => {
    const world = new World({ sessionsMax: 2 });
    const bye = { type: PacketType.Disconnect, duration: undefined } as const;
    world.device('a').connected(keep).say(bye);
    world.device('b').connected(keep).say(bye);
    expect(world.device('c').connect(keep).hearOne(PacketType.ConnAck).returnCode).toBe(ReturnCode.Accepted);
    world.device('b').connected(keep);
    expect(world.gateway.counters.sessionsForgotten).toBe(1);
    expect(world.device('d').connect(keep).hearOne(PacketType.ConnAck).returnCode).toBe(ReturnCode.Congestion);
  });

  it('is subscribed again when the broker has forgotten it', () => {
    const world = new World();
    const device = world.device('a').connected();
    device.subscribe('t/+', 2);
    world.pass(60_000);
    device.connected(keep);
    expect(world.broker.opened.length).toBe(2);
    expect(world.broker.session('a').subscribed).toEqual([['t/+', 2]]);
  });

  it('ends, for whom else has the address, when another client connects from there', () => {
    const world = new World();
    world.device('x', 'old').connected();
    world.device('x', 'new').connected();
    expect(world.broker.session('old').over).toBe('aborted');
  });
});

describe('a late copy of CONNECT', () => {
  it('does not wipe what was subscribed since, and is answered', () => {
    const world = new World();
    const device = world.device('a').connected();
    device.subscribe('t/1');
    world.pass(3_000);
    device.connect().hearOne(PacketType.ConnAck);
    world.broker.deliver('a', 't/1', 'still here');
    expect((device.hearOne(PacketType.Publish) as { data: Uint8Array }).data).toEqual(bytes('still here'));
    expect(world.gateway.counters.lateDuplicates).toBe(1);
  });

  it('is a new CONNECT when it comes too late, from elsewhere, or after the client has left', () => {
    const world = new World();
    const device = world.device('a').connected();
    world.pass(5_001);
    device.connected();
    expect(world.broker.opened.length).toBe(2);
    device.address = 'b';
    device.connected();
    expect(world.broker.opened.length).toBe(3);
    device.say({ type: PacketType.Disconnect, duration: undefined }).connected();
    expect(world.broker.opened.length).toBe(4);
  });

  it('that wakes a sleeping client does not keep it from its sleep', () => {
    const world = new World();
    const device = world.device('a').connected(keep).sleep(600);
    device.connect(keep).hear(); // made by the network; the device sleeps
    device.ping('a').hearOne(PacketType.PingResp);
    world.broker.deliver('a', 'ab', 'later');
    expect(device.hear()).toEqual([]);
    expect(
      device
        .ping('a')
        .hear()
        .map(({ type }) => type),
    ).toEqual([PacketType.Publish, PacketType.PingResp]);
  });
});

describe('liveness', () => {
  it.each([
    { duration: 10, silent: 15_000 },
    { duration: 60, silent: 90_000 },
    { duration: 100, silent: 110_000 },
  ])('takes a client with a keep-alive of $duration s for lost after $silent ms', ({ duration, silent }) => {
    const world = new World();
    const device = world.device('a').connect({ duration, will: true }).say(willTopic, willMessage);
    device.hear();
    world.pass(silent - 1);
    device.ping().hearOne(PacketType.PingResp);
    world.pass(silent - 1);
    expect(world.broker.wills).toEqual([]);
    world.pass(1);
    expect(world.broker.wills.map(({ topic }) => topic)).toEqual(['will/a']);
    device.ping().hearOne(PacketType.Disconnect);
  });

  it('never loses a client with duration 0', () => {
    const world = new World();
    const device = world.device('a').connected({ duration: 0 });
    world.pass(1_000_000_000);
    device.ping().hearOne(PacketType.PingResp);
  });

  it('publishes no will on DISCONNECT', () => {
    const world = new World();
    const device = world.device('a').connect({ will: true }).say(willTopic, willMessage);
    device.hear();
    device.say({ type: PacketType.Disconnect, duration: undefined }).hearOne(PacketType.Disconnect);
    expect(world.broker.session('a').over).toBe('closed');
    expect(world.broker.wills).toEqual([]);
  });

  it('tells the client when the broker is lost', () => {
    const world = new World();
    const device = world.device('a').connected();
    world.broker.lose('a');
    device.hearOne(PacketType.Disconnect);
    device.ping().hearOne(PacketType.Disconnect);
  });

  it('tells strangers to connect, whatever they say, but not other gateways', () => {
    const world = new World();
    const device = world.device('stranger');
    device.ping().hearOne(PacketType.Disconnect);
    device.ping('nobody').hearOne(PacketType.Disconnect);
    device.publish(normal(1), 'x').hearOne(PacketType.Disconnect);
    device.say({ type: PacketType.Disconnect, duration: 5 }).hearOne(PacketType.Disconnect);
    device.say(willMessage).hearOne(PacketType.Disconnect);
    device.say({ type: PacketType.PingResp }, { type: PacketType.ConnAck, returnCode: 0 });
    expect(device.hear()).toEqual([]);
    expect(world.gateway.counters.unknownSender).toBe(7);
  });

  it('says DISCONNECT to everyone when it stops', () => {
    const world = new World();
    const [a, b] = [world.device('a').connected(), world.device('b').connected(keep)];
    world.gateway.stop(world.now);
    a.hearOne(PacketType.Disconnect);
    b.hearOne(PacketType.Disconnect);
    expect(world.broker.opened.map(({ over }) => over)).toEqual(['closed', 'closed']);
    expect(world.gateway.nextDue()).toBe(Number.POSITIVE_INFINITY);
    expect(a.ping().hear()).toEqual([]);
  });
});

describe('a will update', () => {
  const update = { type: PacketType.WillTopicUpd, will: { qos: 0, retain: false, topic: 'will/b' } } as const;

  it('gives the broker the new will without firing the old one, and is answered in its own type', () => {
    const world = new World();
    const device = world
      .device('a')
      .connect({ ...keep, will: true })
      .say(willTopic, willMessage);
    device.hear();
    expect(device.say(update).hearOne(PacketType.WillTopicResp).returnCode).toBe(ReturnCode.Accepted);
    const message = { type: PacketType.WillMsgUpd, message: bytes('gone') } as const;
    expect(device.say(message).hearOne(PacketType.WillMsgResp).returnCode).toBe(ReturnCode.Accepted);
    device.say(message).hearOne(PacketType.WillMsgResp);
    expect(world.broker.opened.length).toBe(3);
    world.pass(1_000_000);
    expect(world.broker.wills).toEqual([{ topic: 'will/b', payload: bytes('gone'), qos: 0, retain: false }]);
  });

  it('keeps subscriptions of a clean session', () => {
    const world = new World();
    const device = world.device('a').connected();
    device.subscribe('t/#');
    device.say(update).hearOne(PacketType.WillTopicResp);
    expect(world.broker.session('a').subscribed).toEqual([['t/#', 1]]);
  });

  it('waits until the broker has answered what it was asked before', () => {
    const world = new World();
    const device = world.device('a').connected();
    const id = device.register('t');
    world.broker.holds = true;
    device.say(publishOf(normal(id), 'x', 1, 9), update);
    expect(device.hear()).toEqual([]);
    world.broker.release();
    expect(device.hear().map(({ type }) => type)).toEqual([PacketType.PubAck, PacketType.WillTopicResp]);
  });

  it('costs the connection when the broker does not take it', () => {
    const world = new World({ upstreamTimeoutMs: 5_000 });
    const device = world.device('a').connected();
    world.broker.holdsConnect = true;
    expect(device.say(update).hear()).toEqual([]);
    world.pass(5_000);
    device.hearOne(PacketType.Disconnect);
  });

  it('with an empty topic deletes the will, and one that makes no sense is refused', () => {
    const world = new World();
    const device = world.device('a').connect({ will: true }).say(willTopic, willMessage);
    device.hear();
    device.say({ type: PacketType.WillTopicUpd, will: undefined }).hearOne(PacketType.WillTopicResp);
    expect(world.broker.session('a').options.will).toBeUndefined();
    const noTopic = device.say({ type: PacketType.WillMsgUpd, message: bytes('x') });
    expect(noTopic.hearOne(PacketType.WillMsgResp).returnCode).toBe(ReturnCode.NotSupported);
    const wrong = { ...update, will: { ...update.will, topic: '+' } };
    expect(device.say(wrong).hearOne(PacketType.WillTopicResp).returnCode).toBe(ReturnCode.NotSupported);
  });
});

describe('discovery', () => {
  it('advertises at the start and each T_ADV, and not at all with T_ADV 0', () => {
    const world = new World({ tAdvMs: 900_000, gwId: 9 });
    expect(world.broadcasts).toEqual([{ type: PacketType.Advertise, gwId: 9, duration: 900 }]);
    world.pass(1_800_000);
    expect(world.broadcasts.length).toBe(3);
    expect(new World().broadcasts).toEqual([]);
  });

  it('answers SEARCHGW with GWINFO to everybody, and behind a forwarder through it', () => {
    const world = new World({ gwId: 9 });
    const search = { type: PacketType.SearchGw, radius: 1 } as const;
    world.device('a').say(search);
    expect(world.broadcasts).toEqual([{ type: PacketType.GwInfo, gwId: 9, gwAdd: new Uint8Array() }]);
    const node = Uint8Array.of(1, 2);
    const forwarder = world.device('f');
    forwarder.say({ type: PacketType.Forwarded, ctrl: 1, wirelessNodeId: node, inner: encode(search) });
    expect(forwarder.hearOne(PacketType.Forwarded)).toMatchObject({ ctrl: 1, wirelessNodeId: node });
  });
});

describe('behind a forwarder', () => {
  it('nodes are clients of their own, and answers are wrapped for them', () => {
    const world = new World();
    const forwarder = world.device('f');
    const connect = (clientId: string) =>
      encode({ type: PacketType.Connect, will: false, cleanSession: true, protocolId: 1, duration: 60, clientId });
    for (const [node, clientId] of [
      [1, 'n1'],
      [2, 'n2'],
    ] as const) {
      const wirelessNodeId = Uint8Array.of(node);
      forwarder.say({ type: PacketType.Forwarded, ctrl: 0, wirelessNodeId, inner: connect(clientId) });
      const answer = forwarder.hearOne(PacketType.Forwarded);
      expect(answer).toEqual({
        type: PacketType.Forwarded,
        ctrl: 0,
        wirelessNodeId,
        inner: encode({ type: PacketType.ConnAck, returnCode: 0 }),
      });
    }
    forwarder.connected();
    expect(world.gateway.sessionCount).toBe(3);
  });

  it('an envelope in an envelope is malformed, and an unknown node is told to connect', () => {
    const world = new World();
    const wirelessNodeId = Uint8Array.of(1);
    const inner = encode({ type: PacketType.PingReq, clientId: '' });
    const envelope = { type: PacketType.Forwarded, ctrl: 0, wirelessNodeId, inner } as const;
    const forwarder = world.device('f').say({ ...envelope, inner: encode(envelope) });
    expect(world.gateway.counters.malformed).toBe(1);
    expect(forwarder.hear()).toEqual([]);
    expect(forwarder.say(envelope).hearOne(PacketType.Forwarded).inner).toEqual(
      Uint8Array.of(2, PacketType.Disconnect),
    );
  });
});
