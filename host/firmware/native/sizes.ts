// What a linked firmware takes and who takes it, out of what size, nm and the linker's map say.
import type { Part } from '../budget.js';

export interface Sections {
  readonly textBytes: number;
  readonly dataBytes: number;
  /** All RAM that is not in flash as well, but the stack. */
  readonly bssBytes: number;
}

export type PartName = 'module' | 'port' | 'library';

export interface NativePart {
  readonly name: PartName;
  readonly flashBytes: number;
  readonly ramBytes: number;
}

/** `text`: what `size -A` prints. */
export function readSections(text: string): Sections {
  const sizes = new Map([...text.matchAll(/^(\.\S+)\s+(\d+)\s/gm)].map((match) => [match[1]!, Number(match[2])]));
  const of = (name: string): number => sizes.get(name) ?? 0;
  return { textBytes: of('.text'), dataBytes: of('.data'), bssBytes: of('.bss') + of('.noinit') };
}

/** The largest first. `text`: what `nm -S` prints. */
export function readFunctions(text: string): Part[] {
  const symbols = [...text.matchAll(/^[0-9a-f]+ ([0-9a-f]+) [tTwW] (\S+)$/gm)];
  return symbols
    .map((match) => ({ name: match[2]!, bytes: Number.parseInt(match[1]!, 16) }))
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
}

/** Of an output section: name, address, length. */
const OUTPUT = /^(\.\S+)(?:\s+0x[0-9a-f]+\s+0x([0-9a-f]+))?/;

/** Where what lies in each of the linker script's sections is kept. */
const PLACES: Readonly<Record<string, readonly ('flashBytes' | 'ramBytes')[]>> = {
  '.text': ['flashBytes'],
  '.data': ['flashBytes', 'ramBytes'],
  '.bss': ['ramBytes'],
  '.noinit': ['ramBytes'],
};

/** An input section: name, address, length, file; a long name has a line of its own. */
const INPUT = /^ (\S+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)(?: (\S.*))?$/;

/**
 * Who takes what, of a linker's map. `moduleObject`: the file that the module was compiled to. What is in nobody's file, such
 * as gaps, is the port's, so that the parts make up the whole.
 */
export function readParts(map: string, moduleObject: string): NativePart[] {
  const parts: Record<PartName, { flashBytes: number; ramBytes: number }> = {
    module: { flashBytes: 0, ramBytes: 0 },
    port: { flashBytes: 0, ramBytes: 0 },
    library: { flashBytes: 0, ramBytes: 0 },
  };
  const layout = map.slice(map.indexOf('Linker script and memory map'));
  let section = '';
  const add = (name: PartName, bytes: number): void => {
    for (const place of PLACES[section] ?? []) parts[name][place] += bytes;
  };
  for (const line of layout.replace(/^( ?[.\w]\S*)\n\s+(?=0x)/gm, '$1 ').split('\n')) {
    const output = OUTPUT.exec(line);
    const input = INPUT.exec(line);
    section = output?.[1] ?? section;
    if (output !== null) add('port', Number.parseInt(output[2] ?? '0', 16));
    const name = partOf(input?.[3] ?? '', moduleObject);
    if (input === null || name === 'port') continue;
    add(name, Number.parseInt(input[2]!, 16));
    add('port', -Number.parseInt(input[2]!, 16));
  }
  return (Object.keys(parts) as PartName[]).map((name) => ({ name, ...parts[name] }));
}

function partOf(file: string, moduleObject: string): PartName {
  if (file.endsWith(moduleObject)) return 'module';
  return /\.a(\(|$)/.test(file) ? 'library' : 'port';
}
