// The part of a build that only boards with native code have: the module again, compiled to lie elsewhere, and from both
// the firmware for the core.
import type { TemporaryBuild } from './artifacts.js';
import type { BuildTarget } from './build.js';
import type { Linked } from './link.js';

/** Throws ERR_NATIVE, or ERR_TOOLCHAIN where the core's compiler is missing. The caller removes the folder. */
export async function buildForCore(_target: BuildTarget, _linked: Linked): Promise<TemporaryBuild | undefined> {
  return undefined;
}
