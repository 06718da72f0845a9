// A broker that is killed at each point of a QoS 2 handshake, and comes back with what it had written down: the gateway and the
// device go on from there, and the message arrives once.
import { statSync } from 'node:fs';
import { connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import { connectAsync, type MqttClient } from 'mqtt';
import { generate, type Packet, parser } from 'mqtt-packet';
import { expect, it } from 'vitest';
import { openUdpGateway, parseAddress } from '../../host/net/udp.js';
import { makeUpstream } from '../host/net/mqtt-upstream-world.js';
import { describeWithTools } from '../tools.js';
import { makeCertificates, startMosquitto } from './brokers.js';
import { Firmware, Ledger } from './firmware.js';
import { HOST, until } from './world.js';

const TEST_MS = 60_000;

type From = 'gateway' | 'broker';

/** The way from a gateway to its broker, which lets packets through until one comes that is wanted: nothing passes then. */
class Valve {
  port = 0;
  isShut = false;
  private wanted: { readonly from: From; readonly cmd: Packet['cmd'] } | undefined;
  private readonly sockets = new Set<Socket>();
  private readonly server: NetServer;

  constructor(target: number) {
    this.server = createServer((gateway) => this.join(gateway, connect(target, HOST)));
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, HOST, resolve));
    this.port = (this.server.address() as { port: number }).port;
    return this;
  }

  /** Stops at the next packet of this kind, at QoS 2 if it is a PUBLISH. */
  stopAt(from: From, cmd: Packet['cmd']): void {
    this.wanted = { from, cmd };
  }

  reopen(): void {
    this.isShut = false;
    this.wanted = undefined;
    for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    this.reopen();
    this.server.close();
  }

  private join(gateway: Socket, broker: Socket): void {
    const pass = (from: From, source: Socket, target: Socket): void => {
      this.sockets.add(source);
      const reader = parser();
      reader.on('packet', (packet) => {
        if (packet.cmd === this.wanted?.cmd && from === this.wanted.from && isQos2(packet)) this.isShut = true;
        if (!this.isShut) target.write(generate(packet));
      });
      source.on('data', (octets) => reader.parse(octets));
      source.on('error', () => target.destroy());
      source.on('close', () => {
        this.sockets.delete(source);
        target.destroy();
      });
    };
    pass('gateway', gateway, broker);
    pass('broker', broker, gateway);
  }
}

function isQos2(packet: Packet): boolean {
  return packet.cmd !== 'publish' || packet.qos === 2;
}

const POINTS: readonly (readonly [From, Packet['cmd']])[] = [
  ['gateway', 'publish'],
  ['broker', 'pubrec'],
  ['gateway', 'pubrel'],
  ['broker', 'pubcomp'],
  ['broker', 'publish'],
  ['gateway', 'pubrec'],
  ['broker', 'pubrel'],
  ['gateway', 'pubcomp'],
];

describeWithTools(['mosquitto'], 'a QoS 2 message whose broker is killed', () => {
  it.each(POINTS)("before the %s's %s has passed arrives once", { timeout: TEST_MS }, async (from, cmd) => {
    const isUp = POINTS.findIndex(([f, c]) => f === from && c === cmd) < 4;
    const mosquitto = await startMosquitto(makeCertificates());
    const valve = await new Valve(mosquitto.port).open();
    const upstream = makeUpstream([`mqtt://${HOST}:${valve.port}`]);
    const gateway = await openUdpGateway({ upstream, config: { tAdvMs: 0, upstreamRetryMsMax: 500 } });
    const up = new Ledger();
    const down = new Ledger();
    const device = await Firmware.start('device', parseAddress(gateway.address)!.port, 2, up, down);
    const application = await listen(mosquitto.port, up);
    await until('the device is subscribed', () => device.isSubscribed);

    valve.stopAt(from, cmd);
    if (isUp) device.say(2);
    else {
      down.said.push('command');
      application.publish('to/device', 'command', { qos: 2 });
    }
    await until('the valve is shut', () => valve.isShut);
    if (cmd === 'pubcomp' && isUp) await until('the application has it', () => up.missing.length === 0);
    await writtenDown(mosquitto.stateFile, () => void mosquitto.server.program.stop('SIGUSR1'));
    await mosquitto.server.kill();
    await mosquitto.server.start();
    valve.reopen();

    await until('it has arrived', () => up.missing.length + down.missing.length === 0 && device.isDone);
    // What comes after it shows that nothing more of it was on the way.
    device.say(2);
    down.said.push('QoS 2 last');
    application.publish('to/device', 'QoS 2 last', { qos: 2 });
    await until('the last has arrived', () => up.missing.length + down.missing.length === 0 && device.isDone);
    expect([...up.copies(''), ...down.copies('')]).toEqual([]);

    await application.endAsync(true);
    await device.stop();
    await gateway.close();
    await upstream.close();
    valve.close();
    await mosquitto.server.kill();
  });
});

async function listen(port: number, up: Ledger): Promise<MqttClient> {
  const options = { clientId: 'application', clean: false, reconnectPeriod: 100, resubscribe: false } as const;
  const client = await connectAsync(`mqtt://${HOST}:${port}`, options);
  client.on('message', (_topic, payload) => up.arrived(payload.toString()));
  client.on('error', () => {}); // its broker dies
  await client.subscribeAsync('from/#', { qos: 2 });
  return client;
}

/** The broker writes its state to the file, because of what `ask` does. */
async function writtenDown(file: string, ask: () => void): Promise<void> {
  const timeOf = (): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const before = timeOf();
  ask();
  await until('the broker has written its state', () => timeOf() > before);
}
