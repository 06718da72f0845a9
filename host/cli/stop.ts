/** Resolves when the process is asked to end (SIGINT, SIGTERM), or after `ms` where that is given. A second signal ends it at once. */
export function untilStopped(ms?: number): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      clearTimeout(timeout);
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      resolve();
    };
    // Without a limit a day's timer keeps the process alive and is set again.
    const timeout = ms === undefined ? setInterval(() => {}, 86_400_000) : setTimeout(stop, ms);
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
}
