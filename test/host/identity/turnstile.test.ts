import { describe, expect, it } from 'vitest';
import { Turnstile } from '../../../host/identity/turnstile.js';

const LIMITS = { runningMax: 2, placesMax: 4, placesEachMax: 3 };

/** Jobs that end when they are told to. */
class Jobs {
  readonly begun: string[] = [];
  private readonly ends = new Map<string, (error?: Error) => void>();

  job(name: string): () => Promise<string> {
    return () => {
      this.begun.push(name);
      return new Promise((resolve, reject) => {
        this.ends.set(name, (error) => (error === undefined ? resolve(name) : reject(error)));
      });
    };
  }

  end(name: string, error?: Error): void {
    this.ends.get(name)!(error);
  }
}

describe('A turnstile', () => {
  it('lets so many through at once, and the others in their order', async () => {
    const turnstile = new Turnstile(LIMITS);
    const jobs = new Jobs();
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => turnstile.pass('x', jobs.job(name)));
    expect(jobs.begun).toEqual(['a', 'b']);
    jobs.end('b');
    expect(await b).toBe('b');
    expect(jobs.begun).toEqual(['a', 'b', 'c']);
    jobs.end('a', new Error('failed'));
    await expect(a).rejects.toThrow('failed');
    expect(jobs.begun).toEqual(['a', 'b', 'c', 'd']);
    jobs.end('c');
    jobs.end('d');
    await Promise.all([c, d]);
    for (const name of ['e', 'f', 'g']) void turnstile.pass('x', jobs.job(name));
    expect(jobs.begun.slice(4)).toEqual(['e', 'f']);
  });

  it('has places for each address, and fewer than all', async () => {
    const turnstile = new Turnstile(LIMITS);
    const jobs = new Jobs();
    const first = ['a', 'b', 'c'].map((name) => turnstile.pass('x', jobs.job(name)));
    expect([turnstile.hasRoomFor('x'), turnstile.hasRoomFor('y')]).toEqual([false, true]);
    void turnstile.pass('y', jobs.job('d'));
    expect([turnstile.hasRoomFor('x'), turnstile.hasRoomFor('y'), turnstile.hasRoomFor('z')]).toEqual([
      false,
      false,
      false,
    ]);
    jobs.end('a');
    await first[0];
    expect([turnstile.hasRoomFor('x'), turnstile.hasRoomFor('y')]).toEqual([true, true]);
  });
});
