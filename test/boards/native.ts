// Boards with native code, for tests: their firmware, built once each, and a conversation with one in its emulator.
import { join } from 'node:path';
import type { PacketType } from '../../assembly/protocol/index.js';
import { type Board, listBoards, readBoard } from '../../host/firmware/boards.js';
import { type CompileOptions, compile } from '../../host/firmware/compile.js';
import { link } from '../../host/firmware/link.js';
import { buildNative, type NativeBuild, type NativeOptions } from '../../host/firmware/native/build-native.js';
import { type RunningBoard, startEmulator } from '../../host/firmware/run/emulator.js';
import { linkTwin } from '../../host/firmware/twin.js';
import { decode, encode, isFault, type Packet } from '../../host/wire/index.js';
import { scratch } from '../host/firmware/modules.js';

export const NATIVE_BOARDS: readonly Board[] = listBoards()
  .map(readBoard)
  .filter((board) => board.engine === 'native');

export const testApp = (name: string): CompileOptions => ({
  entry: 'application',
  application: join(import.meta.dirname, 'apps', `${name}.ts`),
});

export interface Twins {
  readonly module: Uint8Array;
  readonly shifted: Uint8Array;
}

const twins = new Map<string, Promise<Twins>>();

/** The module, and the same compiled to lie elsewhere. */
export function twinsOf(source: CompileOptions): Promise<Twins> {
  const key = JSON.stringify(source);
  const known = twins.get(key) ?? compileTwins(source);
  twins.set(key, known);
  return known;
}

async function compileTwins(source: CompileOptions): Promise<Twins> {
  const module = link(await compile(source)).bytes;
  return { module, shifted: (await linkTwin(source)).bytes };
}

export async function buildFirmware(
  board: Board,
  source: CompileOptions,
  options: Pick<NativeOptions, 'main' | 'checked'> = {},
): Promise<NativeBuild> {
  return buildNative({ board, name: 'firmware', ...(await twinsOf(source)), outDir: scratch(), ...options });
}

type Of<T extends PacketType> = Extract<Packet, { readonly type: T }>;

/** A board on its serial line, and its log lines; the test is the gateway. Nothing that comes is lost: what is awaited may
 * have come before. */
export class Conversation {
  readonly packets: Packet[] = [];
  readonly logs: string[] = [];
  /** Of each of them. */
  readonly levels: number[] = [];
  board!: RunningBoard;
  private seenPackets = 0;
  private seenLogs = 0;
  private wake: (() => void) | undefined;
  private failure: Error | undefined;

  static async start(board: Board, elf: string, seed: number): Promise<Conversation> {
    const talk = new Conversation();
    talk.board = await startEmulator(board, elf, {
      seed,
      onFrame: (frame) => {
        const packet = decode(frame);
        if (isFault(packet)) talk.failure = new Error(`the board sent ${packet.code}`);
        else talk.packets.push(packet);
        talk.wake?.();
      },
      onLog: (level, text) => {
        talk.logs.push(text);
        talk.levels.push(level);
        talk.wake?.();
      },
      onEnd: (error) => {
        talk.failure = error ?? new Error('the board is off');
        talk.wake?.();
      },
    });
    return talk;
  }

  /** The next log line. */
  async log(): Promise<string> {
    await this.until(() => this.logs.length > this.seenLogs);
    return this.logs[this.seenLogs++]!;
  }

  /** The next packet of this type; those before it are passed over. */
  async packet<T extends PacketType>(type: T): Promise<Of<T>> {
    for (;;) {
      await this.until(() => this.packets.length > this.seenPackets);
      const packet = this.packets[this.seenPackets++]!;
      if (packet.type === type) return packet as Of<T>;
    }
  }

  /** Passes over what has come. */
  skip(): void {
    this.seenPackets = this.packets.length;
  }

  say(packet: Packet): void {
    this.board.send(encode(packet));
  }

  close(): Promise<void> {
    return this.board.close();
  }

  private async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.failure !== undefined) throw this.failure;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}
