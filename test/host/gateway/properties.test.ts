// The gateway as a black box: whatever clients, broker, network and operator do, in any order, the invariants hold.
// PROPERTIES_RUNS and PROPERTIES_SEED make it run longer, or elsewhere.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Play } from './arbitrary-play.js';
import { settle } from './arbitrary-settle.js';
import { PREDEFINED, type Step, steps } from './arbitrary-steps.js';

const RUNS = Number(process.env.PROPERTIES_RUNS ?? 200);
const SEED = Number(process.env.PROPERTIES_SEED ?? 1_201);
const STEPS_MAX = 200;

/** So little room that every limit is reached. */
const TIGHT = {
  predefined: PREDEFINED,
  tAdvMs: 60_000,
  tWaitMs: 20_000,
  nRetry: 2,
  maxPacketBytes: 64,
  topicBytesMax: 40,
  topicsMax: 3,
  namesBytesMax: 80,
  subscriptionsMax: 2,
  bufferMessagesMax: 3,
  bufferBytesMax: 256,
  requestsMax: 2,
  qos2Max: 2,
  recentMax: 2,
  sessionsMax: 3,
  dialogsMax: 2,
} as const;
/** Sums over all clients say most where there is only one. */
const ALONE = { ...TIGHT, sessionsMax: 1, dialogsMax: 1 } as const;
const ROOMY = { predefined: PREDEFINED, lateDuplicateMs: 0 } as const;

describe.each([
  ['a scripted broker', true],
  ['the broker of the same process', false],
])('the gateway with %s', (_name, isScripted) => {
  it.each([
    ['in little room', TIGHT],
    ['for one client at a time', ALONE],
    ['with its defaults', ROOMY],
  ])('keeps its promises %s', (_room, config) => {
    let settled = 0;
    fc.assert(
      fc.property(steps(isScripted, STEPS_MAX), (all: Step[]) => {
        const play = new Play(config, isScripted);
        play.run(all);
        settle(play);
        settled++;
      }),
      { numRuns: RUNS, seed: SEED },
    );
    expect(settled).toBe(RUNS);
  });
});
