// Two boards that take updates, one in TypeScript and one in C, as the suite of both calls them.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { formatVersion, parseVersion, type Version } from '../../host/update/header.js';
import { MemorySlots } from '../../host/update/memory-slots.js';
import { Receiver } from '../../host/update/receiver.js';
import { scratch } from '../host/firmware/modules.js';

export const SLOT_BYTES = 4_096;
export const TRIAL_MS = 1_000;
export type Verify = (signed: Uint8Array, signature: Uint8Array) => boolean;

export interface BootResult {
  readonly slot: number;
  readonly bytes: number | undefined;
  readonly isOnTrial: boolean;
  readonly wasRolledBack: boolean;
  readonly wasOutdated: boolean;
  readonly isPutOff: boolean;
  readonly version: Version;
}

export interface State {
  readonly isAccepted: boolean;
  readonly isOverdue: boolean;
  readonly version: string;
}

/** What is called `lamp`, 1.0.0 unless it is shipped anew, on the board `bench`. Calls resolve to "cut" where the power was cut in them. */
export interface UpdateBoard {
  boot(now: number, shipped?: string): Promise<BootResult | 'cut'>;
  chunk(octets: Uint8Array): Promise<number | 'cut'>;
  confirm(): Promise<'ok' | 'cut'>;
  state(now: number): Promise<State>;
  read(slot: number, bytes: number): Promise<Uint8Array>;
  table(copy: number): Promise<Uint8Array>;
  /** The power is cut in the middle of the operation on flash that comes after so many. */
  cutAfter(operations: number): Promise<void>;
  /** From now on nothing can be written, or again everything. */
  failWrites(areFailing: boolean): Promise<void>;
  close(): void;
}

class PowerCut extends Error {}

/** Slots whose power can be cut. */
class BrittleSlots extends MemorySlots {
  left = Number.POSITIVE_INFINITY;
  areWritesFailing = false;

  override erase(slot: number): boolean {
    return this.change(() => super.erase(slot));
  }

  override write(slot: number, at: number, octets: Uint8Array): boolean {
    return this.change((part) => super.write(slot, at, octets.subarray(0, octets.length * part)));
  }

  override writeTable(copy: number, octets: Uint8Array): boolean {
    return this.change((part) => {
      const torn = this.readTable(copy).slice();
      torn.set(octets.subarray(0, octets.length * part));
      return super.writeTable(copy, torn);
    });
  }

  private change(act: (part: number) => boolean): boolean {
    if (this.areWritesFailing) return false;
    if (this.left-- > 0) return act(1);
    act(0.5);
    throw new PowerCut();
  }
}

export class HostBoard implements UpdateBoard {
  private readonly slots: BrittleSlots;
  private receiver!: Receiver;

  constructor(
    shipped: Uint8Array,
    private readonly verify: Verify,
  ) {
    this.slots = new BrittleSlots(shipped, SLOT_BYTES);
  }

  boot(now: number, shipped = '1.0.0'): Promise<BootResult | 'cut'> {
    const version = parseVersion(shipped);
    return this.orCut(() => {
      this.receiver = new Receiver(
        { name: 'lamp', version, abi: 2, board: 'bench', verify: this.verify, trialMs: TRIAL_MS },
        this.slots,
      );
      return this.receiver.boot(now);
    });
  }

  chunk(octets: Uint8Array): Promise<number | 'cut'> {
    return this.orCut(() => this.receiver.chunk(octets));
  }

  confirm(): Promise<'ok' | 'cut'> {
    return this.orCut(() => {
      this.receiver.confirm();
      return 'ok' as const;
    });
  }

  async state(now: number): Promise<State> {
    const { isAccepted, dueAt, version } = this.receiver;
    return { isAccepted, isOverdue: now >= dueAt, version: formatVersion(version) };
  }

  async read(slot: number, bytes: number): Promise<Uint8Array> {
    return this.slots.read(slot, bytes);
  }

  async table(copy: number): Promise<Uint8Array> {
    return this.slots.readTable(copy);
  }

  async cutAfter(operations: number): Promise<void> {
    this.slots.left = operations;
  }

  async failWrites(areFailing: boolean): Promise<void> {
    this.slots.areWritesFailing = areFailing;
  }

  close(): void {}

  private async orCut<T>(act: () => T): Promise<T | 'cut'> {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.slots.left = Number.POSITIVE_INFINITY;
      return 'cut';
    }
  }
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
const fromHex = (text: string): Buffer => Buffer.from(text, 'hex');

/** Compiles the board in C, and looks for undefined behaviour. Returns the program. */
export function compileBoard(): string {
  const root = join(import.meta.dirname, '..', '..');
  const program = join(scratch(), 'board');
  const files = [join(root, 'boards/common/update.c'), join(import.meta.dirname, 'update-port.c')];
  const flags = ['-std=c11', '-Wall', '-Wextra', '-Werror', '-O1', '-fsanitize=undefined,address'];
  execFileSync('gcc', [...flags, '-I', join(root, 'boards', 'common'), ...files, '-o', program]);
  return program;
}

export class NativeBoard implements UpdateBoard {
  private readonly child: ChildProcess;
  private readonly answers: { resolve(line: string): void; reject(error: Error): void }[] = [];
  private isOver = false;

  constructor(
    program: string,
    shipped: Uint8Array,
    private readonly verify: Verify,
  ) {
    this.child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface(this.child.stdout!).on('line', (line) => this.hear(line));
    this.child.stdin!.on('error', () => {}); // its end says so, too
    this.child.once('close', () => {
      this.isOver = true;
      for (const { reject } of this.answers.splice(0)) reject(new Error('the board has ended in the middle of a call'));
    });
    void this.ask(`ship ${hex(shipped)}`);
  }

  async boot(now: number, shipped = '1.0.0'): Promise<BootResult | 'cut'> {
    const answer = await this.ask(`boot ${now} ${shipped}`);
    if (answer === 'cut') return 'cut';
    const [slot, bytes, isOnTrial, wasRolledBack, wasOutdated, isPutOff, version] = answer.split(' ');
    return {
      slot: Number(slot),
      bytes: Number(bytes) || undefined,
      isOnTrial: isOnTrial === '1',
      wasRolledBack: wasRolledBack === '1',
      wasOutdated: wasOutdated === '1',
      isPutOff: isPutOff === '1',
      version: parseVersion(version!),
    };
  }

  async chunk(octets: Uint8Array): Promise<number | 'cut'> {
    const answer = await this.ask(`chunk ${hex(octets)}`);
    return answer === 'cut' ? 'cut' : Number(answer);
  }

  async confirm(): Promise<'ok' | 'cut'> {
    return (await this.ask('confirm')) as 'ok' | 'cut';
  }

  async state(now: number): Promise<State> {
    const [isAccepted, isOverdue, version] = (await this.ask(`state ${now}`)).split(' ');
    return { isAccepted: isAccepted === '1', isOverdue: isOverdue === '1', version: version! };
  }

  async read(slot: number, bytes: number): Promise<Uint8Array> {
    return new Uint8Array(fromHex(await this.ask(`read ${slot} ${bytes}`)));
  }

  async table(copy: number): Promise<Uint8Array> {
    return new Uint8Array(fromHex(await this.ask(`table ${copy}`)));
  }

  async cutAfter(operations: number): Promise<void> {
    await this.ask(`cut ${operations}`);
  }

  async failWrites(areFailing: boolean): Promise<void> {
    await this.ask(`fail ${areFailing ? 1 : 0}`);
  }

  close(): void {
    this.child.stdin!.end();
  }

  private ask(command: string): Promise<string> {
    if (!this.isOver) this.child.stdin!.write(`${command}\n`);
    return new Promise((resolve, reject) => {
      if (this.isOver) reject(new Error('the board has ended'));
      else this.answers.push({ resolve, reject });
    });
  }

  private hear(line: string): void {
    const [what, first, second] = line.split(' ');
    if (what === '?digest') this.child.stdin!.write(`${createHash('sha256').update(fromHex(first!)).digest('hex')}\n`);
    else if (what === '?verify')
      this.child.stdin!.write(this.verify(fromHex(first!), fromHex(second!)) ? '1\n' : '0\n');
    else this.answers.shift()!.resolve(line);
  }
}
