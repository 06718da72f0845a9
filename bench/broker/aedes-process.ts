// aedes in a process of its own, as its manual has it: its defaults, and what it keeps in memory. Prints its port.
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import { HOST } from './settings.js';

const broker = await Aedes.createBroker();
const server = createServer({ noDelay: true }, broker.handle);
server.listen(0, HOST, () => {
  const address = server.address();
  if (typeof address === 'object') process.stdout.write(`${JSON.stringify({ mqtt: address?.port })}\n`);
});
