// A first-in first-out queue that neither shifts its array at each step nor keeps what has left it.

/** Places given up at the head before the array is cut. */
const SLACK_MAX = 64;

export class Fifo<T> {
  private items: (T | undefined)[] = [];
  private head = 0;

  get size(): number {
    return this.items.length - this.head;
  }

  push(item: T): void {
    // An array that grows makes room for 17, and most queues never hold a second item.
    if (this.items.length === 0) this.items = [item];
    else this.items.push(item);
  }

  peek(): T | undefined {
    return this.items[this.head];
  }

  shift(): T | undefined {
    if (this.head === this.items.length) return undefined;
    const item = this.items[this.head];
    this.items[this.head++] = undefined;
    if (this.head === this.items.length) this.clear();
    else if (this.head > SLACK_MAX && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }

  /** Takes out what `wanted` does not want. */
  keep(wanted: (item: T) => boolean): void {
    this.items = this.items.slice(this.head).filter((item) => wanted(item as T));
    this.head = 0;
  }

  clear(): void {
    if (this.items.length > SLACK_MAX) this.items = [];
    else this.items.length = 0;
    this.head = 0;
  }
}
