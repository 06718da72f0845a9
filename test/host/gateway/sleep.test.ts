import { describe, expect, it } from 'vitest';
import { PacketType, ReturnCode } from '../../../assembly/protocol/index.js';
import type { GatewayConfig } from '../../../host/gateway/index.js';
import type { Packet } from '../../../host/wire/index.js';
import type { Device, PublishPacket, RegisterPacket } from './world.js';
import { bytes, puback, regack, text, World } from './world.js';

const keep = { cleanSession: false, duration: 60 };
const types = (device: Device) => device.hear().map(({ type }) => type);
const payloadsOf = (packets: readonly Packet[]) =>
  packets.flatMap((packet) => (packet.type === PacketType.Publish ? [text(packet.data)] : []));
const Publish = PacketType.Publish;
const PingResp = PacketType.PingResp;
const Register = PacketType.Register;
const ConnAck = PacketType.ConnAck;
const Disconnect = PacketType.Disconnect;
const PubRel = PacketType.PubRel;

/** Answers everything as a client should, until nothing more comes. */
function listen(device: Device): Packet[] {
  const all: Packet[] = [];
  for (let heard = device.hear(); heard.length > 0; heard = device.hear()) {
    all.push(...heard);
    for (const packet of heard) {
      if (packet.type === Register) device.say(regack(packet));
      else if (packet.type === PubRel) device.say({ type: PacketType.PubComp, msgId: packet.msgId });
      else if (packet.type === Publish && packet.qos === 1) device.say(puback(packet));
      else if (packet.type === Publish && packet.qos === 2)
        device.say({ type: PacketType.PubRec, msgId: packet.msgId });
    }
  }
  return all;
}

function asleep(
  config: Partial<GatewayConfig> = {},
  connect = keep,
): { world: World; device: Device; broker: World['broker'] } {
  const world = new World(config);
  const device = world.device('a').connected(connect);
  device.subscribe('#', 2);
  device.sleep(300);
  return { world, device, broker: world.broker };
}

describe('a sleeping client', () => {
  it('is let go with a DISCONNECT without a duration', () => {
    const world = new World();
    const device = world.device('a').connected().say({ type: Disconnect, duration: 300 });
    expect(device.hearOne(Disconnect).duration).toBeUndefined();
    expect(world.broker.session('a').over).toBeUndefined();
  });

  it('says goodbye with a duration of 0', () => {
    const world = new World();
    world.device('a').connected().sleep(0);
    expect(world.broker.session('a').over).toBe('closed');
  });

  it('is sent nothing until it asks, then everything, REGISTER and handshakes included, and PINGRESP last', () => {
    const { world, device, broker } = asleep();
    for (const [i, qos] of ([0, 1, 2, 0] as const).entries()) broker.deliver('a', `t/${i}`, `${i}`, qos);
    world.pass(60_000);
    expect(device.hear()).toEqual([]);
    expect(broker.acknowledged).toEqual([]);
    const heard = listen(device.ping('a'));
    expect(payloadsOf(heard)).toEqual(['0', '1', '2', '3']);
    expect(heard.filter(({ type }) => type === Register).length).toBe(4);
    expect(heard.findIndex(({ type }) => type === PingResp)).toBe(heard.length - 1);
    expect(broker.unacknowledged('a')).toEqual([]);
    broker.deliver('a', 'ab', 'asleep again');
    expect(device.hear()).toEqual([]);
  });

  it('hears PINGRESP at once when there is nothing', () => {
    const { device } = asleep();
    expect(types(device.ping('a'))).toEqual([PingResp]);
    expect(types(device.ping('a'))).toEqual([PingResp]);
  });

  it('does not restart delivery by asking again while it is awake', () => {
    const { device, broker } = asleep();
    broker.deliver('a', 'ab', 'x', 1);
    const publish = device.ping('a').hearOne(Publish) as PublishPacket;
    device.ping('a').ping('a');
    expect(device.hear()).toEqual([]);
    expect(types(device.say(puback(publish)))).toEqual([PingResp]);
  });

  it('that does not answer while awake is asleep again and not lost, and gets the message next time with DUP', () => {
    const { world, device, broker } = asleep({ nRetry: 1 });
    broker.deliver('a', 'ab', 'x', 2);
    device.ping('a').hear();
    world.pass(30_000);
    expect(payloadsOf(device.hear())).toEqual(['x']);
    expect(world.gateway.counters.clientsLost).toBe(0);
    const again = device.ping('a').hearOne(Publish) as PublishPacket;
    expect(again.dup).toBe(true);
    device.say({ type: PacketType.PubRec, msgId: again.msgId });
    expect(listen(device).map(({ type }) => type)).toEqual([PubRel, PingResp]);
  });

  it('is not kept awake by congestion of its own', () => {
    const { device, broker } = asleep();
    broker.deliver('a', 'ab', 'x', 1);
    const publish = device.ping('a').hearOne(Publish) as PublishPacket;
    expect(types(device.say(puback(publish, ReturnCode.Congestion)))).toEqual([PingResp]);
    expect(payloadsOf(listen(device.ping('a')))).toEqual(['x']);
  });

  it('gets its messages on CONNECT as well, after CONNACK', () => {
    const { world, device, broker } = asleep();
    world.pass(60_000);
    broker.deliver('a', 'ab', 'x', 1);
    expect(listen(device.connect(keep)).map(({ type }) => type)).toEqual([ConnAck, Publish]);
    broker.deliver('a', 'ab', 'active');
    expect(types(device)).toEqual([Publish]);
  });

  it('loses its messages on CONNECT with CleanSession=1', () => {
    const { world, device, broker } = asleep();
    world.pass(60_000);
    broker.deliver('a', 'ab', 'x', 1);
    expect(listen(device.connect({ ...keep, cleanSession: true })).map(({ type }) => type)).toEqual([ConnAck]);
  });

  it('may wake elsewhere', () => {
    const { device, broker } = asleep();
    broker.deliver('a', 'ab', 'x');
    device.address = 'moved';
    expect(types(device.ping('a'))).toEqual([Publish, PingResp]);
  });

  it('may change its duration by another DISCONNECT', () => {
    const { world, device } = asleep();
    expect(types(device.say({ type: Disconnect, duration: 1_000 }))).toEqual([Disconnect]);
    world.pass(1_099_999);
    expect(world.gateway.counters.clientsLost).toBe(0);
    world.pass(1);
    expect(world.gateway.counters.clientsLost).toBe(1);
  });

  it('is lost when its sleep is over, with tolerance, and the will is published', () => {
    const world = new World();
    const device = world.device('a').connect({ ...keep, will: true });
    device.say({ type: PacketType.WillTopic, will: { qos: 0, retain: false, topic: 'w' } });
    device.say({ type: PacketType.WillMsg, message: bytes('gone') });
    device.sleep(300);
    world.pass(329_999);
    device.ping('a').hearOne(PingResp);
    world.pass(329_999);
    expect(world.broker.wills).toEqual([]);
    world.pass(1);
    expect(world.broker.wills.length).toBe(1);
    device.ping('a').hearOne(Disconnect);
  });

  it('that went to sleep in the middle of a handshake finishes it when it wakes', () => {
    const { world, device, broker } = asleep();
    device.connected(keep);
    world.pass(1_000);
    broker.deliver('a', 't/1', 'x', 1);
    const publish = device.say(regack(device.hearOne(Register) as RegisterPacket)).hearOne(Publish) as PublishPacket;
    device.sleep(300);
    world.pass(100_000);
    expect(device.hear()).toEqual([]);
    expect(device.ping('a').hearOne(Publish)).toEqual({ ...publish, dup: true });
  });

  it('whose last acknowledgement comes after its DISCONNECT is not sent the message again', () => {
    const { device, broker } = asleep();
    broker.deliver('a', 'ab', 'x', 1);
    const publish = device.ping('a').hearOne(Publish) as PublishPacket;
    device.sleep(300);
    device.say(puback(publish));
    expect(broker.acknowledged).toEqual(['x']);
    expect(types(device.ping('a'))).toEqual([PingResp]);
  });

  it('is told when the broker was lost', () => {
    const { device, broker } = asleep();
    broker.lose('a');
    device.hear();
    expect(types(device.ping('a'))).toEqual([Disconnect]);
  });
});

describe('the buffer', () => {
  it('drops the oldest QoS 0 first, then the new QoS 0', () => {
    const { world, device, broker } = asleep({ bufferMessagesMax: 3 });
    broker.deliver('a', 'ab', 'q0-old', 0);
    broker.deliver('a', 'ab', 'q1', 1);
    broker.deliver('a', 'ab', 'q0-mid', 0);
    broker.deliver('a', 'ab', 'q0-new', 0);
    broker.deliver('a', 'ab', 'q2', 2);
    broker.deliver('a', 'ab', 'q1-b', 1);
    broker.deliver('a', 'ab', 'q0-last', 0);
    expect(world.gateway.counters.droppedBufferFull).toBe(4);
    expect(payloadsOf(listen(device.ping('a')))).toEqual(['q1', 'q2', 'q1-b']);
  });

  it('is bounded in octets, too', () => {
    const { world, device, broker } = asleep({ bufferBytesMax: 256 });
    for (let i = 0; i < 10; i++) broker.deliver('a', 'ab', `${i}`.repeat(98));
    expect(payloadsOf(listen(device.ping('a'))).map((payload) => payload[0])).toEqual(['8', '9']);
    expect(world.gateway.counters.droppedBufferFull).toBe(8);
    broker.deliver('a', 'ab', 'x'.repeat(300), 1);
    expect(broker.unacknowledged('a')).toEqual([]); // it would never fit
  });

  it('leaves QoS 1 and 2 that do not fit with the broker and fetches them when there is room, in order', () => {
    const { world, device, broker } = asleep({ bufferMessagesMax: 3 });
    for (let i = 0; i < 10; i++) broker.deliver('a', 'ab', `${i}`, i % 2 === 0 ? 1 : 2);
    expect(world.gateway.counters.leftWithBroker).toBe(7);
    const heard = listen(device.ping('a'));
    expect(payloadsOf(heard)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    expect(heard.at(-1)!.type).toBe(PingResp);
    expect(broker.unacknowledged('a')).toEqual([]);
    expect(world.gateway.counters.droppedBufferFull).toBe(0);
  });

  it.each([1, 2] as const)('that has no room for QoS %i ends a clean session, and acknowledges nothing', (qos) => {
    const { world, device, broker } = asleep({ bufferMessagesMax: 1 }, { cleanSession: true, duration: 60 });
    device.hear();
    broker.deliver('a', 'ab', 'one', qos);
    broker.deliver('a', 'ab', 'two', qos);
    expect(broker.acknowledged).toEqual([]);
    expect(broker.session('a').over).toBe('closed'); // no will: the client is not dead
    expect(world.gateway.counters).toMatchObject({ droppedBufferFull: 1, sessionsOverrun: 1 });
    expect(world.logged).toEqual(expect.arrayContaining(['message-dropped', 'session-overrun']));
    device.hearOne(PacketType.Disconnect);
    device.ping('a').hearOne(PacketType.Disconnect);
  });

  it('gives up a message that it could never hold, and says so', () => {
    const { world, device, broker } = asleep({ bufferBytesMax: 256 }, { cleanSession: false, duration: 60 });
    broker.deliver('a', 'ab', 'x'.repeat(300), 1);
    broker.deliver('a', 'ab', 'two', 1);
    expect(world.gateway.counters).toMatchObject({ droppedTooLong: 1, leftWithBroker: 0 });
    expect(payloadsOf(listen(device.ping('a')))).toEqual(['two']);
  });
});
