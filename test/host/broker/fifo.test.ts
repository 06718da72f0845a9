import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Fifo } from '../../../host/broker/fifo.js';

it('a first-in first-out queue behaves as an array does', () => {
  const steps = fc.array(fc.constantFrom('push', 'push', 'push', 'shift', 'shift', 'clear', 'burst'), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(steps, (all) => {
      const fifo = new Fifo<number>();
      let model: number[] = [];
      let next = 0;
      const push = () => {
        fifo.push(next);
        model.push(next++);
      };
      for (const step of all) {
        if (step === 'push') push();
        else if (step === 'burst') for (let i = 0; i < 100; i++) push();
        else if (step === 'shift') expect(fifo.shift()).toBe(model.shift());
        else if (next % 5 === 0) {
          fifo.clear();
          model = [];
        }
        expect([fifo.size, fifo.peek()]).toEqual([model.length, model[0]]);
      }
      while (model.length > 0) expect(fifo.shift()).toBe(model.shift());
      expect(fifo.shift()).toBeUndefined();
    }),
  );
});
