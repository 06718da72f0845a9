import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { BrokerTimer } from '../../../host/net/broker-timer.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A core with one deadline, which goes away when it is past. */
function world() {
  const core = {
    due: Number.POSITIVE_INFINITY,
    polledAt: [] as number[],
    nextDue: () => core.due,
    poll: (now: number) => {
      core.polledAt.push(now);
      if (core.due <= now) core.due = Number.POSITIVE_INFINITY;
    },
  };
  const startedAt = Date.now();
  return { core, timer: new BrokerTimer(core, () => Date.now() - startedAt) };
}

it('calls the core at its deadline, and at a nearer one if it is woken for it', () => {
  const { core, timer } = world();
  core.due = 100;
  timer.wake();
  core.due = 50;
  timer.wake();
  vi.advanceTimersByTime(49);
  expect(core.polledAt).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(core.polledAt).toEqual([50]);
});

it('looks again when a deadline that it knew has moved away', () => {
  const { core, timer } = world();
  core.due = 100;
  timer.wake();
  core.due = 300;
  vi.advanceTimersByTime(1_000);
  expect(core.polledAt).toEqual([100, 300]);
});

it('bears a deadline further away than a timeout can be', () => {
  const { core, timer } = world();
  core.due = 2 ** 31 + 5;
  timer.wake();
  vi.advanceTimersByTime(2 ** 31 + 10);
  expect(core.polledAt).toEqual([2 ** 31 - 1, 2 ** 31 + 5]);
});

it('sets nothing going once it is stopped, whoever still wakes it', () => {
  const { core, timer } = world();
  core.due = 100;
  timer.wake();
  timer.stop();
  core.due = 10;
  timer.wake();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(1_000);
  expect(core.polledAt).toEqual([]);
});
