// Whose a topic id is, how it is asked for, and that of one REGISTER at a time (5.4.10, 5.4.12, 6.5, 7.3).
import { describe, expect, it } from 'vitest';
import { PacketType, ReturnCode } from '../../../assembly/protocol/index.js';
import { normal, regack, World } from './world.js';

describe('a topic id', () => {
  it("is one client's own: from another it means nothing", () => {
    const world = new World();
    const [a, b] = [world.device('a').connected(), world.device('b').connected()];
    const id = a.register('secret/of/a');
    b.register('b');
    b.publish(normal(id), 'x', 1);
    expect(b.hearOne(PacketType.PubAck).returnCode).toBe(ReturnCode.InvalidTopicId);
    expect(world.broker.published).toEqual([]);
  });
});

describe("the gateway's REGISTER", () => {
  it('is one at a time: the next topic waits for REGACK', () => {
    const world = new World();
    const device = world.device('a').connected();
    device.subscribe('#');
    for (const topic of ['t/1', 't/2', 't/3']) world.broker.deliver('a', topic, 'x');
    for (const topic of ['t/1', 't/2', 't/3']) {
      const [register, ...more] = device.hear().filter(({ type }) => type === PacketType.Register);
      expect([register, more]).toMatchObject([{ topicName: topic }, []]);
      device.say(regack(register as Extract<typeof register, { type: PacketType.Register }>));
    }
    expect(device.hear()).toMatchObject([{ type: PacketType.Publish }]);
  });

  it('has a MsgId that is never 0, also when it wraps, and another than the last', () => {
    const world = new World();
    const device = world.device('a').connected();
    device.subscribe('#');
    let last = 0;
    for (let i = 0; i < 65_600; i++) {
      world.broker.deliver('a', `t/${i % 7}`, 'x', 1);
      const register = device.hearOne(PacketType.Register);
      expect(register.msgId).not.toBeOneOf([0, last]);
      last = register.msgId;
      device.say(regack(register, ReturnCode.NotSupported));
    }
  });
});
