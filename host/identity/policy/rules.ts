// All that one effect says of one action, in the form in which it is asked fastest: everything, names, prefixes, and the rest. There
// are some for every connection: what is empty is not there.
import { ANY, type Bound, Glob } from './pattern.js';

/** Up to so many prefixes cost less than to look into a cache. */
const CHEAP_PREFIXES_MAX = 4;

export class Rules {
  private isAll = false;
  private names: Set<string> | undefined;
  private prefixes: readonly string[] | undefined;
  private globs: readonly Glob[] | undefined;
  /** About the resource with its type in front. */
  private wholes: readonly Glob[] | undefined;

  /** `prefix`: type and slash of the resources. */
  constructor(private readonly prefix: string) {}

  /** Whether to ask costs so little that an answer is not worth keeping. */
  get isCheap(): boolean {
    if (this.isAll) return true;
    return (this.prefixes?.length ?? 0) <= CHEAP_PREFIXES_MAX && this.globs === undefined && this.wholes === undefined;
  }

  add(pattern: Bound, isWhole: boolean): void {
    const [first = '', second] = pattern;
    const { length } = pattern;
    if (isWhole) this.wholes = [...(this.wholes ?? []), new Glob(pattern)];
    else if (length === 1 && first === ANY) this.isAll = true;
    else if (length <= 1 && typeof first === 'string') this.names = (this.names ?? new Set()).add(first);
    else if (length === 2 && typeof first === 'string' && second === ANY)
      this.prefixes = [...(this.prefixes ?? []), first];
    else this.globs = [...(this.globs ?? []), new Glob(pattern)];
  }

  includes(name: string): boolean {
    if (this.isAll) return true;
    if (this.prefixes !== undefined && startsWithAny(name, this.prefixes)) return true;
    if (this.names?.has(name)) return true;
    if (this.globs !== undefined && matchesAny(name, this.globs)) return true;
    return this.wholes !== undefined && matchesAny(this.prefix + name, this.wholes);
  }
}

function startsWithAny(name: string, prefixes: readonly string[]): boolean {
  for (let i = 0; i < prefixes.length; i++) if (name.startsWith(prefixes[i]!)) return true;
  return false;
}

function matchesAny(name: string, globs: readonly Glob[]): boolean {
  for (let i = 0; i < globs.length; i++) if (globs[i]!.matches(name)) return true;
  return false;
}
