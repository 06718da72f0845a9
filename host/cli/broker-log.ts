// Who hears what of `thimble broker`: lines for an operator, on stderr.
import type { Log } from '../ports.js';
import { LOG_LEVELS, type LogFormat, type LogLevel, lineLog } from '../server/logs.js';
import { UsageError } from './failure.js';

export interface LogCommandOptions {
  readonly verbose?: boolean;
  readonly logLevel?: string;
  readonly logFormat?: string;
}

export interface Logs {
  /** Of the broker and of what is kept: warnings, where nothing else was asked for. */
  readonly own: Log;
  /** Of the gateway and the way to another broker: nothing, where nothing was asked for; what a person has to know is said in words. */
  readonly gateway: Log;
}

const FORMATS: readonly LogFormat[] = ['text', 'json'];

/** The command line goes before the file. Throws ERR_USAGE_LOG. */
export function logsOf(
  { verbose, logLevel, logFormat }: LogCommandOptions,
  config: { readonly level?: LogLevel; readonly format?: LogFormat } = {},
): Logs {
  if (verbose === true && logLevel !== undefined) {
    throw new UsageError('ERR_USAGE_LOG', '--verbose is --log-level debug: leave out one of them');
  }
  const level = verbose === true ? 'debug' : (oneOf('--log-level', logLevel, LOG_LEVELS) ?? config.level);
  const format = oneOf('--log-format', logFormat, FORMATS) ?? config.format ?? 'text';
  const own = lineLog({ level: level ?? 'warn', format });
  return { own, gateway: level === undefined ? () => {} : own };
}

function oneOf<T extends string>(option: string, text: string | undefined, allowed: readonly T[]): T | undefined {
  if (text === undefined) return undefined;
  const found = allowed.find((one) => one === text);
  if (found !== undefined) return found;
  throw new UsageError('ERR_USAGE_LOG', `${option} ${text}: one of ${allowed.join(', ')}`);
}
