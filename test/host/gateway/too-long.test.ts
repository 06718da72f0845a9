// What does not fit the client's link is dropped without a word to it (6.10), and never without one to the operator.
import { describe, expect, it } from 'vitest';
import { PacketType } from '../../../assembly/protocol/index.js';
import { encode } from '../../../host/wire/index.js';
import { World } from './world.js';

describe('a message that is too long for its client', () => {
  it('is so from 256 octets on, if nothing else is said', () => {
    const world = new World();
    const device = world.device('a').connected();
    device.subscribe('ab');
    world.broker.deliver('a', 'ab', 'x'.repeat(248));
    expect(encode(device.hearOne(PacketType.Publish))).toHaveLength(255);
    world.broker.deliver('a', 'ab', 'x'.repeat(249));
    expect(device.hear()).toEqual([]);
    expect(world.gateway.counters.droppedTooLong).toBe(1);
  });

  it('is logged with the client, the topic and its length', () => {
    const world = new World({ maxPacketBytes: 40 });
    const device = world.device('at/a', 'meter-7').connected({ cleanSession: false });
    device.subscribe('t/#');
    world.broker.deliver('meter-7', 't/1', 'x'.repeat(34), 1);
    world.broker.deliver('meter-7', `t/${'y'.repeat(40)}`, 'x');
    expect(device.hear()).toEqual([]);
    expect(world.logged).toEqual(['upstream-up', 'message-dropped', 'message-dropped']);
    const why = { clientId: 'meter-7', reason: 'droppedTooLong' };
    expect(world.details.slice(1)).toEqual([
      { ...why, topic: 't/1', qos: 1, payloadBytes: 34 },
      { ...why, topic: `t/${'y'.repeat(40)}`, qos: 0, payloadBytes: 1 },
    ]);
    expect(world.gateway.counters.droppedTooLong).toBe(2);
  });
});
