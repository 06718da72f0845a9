// The handshakes of QoS 1 and 2 run between client and broker: the gateway in the middle may forget everything.
import { describe, expect, it } from 'vitest';
import { PacketType, ReturnCode } from '../../../assembly/protocol/index.js';
import type { Packet } from '../../../host/wire/index.js';
import { type Device, normal, type PublishPacket, puback, short, World } from './world.js';

const kept = { cleanSession: false } as const;
const typesOf = (packets: readonly Packet[]) => packets.map(({ type }) => type);

function connected() {
  const world = new World();
  return { world, broker: world.broker, device: world.device('a').connected(kept) };
}

/** Another gateway, or this one without a memory: the client connects again. */
function elsewhere(world: World, device: Device): Packet[] {
  world.restart();
  return device.connect(kept).hear();
}

describe('a PUBLISH of the client', () => {
  it('goes to the broker under its own MsgId, with its DUP', () => {
    const { broker, device } = connected();
    device.publish(short('ab'), 'one', 1, 77).publish(short('ab'), 'two', 2, 78, true).publish(short('ab'), 'x');
    expect(broker.publishedAs).toEqual([
      [77, false],
      [78, true],
      [0, false],
    ]);
  });

  it('with QoS 2 is released by the client and completed by the broker', () => {
    const { world, broker, device } = connected();
    device.publish(short('ab'), 'x', 2, 9).hearOne(PacketType.PubRec);
    expect(broker.releasedIds).toEqual([]);
    broker.holds = true;
    const pubrel: Packet = { type: PacketType.PubRel, msgId: 9 };
    device.say(pubrel, pubrel);
    expect(broker.releasedIds).toEqual([9]);
    expect(device.hear()).toEqual([]);
    broker.release();
    expect(device.hear()).toEqual([{ type: PacketType.PubComp, msgId: 9 }]);
    expect(world.gateway.counters.publishesInQos2).toBe(1);
  });

  it.each(['PUBREC', 'PUBCOMP'])('with QoS 2 whose %s was lost with the gateway is ended on another one', (lost) => {
    const { world, broker, device } = connected();
    device.publish(short('ab'), 'x', 2, 9);
    if (lost === 'PUBCOMP') device.say({ type: PacketType.PubRel, msgId: 9 });
    elsewhere(world, device);
    if (lost === 'PUBREC') {
      device.publish(short('ab'), 'x', 2, 9, true).hearOne(PacketType.PubRec);
      expect(broker.publishedAs).toEqual([
        [9, false],
        [9, true], // which the broker recognises
      ]);
    }
    device.say({ type: PacketType.PubRel, msgId: 9 }).hearOne(PacketType.PubComp);
    expect(broker.releasedIds.at(-1)).toBe(9);
  });

  it('under the MsgId of an open handshake, with other octets, is published once the old one is over', () => {
    const { broker, device } = connected();
    device.publish(short('ab'), 'old', 2, 9).hearOne(PacketType.PubRec);
    device.publish(short('ab'), 'new', 2, 9).hearOne(PacketType.PubRec);
    expect(broker.releasedIds).toEqual([9]);
    expect(broker.published).toHaveLength(2);
  });

  it('at a QoS that the broker does not know is refused as not supported, and published at a lower one', () => {
    const { world, broker, device } = connected();
    broker.qosMax = 1;
    const refusal = device.publish(short('ab'), 'x', 2, 9).hearOne(PacketType.PubAck);
    expect(refusal).toMatchObject({ msgId: 9, returnCode: ReturnCode.NotSupported });
    expect(broker.published).toEqual([]);
    expect(world.gateway.counters.qosNotSupported).toBe(1);
    device.publish(short('ab'), 'x', 1, 10);
    expect(device.hearOne(PacketType.PubAck).returnCode).toBe(ReturnCode.Accepted);
  });
});

describe('a PUBLISH of the broker', () => {
  it('goes to the client under the identifier that the broker gave it, and is acknowledged under it', () => {
    const { broker, device } = connected();
    device.subscribe('t', 2);
    for (const qos of [1, 2] as const) broker.deliver('a', 't', `${qos}`, qos);
    const first = device.hearOne(PacketType.Publish) as PublishPacket;
    expect(first.msgId).toBe(1);
    const second = device.say(puback(first)).hearOne(PacketType.Publish) as PublishPacket;
    expect(second.msgId).toBe(2);
    device.say({ type: PacketType.PubRec, msgId: 2 }).hearOne(PacketType.PubRel);
    expect(broker.completed).toEqual([]);
    device.say({ type: PacketType.PubComp, msgId: 2 });
    expect(broker.acknowledged).toEqual(['1', '2']);
    expect(broker.completed).toEqual([2]);
  });

  it('that the client had without the gateway hearing of it comes again with DUP under the same MsgId', () => {
    const { world, broker, device } = connected();
    device.subscribe('t', 2);
    broker.deliver('a', 't', 'x', 2);
    const before = device.hearOne(PacketType.Publish) as PublishPacket;
    const again = elsewhere(world, device);
    // Ids are this gateway's own: it registers the topic anew.
    expect(typesOf(again)).toEqual([PacketType.ConnAck, PacketType.Register]);
    device.say({ type: PacketType.RegAck, topicId: 1, msgId: (again[1] as { msgId: number }).msgId, returnCode: 0 });
    expect(device.hearOne(PacketType.Publish)).toMatchObject({ msgId: before.msgId, dup: true });
  });

  it('of QoS 2 whose PUBREL was lost with the gateway is released on another one', () => {
    const { world, broker, device } = connected();
    device.subscribe('t', 2);
    broker.deliver('a', 't', 'x', 2);
    const { msgId } = device.hearOne(PacketType.Publish) as PublishPacket;
    device.say({ type: PacketType.PubRec, msgId });
    expect(elsewhere(world, device)).toMatchObject([
      { type: PacketType.PubRel },
      { type: PacketType.ConnAck },
      { type: PacketType.PubRel, msgId },
    ]);
    device.say({ type: PacketType.PubComp, msgId });
    expect(broker.completed).toEqual([msgId]);
    expect(broker.acknowledged).toEqual(['x']);
  });

  it('that was dropped in the client’s stead is ended with the broker, and its PUBREL kept from the client', () => {
    const world = new World({ maxPacketBytes: 16 });
    const device = world.device('a').connected(kept);
    device.subscribe('t', 2);
    world.broker.deliver('a', 't', 'much too long for the link', 2);
    expect(device.hear()).toEqual([]);
    expect(world.broker.acknowledged).toHaveLength(1);
    expect(world.broker.completed).toEqual([1]);
    expect(world.gateway.counters.droppedTooLong).toBe(1);
  });

  it('waits for the broker’s PUBREL before it releases', () => {
    const { world, broker, device } = connected();
    device.subscribe('t', 2);
    broker.deliver('a', 't', 'x', 2);
    const { msgId } = device.hearOne(PacketType.Publish) as PublishPacket;
    const session = broker.session('a');
    session.acknowledge = () => {};
    device.say({ type: PacketType.PubRec, msgId });
    world.pass(60_000);
    expect(device.hear()).toEqual([]);
    session.events.released(msgId, world.now);
    device.hearOne(PacketType.PubRel);
  });

  it('that was acknowledged after the broker had gone is not delivered a second time', () => {
    const { world, broker, device } = connected();
    const id = device.subscribe('t', 1);
    broker.deliver('a', 't', 'x', 1);
    const publish = device.hearOne(PacketType.Publish) as PublishPacket;
    broker.holdsConnect = true;
    device.say({ type: PacketType.WillTopicUpd, will: { qos: 0, retain: false, topic: 'w' } }); // opens anew
    device.say(puback(publish));
    broker.connect();
    expect(device.hear()).toEqual([{ type: PacketType.WillTopicResp, returnCode: ReturnCode.Accepted }]);
    expect(broker.unacknowledged('a')).toEqual([]);
    broker.deliver('a', 't', 'y', 1);
    expect(device.hearOne(PacketType.Publish)).toMatchObject({ topic: normal(id), dup: false });
    expect(world.gateway.counters.publishesOutQos1).toBe(2);
  });
});
