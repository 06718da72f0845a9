// The publisher's end of an update, for one device: sends the chunks in order, a window ahead of what the device has told, goes
// back where it misses one, and finds out what became of the update. Decides only; publisher.ts performs.
import { ErrorCode } from '../../assembly/protocol/index.js';
import type { Millis } from '../ports.js';

/** What a device says of itself on its status topic. */
export interface DeviceStatus {
  /** What works there, such as "1.0.0". */
  readonly version: string;
  /** It has confirmed: it stays. Without that it may be on trial. */
  readonly confirmed?: boolean;
  /** Chunks that are missing of the update under way. */
  readonly missing?: number;
  /** The last one came too early. */
  readonly gap?: boolean;
  /** Why the update is refused: an ErrorCode. */
  readonly refused?: number;
}

/** `isThere`: what runs there has the version of the update, and is not known to be the same module. */
export type UpdateOutcome =
  | { readonly kind: 'confirmed' }
  /** It was started, did not confirm that it works, and what was there before is back. */
  | { readonly kind: 'rolled-back' }
  | { readonly kind: 'refused'; readonly code: number; readonly isThere?: true }
  /** The device gets no further, or says nothing, however often it is sent. */
  | { readonly kind: 'stuck'; readonly isThere?: true }
  /** The broker is lost, or has refused. */
  | { readonly kind: 'disconnected'; readonly reason: string };

export interface SenderOptions {
  readonly chunks: readonly Uint8Array[];
  /** Of the update. */
  readonly version: string;
  /** Chunks that may be on their way beyond what the device has told. 1 and up, at least twice what it reports after. */
  readonly windowChunks?: number;
  /** Without progress for so long, the chunks are sent again from where the device was last. */
  readonly retryMs?: Millis;
  /** How often, till there is progress. */
  readonly retries?: number;
  /** How long a device may take from the last chunk to saying what became of it. More than its trial takes. */
  readonly outcomeMs?: Millis;
}

export const WINDOW_CHUNKS_DEFAULT = 32;
export const RETRY_MS_DEFAULT = 120_000;
export const RETRIES_DEFAULT = 5;
export const OUTCOME_MS_DEFAULT = 600_000;
/** A device may complain of several chunks before it sees the one it wants. */
const BACK_MS_MIN = 5_000;
/** How long a device may keep to itself what it has said a moment ago. */
const ASK_MS = 6_000;
/** Without progress for so long after a complaint, it was about what was sent last. */
const BACK_MS_MAX = 10_000;

/** Reads a status; undefined for what is none. */
export function parseStatus(payload: Uint8Array): DeviceStatus | undefined {
  try {
    const { version, confirmed, missing, gap, refused } = JSON.parse(new TextDecoder().decode(payload)) as Record<
      string,
      unknown
    >;
    if (typeof version !== 'string') return undefined;
    return {
      version,
      ...(confirmed === true && { confirmed }),
      ...(Number.isInteger(missing) && { missing: missing as number }),
      ...(gap === true && { gap }),
      ...(typeof refused === 'number' && { refused }),
    };
  } catch {
    return undefined;
  }
}

export class Sender {
  outcome: UpdateOutcome | undefined;
  /** The chunk that the device wants next, as far as it has told. */
  known = 0;
  private next = 0;
  /** All chunks were there, at least once. */
  private wasWhole = false;
  /** It ran another version than this since we listen, or just before. */
  private hasRunOther = false;
  /**
   * This version runs there, perhaps as another module: only the device can tell, by what it says to the first chunk. "Nothing is
   * missing" says that it came by this very update.
   */
  private isAsking = false;
  private doubtedMs: Millis | undefined;
  private dueMs: Millis = Number.POSITIVE_INFINITY;
  private wentBackMs: Millis = Number.NEGATIVE_INFINITY;
  private retriesLeft: number;

  constructor(private readonly options: SenderOptions) {
    this.retriesLeft = options.retries ?? RETRIES_DEFAULT;
  }

  get total(): number {
    return this.options.chunks.length;
  }

  start(now: Millis): void {
    this.dueMs = now + this.retryMs;
  }

  /** The next chunk that may go out now; undefined for none. */
  take(): Uint8Array | undefined {
    const window = this.isAsking ? 1 : (this.options.windowChunks ?? WINDOW_CHUNKS_DEFAULT);
    const isOpen = this.next < Math.min(this.known + window, this.total);
    return this.outcome === undefined && isOpen ? this.options.chunks[this.next++] : undefined;
  }

  /** `isRetained`: said before anybody listened, perhaps long ago. */
  hear(status: DeviceStatus, isRetained: boolean, now: Millis): void {
    const { version, missing, refused } = status;
    const isThis = version === this.options.version;
    if (this.outcome !== undefined) return;
    if (!isThis) this.hasRunOther = true;
    if (isRetained) {
      if (!isThis || this.known > 0) return;
      this.isAsking = true;
      this.dueMs = now + ASK_MS;
    } else if (isThis && status.confirmed === true && (this.isStarted || (this.known === 0 && missing === 0))) {
      this.outcome = { kind: 'confirmed' }; // whatever it says of chunks: late copies
    } else if (refused !== undefined) this.hearRefused(refused, isThis, now);
    else if (missing !== undefined) this.hearMissing(missing, status.gap === true, now);
    else if (isThis) this.hearThis(now);
    else this.tryAgain(0, now); // it has started anew, and forgotten all chunks or will not have them again
  }

  nextDue(): Millis {
    return this.outcome === undefined ? this.dueMs : Number.POSITIVE_INFINITY;
  }

  poll(now: Millis): void {
    if (now < this.nextDue()) return;
    this.tryAgain(this.known === this.total ? 0 : this.known, now);
  }

  /** It had all chunks, as far as anybody can tell, and runs this version since. */
  private get isStarted(): boolean {
    return this.hasRunOther && (this.wasWhole || (this.known > 0 && this.next === this.total));
  }

  private hearRefused(code: number, isThis: boolean, now: Millis): void {
    if (this.wasWhole && code === ErrorCode.UpdateFailed) this.outcome = { kind: 'rolled-back' };
    else if (this.doubtedMs === undefined && this.known === 0) {
      // Nothing of this update was heard of yet: perhaps these are the last chunks of another. Let them pass, and ask again.
      this.doubtedMs = now;
      this.dueMs = now + BACK_MS_MIN;
    } else if (!this.isDoubting(now)) this.outcome = { kind: 'refused', code, ...(isThis && { isThere: true }) };
  }

  /** This version runs there, perhaps on trial, perhaps since long ago. */
  private hearThis(now: Millis): void {
    if (this.isStarted) this.hearMissing(0, false, now);
    else if (!this.isAsking) {
      this.isAsking = true;
      this.tryAgain(0, now);
      this.dueMs = now + ASK_MS;
    }
  }

  private isDoubting(now: Millis): boolean {
    return this.doubtedMs !== undefined && now < this.doubtedMs + BACK_MS_MIN;
  }

  private hearMissing(missing: number, isGap: boolean, now: Millis): void {
    const wanted = Math.max(0, Math.min(this.total, this.total - missing)); // it may speak of another update
    if (missing === 0) this.wasWhole = true;
    this.isAsking = false;
    if (wanted > this.known) {
      this.known = wanted;
      this.next = Math.max(this.next, wanted);
      this.retriesLeft = this.options.retries ?? RETRIES_DEFAULT;
      this.dueMs = now + (missing === 0 ? (this.options.outcomeMs ?? OUTCOME_MS_DEFAULT) : this.retryMs);
    }
    if (!isGap) return;
    if (now >= this.wentBackMs + BACK_MS_MIN) this.tryAgain(wanted, now);
    else {
      // Perhaps about what was under way before one went back. If not, and nothing else arrives, it is not said again.
      this.known = wanted;
      this.dueMs = Math.min(this.dueMs, now + BACK_MS_MAX);
    }
  }

  /** Sends from `wanted` on, unless that was to no avail too often. */
  private tryAgain(wanted: number, now: Millis): void {
    if (this.retriesLeft-- === 0) {
      this.outcome = { kind: 'stuck', ...(this.isAsking && { isThere: true }) };
      return;
    }
    if (this.next === this.total && this.known > 0) this.wasWhole = true; // as far as anybody can tell
    this.known = wanted;
    this.next = wanted;
    this.wentBackMs = now;
    this.dueMs = now + this.retryMs;
  }

  private get retryMs(): Millis {
    return this.options.retryMs ?? RETRY_MS_DEFAULT;
  }
}
