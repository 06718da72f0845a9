// The modules that are measured, as they go to a board: compiled with its limits, and linked.
import type { Board } from '../../host/firmware/boards.js';
import { listTargets } from '../../host/firmware/build.js';
import { type CompileOptions, compile } from '../../host/firmware/compile.js';
import { type Linked, link } from '../../host/firmware/link.js';
import { linkTwin } from '../../host/firmware/twin.js';

/** Linked twice, the second time to lie elsewhere: what native code is made from. */
export interface Built {
  readonly name: string;
  readonly linked: Linked;
  /** With names, as `linked.named`. */
  readonly shifted: Uint8Array;
}

/** The library's own modules and applications that are devices. */
export function measuredModules(): (CompileOptions & { readonly name: string })[] {
  return listTargets().filter(({ contract }) => contract);
}

const known = new Map<string, Promise<Built>>();

/** Boards of the same limits get the same module. */
export function buildOnce(target: CompileOptions & { readonly name: string }, board: Board): Promise<Built> {
  const key = JSON.stringify([target.name, board.limits]);
  const before = known.get(key);
  if (before !== undefined) return before;
  const built = buildTwice({ ...target, limits: board.limits });
  known.set(key, built);
  return built;
}

export async function buildTwice(target: CompileOptions & { readonly name: string }): Promise<Built> {
  const linked = link(await compile(target));
  const shifted = await linkTwin(target);
  return { name: target.name, linked, shifted: shifted.named };
}
