// Numbers that options take.
import { UsageError } from './failure.js';

/** Serial numbers and seeds have 32 bits. */
export const SEED_MAX = 0xffffffff;

/** A whole number in decimal digits. Throws ERR_USAGE_NUMBER, which says what is allowed. */
export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError('ERR_USAGE_NUMBER', `${option} ${text}: a whole number from ${min} to ${max}`);
}
