// How a command ends badly: one message that says what, where and what is allowed, and an exit code by whose fault it is.
import { BudgetError } from '../firmware/error.js';

/** Exit codes of every command. */
export const enum Exit {
  Done = 0,
  Failed = 1,
  /** Wrong usage: an option, a file or a port that cannot work. */
  Usage = 2,
  /** A promise of liveness broken. */
  Liveness = 3,
  /** A promise of safety broken. */
  Safety = 4,
}

/** The caller can mend it. `code` is stable. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Codes whose cause is what the caller gave: they end with Exit.Usage, and without a stack. */
const CALLERS = [
  /^ERR_USAGE/,
  /^ERR_SCENARIO/,
  /^ERR_LINKS/,
  /^ERR_SIM_OPTION/,
  /^ERR_APP_NOT_FOUND/,
  /^ERR_BOARD(_FOREIGN|_RUN)?$/,
  /^ERR_(KEY|LIMIT)$/,
  /^ERR_MODULE_(LOAD|ABI|FORMAT)/,
  /^ERR_(TCP|UDP)_LISTEN$/,
  /^ERR_LISTEN_/,
  /^ERR_IDENTITY_/,
  /^ERR_BROKER_CONFIG$/,
  /^ERR_UPSTREAM_(URL|TLS)$/,
  /^ERR_IDENTITY_/,
  /^ERR_SERIAL_/,
  /^ERR_UPDATE_(HEADER|CHUNK)$/,
  /^ERR_STATE_/,
  /^ERR_STORE_(FOLDER|FOREIGN|VERSION|DAMAGED|IN_USE)$/,
  /^(EACCES|ENOENT|EISDIR|EEXIST|ENOTDIR|ENOTFOUND|EAI_AGAIN)$/,
];

/** An error of a kind that people know: it is told by its message, not by its stack. */
export function isCoded(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

/** The exit code and the message that an error stands for. A stack is shown only for what should not happen. */
export function explain(error: unknown): { exit: Exit; message: string } {
  if (!(error instanceof Error)) return { exit: Exit.Failed, message: String(error) };
  if (!isCoded(error)) return { exit: Exit.Failed, message: error.stack ?? error.message };
  const { code } = error;
  const exit = CALLERS.some((pattern) => pattern.test(code)) ? Exit.Usage : Exit.Failed;
  return { exit, message: `${describeSystem(code, error)} [${code}]` };
}

/** What --json says of it. `code` is null for what should not happen. */
export function failureAsJson(error: unknown): object {
  if (!isCoded(error)) return { code: null, message: error instanceof Error ? error.message : String(error) };
  const { code } = error;
  const over = error instanceof BudgetError ? { over: error.over } : {};
  return { code, message: describeSystem(code, error), ...over };
}

/** Node's own words for the system's errors name neither the port nor a way out. */
function describeSystem(code: string, error: Error): string {
  const at = error as Error & { path?: string; hostname?: string };
  const place = at.path ?? '';
  if (code === 'EACCES') return `no permission for ${place}`;
  if (code === 'ENOENT') return `no file ${place}`;
  if (code === 'EEXIST' || code === 'ENOTDIR') return `${place} is a file, where a folder is needed`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `no address is known for the name ${at.hostname ?? ''}`;
  if (code === 'EISDIR') return `${place} is a folder, not a file`;
  return error.message;
}
