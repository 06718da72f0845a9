// What is rare on the air, judged by Wireshark: gateways that are searched and found, a will that changes, a forwarder's
// envelopes, and a device that goes from a gateway which was killed to the next one. All processes and sockets are real.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EventKind, PacketType } from '../../assembly/protocol/index.js';
import { compile } from '../../host/firmware/compile.js';
import { link } from '../../host/firmware/link.js';
import { pcapHeader, pcapRecord } from '../../host/sim/pcap.js';
import type { Packet } from '../../host/wire/index.js';
import { describeWithTools } from '../tools.js';
import { dissect, expectTypes } from './captures.js';
import { HOST, Modem, type Ports, type Program, startBroker, temporaryFolder, thimble, until } from './world.js';

/** A device that waits as long as 7.2 says would make this a test of patience. */
const LIMITS = { T_RETRY_MS: 300, N_RETRY: 2, RECONNECT_MS_MAX: 600, T_SEARCHGW_MS: 50, T_GWINFO_MS: 50 };
const KEEP_ALIVE_S = 30;
/** All of loopback: what a subnet's broadcast address is on a real network. */
const EVERYONE = '127.255.255.255';
/** Nobody listens there. */
const NOWHERE = 9;

describeWithTools(['tshark'], 'on the air', () => {
  let wasm: Uint8Array;
  let broker: Program;
  let ports: Ports;
  let listener: MqttClient;
  const capture = join(temporaryFolder(), 'air.pcap');
  const heard: string[] = [];

  beforeAll(async () => {
    wasm = link(await compile({ entry: 'modem-mqttsn', limits: LIMITS })).bytes;
    const started = await startBroker('--pcap', capture);
    broker = started.broker;
    ports = started;
    listener = await connectAsync(`mqtt://${HOST}:${ports.mqtt}`);
    listener.on('message', (topic, payload) => heard.push(`${topic} ${payload.toString()}`));
    await listener.subscribeAsync('air/#', { qos: 2 });
  });

  afterAll(async () => {
    await listener.endAsync(true);
    expect(await broker.stop('SIGTERM')).toBe(0);
  });

  /** What devices sent and heard, as a capture in which everybody else is at the port NOWHERE. */
  function record(file: string, ...modems: Modem[]): void {
    const device = { ip: HOST, port: NOWHERE + 1 };
    const others = { ip: HOST, port: NOWHERE };
    const records = modems.flatMap(({ packets }) =>
      packets.map(({ direction, octets: payload }, i) => {
        const [from, to] = direction === 'up' ? [device, others] : [others, device];
        return pcapRecord({ timestampMicros: i, from, to, payload });
      }),
    );
    writeFileSync(file, Buffer.concat([pcapHeader(), ...records]));
  }

  const has = (modem: Modem, direction: 'up' | 'down', like: Partial<Packet>): boolean =>
    modem.packets.some((p) => p.direction === direction && matches(p.packet, like));

  it('a gateway that is asked says where it is, and a will changes during the session', async () => {
    const modem = await Modem.start(ports.sn, 'asker', { bytes: wasm });
    modem.discover(1);
    modem.will(modem.topic('air/will'), 'first', 1);
    await modem.connect(KEEP_ALIVE_S);
    expect(has(modem, 'up', { type: PacketType.SearchGw, radius: 1 })).toBe(true);
    expect(has(modem, 'down', { type: PacketType.GwInfo, gwAdd: new Uint8Array() })).toBe(true);
    modem.will(modem.topic('air/will'), 'second', 2);
    expect((await modem.event(EventKind.WillUpdated)).code).toBe(0);
    await modem.close();
  });

  it('a device behind a forwarder says everything in envelopes', async () => {
    const modem = await Modem.start(ports.sn, 'node', { bytes: wasm, seed: 2 });
    const wirelessNodeId = Uint8Array.of(0xab, 0, 0xcd);
    modem.forwarded(wirelessNodeId);
    await modem.connect(KEEP_ALIVE_S);
    modem.publish(modem.topic('air/wrapped'), 'in an envelope', 2);
    await modem.event(EventKind.Published);
    await until('the message', () => heard.includes('air/wrapped in an envelope'));
    expect(modem.packets.every(({ packet }) => matches(packet, { type: PacketType.Forwarded, wirelessNodeId }))).toBe(
      true,
    );
    await modem.disconnect();
  });

  it('is MQTT-SN to the last packet in tshark, at the gateway', () => {
    const counts = dissect(capture, ports.sn);
    expectTypes(counts, {
      SearchGw: PacketType.SearchGw,
      GwInfo: PacketType.GwInfo,
      WillTopicUpd: PacketType.WillTopicUpd,
      WillTopicResp: PacketType.WillTopicResp,
      WillMsgUpd: PacketType.WillMsgUpd,
      WillMsgResp: PacketType.WillMsgResp,
      Forwarded: PacketType.Forwarded,
    });
  });

  it('a device goes from a gateway that was killed to the next, and tells others where that is', async () => {
    const folder = temporaryFolder();
    const everyone = `${EVERYONE}:${await freePort()}`;
    const roamer = await Modem.start(NOWHERE, 'roamer', { bytes: wasm, broadcast: everyone });
    roamer.discover(1);
    const connected = roamer.connect(KEEP_ALIVE_S);
    await until('SEARCHGW', () => roamer.sent(PacketType.SearchGw) > 0);
    const [first, second] = [join(folder, '1.pcap'), join(folder, '2.pcap')];
    const one = await startGateway(1, everyone, first);
    await connected;
    const two = await startGateway(2, everyone, second);
    await until('ADVERTISE of the other', () => has(roamer, 'down', { type: PacketType.Advertise, gwId: 2 }));
    await roamer.subscribe(roamer.topic('roam/in'), 2);
    const out = roamer.topic('air/out');
    roamer.publish(out, 'by the first', 2);
    await roamer.event(EventKind.Published);

    await one.program.stop('SIGKILL');
    const ticket = roamer.publish(out, 'by the second', 2);
    expect((await roamer.event(EventKind.Published)).ticket).toBe(ticket);
    await listener.publishAsync('roam/in', 'still there', { qos: 2 });
    expect(await roamer.message()).toBe('roam/in still there');
    expect(heard.filter((text) => text.startsWith('air/out'))).toEqual([
      'air/out by the first',
      'air/out by the second',
    ]);

    const seeker = await Modem.start(NOWHERE, 'seeker', { bytes: wasm, broadcast: everyone, seed: 3 });
    seeker.discover(1);
    await seeker.connect(KEEP_ALIVE_S);
    const gwAdd = Uint8Array.of(127, 0, 0, 1, two.sn >> 8, two.sn & 0xff);
    expect(has(seeker, 'down', { type: PacketType.GwInfo, gwId: 2, gwAdd })).toBe(true);
    expect(roamer.sent(PacketType.GwInfo)).toBe(1);
    await seeker.disconnect();
    await roamer.disconnect();
    expect(await two.program.stop('SIGTERM')).toBe(0);

    const air = join(folder, 'air.pcap');
    record(air, roamer, seeker);
    expectTypes(dissect(air, NOWHERE), {
      Advertise: PacketType.Advertise,
      SearchGw: PacketType.SearchGw,
      GwInfo: PacketType.GwInfo,
    });
    expectTypes(dissect(first, one.sn), { Advertise: PacketType.Advertise, PubComp: PacketType.PubComp });
    expectTypes(dissect(second, two.sn), {
      Advertise: PacketType.Advertise,
      Connect: PacketType.Connect,
      Register: PacketType.Register,
      Subscribe: PacketType.Subscribe,
      PubComp: PacketType.PubComp,
    });
  });

  async function startGateway(gwId: number, everyone: string, pcap: string): Promise<{ program: Program; sn: number }> {
    const config = join(temporaryFolder(), 'config.json');
    writeFileSync(config, JSON.stringify({ gateway: { gwId } }));
    const where = ['--sn', '0', '--upstream', `mqtt://${HOST}:${ports.mqtt}`, '--broadcast', everyone];
    const program = thimble('broker', ...where, '--config', config, '--pcap', pcap, '--json');
    const { sn } = JSON.parse(await program.line(/^\{/)) as { sn: number };
    return { program, sn };
  }
});

/** The packet has these fields. */
function matches(packet: Packet, like: Partial<Packet>): boolean {
  const fields = packet as unknown as Record<string, unknown>;
  return Object.entries(like).every(([name, value]) => String(fields[name]) === String(value));
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}
