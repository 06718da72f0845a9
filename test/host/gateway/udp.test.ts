import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PacketType, PROTOCOL_ID } from '../../../assembly/protocol/index.js';
import type { UdpGateway, UdpGatewayOptions } from '../../../host/net/udp.js';
import { formatAddress, openUdpGateway, parseAddress } from '../../../host/net/udp.js';
import type { Packet } from '../../../host/wire/index.js';
import { decode, encode } from '../../../host/wire/index.js';
import { FakeBroker } from './world.js';

let gateway: UdpGateway;
let device: Socket;
const broker = { now: 0 } as { now: number };
const open = async (options: Partial<UdpGatewayOptions> = {}) => {
  gateway = await openUdpGateway({ upstream: new FakeBroker(broker), ...options });
  return gateway;
};

beforeEach(() => {
  device = createSocket('udp4');
});

afterEach(async () => {
  await gateway.close();
  device.close();
});

async function ask(packet: Packet): Promise<Packet> {
  const { host, port } = parseAddress(gateway.address)!;
  const answer = once(device, 'message');
  device.send(encode(packet), port, host);
  const [octets] = (await answer) as [Buffer];
  return decode(new Uint8Array(octets)) as Packet;
}

const CONNECT = {
  type: PacketType.Connect,
  will: false,
  cleanSession: true,
  protocolId: PROTOCOL_ID,
  duration: 60,
} as const;

describe('the UDP gateway', () => {
  it('answers on the address that it names, and a tap sees both directions', async () => {
    const seen: [string, number, number][] = [];
    await open({ tap: (direction, _address, bytes, micros) => seen.push([direction, bytes.length, micros]) });
    expect(await ask({ ...CONNECT, clientId: 'a' })).toEqual({ type: PacketType.ConnAck, returnCode: 0 });
    expect(seen.map(([direction, size]) => [direction, size])).toEqual([
      ['in', 7],
      ['out', 3],
    ]);
    expect(Math.abs(seen[0]![2] / 1_000 - Date.now())).toBeLessThan(60_000);
  });

  it('tells who asked, and nobody else, when there is nowhere to broadcast to', async () => {
    await open({ config: { gwId: 3 } });
    expect(await ask({ type: PacketType.SearchGw, radius: 0 })).toMatchObject({ type: PacketType.GwInfo, gwId: 3 });
  });

  it('keeps its deadlines', async () => {
    await open({ config: { tRetryMs: 20, nRetry: 1 } });
    expect(await ask({ ...CONNECT, will: true, clientId: 'a' })).toEqual({ type: PacketType.WillTopicReq });
    const [again] = (await once(device, 'message')) as [Buffer];
    expect(again[1]).toBe(PacketType.WillTopicReq);
  });

  it('survives what cannot be sent', async () => {
    const logged: string[] = [];
    await open({ log: (_level, event) => logged.push(event) });
    gateway.send('127.0.0.1:9', new Uint8Array(70_000));
    gateway.send('nonsense', new Uint8Array(3));
    gateway.send('127.0.0.1:0', new Uint8Array(3));
    expect(await ask({ ...CONNECT, clientId: 'a' })).toMatchObject({ type: PacketType.ConnAck });
    expect(logged).toContain('send-failed');
  });

  it('says goodbye when it is closed, twice without harm, and then is silent', async () => {
    await open();
    await ask({ ...CONNECT, clientId: 'a' });
    const goodbye = once(device, 'message');
    await gateway.close();
    expect(((await goodbye) as [Buffer])[0][1]).toBe(PacketType.Disconnect);
    await gateway.close();
  });

  it('does not open on a port that is taken', async () => {
    await open();
    const { port } = parseAddress(gateway.address)!;
    await expect(openUdpGateway({ upstream: new FakeBroker(broker), port })).rejects.toMatchObject({
      code: 'ERR_UDP_LISTEN',
      message: `cannot listen at 127.0.0.1, UDP port ${port}: another program, or another listener of this one, has it; choose another port, or 0 for a free one (EADDRINUSE)`,
    });
  });
});

describe('addresses', () => {
  it('are ip:port, IPv6 in brackets', async () => {
    await open();
    expect(formatAddress('10.0.0.1', 1883)).toBe('10.0.0.1:1883');
    expect(formatAddress('fe80::1', 1883)).toBe('[fe80::1]:1883');
    expect(parseAddress('[fe80::1]:1883')).toEqual({ host: 'fe80::1', port: 1883 });
    expect(parseAddress('10.0.0.1:1883')).toEqual({ host: '10.0.0.1', port: 1883 });
    for (const wrong of ['', 'x', '1.2.3.4', '1.2.3.4:70000', '::1:5', ':5'])
      expect(parseAddress(wrong)).toBeUndefined();
  });
});
