// A gateway advertises, answers and accepts only while it has its broker, and tells its clients when it has not (6.1).
import { describe, expect, it } from 'vitest';
import { PacketType, ReturnCode } from '../../../assembly/protocol/index.js';
import { World } from './world.js';

const kept = { cleanSession: false } as const;
const SEARCH = { type: PacketType.SearchGw, radius: 1 } as const;

function downAtFirst(): World {
  return new World({ tAdvMs: 60_000 }, undefined, (broker) => {
    broker.isDown = true;
  });
}

describe('without its broker', () => {
  it('the gateway neither advertises nor answers SEARCHGW', () => {
    const world = downAtFirst();
    world.device('a').say(SEARCH);
    world.pass(200_000);
    expect(world.broadcasts).toEqual([]);
    world.broker.isDown = false;
    world.pass(60_000);
    expect(world.broadcasts.map(({ type }) => type)).toContain(PacketType.Advertise);
    world.broadcasts.length = 0;
    world.device('a').say(SEARCH);
    expect(world.broadcasts).toMatchObject([{ type: PacketType.GwInfo }]);
  });

  it('ADVERTISE ends with the broker and begins with it', () => {
    const world = new World({ tAdvMs: 60_000 });
    expect(world.broadcasts).toHaveLength(1);
    world.broker.goDown();
    world.pass(600_000);
    expect(world.broadcasts).toHaveLength(1);
    world.broker.isDown = false;
    world.pass(30_000);
    expect(world.broadcasts).toHaveLength(2);
    world.pass(60_000);
    expect(world.broadcasts).toHaveLength(3);
  });

  it('CONNECT is answered with congestion at once, and accepted when the broker is back', () => {
    const world = downAtFirst();
    const device = world.device('a').connect();
    expect(device.hearOne(PacketType.ConnAck).returnCode).toBe(ReturnCode.Congestion);
    expect(world.broker.opened).toEqual([]);
    world.broker.isDown = false;
    world.pass(30_000);
    expect(device.connect().hearOne(PacketType.ConnAck).returnCode).toBe(ReturnCode.Accepted);
  });

  it('it is looked for with pauses that double, up to a bound', () => {
    const world = downAtFirst();
    const at: number[] = [];
    for (let i = 0; i < 300; i++) {
      const before = world.broker.presences.length;
      world.pass(1_000);
      if (world.broker.presences.length > before) at.push(world.now);
    }
    const pauses = at.slice(1).map((then, i) => then - at[i]!);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(31_000);
    expect(at.length).toBeLessThan(25);
    expect(pauses.at(-1)!).toBeGreaterThan(10_000);
  });
});

describe('the loss of the broker', () => {
  it('is told to connected clients by DISCONNECT; their sessions are found when they come back', () => {
    const world = new World();
    const device = world.device('a').connected(kept);
    const id = device.register('t');
    world.broker.goDown();
    device.hearOne(PacketType.Disconnect);
    world.broker.isDown = false;
    world.pass(30_000);
    device.connected(kept);
    expect(device.register('t')).toBe(id);
  });

  it('is told to a sleeper when it wakes, and by CONNECT it gets what the broker kept', () => {
    const world = new World();
    const device = world.device('a').connected(kept);
    device.subscribe('t', 1);
    device.sleep(60);
    world.broker.goDown();
    world.broker.deliver('a', 't', 'x', 1);
    world.broker.isDown = false;
    world.pass(30_000);
    device.hear();
    device.ping('a').hearOne(PacketType.Disconnect);
    expect(device.connect(kept).hear()).toMatchObject([{ type: PacketType.ConnAck }, { type: PacketType.Publish }]);
  });

  it('shows in the gauges, and is counted', () => {
    const world = new World();
    world.device('a').connected(kept);
    expect(world.gateway.gauges()).toMatchObject({ upstreamUp: true, active: 1 });
    world.broker.goDown();
    expect(world.gateway.gauges()).toMatchObject({ upstreamUp: false, active: 0, offline: 1 });
    expect(world.gateway.counters.upstreamsLost).toBe(2);
  });
});
