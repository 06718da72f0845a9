// What the random runs have found, each as the shortest story that shows it.
import { describe, expect, it } from 'vitest';
import { PacketType, PROTOCOL_ID, ReturnCode } from '../../../assembly/protocol/index.js';
import { MemoryStore } from '../../../host/core/memory-store.js';
import { World } from './world.js';

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
