import { expect, it } from 'vitest';
import { Broker } from '../../../host/broker/broker.js';
import { Xoshiro128 } from '../../../host/core/random.js';

it('says that the next deadline has come nearer, and only that', () => {
  let woken = 0;
  const wake = (): void => {
    woken++;
  };
  const broker = new Broker({ connectTimeoutMs: 10_000 }, { random: new Xoshiro128(1), wake });
  const dial = (now: number) => broker.accept({ send: () => {}, close: () => {} }, now);
  const connect = (keepalive: number, now: number): void =>
    dial(now).receive({ cmd: 'connect', clientId: `c${now}`, keepalive }, now);

  connect(60, 0); // its keep-alive is due at 90,000
  expect([woken, broker.nextDue()]).toEqual([1, 90_000]);
  connect(120, 1);
  expect([woken, broker.nextDue()]).toEqual([1, 90_000]);
  connect(2, 2);
  expect([woken, broker.nextDue()]).toEqual([2, 3_002]);
  broker.poll(3_002); // the deadline goes further away
  expect([woken, broker.nextDue()]).toEqual([2, 90_000]);
  connect(4, 3_003);
  expect([woken, broker.nextDue()]).toEqual([3, 9_003]);
});
