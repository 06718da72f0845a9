// A recording replayed on another engine, each call compared: result, datagrams, and the state region where it was recorded.
import type { LockstepDevice, Step } from '../../host/firmware/run/lockstep.js';
import { decode, isFault, PACKET_NAMES } from '../../host/wire/index.js';
import type { Call, Recorded, Recording } from './scenario.js';

/** A state region after a call, as it was recorded and as it is on the engine. */
export interface ImagePair {
  readonly at: string;
  readonly recorded: Uint8Array;
  readonly found: Uint8Array;
}

/**
 * Makes the calls, in order. Throws at the first difference in a result or a datagram, and says where, what was expected, and
 * the traffic before. Returns the state regions to be compared.
 */
export async function replay({ calls }: Recording, device: LockstepDevice): Promise<ImagePair[]> {
  const images: ImagePair[] = [];
  for (const [i, recorded] of calls.entries()) {
    const difference = await repeat(device, recorded.call).then(
      (step) => compare(recorded, step),
      (error: Error) => error.message,
    );
    if (difference !== undefined) {
      const before = calls.slice(Math.max(0, i - CONTEXT), i).map(describeCall);
      throw new Error([...before, `call ${i} of ${calls.length}: ${describeCall(recorded)}`, difference].join('\n'));
    }
    if (recorded.image !== undefined) {
      images.push({ at: `call ${i}`, recorded: recorded.image, found: await device.image() });
    }
  }
  return images;
}

/** Calls that are shown before the one that differs. */
const CONTEXT = 12;

function repeat(device: LockstepDevice, call: Call): Promise<Step> {
  switch (call.call) {
    case 'start':
      return device.start(call.now, call.seed);
    case 'receive':
      return device.receive(call.datagram, call.now);
    case 'poll':
      return device.poll(call.now);
    case 'resume':
      return device.resume(call.now);
    case 'seal':
      return device.seal();
  }
}

function compare(recorded: Recorded, step: Step): string | undefined {
  if (recorded.result !== step.result) return `result ${step.result} instead of ${recorded.result}`;
  const [expected, found] = [recorded.sent.map(hex), step.sent.map(({ datagram }) => hex(datagram))];
  if (expected.join() === found.join()) return undefined;
  return `expected ${expected.join(' ') || 'nothing'}\nfound    ${found.join(' ') || 'nothing'}`;
}

function describeCall({ call, result, sent }: Recorded): string {
  const time = 'now' in call ? `${call.now} ms ` : '';
  const heard = call.call === 'receive' ? ` ← ${describe(call.datagram)}` : '';
  return `${time}${call.call}${heard} = ${result}${sent.map((datagram) => ` → ${describe(datagram)}`).join('')}`;
}

function describe(datagram: Uint8Array): string {
  const packet = decode(datagram);
  return `${isFault(packet) ? packet.code : PACKET_NAMES[packet.type]} ${hex(datagram)}`;
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
