import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SCHEDULER_PROGRESS_ACTIONS, Scheduler, SchedulerError } from '../../../host/sim/scheduler.js';

const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (error instanceof SchedulerError) return error.code;
    throw error;
  }
  return 'nothing was thrown';
};

describe('the scheduler', () => {
  it('runs in order of time, and timers of one moment in the order in which they were set', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 200 }), (dues) => {
        const scheduler = new Scheduler();
        const ran: [number, number][] = [];
        for (const [order, due] of dues.entries()) scheduler.at(due, (now) => ran.push([now, order]));
        scheduler.runUntil(20);
        const expected = dues.map((due, order): [number, number] => [due, order]);
        expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        expect(ran).toEqual(expected);
      }),
    );
  });

  it('runs what is due in the past at now, behind what waits for now already', () => {
    const scheduler = new Scheduler(100);
    const ran: string[] = [];
    scheduler.at(100, (now) => ran.push(`present ${now}`));
    scheduler.at(7, (now) => ran.push(`past ${now}`));
    scheduler.runUntil(100);
    expect(ran).toEqual(['present 100', 'past 100']);
  });

  it('runs what an action schedules for the same moment in the same run', () => {
    const scheduler = new Scheduler();
    const ran: number[] = [];
    scheduler.at(5, (now) => {
      scheduler.at(now, (later) => ran.push(later));
      scheduler.at(6, (later) => ran.push(later));
    });
    expect(scheduler.runUntil(5)).toBe(2);
    expect(ran).toEqual([5]);
    expect(scheduler.pending).toBe(1);
    expect(scheduler.nextDue()).toBe(6);
  });

  it('shows the moment of the action as now, and ends at the end', () => {
    const scheduler = new Scheduler();
    let seen = -1;
    scheduler.at(30, () => {
      seen = scheduler.now;
    });
    scheduler.runUntil(1_000);
    expect(seen).toBe(30);
    expect(scheduler.now).toBe(1_000);
  });

  it('does not run a cancelled timer', () => {
    const scheduler = new Scheduler();
    const ran: string[] = [];
    const timer = scheduler.at(5, () => ran.push('cancelled'));
    scheduler.at(5, () => ran.push('kept'));
    expect(scheduler.cancel(timer)).toBe(true);
    expect(scheduler.cancel(timer)).toBe(false);
    scheduler.runUntil(10);
    expect(ran).toEqual(['kept']);
  });

  it('never turns back when the end lies in the past', () => {
    const scheduler = new Scheduler(50);
    scheduler.at(50, () => {});
    expect(scheduler.runUntil(40)).toBe(0);
    expect(scheduler.now).toBe(50);
  });

  it('runs until nothing is left when the end is Infinity', () => {
    const scheduler = new Scheduler();
    const again = (now: number): void => {
      if (now < 90) scheduler.at(now + 10, again);
    };
    scheduler.at(0, again);
    expect(scheduler.runUntil(Number.POSITIVE_INFINITY)).toBe(10);
    expect(scheduler.now).toBe(90);
  });

  it('reports progress every so many actions and at the end', () => {
    const scheduler = new Scheduler();
    for (let i = 0; i < 2 * SCHEDULER_PROGRESS_ACTIONS + 1; i++) scheduler.at(i, () => {});
    const reports: number[] = [];
    scheduler.runUntil(1_000_000, (_now, actions) => reports.push(actions));
    expect(reports).toEqual([SCHEDULER_PROGRESS_ACTIONS, 2 * SCHEDULER_PROGRESS_ACTIONS, 32_769]);
  });

  it('gives up where virtual time stands still', () => {
    const scheduler = new Scheduler(0, 1_000);
    const again = (now: number): void => {
      scheduler.at(now, again);
    };
    scheduler.at(3, again);
    expect(codeOf(() => scheduler.runUntil(10))).toBe('ERR_SIM_STUCK');
  });

  it('refuses a moment that is not a whole number of milliseconds', () => {
    const scheduler = new Scheduler();
    for (const bad of [Number.NaN, 0.5, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(codeOf(() => scheduler.at(bad, () => {}))).toBe('ERR_SIM_TIME');
    }
    expect(codeOf(() => scheduler.runUntil(Number.NaN))).toBe('ERR_SIM_TIME');
    expect(codeOf(() => new Scheduler(0.1))).toBe('ERR_SIM_TIME');
  });
});
