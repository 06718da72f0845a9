// A module's twin: the same source compiled to lie elsewhere in memory. What differs between the two are addresses, which is how
// native code knows them (native/relocate.ts).
import { type CompileOptions, compile } from './compile.js';
import { type Linked, link } from './link.js';

/** Far from where modules lie, so that no number of theirs is an address there. */
const TWIN_BASE = (1 << 20) + 8;

/** Compiled and linked like the module itself. Throws as both do. */
export async function linkTwin(options: CompileOptions): Promise<Linked> {
  return link(await compile({ ...options, memoryBase: TWIN_BASE }), options.debug === true);
}
