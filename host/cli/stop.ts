/**
 * Resolves when the process is asked to end (SIGINT, SIGTERM), or after `ms` where that is given; rejects with the reason
 * of `end` when that is aborted. A second signal ends the process at once.
 */
export function untilStopped(ms?: number, end?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timeout);
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      end?.removeEventListener('abort', stop);
      if (end?.aborted) reject(end.reason as Error);
      else resolve();
    };
    // Without a limit a day's timer keeps the process alive and is set again.
    const timeout = ms === undefined ? setInterval(() => {}, 86_400_000) : setTimeout(stop, ms);
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    end?.addEventListener('abort', stop);
    if (end?.aborted) stop();
  });
}
