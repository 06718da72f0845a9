import { describe, expect, it } from 'vitest';
import { readFunctions, readParts, readSections } from '../../../../host/firmware/native/sizes.js';

const SIZE = `firmware.elf  :
section             size        addr
.text              10480           0
.stack              2048   536870912
.noinit             3496   536872960
.bss                 848   536876456
.data                 12   536877304
.debug_info        25000           0
Total              41884
`;

const NM = `00000100 00000004 T a
00000104 0000009c t b
20000000 00000200 b ring
00000200 00000010 W c
         w weak
`;

const MAP = `Discarded input sections

 .text.unused   0x00000000       0x99 module-native.o

Linker script and memory map

                0x00000100                __stack_bytes = 0x100

.text           0x00000000      0x100
 *(.text .text.*)
 .text.wasm_start
                0x00000000       0x40 module-native.o
 .text.port     0x00000040       0x20 port.o
 *fill*         0x00000060        0x2
 .text.memset   0x00000062       0x1e /usr/lib/libc.a(libc_memset.o)
 .rodata.wasm   0x00000080       0x60 module-native.o

.noinit         0x20000000      0xd00
 .noinit.module
                0x20000008      0xcf0 module-native.o

.data           0x20000d00        0x8 load address 0x00000100
 .data.x        0x20000d00        0x8 port.o

.debug_info     0x00000000     0x1000
 .debug_info    0x00000000     0x1000 module-native.o
`;

describe('what a linked firmware takes', () => {
  it('is text, data, and all other RAM but the stack', () => {
    expect(readSections(SIZE)).toEqual({ textBytes: 10480, dataBytes: 12, bssBytes: 3496 + 848 });
  });

  it('is told by function, the largest first', () => {
    expect(readFunctions(NM)).toEqual([
      { name: 'b', bytes: 0x9c },
      { name: 'c', bytes: 0x10 },
      { name: 'a', bytes: 4 },
    ]);
  });

  it('is told by part, and the parts make up the whole', () => {
    expect(readParts(MAP, 'module-native.o')).toEqual([
      { name: 'module', flashBytes: 0x40 + 0x60, ramBytes: 0xcf0 },
      { name: 'port', flashBytes: 0x100 - 0xa0 - 0x1e + 8, ramBytes: 0xd00 - 0xcf0 + 8 },
      { name: 'library', flashBytes: 0x1e, ramBytes: 0 },
    ]);
  });
});
