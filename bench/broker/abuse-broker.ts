// Thimble's broker with the limits of a careful operator, for the bench of abuse. Prints its port; and at each SIGUSR2 what is
// left on its heap after the garbage is gone.
import { randomBytes } from 'node:crypto';
import { Broker } from '../../host/broker/broker.js';
import type { BrokerConfig } from '../../host/broker/config.js';
import { Xoshiro128 } from '../../host/core/random.js';
import { listenTcp } from '../../host/net/tcp.js';
import { HOST } from './settings.js';

const config = JSON.parse(process.argv[2]!) as Partial<BrokerConfig>;
const random = new Xoshiro128(randomBytes(4).readUInt32LE());
const { port } = await listenTcp(new Broker(config, { random }), { host: HOST, port: 0 });

const say = (fields: object): void => void process.stdout.write(`${JSON.stringify(fields)}\n`);

process.on('SIGUSR2', () => {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = process.memoryUsage();
  say({ heapBytes: heapUsed + external });
});
process.once('SIGTERM', () => process.exit(0));
say({ mqtt: port });
