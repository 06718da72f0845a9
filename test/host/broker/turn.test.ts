import { expect, it } from 'vitest';
import { Turn } from '../../../host/broker/turn.js';

it('a job from inside a job runs after it, in the order of asking', () => {
  const turn = new Turn(() => {});
  const order: string[] = [];
  turn.run(() => {
    turn.run(() => {
      order.push('b');
      turn.run(() => order.push('d'));
    });
    turn.run(() => order.push('c'));
    order.push('a');
  });
  expect(order).toEqual(['a', 'b', 'c', 'd']);
});

it('a job that throws does not block those after it', () => {
  const turn = new Turn(() => {});
  expect(() =>
    turn.run(() => {
      throw new RangeError('x');
    }),
  ).toThrow(RangeError);
  let hasRun = false;
  turn.run(() => {
    hasRun = true;
  });
  expect(hasRun).toBe(true);
});
