// Datagrams as octets: both forms of Length, and what is no packet (5.2.1, 5.3.8, 5.3.11).
import { describe, expect, it } from 'vitest';
import { PacketType, ReturnCode } from '../../../assembly/protocol/index.js';
import { normal, predefined, short, text, World } from './world.js';

const CONNECT = [PacketType.Connect, 0x04, 1, 0, 60, 0x61] as const;
const PUBLISH = [PacketType.Publish, 0x02, 0x61, 0x62, 0, 0, 0x78] as const;
const brief = (packet: readonly number[]) => Uint8Array.of(1 + packet.length, ...packet);
const long = (packet: readonly number[]) => Uint8Array.of(1, 0, 3 + packet.length, ...packet);

describe('Length', () => {
  it('of three octets is taken for short packets, too, and answered in the short form', () => {
    const world = new World();
    const device = world.device('a').sayBytes(long(CONNECT));
    device.hearOne(PacketType.ConnAck);
    device.sayBytes(long(PUBLISH));
    expect(world.broker.published.map(({ topic, payload }) => [topic, text(payload)])).toEqual([['ab', 'x']]);
    expect(world.gateway.counters.malformed).toBe(0);
  });

  it.each([
    ['an octet is missing', brief(PUBLISH).subarray(0, 7)],
    ['there is an octet too many', Uint8Array.of(...brief(PUBLISH), 0)],
    ['there is an octet too many behind the long form', Uint8Array.of(...long(PUBLISH), 0)],
    ['the long form is not all there', Uint8Array.of(1, 0)],
    ['there is nothing', new Uint8Array()],
  ])('is held to the datagram: where %s, it is dropped and counted, and the session stands', (_what, datagram) => {
    const world = new World();
    const device = world.device('a').sayBytes(brief(CONNECT));
    device.hear();
    expect(device.sayBytes(datagram).hear()).toEqual([]);
    expect(world.broker.published).toEqual([]);
    expect(world.gateway.counters.malformed).toBe(1);
    device.ping().hearOne(PacketType.PingResp);
  });
});

describe('topic ids 0x0000 and 0xFFFF', () => {
  it('mean nothing in PUBLISH, whatever their kind', () => {
    const world = new World();
    const device = world.device('a').connected();
    device.register('t');
    for (const id of [0x0000, 0xffff]) {
      for (const topic of [normal(id), predefined(id)]) {
        device.publish(topic, 'x', 1);
        expect(device.hearOne(PacketType.PubAck)).toMatchObject({ topicId: id, returnCode: ReturnCode.InvalidTopicId });
      }
    }
    expect(world.broker.published).toEqual([]);
  });
});

describe('a short topic name', () => {
  it('has two octets: one of one or three is registered', () => {
    const world = new World();
    const device = world.device('a').connected();
    device.subscribe('#');
    for (const topic of ['a', '€', 'abc']) {
      world.broker.deliver('a', topic, 'x');
      const register = device.hearOne(PacketType.Register);
      expect(register).toMatchObject({ topicName: topic });
      device.say({ type: PacketType.RegAck, topicId: 0, msgId: register.msgId, returnCode: ReturnCode.NotSupported });
    }
    world.broker.deliver('a', 'é', 'x'); // two octets
    expect(device.hearOne(PacketType.Publish)).toMatchObject({ topic: short('é') });
  });
});
