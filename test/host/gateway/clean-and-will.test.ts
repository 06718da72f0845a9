// The four ways to say CONNECT (6.3), each after a session with subscriptions, a topic id and a will.
import { describe, expect, it } from 'vitest';
import { PacketType, ReturnCode } from '../../../assembly/protocol/index.js';
import { bytes, type Device, normal, World } from './world.js';

const COPY_MS = 60_000;

function giveWill(device: Device, topic: string): void {
  device.hearOne(PacketType.WillTopicReq);
  device.say({ type: PacketType.WillTopic, will: { qos: 1, retain: false, topic } }).hearOne(PacketType.WillMsgReq);
  device.say({ type: PacketType.WillMsg, message: bytes('dead') }).hearOne(PacketType.ConnAck);
}

describe('CONNECT', () => {
  it.each([
    { clean: false, will: false, keeps: true, willAfter: 'old' },
    { clean: false, will: true, keeps: true, willAfter: 'new' },
    { clean: true, will: false, keeps: false, willAfter: undefined },
    { clean: true, will: true, keeps: false, willAfter: 'new' },
  ])('with CleanSession $clean and Will $will keeps or deletes: $keeps, $willAfter', (row) => {
    const world = new World();
    const device = world.device('a');
    giveWill(device.connect({ cleanSession: false, will: true }), 'old');
    const id = device.register('up');
    device.subscribe('down', 1);
    device.say({ type: PacketType.Disconnect, duration: undefined }).hear();
    world.pass(COPY_MS);

    device.connect({ cleanSession: row.clean, will: row.will });
    if (row.will) giveWill(device, 'new');
    else device.hearOne(PacketType.ConnAck);

    const { options } = world.broker.session('a');
    expect([options.clean, options.will?.topic]).toEqual([row.clean, row.willAfter]);
    device.publish(normal(id), 'x', 1);
    const code = row.keeps ? ReturnCode.Accepted : ReturnCode.InvalidTopicId;
    expect(device.hearOne(PacketType.PubAck).returnCode).toBe(code);
    expect(world.gateway.gauges().subscriptions).toBe(row.keeps ? 1 : 0);
  });
});
