import { describe, expect, it } from 'vitest';
import { between, chance, Xoshiro128 } from '../../../host/core/random.js';
import { fromHex, loadVectors } from '../../vectors/load.js';
import { World } from './world.js';

const DATAGRAMS = 1_000_000;
const ADDRESSES = 40;
const SEED = 20_231;

/** Octets that look like a packet now and then. */
function datagram(random: Xoshiro128, vectors: readonly Uint8Array[]): Uint8Array {
  if (chance(random, 100_000)) {
    const octets = Uint8Array.from({ length: between(random, 0, 40) }, () => between(random, 0, 255));
    if (octets.length > 0 && chance(random, 900_000)) octets[0] = octets.length;
    return octets;
  }
  const octets = vectors[between(random, 0, vectors.length - 1)]!.slice();
  if (chance(random, 500_000)) return octets;
  for (let i = between(random, 1, 3); i > 0; i--)
    octets[between(random, 0, octets.length - 1)] = between(random, 0, 255);
  if (chance(random, 800_000)) octets[0] = octets.length;
  return octets;
}

describe('the gateway', () => {
  it('survives any datagrams, sends only well-formed ones, and stays within its bounds', () => {
    const world = new World({
      sessionsMax: 20,
      dialogsMax: 8,
      topicsMax: 50,
      subscriptionsMax: 50,
      predefined: { '*': { 1: 'p/1', 5: 'p/5' } },
    });
    const random = new Xoshiro128(SEED);
    const vectors = loadVectors()
      .good.map(({ hex }) => fromHex(hex))
      .filter(({ length }) => length > 0 && length < 60);
    for (let i = 0; i < DATAGRAMS; i++) {
      world.device(`d${between(random, 0, ADDRESSES - 1)}`).sayBytes(datagram(random, vectors));
      if (i % 16 === 0) world.pass(between(random, 0, 3_000));
      if (i % 64 === 0) prod(world, random);
      if (i % 1_000 === 0) world.sent.length = 0;
      if (world.gateway.sessionCount > 20) throw new Error('too many sessions');
    }
    const { counters } = world.gateway;
    expect(counters.datagramsIn).toBe(DATAGRAMS);
    for (const [name, value] of Object.entries(counters)) expect(Number.isSafeInteger(value), name).toBe(true);
    for (const reached of [
      'connects',
      'malformed',
      'unknownSender',
      'publishesInQos2',
      'clientsLost',
      'retransmissions',
    ] as const) {
      expect(counters[reached], reached).toBeGreaterThan(0);
    }
    world.gateway.stop(world.now);
    expect(world.gateway.nextDue()).toBe(Number.POSITIVE_INFINITY);
  }, 120_000);
});

/** The broker does something, too: sends a message, refuses for a while, goes away. */
function prod(world: World, random: Xoshiro128): void {
  const { broker } = world;
  broker.refuses = chance(random, 50_000);
  broker.refusesConnect = chance(random, 100_000);
  const open = broker.opened.filter(({ over }) => over === undefined);
  broker.opened.splice(0, Number.POSITIVE_INFINITY, ...open);
  broker.published.length = 0;
  const session = open[between(random, 0, Math.max(0, open.length - 1))];
  if (session === undefined) return;
  const { clientId } = session.options;
  if (chance(random, 50_000)) broker.lose(clientId);
  else broker.deliver(clientId, `t/${between(random, 0, 99)}`, 'x', between(random, 0, 2) as 0 | 1 | 2);
}
