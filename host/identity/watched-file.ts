// A file that the configuration names, parsed, and parsed again when it has changed. What it held before goes on to hold while
// its new content is none.
import { IdentityError } from './error.js';
import type { IdentityPorts } from './ports.js';

/** A file is not asked after more often. */
const ASK_EVERY_MS = 1_000;

export class WatchedFile<T> {
  private current: T;
  private version: string | undefined;
  private askedAt: number;

  /** `key`: of the configuration, for messages. Throws ERR_IDENTITY_FILE, and what `parse` throws. */
  constructor(
    private readonly ports: IdentityPorts,
    private readonly key: string,
    private readonly path: string,
    /** `place` begins the messages of what it throws. */
    private readonly parse: (content: Uint8Array, place: string) => T,
  ) {
    this.askedAt = ports.epochMs();
    this.version = this.versionNow();
    this.current = this.parsed(this.content());
  }

  get value(): T {
    const now = this.ports.epochMs();
    if (Math.abs(now - this.askedAt) < ASK_EVERY_MS) return this.current;
    this.askedAt = now;
    try {
      const version = this.versionNow();
      if (version !== this.version) {
        const content = this.content(); // one that cannot be read, perhaps for a moment, is tried again
        this.version = version;
        this.current = this.parsed(content);
      }
    } catch (error) {
      this.ports.audit?.('identity-file-refused', { key: this.key, file: this.path, reason: reasonOf(error) });
    }
    return this.current;
  }

  private versionNow(): string | undefined {
    return this.guarded(() => this.ports.fileVersion?.(this.path));
  }

  private content(): Uint8Array {
    return this.guarded(() => this.ports.readFile(this.path));
  }

  private parsed(content: Uint8Array): T {
    return this.parse(content, `${this.key} ${this.path}`);
  }

  private guarded<R>(access: () => R): R {
    try {
      return access();
    } catch (error) {
      const what = `cannot be read: ${reasonOf(error)}`;
      throw new IdentityError('ERR_IDENTITY_FILE', `${this.key} ${this.path}`, what, { cause: error });
    }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'there is no permission for it',
  EPERM: 'there is no permission for it',
};

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ''] ?? message ?? String(error);
}
