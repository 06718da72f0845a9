// What fits into one datagram is taken, what does not is refused at once: TX_BYTES is the link's MTU or the buffer,
// whichever is smaller. A Length of one octet saves two.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ErrorCode, PacketType } from '../../../assembly/protocol/index.js';
import { DeviceModule } from '../../../host/device/device.js';
import { build } from '../../../host/firmware/build.js';
import { encode, type Packet } from '../../../host/wire/index.js';
import { scratch } from '../../host/firmware/modules.js';
import { advertise, connAck, Harness, willMsgReq, willTopicReq } from '../harness.js';

async function modem(limits: Record<string, number>): Promise<DeviceModule> {
  const out = join(scratch(), 'modem.wasm');
  await build({ name: 'modem-mqttsn', entry: 'modem-mqttsn', out, contract: true, limits });
  return new DeviceModule(readFileSync(out));
}

describe('a payload', () => {
  it.each([
    // TX_BYTES, octets of the longest payload, octets of its datagram
    [128, 121, 128],
    [255, 248, 255],
    [256, 248, 255], // 249 would need a Length of three octets
    [257, 248, 255],
    [258, 249, 258],
    [300, 291, 300],
  ])('with TX_BYTES %d is taken up to %d octets, in a datagram of %d', async (txBytes, most, datagram) => {
    const module = await modem({ TX_BYTES: txBytes });
    for (const envelope of [0, 5, 11]) {
      const h = new Harness({ module });
      if (envelope) h.forwarded(new Uint8Array(envelope - 3));
      const topic = h.verb('predefined', 1);
      const inside = Math.min(txBytes - envelope, 65_535);
      const longest = inside - 7 <= 248 ? inside - 7 : Math.max(248, inside - 9);
      if (envelope === 0) expect(longest).toBe(most);
      for (let bytes = 0; bytes <= longest; bytes += bytes < longest - 12 ? 10 : 1) {
        expect(h.publish(topic, new Uint8Array(bytes), -1)).toBe(0);
        const [sent] = h.takeSent();
        expect(sent!.octets.length).toBeLessThanOrEqual(txBytes);
        if (envelope === 0 && bytes === most) expect(sent!.octets).toHaveLength(datagram);
      }
      for (const bytes of [longest + 1, longest + 2, longest + 3, txBytes]) {
        for (const qos of [-1, 0, 1, 2] as const) {
          expect(h.publish(topic, new Uint8Array(bytes), qos)).toBe(ErrorCode.TooLong);
        }
      }
      expect(h.take()).toEqual([]);
      expect(h.busy).toBe(false);
    }
  });
});

describe('names and wills', () => {
  it('up to their limits always fit, also in the longest envelope', async () => {
    const [name, message, nodeId] = [57, 61, 2];
    const module = await modem({
      TX_BYTES: 68,
      OUTBOUND_BYTES: 68,
      TOPIC_NAME_BYTES_MAX: name,
      WILL_MESSAGE_BYTES_MAX: message,
      NODE_ID_BYTES_MAX: nodeId,
    });
    const h = new Harness({ module });
    h.forwarded(new Uint8Array(nodeId).fill(1));
    h.identify('x'.repeat(23));
    const topic = h.topic('n'.repeat(name));
    expect(h.topic('n'.repeat(name + 1))).toBe(ErrorCode.TooLong);
    expect(h.will(topic, 'm'.repeat(message + 1))).toBe(ErrorCode.TooLong);
    expect(h.will(topic, 'm'.repeat(message))).toBe(0);
    h.subscribe(topic);
    h.publish(topic, 'x');
    h.connect(60);
    const wirelessNodeId = new Uint8Array(nodeId).fill(1);
    const inside = (packet: Packet): void => {
      h.hear({ type: PacketType.Forwarded, ctrl: 0, wirelessNodeId, inner: encode(packet) });
    };
    inside(willTopicReq());
    inside(willMsgReq());
    inside(connAck());
    const sent = h.takeSent().map(({ octets }) => octets.length);
    // CONNECT, WILLTOPIC, WILLMSG, SUBSCRIBE, REGISTER, each with an envelope of 5
    expect(sent).toEqual([34, 65, 68, 67, 68]);
  });

  it('whose limits do not fit do not build', async () => {
    for (const limits of [
      { TX_BYTES: 67, TOPIC_NAME_BYTES_MAX: 57, NODE_ID_BYTES_MAX: 2 },
      { TX_BYTES: 67, WILL_MESSAGE_BYTES_MAX: 61, NODE_ID_BYTES_MAX: 2 },
    ]) {
      await expect(modem({ OUTBOUND_BYTES: 68, ...limits })).rejects.toMatchObject({
        message: expect.stringContaining('THIMBLE_NODE_ID_BYTES_MAX=0'),
      });
      await expect(modem({ OUTBOUND_BYTES: 68, ...limits, TX_BYTES: 68 })).resolves.toBeDefined();
    }
  });
});

describe('limits of the radio and its gateways', () => {
  it('of 0 leave the thing out, and its verb says so', async () => {
    const full = readFileSync(new URL('../../../build/modules/modem-mqttsn.wasm', import.meta.url));
    const module = await modem({ GATEWAYS_MAX: 0, NODE_ID_BYTES_MAX: 0, ADDRESS_BYTES_MAX: 0 });
    expect(module.addressBytes).toBe(0);
    const h = new Harness({ module });
    expect(h.discover(1)).toBe(ErrorCode.Full);
    expect(h.discover(0)).toBe(0);
    expect(h.forwarded(Uint8Array.of(1))).toBe(ErrorCode.TooLong);
    expect(h.forwarded(new Uint8Array())).toBe(0);
    expect(h.online(60).link).toBe(2);
    const plain = new DeviceModule(full);
    expect(module.imageBytes).toBeLessThan(plain.imageBytes - 100);
  });

  it.each([
    { ADDRESS_BYTES_MAX: 33 },
    { ADDRESS_BYTES_MAX: -1 },
    { GATEWAYS_MAX: 33 },
    { GATEWAYS_MAX: -1 },
    { NODE_ID_BYTES_MAX: 17 },
    { NODE_ID_BYTES_MAX: -1 },
    { T_SEARCHGW_MS: 0 },
    { T_GWINFO_MS: 2 ** 30 + 1 },
    { N_ADV: 0 },
    { N_ADV: 17 },
  ])('out of their range do not build: %j', async (limits) => {
    await expect(modem(limits)).rejects.toMatchObject({ code: 'ERR_COMPILE' });
  });

  it('of one gateway keep the one in use', async () => {
    const h = new Harness({ module: await modem({ GATEWAYS_MAX: 1 }) });
    h.identify();
    h.discover(1);
    const [a, b] = [Uint8Array.of(1), Uint8Array.of(2)];
    h.hear(advertise(1, 900), a);
    h.hear(advertise(2, 900), b);
    h.connect();
    expect(h.takeSent()[0]!.to).toEqual(a);
  });

  it('of one gateway, and nobody in use, let go of one that is no longer there', async () => {
    const h = new Harness({ module: await modem({ GATEWAYS_MAX: 1 }) });
    h.identify();
    h.discover(1);
    const [a, b] = [Uint8Array.of(1), Uint8Array.of(2)];
    h.hear(advertise(1, 1), a);
    h.pass(3_000);
    h.hear(advertise(2, 900), b);
    h.connect();
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect }, to: b }]);
  });

  it('of one gateway keep the one that CONNECT goes to, however long that takes', async () => {
    const h = new Harness({ module: await modem({ GATEWAYS_MAX: 1 }) });
    h.identify();
    h.discover(1);
    const [a, b] = [Uint8Array.of(1), Uint8Array.of(2)];
    h.hear(advertise(1, 1), a);
    h.connect();
    h.pass(9_000);
    h.hear(advertise(2, 900), b);
    h.take();
    h.pass(1_000);
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect }, to: a }]);
  });
});
