// What boards say of their resets (`started: watchdog`, `started: trap at 0x…`): counted, and told in words.

/** Of one board, as of V8's own count. */
export class BoardResets {
  private trap = 0;
  private watchdog = 0;

  get resets(): { readonly trap: number; readonly watchdog: number } {
    return { trap: this.trap, watchdog: this.watchdog };
  }

  /** Takes a line that the board has said. Returns what it means, where that is a failure. */
  hear(text: string): string | undefined {
    if (text.startsWith('started: watchdog')) {
      this.watchdog++;
      return 'a call did not come back: an endless loop, or too much work for one call';
    }
    if (text.startsWith('started: trap')) {
      this.trap++;
      return 'the application has failed: an access outside its memory, an assertion, or a fault of the core';
    }
    return undefined;
  }
}
