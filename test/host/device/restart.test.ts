import { describe, expect, it } from 'vitest';
import { DeviceError } from '../../../host/device/error.js';
import {
  RESTART_CALM_MS,
  RESTART_MS_MAX,
  RESTART_MS_MIN,
  Restarts,
  resetReasonOf,
} from '../../../host/device/restart.js';

describe('A device that is reset', () => {
  it('starts again after longer and longer times, up to a limit', () => {
    const restarts = new Restarts();
    const delays: number[] = [];
    for (let i = 0, now = 0; i < 9; i++) {
      restarts.noteStart(now);
      const delayMs = restarts.noteReset('trap', now);
      delays.push(delayMs);
      now += delayMs;
    }
    expect(delays).toEqual([1, 2, 4, 8, 16, 32, 64, 64, 64].map((s) => 1_000 * s));
    expect([delays[0], delays.at(-1)]).toEqual([RESTART_MS_MIN, RESTART_MS_MAX]);
    expect(restarts.resets).toEqual({ trap: 9, watchdog: 0 });
  });

  it('has put it behind itself once it has worked for a while', () => {
    const restarts = new Restarts();
    restarts.noteStart(0);
    restarts.noteReset('trap', 10);
    restarts.noteStart(1_010);
    expect(restarts.noteReset('watchdog', 1_009 + RESTART_CALM_MS)).toBe(2 * RESTART_MS_MIN);
    restarts.noteStart(100_000);
    expect(restarts.noteReset('watchdog', 100_000 + RESTART_CALM_MS)).toBe(RESTART_MS_MIN);
    expect(restarts.resets).toEqual({ trap: 1, watchdog: 2 });
  });

  it('is so for what its module did, and not for anybody else’s mistakes', () => {
    const reasons = (['ERR_DEVICE_TRAP', 'ERR_DEVICE_WATCHDOG', 'ERR_MODULE_LOAD', 'ERR_DEVICE_BUSY'] as const).map(
      (code) => resetReasonOf(new DeviceError(code, '')),
    );
    expect(reasons).toEqual(['trap', 'watchdog', 'trap', undefined]);
    expect(resetReasonOf(new Error())).toBeUndefined();
  });
});
