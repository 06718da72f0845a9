// The promises of MQTT, end to end in virtual time: application in WASM, client, radio, gateway, broker, application, and
// back. A failure prints the seed that repeats it.
import { beforeAll, describe, expect, it } from 'vitest';
import { buildTalker, type Outcome, runTalkers } from './talkers.js';

const SEEDS = 200;

describe('Over 200 seeds with 30 % loss, copies and reordering', () => {
  let module: Uint8Array;
  const outcomes: Outcome[] = [];

  beforeAll(async () => {
    module = await buildTalker();
    for (let seed = 1; seed <= SEEDS; seed++) outcomes.push(runTalkers(module, seed));
  });

  const broken = (kind: string): string[] =>
    outcomes.flatMap(({ seed, violations }) =>
      violations.filter((v) => v.kind === kind).map((v) => `seed ${seed}: ${v.message}`),
    );

  it('delivers every message of QoS 1 and 2 at least once', () => {
    expect(broken('lost')).toEqual([]);
  });

  it('delivers no message of QoS 2 twice', () => {
    expect(broken('duplicate')).toEqual([]);
  });

  it('keeps the order of each publisher and topic', () => {
    expect(broken('order')).toEqual([]);
  });

  it('has delivered a good number of messages, both ways', () => {
    for (const { seed, sent, delivered } of outcomes) {
      expect(sent, `seed ${seed}`).toBeGreaterThan(200);
      expect(delivered, `seed ${seed}`).toBe(sent);
    }
  });

  it('does the same again with the same seed', () => {
    expect(runTalkers(module, 7)).toEqual(outcomes[6]);
  });
});
