// Work that takes long and that anybody can ask for: so much of it at once, so much that waits, and nobody has all the places.

export interface TurnstileLimits {
  /** Jobs that run at once. */
  readonly runningMax: number;
  /** Jobs that run or wait. */
  readonly placesMax: number;
  /** Of those, as many as one address may have. */
  readonly placesEachMax: number;
}

export class Turnstile {
  private readonly waiting: (() => void)[] = [];
  private readonly placesOf = new Map<string, number>();
  private running = 0;
  private places = 0;

  constructor(private readonly limits: TurnstileLimits) {}

  /** Whether there is a place for one more job of `who`. */
  hasRoomFor(who: string): boolean {
    const { placesMax, placesEachMax } = this.limits;
    return this.places < placesMax && (this.placesOf.get(who) ?? 0) < placesEachMax;
  }

  /** Runs the job when its turn has come, also where there is no room: then others wait longer. */
  async pass<T>(who: string, job: () => Promise<T>): Promise<T> {
    this.count(who, 1);
    try {
      if (this.running === this.limits.runningMax) await new Promise<void>((resolve) => this.waiting.push(resolve));
      else this.running++;
      try {
        return await job();
      } finally {
        const next = this.waiting.shift();
        if (next === undefined) this.running--;
        else next(); // its turn is handed on
      }
    } finally {
      this.count(who, -1);
    }
  }

  private count(who: string, change: number): void {
    this.places += change;
    const left = (this.placesOf.get(who) ?? 0) + change;
    if (left === 0) this.placesOf.delete(who);
    else this.placesOf.set(who, left);
  }
}
