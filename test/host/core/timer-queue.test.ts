import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Timer, TimerQueue } from '../../../host/core/timer-queue.js';

describe('a timer queue', () => {
  it('is due never when it is empty', () => {
    const queue = new TimerQueue<string>();
    expect(queue.nextDue()).toBe(Number.POSITIVE_INFINITY);
    expect(queue.popDue(Number.MAX_SAFE_INTEGER)).toBeUndefined();
    expect(queue.size).toBe(0);
  });

  it('gives out nothing before its time', () => {
    const queue = new TimerQueue<string>();
    queue.set(10, 'a');
    expect(queue.popDue(9)).toBeUndefined();
    expect(queue.nextDue()).toBe(10);
    expect(queue.popDue(10)).toBe('a');
    expect(queue.size).toBe(0);
  });

  it('keeps the order of setting among equal times', () => {
    const queue = new TimerQueue<number>();
    for (let i = 0; i < 20; i++) queue.set(5, i);
    const fired = Array.from({ length: 20 }, () => queue.popDue(5));
    expect(fired).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  it('cancels a timer once, and never one that has fired', () => {
    const queue = new TimerQueue<string>();
    const first = queue.set(1, 'a');
    const second = queue.set(2, 'b');
    expect(queue.cancel(second)).toBe(true);
    expect(queue.cancel(second)).toBe(false);
    expect(queue.popDue(5)).toBe('a');
    expect(queue.cancel(first)).toBe(false);
    expect(queue.size).toBe(0);
  });

  it('behaves as a sorted array does', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), at: fc.nat(30) }),
      fc.record({ kind: fc.constant('cancel' as const), at: fc.nat(200) }),
      fc.record({ kind: fc.constant('pop' as const), at: fc.nat(30) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new TimerQueue<number>();
        const timers: Timer<number>[] = [];
        let model: { due: number; order: number }[] = [];
        for (const { kind, at } of steps) {
          if (kind === 'set') {
            model.push({ due: at, order: timers.length });
            model.sort((a, b) => a.due - b.due || a.order - b.order);
            timers.push(queue.set(at, timers.length));
          } else if (kind === 'cancel' && timers.length > 0) {
            const order = at % timers.length;
            expect(queue.cancel(timers[order]!)).toBe(model.some((entry) => entry.order === order));
            model = model.filter((entry) => entry.order !== order);
          } else if (kind === 'pop') {
            const expected = model[0] !== undefined && model[0].due <= at ? model.shift()!.order : undefined;
            expect(queue.popDue(at)).toBe(expected);
          }
          expect(queue.size).toBe(model.length);
          expect(queue.nextDue()).toBe(model[0]?.due ?? Number.POSITIVE_INFINITY);
        }
      }),
      { numRuns: 500 },
    );
  });
});
