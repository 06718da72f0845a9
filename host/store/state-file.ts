// A device's state in a file, replaced as a whole: whoever reads it finds one image or another, and never half of one.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

export class StateFile {
  constructor(private readonly path: string) {}

  /** Undefined where there is no file yet. */
  load(): Uint8Array | undefined {
    try {
      return new Uint8Array(readFileSync(this.path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Safe from the end of the process once it returns, though not from that of the machine. */
  keep(image: Uint8Array): void {
    const beside = `${this.path}.new`;
    writeFileSync(beside, image);
    renameSync(beside, this.path);
  }

  forget(): void {
    rmSync(this.path, { force: true });
  }
}
