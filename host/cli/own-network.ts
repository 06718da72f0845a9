// A broker and a gateway of this process, for a command that has none to go to.
import { monotonicNow } from '../net/clock.js';
import { openUdpGateway, parseAddress } from '../net/udp.js';
import { createBroker } from '../server/create-broker.js';
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
    const broker = await createBroker({ listeners: [{ kind: 'mqtt', host: HOST, port }] });
    closers.add(() => broker.close());
    const udp = await openUdpGateway({ host: HOST, upstream: broker.upstream(), clock: monotonicNow });
    closers.add(() => udp.close());
    return { mqtt: broker.listening[0]!.port, gateway: parseAddress(udp.address)!, close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}
