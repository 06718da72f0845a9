// MsgIds from the gateway to one client: counting up, never 0, not one that is in use (5.4.12).
import { between } from '../core/random.js';
import type { Random } from '../ports.js';

export const MSG_ID_NONE = 0x0000;
const MSG_ID_MAX = 0xffff;

export class MsgIds {
  private last: number;

  /** Starts anywhere: a late PUBACK of an earlier session should not answer the first PUBLISH of this one. */
  constructor(random: Random) {
    this.last = between(random, MSG_ID_NONE, MSG_ID_MAX);
  }

  next(inUse: number): number {
    do {
      this.last = this.last === MSG_ID_MAX ? MSG_ID_NONE + 1 : this.last + 1;
    } while (this.last === inUse);
    return this.last;
  }
}
