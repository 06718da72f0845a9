// Just enough of the WebAssembly binary format to look at what the device's rules are about: imports, exports,
// globals, the start section and the memory instructions in the code.
import binaryen from 'binaryen';
import { FirmwareError } from './error.js';

export interface ModuleFacts {
  readonly imports: readonly { readonly module: string; readonly name: string; readonly kind: string }[];
  readonly exports: readonly { readonly name: string; readonly kind: string }[];
  readonly mutableGlobals: number;
  readonly hasStart: boolean;
  /** Functions in which memory.grow or memory.size stands. */
  readonly memoryInstructions: readonly string[];
}

/** Id of the start section (WebAssembly core specification, 5.5.2). */
const START_SECTION = 8;
const PREAMBLE_BYTES = 8;

/** Takes a module apart. Throws ERR_MODULE_FORMAT where the bytes are not a module that V8 accepts. */
export function inspect(bytes: Uint8Array): ModuleFacts {
  let module: WebAssembly.Module;
  try {
    module = new WebAssembly.Module(bytes);
  } catch (error) {
    throw new FirmwareError('ERR_MODULE_FORMAT', `not a WebAssembly module: ${(error as Error).message}`);
  }
  return {
    imports: WebAssembly.Module.imports(module),
    exports: WebAssembly.Module.exports(module),
    hasStart: sectionsOf(bytes).includes(START_SECTION),
    ...inspectWithBinaryen(bytes),
  };
}

function inspectWithBinaryen(bytes: Uint8Array): Pick<ModuleFacts, 'mutableGlobals' | 'memoryInstructions'> {
  const module = binaryen.readBinary(bytes);
  try {
    let mutableGlobals = 0;
    for (let i = 0; i < module.getNumGlobals(); i++) {
      if (binaryen.getGlobalInfo(module.getGlobalByIndex(i)).mutable) mutableGlobals++;
    }
    return { mutableGlobals, memoryInstructions: findMemoryInstructions(module.emitText()) };
  } finally {
    module.dispose();
  }
}

/** Names of the functions in the text form that use memory.grow or memory.size. */
function findMemoryInstructions(text: string): string[] {
  const found: string[] = [];
  let current = '';
  for (const line of text.split('\n')) {
    current = /^ \(func (\S+)/.exec(line)?.[1] ?? current;
    if (/\(memory\.(grow|size)\b/.test(line)) found.push(current);
  }
  return found;
}

/** The ids of the module's sections, in order. */
function sectionsOf(bytes: Uint8Array): number[] {
  const ids: number[] = [];
  for (let at = PREAMBLE_BYTES; at < bytes.length; ) {
    ids.push(bytes[at++]!);
    // The section's size in LEB128 (5.2.2), then its contents.
    let size = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      const octet = bytes[at++]!;
      size += (octet & 0x7f) << shift;
      more = (octet & 0x80) !== 0;
    }
    at += size;
  }
  return ids;
}
