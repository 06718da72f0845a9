// What can go wrong between a source file and a module on a board.

export type FirmwareErrorCode =
  /** The application's file does not exist. */
  | 'ERR_APP_NOT_FOUND'
  /** No folder under boards/ is called so. */
  | 'ERR_BOARD'
  /** The firmware is of another board. */
  | 'ERR_BOARD_FOREIGN'
  /** Flash or RAM of the board do not hold it; the message says by how much, and where they went. */
  | 'ERR_BUDGET'
  /** The compiler refused it; the message holds what the compiler said. */
  | 'ERR_COMPILE'
  /** A board cannot be written to, or its tool is missing or has failed. */
  | 'ERR_FLASH'
  /** Tools that are missing could not be installed; the message has the command. */
  | 'ERR_INSTALL'
  /** A HEX file that is damaged. */
  | 'ERR_HEX'
  /** A key that cannot sign. */
  | 'ERR_KEY'
  /** The bytes are not a WebAssembly module. */
  | 'ERR_MODULE_FORMAT'
  /** The module breaks the device's rules; the message lists them. */
  | 'ERR_MODULE_RULES'
  /** No native code can be made from the module; the message names what stands in the way. */
  | 'ERR_NATIVE'
  /** A limit (`--use`) that does not exist, or is not a number. */
  | 'ERR_LIMIT'
  /** A board's compiler or another of its tools is missing, or is no such tool. */
  | 'ERR_TOOLCHAIN'
  /** The board's compiler or linker refused the firmware; the message holds what it said. */
  | 'ERR_NATIVE_BUILD'
  /** The firmware may need more stack than the board keeps, or nobody can tell how much. */
  | 'ERR_STACK'
  /** The board has no emulator, or it did not start, or ended by itself. */
  | 'ERR_EMULATOR'
  /** A board that is called step by step has said nothing, or something else than was due. */
  | 'ERR_LOCKSTEP'
  /** A board does not run on this machine, or what it runs is missing. */
  | 'ERR_BOARD_RUN'
  /** The program that is a board's engine is not there, or ended by itself. */
  | 'ERR_HOST_PROGRAM'
  /** The application takes updates, and the board does not. */
  | 'ERR_UPDATES';

export class FirmwareError extends Error {
  override readonly name = 'FirmwareError';

  constructor(
    readonly code: FirmwareErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** A memory of a board that does not hold what was built. */
export interface OverBudget {
  readonly memory: 'flash' | 'ram';
  readonly usedBytes: number;
  readonly budgetBytes: number;
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
}

/** ERR_BUDGET, with the figures. */
export class BudgetError extends FirmwareError {
  constructor(
    message: string,
    readonly over: readonly OverBudget[],
  ) {
    super('ERR_BUDGET', message);
  }
}
