// The rules of a device module. They are what lets a runtime shrink its memory, what lets its state be saved as one block,
// and what keeps it from meeting anything that a board does not have.
import { CONTRACT_FUNCTIONS } from '../device/abi.js';
import { FirmwareError } from './error.js';
import { inspect } from './wasm.js';

/** What a module may import from `board`; `log` in debug builds only. */
const BOARD_FUNCTIONS = ['send', 'event'];
const BOARD_FUNCTIONS_DEBUG = [...BOARD_FUNCTIONS, 'log'];

export interface CheckOptions {
  /** Default: false. */
  readonly debug?: boolean;
  /** The module keeps the whole contract, not just the rules about memory. Default: true. */
  readonly contract?: boolean;
}

/** Every rule that the module breaks, a sentence each; empty for a good one. */
export function findBrokenRules(bytes: Uint8Array, options: CheckOptions = {}): string[] {
  const facts = inspect(bytes);
  const allowed = options.debug === true ? BOARD_FUNCTIONS_DEBUG : BOARD_FUNCTIONS;
  const broken: string[] = [];
  if (facts.mutableGlobals > 0) {
    const globals = facts.mutableGlobals === 1 ? 'global' : 'globals';
    broken.push(`${facts.mutableGlobals} mutable ${globals}: state belongs into linear memory (client.state)`);
  }
  if (facts.hasStart) broken.push('a start section: initialise in setup(), and let top-level variables be constants');
  if (facts.memoryInstructions.length > 0) {
    // Release builds have no names, and a number such as $32 tells nobody anything.
    const named = [...new Set(facts.memoryInstructions)].filter((name) => !/^\$\d+$/.test(name));
    const where = named.length > 0 ? ` in ${named.join(', ')}` : '';
    broken.push(`memory.grow or memory.size${where}: there is no heap (join text with \`text\`, not with +)`);
  }
  for (const { module, name, kind } of facts.imports) {
    if (module === 'board' && kind === 'function' && allowed.includes(name)) continue;
    broken.push(`import ${module}.${name} (${kind}): only ${allowed.map((f) => `board.${f}`).join(', ')} exist`);
  }
  const exported = facts.exports.map((e) => e.name);
  for (const name of options.contract === false ? ['memory'] : ['memory', ...CONTRACT_FUNCTIONS]) {
    if (!exported.includes(name)) broken.push(`no export ${name}`);
  }
  return broken;
}

/** Throws ERR_MODULE_RULES with every broken rule. */
export function checkModule(bytes: Uint8Array, options: CheckOptions = {}): void {
  const broken = findBrokenRules(bytes, options);
  if (broken.length === 0) return;
  const rules = broken.length === 1 ? 'a rule' : `${broken.length} rules`;
  throw new FirmwareError('ERR_MODULE_RULES', `the module breaks ${rules}:\n  ${broken.join('\n  ')}`);
}
