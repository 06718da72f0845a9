// Thimble's broker in a process of its own, without the gateway that the command has beside it. Prints its port.
import { randomBytes } from 'node:crypto';
import { Broker } from '../../host/broker/broker.js';
import { Xoshiro128 } from '../../host/core/random.js';
import { listenTcp } from '../../host/net/tcp.js';
import { HOST, INFLIGHT_TO_SUBSCRIBER_MAX } from './settings.js';

const random = new Xoshiro128(randomBytes(4).readUInt32LE());
const broker = new Broker({ inflightMax: INFLIGHT_TO_SUBSCRIBER_MAX }, { random });
const { port } = await listenTcp(broker, { host: HOST, port: 0 });
process.stdout.write(`${JSON.stringify({ mqtt: port })}\n`);
// The profiler writes when the process ends by itself.
process.once('SIGTERM', () => process.exit(0));
