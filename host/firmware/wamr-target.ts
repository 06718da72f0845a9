// How a build of WAMR writes the code that its fast interpreter runs, and how much of it there is.

/** How a build of WAMR writes its translated code. */
export interface WamrTarget {
  readonly pointerBytes: 4 | 8;
  /** An opcode: the address of its handler, or an offset from the first one. */
  readonly labelBytes: number;
  /** An octet, or two where the core cannot read at odd addresses. */
  readonly octetBytes: number;
}

/** Microcontrollers of 32 bits, as WAMR is built for them: Cortex-M, RISC-V, Xtensa. */
export const WAMR_32_BIT: WamrTarget = { pointerBytes: 4, labelBytes: 4, octetBytes: 2 };
/** x86-64 and AArch64. */
export const WAMR_64_BIT: WamrTarget = { pointerBytes: 8, labelBytes: 8, octetBytes: 1 };

/** Counts translated code [increase_compiled_code_space, wasm_loader_emit_backspace]. */
export class CodeCounter {
  /** What the loader allocates: it may take back what it has written. */
  peakBytes = 0;
  private bytes = 0;

  constructor(readonly target: WamrTarget) {}

  emit(bytes: number): void {
    this.bytes += bytes;
    this.peakBytes = Math.max(this.peakBytes, this.bytes);
  }

  takeBack(bytes: number): void {
    this.bytes -= bytes;
  }

  label(): void {
    this.emit(this.target.labelBytes);
  }

  dropLabel(): void {
    this.takeBack(this.target.labelBytes);
  }
}
