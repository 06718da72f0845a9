// A device's state in a file, replaced as a whole: whoever reads it finds one image or another, and never half of one. The
// file says which module's state it is, since that of another would look whole to this one: both engines of this machine have
// this format (the other is state.rs of the board that is a program of Linux).
//
//   0            8         12            16               48                       80
//  ┌────────────┬─────────┬─────────────┬────────────────┬────────────────────────┬───────┐
//  │ "THMBSTAT" │ version │ image bytes │ module, SHA-256│ SHA-256 of all the rest│ image │  numbers: u32, little-endian
//  └────────────┴─────────┴─────────────┴────────────────┴────────────────────────┴───────┘
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export type StateFileErrorCode =
  /** It cannot be a file there: a folder has its name, or its own folder does not exist. */
  | 'ERR_STATE_FILE'
  /** It is somebody else's file. */
  | 'ERR_STATE_FOREIGN';

export class StateFileError extends Error {
  override readonly name = 'StateFileError';

  constructor(
    readonly code: StateFileErrorCode,
    path: string,
    what: string,
  ) {
    super(`--state ${path}: ${what}`);
  }
}

const MAGIC = Buffer.from('THMBSTAT');
const VERSION = 1;
const VERSION_AT = 8;
const BYTES_AT = 12;
const MODULE_AT = 16;
const SUM_AT = 48;
const IMAGE_AT = 80;

/** Before anything starts: throws ERR_STATE_FILE or ERR_STATE_FOREIGN where no state can be kept there. */
export function checkStateFile(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) throw new StateFileError('ERR_STATE_FILE', path, 'a folder, where a file is needed');
  if (found === undefined) {
    if (statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory()) return;
    throw new StateFileError('ERR_STATE_FILE', path, `there is no folder ${dirname(path)}`);
  }
  if (found.size > 0 && !readHead(path).equals(MAGIC)) throw foreign(path);
}

export class StateFile {
  private readonly module: Buffer;

  /** `module`: the octets whose state it is. `tell` hears why a file was set aside. */
  constructor(
    private readonly path: string,
    module: Uint8Array,
    private readonly tell: (text: string) => void = () => {},
  ) {
    this.module = createHash('sha256').update(module).digest();
  }

  /** Undefined where there is none of this module's: what was there is FILE.old then. Throws ERR_STATE_FOREIGN. */
  load(): Uint8Array | undefined {
    let file: Buffer;
    try {
      file = readFileSync(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    // The machine may have stopped before the disk had the octets: an empty file is nobody's.
    if (file.length > 0 && !file.subarray(0, MAGIC.length).equals(MAGIC)) throw foreign(this.path);
    const why = this.fault(file);
    if (why === undefined) return new Uint8Array(file.subarray(IMAGE_AT));
    renameSync(this.path, `${this.path}.old`);
    this.tell(`the state in ${this.path} ${why}: it is now ${this.path}.old, and the device starts without one`);
    return undefined;
  }

  /** Safe from the end of the process once it returns, though not from that of the machine. */
  keep(image: Uint8Array): void {
    const file = Buffer.alloc(IMAGE_AT + image.length);
    MAGIC.copy(file);
    file.writeUInt32LE(VERSION, VERSION_AT);
    file.writeUInt32LE(image.length, BYTES_AT);
    this.module.copy(file, MODULE_AT);
    file.set(image, IMAGE_AT);
    sumOf(file).copy(file, SUM_AT);
    const beside = `${this.path}.new`;
    writeFileSync(beside, file);
    renameSync(beside, this.path);
  }

  forget(): void {
    rmSync(this.path, { force: true });
  }

  /** Why the device cannot go on from it; undefined where it can. */
  private fault(file: Buffer): string | undefined {
    if (file.length < IMAGE_AT) return 'is damaged';
    if (file.readUInt32LE(VERSION_AT) !== VERSION) return 'was written by another version of Thimble';
    const isWhole = file.length === IMAGE_AT + file.readUInt32LE(BYTES_AT);
    if (!isWhole || !sumOf(file).equals(file.subarray(SUM_AT, IMAGE_AT))) return 'is damaged';
    return file.subarray(MODULE_AT, SUM_AT).equals(this.module) ? undefined : 'is of another module';
  }
}

const sumOf = (file: Buffer): Buffer =>
  createHash('sha256').update(file.subarray(0, SUM_AT)).update(file.subarray(IMAGE_AT)).digest();

const foreign = (path: string): StateFileError =>
  new StateFileError('ERR_STATE_FOREIGN', path, 'holds something that is no state of a device; name another file');

function readHead(path: string): Buffer {
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(MAGIC.length);
    return head.subarray(0, readSync(fd, head));
  } finally {
    closeSync(fd);
  }
}
