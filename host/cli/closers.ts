// What was opened is closed, the last first, also where opening the next thing failed.

export class Closers {
  private readonly all: (() => Promise<void> | void | undefined)[] = [];

  add(close: () => Promise<void> | void | undefined): void {
    this.all.push(close);
  }

  /** Closes everything, whatever fails; throws what failed first. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let close = this.all.pop(); close !== undefined; close = this.all.pop()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
