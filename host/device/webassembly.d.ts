// The part of the WebAssembly JavaScript interface that Thimble uses. TypeScript declares it only together with all of the
// DOM, which would let names such as `window` pass in code that has none.

declare namespace WebAssembly {
  class Module {
    constructor(bytes: BufferSource);
    static imports(module: Module): { module: string; name: string; kind: string }[];
    static exports(module: Module): { name: string; kind: string }[];
  }
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
  }
  class Table {}
  class Global {
    value: number;
  }
  /** A trap. */
  class RuntimeError extends Error {}
  class Instance {
    constructor(module: Module, imports?: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }
}

type BufferSource = ArrayBufferView | ArrayBuffer;
