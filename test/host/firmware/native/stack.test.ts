import { describe, expect, it } from 'vitest';
import { type CodeFunction, readCode, readFrames, worstStack } from '../../../../host/firmware/native/stack.js';

const ARM = `
firmware.elf:     file format elf32-littlearm

Disassembly of section .text:

08000100 <start>:
 8000100:\tpush\t{r3, lr}
 8000102:\tbl\t8000120 <work>
 8000106:\tb.n\t8000102 <start+0x2>

08000120 <work>:
 8000120:\tstmdb\tsp!, {r4, r5, r6, lr}
 8000124:\tsub\tsp, #24
 8000126:\tbl\t8000160 <memset>
 800012a:\tldr\tr3, [pc, #8]\t; (8000160 <memset>)
 800012c:\tbeq.n\t8000120 <work>
 800012e:\tb.w\t8000180 <finish>

08000160 <memset>:
 8000160:\tstr.w\tr8, [sp, #-4]!
 8000164:\tsubs\tr0, #8
 8000166:\tstmia.w\tr3!, {r1, r2}
 8000168:\tbx\tlr

08000180 <finish>:
 8000180:\tsub.w\tsp, sp, #260\t; 0x104
 8000184:\tbx\tlr

080001a0 <tick_interrupt>:
 80001a0:\tpush\t{r4, lr}
`;

const RISCV = `
20400000 <_start>:
20400000:\tj\t20400010 <main>

20400010 <main>:
20400010:\taddi\tsp,sp,-32
20400012:\tjal\tra,20400020 <f>
20400016:\taddi\tsp,sp,32
20400018:\tjalr\t-8(ra) # 20400030 <g>
2040001c:\tret

20400020 <f>:
20400020:\taddi\tsp,sp,-16
20400024:\tjr\tra

20400030 <g>:
20400030:\tjalr\ta5
`;

const SAVED = `
00000000 <main>:
   0:\tjal\t10 <few>
   4:\tj\t20 <many>

00000010 <few>:
  10:\tjal\tt0,70 <__riscv_save_0>
  14:\tjal\t90 <leaf>

00000020 <many>:
  20:\tjal\tt0,40 <__riscv_save_4>
  24:\tadd\tsp,sp,-16
  26:\tli\tt1,-8
  28:\tjal\t90 <leaf>

00000040 <__riscv_save_4>:
  40:\tadd\tsp,sp,-64
  42:\tli\tt1,-32
  44:\tsw\ts6,32(sp)
  54:\tsub\tsp,sp,t1
  58:\tjr\tt0

00000070 <__riscv_save_0>:
  70:\tadd\tsp,sp,-16
  72:\tsw\ts2,0(sp)
  7a:\tjr\tt0

00000090 <leaf>:
  90:\taddi\tsp,sp,-40
`;

const GRAPH = `graph: { title: "/a/work.c"
node: { title: "work" label: "work\\n/a/work.c:1:5\\n56 bytes (static)" }
node: { title: "/a/work.c:finish" label: "finish\\n/a/work.c:9:5\\n8 bytes (dynamic,bounded)" }
node: { title: "memset" label: "memset\\n/a/string.h:2:7" shape : ellipse }
edge: { sourcename: "work" targetname: "memset" label: "/a/work.c:3:2" }
}`;

const OPTIONS = { entry: 0x0800_0100, isInterrupt: (name: string) => name.endsWith('_interrupt'), interruptBytes: 36 };

function code(
  ...calls: readonly (readonly [name: string, frameBytes: number, ...callees: number[]])[]
): CodeFunction[] {
  return calls.map(([name, frameBytes, ...callees], address) => ({
    ...{ address, name, frameBytes, calls: callees, callsAnywhere: false },
  }));
}

const at0 = { ...OPTIONS, entry: 0 };

describe('linked code', () => {
  it('is read with what each function of Thumb takes off the stack, and whom it calls', () => {
    expect(readCode(ARM)).toEqual([
      { address: 0x0800_0100, name: 'start', frameBytes: 8, calls: [0x0800_0120], callsAnywhere: false },
      {
        ...{ address: 0x0800_0120, name: 'work', frameBytes: 16 + 24, callsAnywhere: false },
        calls: [0x0800_0160, 0x0800_0120, 0x0800_0180],
      },
      { address: 0x0800_0160, name: 'memset', frameBytes: 4, calls: [], callsAnywhere: false },
      { address: 0x0800_0180, name: 'finish', frameBytes: 260, calls: [], callsAnywhere: false },
      { address: 0x0800_01a0, name: 'tick_interrupt', frameBytes: 8, calls: [], callsAnywhere: false },
    ]);
  });

  it('is read with what each function of RISC-V takes off the stack, and whom it calls', () => {
    const functions = readCode(RISCV);
    expect(functions.map((f) => [f.name, f.frameBytes, f.callsAnywhere])).toEqual([
      ['_start', 0, false],
      ['main', 32, false],
      ['f', 16, false],
      ['g', 0, true],
    ]);
    expect(functions[1]!.calls).toEqual([0x2040_0020, 0x2040_0030]);
  });

  it('is read in the words of other versions of objdump', () => {
    expect(readCode('00000000 <f>:\n   0:\tadd\tsp,sp,-48\n   4:\tadd\tsp,sp,48\n')[0]!.frameBytes).toBe(48);
    expect(readCode('00000000 <f>:\n   0:\tadd\tr0, sp, #-48\n')[0]!.frameBytes).toBe(0);
  });

  it('is read with registers that a function of RISC-V has saved by another', () => {
    const frames = readCode(SAVED).map((f) => [f.name, f.frameBytes]);
    expect(frames).toEqual([
      ['main', 0],
      ['few', 16],
      ['many', 32 + 16],
      // Of 64 octets that it takes the function keeps 32.
      ['__riscv_save_4', 32],
      ['__riscv_save_0', 0],
      ['leaf', 40],
    ]);
    const worst = (functions: CodeFunction[]) => worstStack(functions, new Map(), at0);
    expect(worst(readCode(SAVED))).toEqual({ bytes: 48 + 40, path: ['main', 'many', 'leaf'] });
    // A leaf that takes less than what lies on the stack for a moment.
    const shallow = readCode(SAVED).map((f) => (f.name === 'leaf' ? { ...f, frameBytes: 8 } : f));
    expect(worst(shallow)).toEqual({ bytes: 48 + 32, path: ['main', 'many', '__riscv_save_4'] });
  });

  it('is read with calls to where a register says', () => {
    for (const call of ['blx\tr3', 'blx\tip', 'jalr\ta5', 'jalr\t8(a5)']) {
      expect(readCode(`00000000 <f>:\n   0:\t${call}\n`)[0]!.callsAnywhere).toBe(true);
    }
    for (const way of ['bx\tlr', 'ret', 'jr\tra']) {
      expect(readCode(`00000000 <f>:\n   0:\t${way}\n`)[0]!.callsAnywhere).toBe(false);
    }
  });
});

describe('the deepest stack', () => {
  it('is that of the deepest calls, with what the compiler says before what instructions do', () => {
    const use = worstStack(readCode(ARM), readFrames([GRAPH]), OPTIONS);
    expect(use).toEqual({ bytes: 8 + 56 + 8 + 36 + 8, path: ['start', 'work', 'finish', 'tick_interrupt'] });
    expect(worstStack(readCode(ARM), new Map(), OPTIONS).bytes).toBe(8 + 40 + 260 + 36 + 8);
  });

  it('has one interrupt in it, the deepest, and what the core pushes for it', () => {
    const functions = code(['main', 100], ['a_interrupt', 10, 3], ['b_interrupt', 20], ['leaf', 30]);
    expect(worstStack(functions, new Map(), at0).bytes).toBe(100 + 36 + 10 + 30);
    expect(worstStack(code(['main', 100]), new Map(), at0).bytes).toBe(100);
  });

  it('begins anew where the core is started again', () => {
    expect(worstStack(code(['main', 8, 1], ['reset', 4, 0]), new Map(), at0).bytes).toBe(12);
  });

  it('is nothing that can be told of recursion, of calls through pointers, or of arrays of any length', () => {
    const expectRefusal = (functions: CodeFunction[], frames: Map<string, number>, words: RegExp): void =>
      expect(() => worstStack(functions, frames, at0)).toThrow(
        expect.objectContaining({ code: 'ERR_STACK', message: expect.stringMatching(words) }),
      );
    expectRefusal(code(['main', 8, 1], ['a', 8, 2], ['b', 8, 1]), new Map(), /a → b → a goes/);
    const [main, anywhere] = code(['main', 8, 1], ['anywhere', 8]);
    expectRefusal([main!, { ...anywhere!, callsAnywhere: true }], new Map(), /anywhere calls through a pointer/);
    const dynamic = readFrames(['node: { title: "a.c:main" label: "main\\na.c:1:5\\n16 bytes (dynamic)" }']);
    expectRefusal(code(['main', 8]), dynamic, /main takes/);
    expectRefusal([], new Map(), /no function/);
  });

  it('takes the largest of static functions that have one name', () => {
    const node = (file: string, bytes: number): string =>
      `node: { title: "${file}:begin" label: "begin\\n${file}:1:5\\n${bytes} bytes (static)" }`;
    expect(readFrames([node('/a.c', 8), node('/b.c', 24), node('/c.c', 16)]).get('begin')).toBe(24);
  });
});
