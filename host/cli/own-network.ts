// A broker and a gateway of this process, for a command that has none to go to.
import { randomBytes } from 'node:crypto';
import { Xoshiro128 } from '../core/random.js';
import { monotonicNow } from '../net/clock.js';
import { openUdpGateway, parseAddress } from '../net/udp.js';
import { ownBroker } from './broker-upstream.js';
import { Closers } from './closers.js';

export interface OwnNetwork {
  /** TCP port of MQTT. */
  readonly mqtt: number;
  readonly gateway: { readonly host: string; readonly port: number };
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

/** `port`: of MQTT, 0 for any free one. Rejects with TcpListenError. */
export async function openOwnNetwork(port: number): Promise<OwnNetwork> {
  const closers = new Closers();
  try {
    const random = new Xoshiro128(randomBytes(4).readUInt32LE());
    const behind = await ownBroker(HOST, port, { random });
    closers.add(() => behind.close());
    const udp = await openUdpGateway({ host: HOST, upstream: behind.upstream, clock: monotonicNow });
    closers.add(() => udp.close());
    return { mqtt: behind.mqtt!, gateway: parseAddress(udp.address)!, close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}
