// A journal for tests, in virtual time: a log of octets that a crash cuts anywhere behind what it has confirmed.
//
//  ┌──────────────┬────────┬────────────────────────────────────────────────────────────────────────┐
//  │ body bytes   │ CRC-32 │ body: for each change its key's length, its key, whether it puts, and  │
//  │ u32          │ u32    │ where it does its value's length and the value                         │
//  └──────────────┴────────┴────────────────────────────────────────────────────────────────────────┘
import { crc32 } from 'node:zlib';
import { between } from '../../../host/core/random.js';
import type { Journal, Millis, Random } from '../../../host/ports.js';

const HEAD_BYTES = 8;

interface Ended {
  readonly endsAtByte: number;
  readonly dueAt: Millis;
  readonly done: (now: Millis) => void;
}

export interface TornJournalOptions {
  /** How long a commit takes at most, ms from the last `advance` before it. Default: 20. */
  readonly delayMsMax?: number;
}

export class TornJournal implements Journal {
  /** Its parts, in order. */
  private readonly log: Buffer[] = [];
  private logBytes = 0;
  /** What the machine will not take back. */
  private durableBytes = 0;
  private open: Buffer[] = [];
  private ended: Ended[] = [];
  private now: Millis = 0;
  private isCrashed = false;
  private readonly delayMsMax: number;

  constructor(
    private readonly random: Random,
    private readonly options: TornJournalOptions = {},
  ) {
    this.delayMsMax = options.delayMsMax ?? 20;
  }

  entries(): Iterable<readonly [key: string, value: Uint8Array]> {
    return replay(Buffer.concat(this.log)).records;
  }

  put(key: string, value: Uint8Array): void {
    this.open.push(encodeChange(key, value));
  }

  delete(key: string): void {
    this.open.push(encodeChange(key, undefined));
  }

  commit(done: (now: Millis) => void): void {
    const body = Buffer.concat(this.open);
    this.open = [];
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(body.length);
    head.writeUInt32LE(crc32(body), 4);
    this.append(head, body);
    const earliest = this.ended.at(-1)?.dueAt ?? this.now + 1;
    // Some become durable together with the one before, the others later.
    const dueAt = Math.max(earliest, this.now + between(this.random, 1, this.delayMsMax));
    this.ended.push({ endsAtByte: this.logBytes, dueAt, done });
  }

  /** When `advance` has something to do; undefined: nothing is under way. */
  nextDue(): Millis | undefined {
    return this.isCrashed ? undefined : this.ended[0]?.dueAt;
  }

  /** Makes durable what is due by `now`, and says so. Not to be called from within a turn of the core. */
  advance(now: Millis): void {
    this.now = Math.max(this.now, now);
    if (this.isCrashed) return;
    const count = this.ended.findIndex(({ dueAt }) => dueAt > now);
    const due = this.ended.splice(0, count < 0 ? this.ended.length : count);
    this.durableBytes = due.at(-1)?.endsAtByte ?? this.durableBytes;
    for (const { done } of due) done(now);
  }

  /**
   * The machine stops: the log is cut anywhere behind what was durable, and where it is cut the last octets may be others. Gives
   * what the next process opens, whose clock begins at `now`; this journal says nothing any more.
   */
  crash(now: Millis = this.now): TornJournal {
    this.isCrashed = true;
    const kept = this.cut();
    const next = new TornJournal(this.random, this.options);
    next.append(kept.subarray(0, replay(kept).wholeBytes));
    next.durableBytes = next.logBytes;
    next.now = now;
    return next;
  }

  private cut(): Buffer {
    const log = Buffer.concat(this.log);
    if (this.random.nextU32() % 4 === 0) return log; // all of it was written: only the word of it is lost
    const kept = log.subarray(0, between(this.random, this.durableBytes, log.length));
    const tornBytes = kept.length < log.length ? kept.length - this.durableBytes : 0;
    if (tornBytes === 0 || this.random.nextU32() % 2 === 0) return kept;
    const noiseAt = kept.length - between(this.random, 1, tornBytes);
    return Buffer.concat([kept.subarray(0, noiseAt), kept.subarray(noiseAt).map(() => this.random.nextU32())]);
  }

  private append(...parts: readonly Buffer[]): void {
    for (const part of parts) {
      this.log.push(part);
      this.logBytes += part.length;
    }
  }
}

function encodeChange(key: string, value: Uint8Array | undefined): Buffer {
  const keyBytes = Buffer.from(key);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(keyBytes.length);
  if (value === undefined) return Buffer.concat([head, keyBytes, Buffer.of(0)]);
  const valueHead = Buffer.alloc(5, 1);
  valueHead.writeUInt32LE(value.length, 1);
  return Buffer.concat([head, keyBytes, valueHead, value]);
}

/** What the whole transactions at the beginning of a log have left, and where they end. */
function replay(log: Buffer): { records: Map<string, Uint8Array>; wholeBytes: number } {
  const records = new Map<string, Uint8Array>();
  let at = 0;
  while (at + HEAD_BYTES <= log.length) {
    const end = at + HEAD_BYTES + log.readUInt32LE(at);
    const body = log.subarray(at + HEAD_BYTES, end);
    if (end > log.length || crc32(body) !== log.readUInt32LE(at + 4)) break;
    applyBody(body, records);
    at = end;
  }
  return { records, wholeBytes: at };
}

function applyBody(body: Buffer, records: Map<string, Uint8Array>): void {
  for (let at = 0; at < body.length; ) {
    const keyEnd = at + 4 + body.readUInt32LE(at);
    const key = body.toString('utf8', at + 4, keyEnd);
    const isPut = body[keyEnd] === 1;
    if (!isPut) records.delete(key);
    const valueAt = keyEnd + 5;
    at = isPut ? valueAt + body.readUInt32LE(keyEnd + 1) : keyEnd + 1;
    if (isPut) records.set(key, new Uint8Array(body.subarray(valueAt, at)));
  }
}
