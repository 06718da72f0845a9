// What can go wrong with a module or an image of its state.

export type DeviceErrorCode =
  /** The bytes are not a module, or not one that keeps the contract. */
  | 'ERR_MODULE_LOAD'
  /** The module was built for another version of the contract. */
  | 'ERR_MODULE_ABI'
  /** An image of another length, layout version or magic. */
  | 'ERR_IMAGE'
  /** A board called a device of a module from within another call into it. */
  | 'ERR_DEVICE_BUSY'
  /** The module trapped in a call for a device, which is off since; `cause` is the engine's error. */
  | 'ERR_DEVICE_TRAP'
  /** A call took more steps than the watchdog allows; the device is off since, as after a trap. */
  | 'ERR_DEVICE_WATCHDOG'
  /** A verb that the module does not export. */
  | 'ERR_VERB';

export class DeviceError extends Error {
  override readonly name = 'DeviceError';

  constructor(
    readonly code: DeviceErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
