import { describe, expect, it } from 'vitest';
import { BoardResets } from '../../../host/cli/board-resets.js';

describe('what a board says of its resets', () => {
  it('is counted, whatever stands behind it', () => {
    const heard = new BoardResets();
    for (const line of ['started: trap', 'started: trap at 0x00001234', 'started: watchdog: 2000 ms']) heard.hear(line);
    expect(heard.resets).toEqual({ trap: 2, watchdog: 1 });
  });

  it('is told in words', () => {
    const heard = new BoardResets();
    expect(heard.hear('started: watchdog')).toMatch(/a call did not come back: an endless loop/);
    expect(heard.hear('started: trap at 0x00001234')).toMatch(/the application has failed/);
  });

  it('is no failure where it was switched on, or goes on', () => {
    const heard = new BoardResets();
    for (const line of ['started: power', 'started: pin', 'resumed', 'the watchdog: started: trap']) {
      expect(heard.hear(line)).toBeUndefined();
    }
    expect(heard.resets).toEqual({ trap: 0, watchdog: 0 });
  });
});
