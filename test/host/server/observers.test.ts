import { afterEach, expect, it, vi } from 'vitest';
import { Observers } from '../../../host/server/observers.js';

afterEach(() => vi.restoreAllMocks());

it('a listener that throws is heard of by the process, and the others still hear their messages', () => {
  const tasks: (() => void)[] = [];
  vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((task) => void tasks.push(task));
  const observers = new Observers();
  const heard: string[] = [];
  observers.add('a', () => {
    throw new Error('mine');
  });
  observers.add('#', ({ topic }) => heard.push(topic));
  const rest = { payload: new Uint8Array(0), qos: 0, retain: false, properties: undefined, expiresAt: 0 } as const;
  for (const topic of ['a', 'b']) observers.take({ topic, ...rest }, undefined);
  expect(tasks).toHaveLength(1); // one for all of a turn
  tasks.shift()!();
  expect(heard).toEqual(['a', 'b']);
  expect(tasks).toHaveLength(1);
  expect(tasks[0]).toThrow('mine');
});
