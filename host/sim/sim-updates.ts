// Updates of applications in a simulated world: who publishes them, and the slots of those who take them.

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { ABI_VERSION } from '../../assembly/protocol/index.js';
import { DeviceModule } from '../device/device.js';
import type { Millis, Upstream } from '../ports.js';
import { cut } from '../update/chunks.js';
import { DeviceUpdates } from '../update/device-updates.js';
import { HEADER_BYTES, parseVersion, SIGNED_BYTES } from '../update/header.js';
import { MemorySlots } from '../update/memory-slots.js';
import { Publisher } from '../update/publisher.js';
import { Receiver } from '../update/receiver.js';
import type { UpdateOutcome } from '../update/sender.js';
import type { DeviceGroup, Scenario, ScenarioUpdate } from './scenario.js';
import type { Scheduler } from './scheduler.js';
import type { SimDevice } from './sim-device.js';

/** What updates of simulated devices are signed for. */
export const SIM_UPDATE_NAME = 'simulated';
const SHIPPED_VERSION = '0.0.0';
const MS_PER_S = 1000;
/** How often a publisher looks whether it has waited long enough. */
const POLL_MS = 5_000;

export interface SimUpdateOptions {
  /** For each update of the scenario, header and module as they are published. */
  readonly signed: readonly Uint8Array[];
  readonly verify: (signed: Uint8Array, signature: Uint8Array) => boolean;
}

/** What became of the updates of a class. */
export interface UpdateFigures {
  /** Devices by the version that works there. */
  readonly versions: Readonly<Record<string, number>>;
  /** Updates that were started and given up. */
  readonly rolledBack: number;
  /** Devices that refused one. */
  readonly refused: number;
  /** What publishers found out, by its kind; those that are at it are not counted. */
  readonly outcomes: Readonly<Partial<Record<UpdateOutcome['kind'], number>>>;
}

export class SimUpdates {
  private readonly modules = new Map<string, DeviceModule>();
  private readonly outcomes = new Map<string, Partial<Record<UpdateOutcome['kind'], number>>>();

  constructor(
    private readonly scenario: Scenario,
    private readonly options: SimUpdateOptions | undefined,
  ) {
    if ((scenario.updates?.length ?? 0) !== (options?.signed.length ?? 0)) {
      throw new Error('the updates of the scenario were not given');
    }
  }

  /** What a device of this group needs to take updates; undefined where there are none for it. */
  createFor(group: DeviceGroup, shipped: Uint8Array): DeviceUpdates | undefined {
    const index = this.scenario.updates?.findIndex((update) => update.class === group.class) ?? -1;
    const update = this.scenario.updates?.[index];
    if (update === undefined || this.options === undefined) return undefined;
    const { signed, verify } = this.options;
    const slots = new MemorySlots(shipped, signed[index]!.length - HEADER_BYTES);
    const receiver = new Receiver(
      {
        name: SIM_UPDATE_NAME,
        board: SIM_UPDATE_NAME,
        version: parseVersion(group.version ?? SHIPPED_VERSION),
        abi: ABI_VERSION,
        verify,
        ...(update.trialS !== undefined && { trialMs: Math.round(update.trialS * MS_PER_S) }),
      },
      slots,
    );
    return new DeviceUpdates(receiver, slots, (module) => this.load(module, group.app));
  }

  /** A publisher for each device of the class, at the update's time. */
  schedule(
    devicesOf: (name: string) => readonly SimDevice[],
    upstream: Upstream,
    scheduler: Scheduler,
    acted: (now: Millis) => void,
  ): void {
    for (const [index, update] of (this.scenario.updates ?? []).entries()) {
      const octets = corrupted(this.options!.signed[index]!, update);
      const chunks = cut(octets, update.chunkBytes);
      scheduler.at(Math.round(update.atS * MS_PER_S), (now) => {
        for (const device of devicesOf(update.class)) {
          this.publish(update, chunks, device, upstream, scheduler, acted).start(now);
        }
        acted(now);
      });
    }
  }

  /** Undefined for a class that takes no updates. */
  figures(name: string, devices: readonly SimDevice[]): UpdateFigures | undefined {
    const updates = devices.flatMap((device) => device.options.updates ?? []);
    if (updates.length === 0) return undefined;
    const versions: Record<string, number> = {};
    for (const { version } of updates) versions[version] = (versions[version] ?? 0) + 1;
    return {
      versions,
      rolledBack: updates.reduce((sum, { rolledBack }) => sum + rolledBack, 0),
      refused: updates.filter(({ hasRefused }) => hasRefused).length,
      outcomes: { ...this.outcomes.get(name) },
    };
  }

  private publish(
    update: ScenarioUpdate,
    chunks: readonly Uint8Array[],
    device: SimDevice,
    upstream: Upstream,
    scheduler: Scheduler,
    acted: (now: Millis) => void,
  ): Publisher {
    let isDone = false;
    const publisher = new Publisher(
      {
        chunks,
        version: update.version,
        clientId: `update-${device.serial}`,
        topic: update.topic.replaceAll('{serial}', device.serial),
        status: update.status.replaceAll('{serial}', device.serial),
        ...(update.corrupt === 'chunk' && { omit: chunks.length >> 1 }),
      },
      upstream,
      {
        done: ({ kind }) => {
          isDone = true;
          const outcomes = this.outcomes.get(update.class) ?? {};
          this.outcomes.set(update.class, { ...outcomes, [kind]: (outcomes[kind] ?? 0) + 1 });
        },
      },
    );
    const poll = (now: Millis): void => {
      publisher.poll(now);
      acted(now);
      if (!isDone) scheduler.at(now + POLL_MS, poll);
    };
    scheduler.at(scheduler.now + POLL_MS, poll);
    return publisher;
  }

  /** One instance for all devices that run the same octets. */
  private load(octets: Uint8Array, name: string): DeviceModule {
    const key = bytesToHex(sha256(octets));
    let module = this.modules.get(key);
    if (module === undefined) {
      module = new DeviceModule(octets.slice(), name, this.scenario.watchdogSteps);
      this.modules.set(key, module);
    }
    return module;
  }
}

function corrupted(octets: Uint8Array, { corrupt }: ScenarioUpdate): Uint8Array {
  if (corrupt !== 'signature' && corrupt !== 'module') return octets;
  const changed = octets.slice();
  const at = corrupt === 'signature' ? SIGNED_BYTES : HEADER_BYTES + 100;
  changed[at] = changed[at]! ^ 1;
  return changed;
}
