// All that one effect says of one action, in the form in which it is asked fastest: everything, names, prefixes, and the rest.
import { ANY, type Bound, Glob } from './pattern.js';

/** Up to so many prefixes cost less than to look into a cache. */
const CHEAP_PREFIXES_MAX = 4;

export class Rules {
  private isAll = false;
  private readonly names = new Set<string>();
  private readonly prefixes: string[] = [];
  private readonly globs: Glob[] = [];
  /** About the resource with its type in front. */
  private readonly wholes: Glob[] = [];

  /** `prefix`: type and slash of the resources. */
  constructor(private readonly prefix: string) {}

  get isEmpty(): boolean {
    return !this.isAll && this.names.size + this.prefixes.length + this.globs.length + this.wholes.length === 0;
  }

  /** Whether to ask costs so little that an answer is not worth keeping. */
  get isCheap(): boolean {
    if (this.isAll) return true;
    return this.prefixes.length <= CHEAP_PREFIXES_MAX && this.globs.length + this.wholes.length === 0;
  }

  add(pattern: Bound, isWhole: boolean): void {
    const [first, second] = pattern;
    if (isWhole) this.wholes.push(new Glob(pattern));
    else if (pattern.length === 0) this.names.add('');
    else if (pattern.length === 1 && first === ANY) this.isAll = true;
    else if (pattern.length === 1 && typeof first === 'string') this.names.add(first);
    else if (pattern.length === 2 && typeof first === 'string' && second === ANY) this.prefixes.push(first);
    else this.globs.push(new Glob(pattern));
  }

  includes(name: string): boolean {
    if (this.isAll) return true;
    for (const prefix of this.prefixes) if (name.startsWith(prefix)) return true;
    if (this.names.size > 0 && this.names.has(name)) return true;
    for (const glob of this.globs) if (glob.matches(name)) return true;
    if (this.wholes.length === 0) return false;
    const whole = this.prefix + name;
    return this.wholes.some((glob) => glob.matches(whole));
  }
}
