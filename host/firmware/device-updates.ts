// The memory for updates of a device that V8 runs in this process; it is as long-lived as the process.
import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { ABI_VERSION } from '../../assembly/protocol/index.js';
import { DeviceModule } from '../device/device.js';
import { DeviceUpdates } from '../update/device-updates.js';
import { parseVersion } from '../update/header.js';
import { MemorySlots } from '../update/memory-slots.js';
import { Receiver } from '../update/receiver.js';
import { FirmwareError } from './error.js';
import { identityOf } from './identity.js';
import { verifierOf } from './sign-update.js';

export interface DeviceUpdatesOptions {
  /** PEM of the key whose updates are taken: the public one, or the private one that holds it. */
  readonly key: Uint8Array;
  /** Where it comes from, for the message. */
  readonly keyFile: string;
  /** The board's name. */
  readonly board: string;
  /** How long an update has to confirm. Default: five minutes. */
  readonly trialMs?: number;
}

/** `file`: the module to begin with. Throws ERR_KEY. */
export function deviceUpdates(file: string, { key, keyFile, board, trialMs }: DeviceUpdatesOptions): DeviceUpdates {
  const shipped = readFileSync(file);
  const { name, version } = identityOf(file, shipped);
  const slots = new MemorySlots(shipped);
  const receiver = new Receiver(
    {
      name,
      board,
      version: parseVersion(version),
      abi: ABI_VERSION,
      verify: verifierOf(publicKey(key, keyFile)),
      ...(trialMs !== undefined && { trialMs }),
    },
    slots,
  );
  return new DeviceUpdates(receiver, slots, (module) => new DeviceModule(module.slice(), basename(file)));
}

/** The public half of a key in PEM. Throws ERR_KEY; `file`: for the message. */
export function publicKey(pem: Uint8Array, file: string): KeyObject {
  try {
    const key = createPublicKey(Buffer.from(pem));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // said below
  }
  throw new FirmwareError(
    'ERR_KEY',
    `${file}: no Ed25519 key in PEM; openssl pkey -in key.pem -pubout gives the public one`,
  );
}
