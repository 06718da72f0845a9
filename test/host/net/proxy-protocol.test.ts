import { setImmediate as aMoment } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROXY_HEADER_BYTES_MAX, readProxyHeader } from '../../../host/net/proxy-protocol.js';
import { answerOf, CONNACK, connectBytes, World } from './listeners-world.js';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const header = (text: string): Buffer => hex(SIGNATURE + text);

/** 192.0.2.7, port 4321, to 198.51.100.1, port 8883. */
const TCP4 = header('21 11 000c c0000207 c6336401 10e1 22b3');
/** 2001:db8::7, port 4321, to 2001:db8::1, port 8883. */
const TCP6 = header('21 21 0024 20010db8000000000000000000000007 20010db8000000000000000000000001 10e1 22b3');
/** With a value of type 4 (nothing, 3 bytes) behind the addresses. */
const WITH_VALUE = header('21 11 0012 c0000207 c6336401 10e1 22b3 04 0003 000000');
const LOCAL = header('20 00 0000');
const UNSPECIFIED = header('21 00 0003 010203');

describe('A PROXY header', () => {
  it.each([
    ['of TCP over IPv4', TCP4, { address: '192.0.2.7', port: 4321 }],
    ['of TCP over IPv6', TCP6, { address: '2001:db8::7', port: 4321 }],
    ['with values behind the addresses', WITH_VALUE, { address: '192.0.2.7', port: 4321 }],
    ['of the proxy itself', LOCAL, undefined],
    ['of the proxy itself, whatever else it says', header('20 11 000c c0000207 c6336401 10e1 22b3'), undefined],
    ['of a family that is not told', UNSPECIFIED, undefined],
  ])('%s is read to its end, and not beyond', (_, bytes, source) => {
    const behind = Buffer.concat([bytes, Buffer.from('more')]);
    expect(readProxyHeader(bytes)).toEqual({ state: 'whole', bytes: bytes.length, source });
    expect(readProxyHeader(behind)).toEqual({ state: 'whole', bytes: bytes.length, source });
  });

  it('is waited for, wherever it is cut', () => {
    for (const whole of [TCP4, TCP6, WITH_VALUE, UNSPECIFIED, LOCAL]) {
      for (let length = 0; length < whole.length; length++) {
        expect(readProxyHeader(whole.subarray(0, length)), `${length} bytes`).toEqual({ state: 'partial' });
      }
    }
  });

  it.each([
    ['other bytes, at the first', hex('10'), 'signature'],
    ['other bytes in the middle', hex('0d0a0d0a00ff'), 'signature'],
    ['version 1', Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 4321 8883\r\n'), 'signature'],
    ['another version', header('31 11 000c'), 'version'],
    ['another command', header('22 11 000c c0000207 c6336401 10e1 22b3'), 'command'],
    ['UDP', header('21 12 000c c0000207 c6336401 10e1 22b3'), 'family'],
    ['a socket of Unix', header(`21 31 00d8 ${'00'.repeat(216)}`), 'family'],
    ['too few bytes for IPv4', header('21 11 000b c0000207 c6336401 10e1 22'), 'length'],
    ['too few bytes for IPv6', header('21 21 000c c0000207 c6336401 10e1 22b3'), 'length'],
    ['more than it is waited for', header('21 11 0ff1'), 'length'],
  ] as const)('with %s is none', (_, bytes, fault) => {
    expect(readProxyHeader(bytes)).toEqual({ state: 'fault', fault });
  });

  it('may be anything: it is read, waited for, or none, and what is waited for can still be both', () => {
    const beginning = fc.constantFrom(
      hex(''),
      hex(SIGNATURE),
      header('21'),
      header('2111'),
      header('2121'),
      header('20'),
    );
    fc.assert(
      fc.property(beginning, fc.uint8Array({ maxLength: 300 }), (begun, rest) => {
        const bytes = Buffer.concat([begun, rest]);
        const read = readProxyHeader(bytes);
        if (read.state === 'whole') expect(readProxyHeader(bytes.subarray(0, read.bytes - 1)).state).toBe('partial');
        if (read.state === 'partial') expect(bytes.length).toBeLessThan(PROXY_HEADER_BYTES_MAX);
      }),
      { seed: 1 },
    );
  });

  it('of the largest size is taken', () => {
    const whole = Buffer.concat([header('21 11 0ff0'), TCP4.subarray(16)], PROXY_HEADER_BYTES_MAX);
    expect(readProxyHeader(whole)).toMatchObject({ state: 'whole', bytes: PROXY_HEADER_BYTES_MAX });
  });
});

describe('A listener behind a proxy', () => {
  const world = new World();

  it('takes the address from the header, cut at every place, and MQTT from behind it', async () => {
    await world.open({ proxyProtocol: true });
    const bytes = Buffer.concat([TCP4, connectBytes('c')]);
    for (let cut = bytes.length - 1; cut > 0; cut--) {
      const socket = await world.tcp(bytes.subarray(0, cut));
      if (cut >= TCP4.length) await world.hasPeers(bytes.length - cut);
      else await aMoment(); // most likely read by now; should it not be, that is right too
      socket.write(bytes.subarray(cut));
      expect(await answerOf(socket), `cut at ${cut}`).toEqual(CONNACK);
      expect(world.peers.at(-1)).toEqual({ transport: 'tcp', address: '192.0.2.7', port: 4321 });
    }
  });

  it('names an IPv4 address that comes as IPv6 in its usual form', async () => {
    await world.open({ proxyProtocol: true });
    const mapped = `00000000000000000000ffffc0000207`;
    const socket = await world.tcp(header(`21 21 0024 ${mapped} ${mapped} 10e1 22b3`), connectBytes('c'));
    expect(await answerOf(socket)).toEqual(CONNACK);
    expect(world.peers[0]).toMatchObject({ address: '192.0.2.7' });
  });

  it('knows the proxy itself by its own address', async () => {
    await world.open({ proxyProtocol: true });
    const socket = await world.tcp(LOCAL, connectBytes('c'));
    expect(await answerOf(socket)).toEqual(CONNACK);
    expect(world.peers[0]).toEqual({ transport: 'tcp', address: '127.0.0.1', port: socket.localPort });
  });

  it('sends away who comes without a header, and says so', async () => {
    await world.open({ proxyProtocol: true });
    const socket = await world.tcp(connectBytes('c'));
    expect(await answerOf(socket)).toBeUndefined();
    await world.logged({ event: 'connection-refused', why: 'proxy-header', fault: 'signature' });
    expect(world.peers).toEqual([]);
  });

  it('does not wait for a header for ever', async () => {
    await world.open({ proxyProtocol: true }, { handshakeMsMax: 50 });
    const socket = await world.tcp(TCP4.subarray(0, 20));
    expect(await answerOf(socket)).toBeUndefined();
    await world.logged({ event: 'connection-refused', why: 'too-slow' });
  });
});

describe('A listener that is behind no proxy', () => {
  const world = new World();

  it('takes a header for the bad MQTT that it is', async () => {
    await world.open({});
    const socket = await world.tcp(TCP4, connectBytes('c'));
    expect(await answerOf(socket)).toBeUndefined();
    expect(world.broker.counters.malformed).toBe(1);
    expect(world.peers[0]).toMatchObject({ address: '127.0.0.1' });
  });
});
