// A device on V8 that takes updates: which module it runs, and what it does with chunks.
import type { Board } from '../device/abi.js';
import type { DeviceModule } from '../device/device.js';
import type { Millis } from '../ports.js';
import { formatVersion } from './header.js';
import type { MemorySlots } from './memory-slots.js';
import type { Receiver } from './receiver.js';

export class DeviceUpdates implements Pick<Required<Board>, 'update' | 'confirm'> {
  /** Updates that were started and given up. */
  rolledBack = 0;
  hasRefused = false;

  /** `load` throws a DeviceError where the octets are no module. */
  constructor(
    private readonly receiver: Receiver,
    private readonly slots: MemorySlots,
    private readonly load: (module: Uint8Array) => DeviceModule,
  ) {}

  /**
   * At every start: the module to run. `isOther`: it is not the one that ran last, whose state means nothing to it. Throws what
   * `load` throws; the next start goes back then.
   */
  boot(now: Millis): { readonly module: DeviceModule; readonly isOther: boolean } {
    const { slot, bytes, isOnTrial, wasRolledBack } = this.receiver.boot(now);
    if (wasRolledBack) this.rolledBack++;
    return { module: this.load(this.slots.read(slot, bytes)), isOther: isOnTrial || wasRolledBack };
  }

  update(chunk: Uint8Array): number {
    const result = this.receiver.chunk(chunk);
    if (result < 0) this.hasRefused = true;
    return result;
  }

  confirm(): void {
    this.receiver.confirm();
  }

  /** An update waits to be started: the device is to start anew once the call is over. */
  get isAccepted(): boolean {
    return this.receiver.isAccepted;
  }

  /** When an update on trial is given up by starting anew; Infinity where none is. */
  get dueAt(): Millis {
    return this.receiver.dueAt;
  }

  /** Of what works. */
  get version(): string {
    return formatVersion(this.receiver.version);
  }
}
