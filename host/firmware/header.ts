// A module as a C header: for firmware that carries it in flash.

/** What the header tells besides the octets. */
export interface HeaderInfo {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  /** Octets of linear memory, and of WAMR's operand stack: what the firmware instantiates it with. */
  readonly linearBytes: number;
  readonly operandStackBytes: number;
}

const OCTETS_A_LINE = 16;

/** C11 and C++; to be included in one file. */
export function cHeader(module: Uint8Array, info: HeaderInfo): string {
  const id = `thimble_${info.name.toLowerCase().replace(/[^a-z0-9]+/g, '_')}`;
  const macro = id.toUpperCase();
  const lines = Array.from({ length: Math.ceil(module.length / OCTETS_A_LINE) }, (_, line) =>
    [...module.subarray(line * OCTETS_A_LINE, (line + 1) * OCTETS_A_LINE)]
      .map((octet) => `0x${octet.toString(16).padStart(2, '0')},`)
      .join(' '),
  );
  return `// ${oneLine(info.name)} ${info.version}, made by thimble build: not to be edited. Include it in one file.
// SHA-256: ${info.sha256}
#ifndef ${macro}_H
#define ${macro}_H

#include <stdint.h>

/// Octets of the module.
#define ${macro}_WASM_BYTES ${module.length}u
/// Octets of linear memory that it uses, before a runtime rounds them up to its pages.
#define ${macro}_LINEAR_BYTES ${info.linearBytes}u
/// Octets of operand stack that WAMR's fast interpreter needs for it.
#define ${macro}_OPERAND_STACK_BYTES ${info.operandStackBytes}u

static const uint8_t ${id}_wasm[${macro}_WASM_BYTES] = {
${lines.map((line) => `  ${line}`).join('\n')}
};

#endif
`;
}

/** A name is the caller's, and ends no comment. */
function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]|\\/g, '?');
}
