// Gateway and MqttUpstream under load before one broker: everything that is acknowledged arrives. Prints how much that is.
import { afterEach, expect, it } from 'vitest';
import type { MqttUpstream } from '../../host/net/mqtt-upstream.js';
import { openUdpGateway, parseAddress, type UdpGateway } from '../../host/net/udp.js';
import { makeUpstream } from '../host/net/mqtt-upstream-world.js';
import { describeWithTools } from '../tools.js';
import { makeCertificates, startMosquitto, startNats, untilSo } from './brokers.js';
import { Application, Ledger, PREDEFINED, Talker } from './talkers.js';
import { HOST } from './world.js';

const DEVICES = 20;
const MESSAGES = 250;

let upstreams: MqttUpstream[] = [];
let gateway: UdpGateway | undefined;
let talkers: Talker[] = [];
let application: Application | undefined;

afterEach(async () => {
  for (const talker of talkers.splice(0)) talker.stop();
  application?.stop();
  await gateway?.close();
  await Promise.all(upstreams.splice(0).map((upstream) => upstream.close()));
});

async function load(name: string, url: string, protocolVersion: 4 | 5): Promise<void> {
  const [upstream, listener] = [makeUpstream(url, { protocolVersion }), makeUpstream(url, { protocolVersion })];
  upstreams = [upstream, listener];
  gateway = await openUdpGateway({ upstream, config: { predefined: PREDEFINED, tAdvMs: 0 } });
  const ledger = new Ledger();
  application = new Application(listener, ledger);
  await application.start();
  const { port } = parseAddress(gateway.address)!;
  talkers = Array.from({ length: DEVICES }, (_, i) => new Talker(`device-${i}`, port, ledger));
  const startMs = performance.now();
  for (const talker of talkers) talker.talk(MESSAGES);
  await untilSo('all are acknowledged', async () => talkers.every(({ isDone }) => isDone));
  const perSecond = (DEVICES * MESSAGES) / ((performance.now() - startMs) / 1_000);
  await untilSo('all have arrived', async () => ledger.missing().length === 0);
  expect(ledger.acknowledged.size).toBe(DEVICES * MESSAGES);
  process.stdout.write(
    `${name}, MQTT ${protocolVersion}: ${Math.round(perSecond)} messages/s at QoS 1 from ${DEVICES} devices\n`,
  );
}

describeWithTools(['mosquitto', 'openssl', 'nats-server'], 'under load', () => {
  it.each([4, 5] as const)('mosquitto gets all that is acknowledged, MQTT %s', async (protocolVersion) => {
    const { port } = await startMosquitto(makeCertificates());
    await load('mosquitto', `mqtt://${HOST}:${port}`, protocolVersion);
  });

  it('nats-server gets all that is acknowledged', async () => {
    const { port } = await startNats();
    await load('nats-server', `mqtt://${HOST}:${port}`, 4);
  });
});
