import { describe, expect, it } from 'vitest';
import { PacketType, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import type { GatewayConfig } from '../../../host/gateway/index.js';
import type { Packet } from '../../../host/wire/index.js';
import type { Device, PublishPacket, RegisterPacket } from './world.js';
import { normal, predefined, puback, regack, short, text, World } from './world.js';

const keep = { cleanSession: false, duration: 0 };
const CONNECT_WITH_WILL = { will: true, cleanSession: false, protocolId: 1, duration: 120, clientId: 'a' };
const types = (device: Device) => device.hear().map(({ type }) => type);
const publishes = (packets: readonly Packet[]) =>
  packets.filter(({ type }) => type === PacketType.Publish) as PublishPacket[];
const payloadsOf = (packets: readonly Packet[]) => publishes(packets).map(({ data }) => text(data));
const hearPublish = (device: Device) => device.hearOne(PacketType.Publish) as PublishPacket;
const hearRegister = (device: Device) => device.hearOne(PacketType.Register) as RegisterPacket;
const pubrec = (msgId: number): Packet => ({ type: PacketType.PubRec, msgId });
const pubcomp = (msgId: number): Packet => ({ type: PacketType.PubComp, msgId });

function connected(config: Partial<GatewayConfig> = {}): { world: World; device: Device; broker: World['broker'] } {
  const world = new World(config);
  return { world, device: world.device('a').connected(keep), broker: world.broker };
}

describe('the topic of a message', () => {
  it('is REGISTERed when the client does not know it, once, and PUBLISH waits for REGACK', () => {
    const { device, broker } = connected();
    device.subscribe('t/+');
    broker.deliver('a', 't/1', 'one');
    broker.deliver('a', 't/1', 'two');
    const register = hearRegister(device);
    expect(register).toMatchObject({ topicName: 't/1' });
    const heard = device.say(regack(register)).hear();
    expect(payloadsOf(heard)).toEqual(['one', 'two']);
    expect(publishes(heard)[0]).toMatchObject({ topic: normal(register.topicId), msgId: 0, qos: 0, dup: false });
  });

  it('is the id from SUBACK or from the client its own REGISTER', () => {
    const { device, broker } = connected();
    const id = device.subscribe('t/1');
    broker.deliver('a', 't/1', 'x', 0, true);
    expect(hearPublish(device)).toMatchObject({ topic: normal(id), retain: true });
    device.subscribe('u/#');
    const registered = device.register('u/1');
    broker.deliver('a', 'u/1', 'x');
    expect(hearPublish(device).topic).toEqual(normal(registered));
  });

  it('is predefined or short where that is possible and the client did not ask by name', () => {
    const { device, broker } = connected({ predefined: { '*': { 1: 'p/1', 2: 'p/2' }, a: { 2: 'mine', 9: 'p/1' } } });
    device.subscribe('#');
    for (const topic of ['p/1', 'mine', 'ab', 'é']) broker.deliver('a', topic, 'x');
    const topics = publishes(device.hear()).map(({ topic }) => topic);
    expect(topics).toEqual([predefined(9), predefined(2), short('ab'), short('é')]);
    broker.deliver('a', 'p/2', 'x'); // id 2 is another topic to this client
    expect(hearRegister(device).topicName).toBe('p/2');
  });

  it('is named as the client named it when it subscribed', () => {
    const { device, broker } = connected({ predefined: { '*': { 1: 'p/1', 2: 'cd' } } });
    const byName = device.subscribe('p/1');
    device.subscribe('ab');
    const shortly = { kind: TopicType.Short, name: 'cd' } as const;
    device.say({ type: PacketType.Subscribe, dup: false, qos: 0, msgId: 99, topic: shortly }).hear();
    for (const topic of ['p/1', 'ab', 'cd']) broker.deliver('a', topic, 'x');
    expect(publishes(device.hear()).map(({ topic }) => topic)).toEqual([
      normal(byName),
      normal(byName + 1),
      short('cd'),
    ]);
  });

  it('that the client refuses ends the delivery of that message and not of others', () => {
    const { world, device, broker } = connected();
    device.subscribe('t/+');
    broker.deliver('a', 't/1', 'lost', 1);
    broker.deliver('a', 't/2', 'next', 1);
    device.say(regack(hearRegister(device), ReturnCode.NotSupported));
    expect(broker.acknowledged).toEqual(['lost']);
    expect(world.gateway.counters.droppedRejected).toBe(1);
    expect(world.logged).toContain('message-dropped');
    const register = hearRegister(device);
    expect(register.topicName).toBe('t/2');
    const publish = hearPublish(device.say(regack(register)));
    device.say(puback(publish));
    broker.deliver('a', 't/1', 'again');
    expect(hearRegister(device).topicName).toBe('t/1');
  });

  it('that the client has forgotten (0x02) is registered again and the message resent', () => {
    const { device, broker } = connected();
    device.subscribe('t/1');
    broker.deliver('a', 't/1', 'x', 1);
    const first = hearPublish(device);
    const register = hearRegister(device.say(puback(first, ReturnCode.InvalidTopicId)));
    const again = hearPublish(device.say(regack(register)));
    expect(again).toEqual({ ...first, dup: true });
    device.say(puback(again));
    expect(broker.acknowledged).toEqual(['x']);
  });

  it('that the client has forgotten is registered again at QoS 0, too', () => {
    const { device, broker } = connected();
    device.subscribe('t/1');
    broker.deliver('a', 't/1', 'x');
    const first = hearPublish(device);
    const register = hearRegister(device.say(puback(first, ReturnCode.InvalidTopicId)));
    expect(hearPublish(device.say(regack(register)))).toEqual(first);
  });

  it('stays settled when a late copy of PUBACK 0x02 asks for it again', () => {
    for (const qos of [1, 2] as const) {
      const { device, broker } = connected();
      device.subscribe('t/1', 2);
      broker.deliver('a', 't/1', 'x', qos);
      const first = hearPublish(device);
      const refusal = puback(first, ReturnCode.InvalidTopicId);
      const second = hearRegister(device.say(refusal));
      const again = hearPublish(device.say(regack(second)));
      expect(again).toMatchObject({ dup: true, msgId: first.msgId });
      const third = hearRegister(device.say(refusal)); // the copy
      const accepted = qos === 1 ? puback(again, ReturnCode.Accepted) : pubrec(again.msgId);
      device.say(accepted);
      expect(types(device)).toEqual(qos === 1 ? [] : [PacketType.PubRel]);
      device.say(regack(third));
      expect(publishes(device.hear())).toEqual([]);
    }
  });

  it('is not registered for ever when the client always says 0x02', () => {
    const { world, device, broker } = connected({ nRetry: 3 });
    device.subscribe('t/+');
    broker.deliver('a', 't/1', 'x', 1);
    for (let i = 0; i <= 3; i++) device.say(regack(hearRegister(device), ReturnCode.InvalidTopicId));
    expect(device.hear()).toEqual([]);
    expect(broker.acknowledged).toEqual(['x']);
    expect(world.gateway.counters.droppedRejected).toBe(1);
  });

  it('that is predefined and refused ends delivery', () => {
    const { world, device, broker } = connected({ predefined: { '*': { 1: 'p/1' } } });
    device.subscribe('#');
    broker.deliver('a', 'p/1', 'x', 1);
    device.say(puback(hearPublish(device), ReturnCode.InvalidTopicId));
    expect(device.hear()).toEqual([]);
    expect(world.gateway.counters.droppedRejected).toBe(1);
  });

  it('waits for T_WAIT when the client says congestion', () => {
    const { world, device, broker } = connected({ tWaitMs: 300_000 });
    device.subscribe('t/+');
    broker.deliver('a', 't/1', 'x', 1);
    device.say(regack(hearRegister(device), ReturnCode.Congestion));
    world.pass(299_999);
    expect(device.hear()).toEqual([]);
    world.pass(1);
    const publish = hearPublish(device.say(regack(hearRegister(device))));
    device.say(puback(publish, ReturnCode.Congestion));
    world.pass(300_000);
    expect(hearPublish(device)).toEqual({ ...publish, dup: true });
  });
});

describe('QoS 1 and 2 to the client', () => {
  it('are acknowledged to the broker when the client has them: by PUBACK, by PUBREC', () => {
    const { device, broker } = connected();
    device.subscribe('t');
    broker.deliver('a', 't', 'one', 1);
    broker.deliver('a', 't', 'two', 2);
    const one = hearPublish(device);
    expect([one.qos, broker.acknowledged]).toEqual([1, []]);
    const two = hearPublish(device.say(puback(one)));
    expect([two.qos, broker.acknowledged]).toEqual([2, ['one']]);
    expect(two.msgId).not.toBe(one.msgId);
    device.say(pubrec(two.msgId)).hearOne(PacketType.PubRel);
    expect(broker.acknowledged).toEqual(['one', 'two']);
    device.say(pubrec(two.msgId)).hearOne(PacketType.PubRel);
    device.say(pubcomp(two.msgId));
    expect(device.hear()).toEqual([]);
  });

  it('keep their order, across QoS, one handshake at a time', () => {
    const { device, broker } = connected();
    device.subscribe('t', 2);
    for (const [i, qos] of ([1, 0, 2, 0, 0] as const).entries()) broker.deliver('a', 't', `${i}`, qos);
    const order: string[] = [];
    for (let heard = device.hear(); heard.length > 0; heard = device.hear()) {
      order.push(...payloadsOf(heard));
      for (const packet of heard) {
        if (packet.type === PacketType.PubRel) device.say(pubcomp(packet.msgId));
        else if (packet.type === PacketType.Publish && packet.qos === 1) device.say(puback(packet));
        else if (packet.type === PacketType.Publish && packet.qos === 2) device.say(pubrec(packet.msgId));
      }
    }
    expect(order).toEqual(['0', '1', '2', '3', '4']);
  });

  it('are sent again with DUP and the same MsgId, PUBREL and REGISTER likewise, and then the client is lost', () => {
    const { world, device, broker } = connected({ tRetryMs: 10_000, nRetry: 2 });
    device.subscribe('t/+');
    broker.deliver('a', 't/1', 'x', 2);
    const register = hearRegister(device);
    world.pass(10_000);
    expect(hearRegister(device)).toEqual(register);
    const publish = hearPublish(device.say(regack(register)));
    world.pass(10_000);
    expect(hearPublish(device)).toEqual({ ...publish, dup: true });
    device.say(pubrec(publish.msgId)).hearOne(PacketType.PubRel);
    world.pass(20_000);
    expect(types(device)).toEqual([PacketType.PubRel, PacketType.PubRel]);
    expect(broker.session('a').over).toBeUndefined();
    world.pass(10_000);
    expect(broker.session('a').over).toBe('aborted');
    expect(world.gateway.counters).toMatchObject({ retransmissions: 4, clientsLost: 1 });
  });

  it('do not cost an active client its session: it is its keep-alive that says whether it lives', () => {
    const world = new World({ tRetryMs: 10_000, nRetry: 2 });
    const device = world.device('a').connected({ cleanSession: false, duration: 120 });
    device.subscribe('t', 1);
    const { broker } = world;
    broker.deliver('a', 't', 'x', 1);
    world.pass(60_000);
    expect(payloadsOf(device.hear())).toEqual(['x', 'x', 'x']);
    expect(broker.session('a').over).toBeUndefined();
    // It is there after all, and gets what waits for it, after the answer to what it said.
    expect(types(device.say({ type: PacketType.PingReq, clientId: '' }))).toEqual([
      PacketType.PingResp,
      PacketType.Publish,
    ]);
    world.pass(133_000);
    expect(broker.session('a').over).toBe('aborted');
  });

  it('wait while the client is being asked for its will', () => {
    const world = new World({ tRetryMs: 10_000, nRetry: 2 });
    const device = world.device('a').connected({ cleanSession: false, duration: 120 });
    device.subscribe('t', 1);
    device.say({ type: PacketType.Connect, ...CONNECT_WITH_WILL });
    world.broker.deliver('a', 't', 'x', 1);
    world.pass(15_000);
    expect(types(device)).toEqual([PacketType.WillTopicReq, PacketType.WillTopicReq]);
    device.say({ type: PacketType.WillTopic, will: { qos: 0, retain: false, topic: 'w' } });
    device.say({ type: PacketType.WillMsg, message: Uint8Array.of(1) });
    world.pass(0);
    expect(types(device)).toEqual([PacketType.WillMsgReq, PacketType.ConnAck, PacketType.Publish]);
  });

  it('have packet identifiers of the broker as MsgIds, also when they wrap', () => {
    const { device, broker } = connected();
    device.subscribe('t');
    const seen: number[] = [];
    for (let i = 0; i < 65_600; i++) {
      broker.deliver('a', 't', '', 1);
      const publish = hearPublish(device);
      seen.push(publish.msgId);
      device.say(puback(publish));
    }
    for (let i = 1; i < seen.length; i++) expect(seen[i]).toBe(seen[i - 1] === 0xffff ? 1 : seen[i - 1]! + 1);
  });

  it('ignore acknowledgements that belong to nothing', () => {
    const { world, device, broker } = connected();
    device.subscribe('t');
    broker.deliver('a', 't', 'x', 1);
    const publish = hearPublish(device);
    device.say(
      puback({ ...publish, msgId: publish.msgId ^ 1 }),
      pubcomp(publish.msgId),
      regack({ type: PacketType.Register, topicId: 1, msgId: publish.msgId, topicName: 't' }),
    );
    expect(broker.acknowledged).toEqual([]);
    device.say(pubrec(9));
    expect(device.hear()).toEqual([]); // the broker may still owe that message, and will say so
    expect(world.gateway.counters.unexpected).toBe(4);
  });
});

describe('a reconnect with CleanSession=0', () => {
  it('after loss gets what is owed, unacknowledged PUBLISH with DUP first, and no QoS 2 twice', () => {
    const { world, device, broker } = connected({ nRetry: 0 });
    device.subscribe('t', 2);
    broker.deliver('a', 't', 'one', 2);
    broker.deliver('a', 't', 'two', 2);
    const publish = hearPublish(device);
    world.pass(10_000); // lost; the client has the message, but its PUBREC was lost
    expect(broker.session('a').over).toBe('aborted');
    broker.deliver('a', 't', 'three', 2);
    device.hearOne(PacketType.Disconnect);
    device.connect(keep);
    const [connack, again, ...more] = device.hear();
    expect([connack!.type, again, more]).toEqual([PacketType.ConnAck, { ...publish, dup: true }, []]);
    const delivered: string[] = [];
    device.say(pubrec(publish.msgId));
    for (let heard = device.hear(); heard.length > 0; heard = device.hear()) {
      delivered.push(...payloadsOf(heard));
      for (const packet of heard) {
        if (packet.type === PacketType.PubRel) device.say(pubcomp(packet.msgId));
        else if (packet.type === PacketType.Publish) device.say(pubrec(packet.msgId));
      }
    }
    expect(delivered).toEqual(['two', 'three']);
    expect(broker.unacknowledged('a')).toEqual([]);
  });

  it('goes on with PUBREL for a message that the client has', () => {
    const { world, device, broker } = connected({ nRetry: 0 });
    device.subscribe('t', 2);
    broker.deliver('a', 't', 'x', 2);
    const { msgId } = hearPublish(device);
    device.say(pubrec(msgId)).hear();
    world.pass(10_000);
    // Without a keep-alive nothing else tells the client: it hears that it was given up.
    expect(types(device)).toEqual([PacketType.Disconnect]);
    expect(types(device.connect(keep))).toEqual([PacketType.ConnAck, PacketType.PubRel]);
    device.say(pubcomp(msgId));
    world.pass(60_000);
    expect(device.hear()).toEqual([]);
  });

  it('recognises the second copy of a message that the client acknowledged while the broker was away', () => {
    const { world, device, broker } = connected();
    device.subscribe('t', 2);
    broker.deliver('a', 't', 'x', 2);
    const publish = hearPublish(device);
    broker.holdsConnect = true;
    device.say({ type: PacketType.WillTopicUpd, will: { qos: 0, retain: false, topic: 'w' } }); // opens anew
    device.say(pubrec(publish.msgId), pubcomp(publish.msgId));
    expect(device.hear()).toEqual([]);
    broker.connect();
    expect(types(device).sort()).toEqual([PacketType.PubRel, PacketType.WillTopicResp]);
    device.say(pubcomp(publish.msgId));
    world.pass(60_000);
    expect(device.hear()).toEqual([]);
    expect(broker.unacknowledged('a')).toEqual([]);
    expect(broker.completed).toEqual([publish.msgId]);
  });

  it('does not get a second time what it was given on another gateway meanwhile', () => {
    const { world, device, broker } = connected();
    device.subscribe('t', 2);
    for (const text of ['one', 'two', 'three']) broker.deliver('a', 't', text, 2);
    device.hear();
    broker.lose('a'); // taken over
    device.hear();
    broker.finish('a');
    expect(types(device.connect(keep))).toEqual([PacketType.ConnAck]);
    broker.deliver('a', 't', 'four', 2);
    expect(payloadsOf([device.hearOne(PacketType.Publish)])).toEqual(['four']);
    expect(world.gateway.gauges()).toMatchObject({ bufferedMessages: 1 });
  });

  it('keeps its topic ids', () => {
    const { world, device, broker } = connected();
    const id = device.subscribe('t');
    device.say({ type: PacketType.Disconnect, duration: undefined }).hear();
    broker.deliver('a', 't', 'meanwhile', 1);
    world.pass(10_000);
    const [, publish] = device.connect(keep).hear();
    expect(publish).toMatchObject({ topic: normal(id) });
    expect(payloadsOf([publish!])).toEqual(['meanwhile']);
  });
});

describe('limits', () => {
  it('a topic that cannot be put into a REGISTER is dropped', () => {
    const { world, device, broker } = connected();
    broker.deliver('a', 't\0', 'x', 1);
    broker.deliver('a', '\ud800', 'x', 1);
    expect(device.hear()).toEqual([]);
    expect(world.gateway.counters.droppedRejected).toBe(2);
  });

  it('too long a payload or topic is dropped, counted, logged and acknowledged', () => {
    const { world, device, broker } = connected({ maxPacketBytes: 40, topicBytesMax: 20 });
    device.subscribe('t/#');
    broker.deliver('a', 't/1', 'x'.repeat(34), 1);
    broker.deliver('a', `t/${'y'.repeat(19)}`, 'x', 1);
    expect(device.hear()).toEqual([]);
    expect(broker.acknowledged.length).toBe(2);
    expect(world.gateway.counters.droppedTooLong).toBe(2);
    broker.deliver('a', 'ab', 'x'.repeat(33));
    expect(hearPublish(device).data.length).toBe(33);
  });

  it('crosses the 255 / 256 boundary', () => {
    const { device, broker } = connected({ maxPacketBytes: 65_535 });
    device.subscribe('ab');
    for (const size of [248, 249, 65_526]) {
      broker.deliver('a', 'ab', 'x'.repeat(size));
      expect(hearPublish(device).data.length).toBe(size);
    }
  });

  it('a message for which there is no topic id is dropped', () => {
    const { world, device, broker } = connected({ topicsMax: 1 });
    device.subscribe('t/+');
    device.register('t/1');
    broker.deliver('a', 't/2', 'x', 1);
    expect(device.hear()).toEqual([]);
    expect(world.gateway.counters.droppedNoTopicId).toBe(1);
    expect(broker.acknowledged).toEqual(['x']);
  });
});

describe('the deadline', () => {
  it('that a message of the broker brings forward is announced', () => {
    const { world, device, broker } = connected();
    device.subscribe('t');
    world.rescheduled.length = 0;
    broker.deliver('a', 't', 'x', 1);
    expect(world.rescheduled).toEqual([world.now + 10_000]);
    expect(world.gateway.nextDue()).toBe(world.now + 10_000);
  });
});
