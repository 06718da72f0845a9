// A forwarder between nodes and a gateway: envelopes one way, what they hold the other.
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { Counter, ErrorCode, IMAGE_LAYOUT, IMAGE_LAYOUT_AT, PacketType } from '../../../assembly/protocol/index.js';
import { type Device, DeviceModule } from '../../../host/device/device.js';
import { encode, type Packet } from '../../../host/wire/index.js';
import {
  advertise,
  connAck,
  GATEWAY_A,
  GATEWAY_B,
  Harness,
  Link,
  octetsOf,
  pingReq,
  pingResp,
  pubAck,
  publish,
  searchGw,
} from '../harness.js';

const module = new DeviceModule(readFileSync(new URL('../../../build/modules/forwarder.wasm', import.meta.url)));
const NODE = Uint8Array.of(1, 2, 3, 4, 5, 6);
const OTHER = Uint8Array.of(9, 9);
const wrapped = (packet: Packet, node = NODE, ctrl = 0): Uint8Array =>
  encode({ type: PacketType.Forwarded, ctrl, wirelessNodeId: node, inner: encode(packet) });

let sent: { octets: Uint8Array; to: Uint8Array }[];
let forwarder: Device;
const hear = (octets: Uint8Array, from?: Uint8Array): number => forwarder.receive(octets, 0, from);

beforeEach(() => {
  sent = [];
  forwarder = module.create({
    send: (datagram, to) => {
      sent.push({ octets: datagram.slice(), to: to.slice() });
      return datagram.length;
    },
  });
  forwarder.start(0, 1);
  expect(forwarder.call('gateway', forwarder.write(GATEWAY_A))).toBe(0);
});

describe('a forwarder', () => {
  it('puts what a node sends into an envelope with its address, for the gateway', () => {
    expect(hear(encode(pingReq()), NODE)).toBe(0);
    expect(hear(encode(publish('ab', 'x')), OTHER)).toBe(0);
    expect(sent).toEqual([
      { octets: wrapped(pingReq()), to: GATEWAY_A },
      { octets: wrapped(publish('ab', 'x'), OTHER), to: GATEWAY_A },
    ]);
  });

  it('sends what an envelope of the gateway holds to its node', () => {
    expect(hear(wrapped(pingResp()), GATEWAY_A)).toBe(0);
    expect(sent).toEqual([{ octets: encode(pingResp()), to: NODE }]);
  });

  it('sends to everyone in reach where the envelope has a radius', () => {
    expect(hear(wrapped(advertise(1, 900), NODE, 1), GATEWAY_A)).toBe(0);
    expect(sent).toEqual([{ octets: encode(advertise(1, 900)), to: new Uint8Array() }]);
  });

  it('says how far a SEARCHGW is to go', () => {
    hear(encode(searchGw(2)), NODE);
    hear(encode(searchGw(200)), NODE);
    expect(sent.map(({ octets }) => octets[2])).toEqual([2, 3]);
  });

  it('carries no envelope of anybody else, and nothing of the gateway without one', () => {
    expect(hear(wrapped(pingReq()), NODE)).toBe(ErrorCode.Unexpected);
    expect(hear(wrapped(pingReq()), GATEWAY_B)).toBe(ErrorCode.Unexpected);
    expect(hear(encode(pingResp()), GATEWAY_A)).toBe(ErrorCode.Unexpected);
    expect(hear(encode(pingReq()))).toBe(ErrorCode.Unexpected);
    expect(sent).toEqual([]);
    expect(forwarder.counter(Counter.Unexpected)).toBe(4);
  });

  it('carries nothing that is no MQTT-SN, nor what does not fit', () => {
    expect(hear(Uint8Array.of(3, 0x16), NODE)).toBe(ErrorCode.LengthMismatch);
    expect(hear(encode(publish('ab', new Uint8Array(495))), NODE)).toBe(ErrorCode.TooLong);
    expect(hear(new Uint8Array(600), NODE)).toBe(ErrorCode.TooLong);
    expect(hear(wrapped(pingReq(), new Uint8Array(19).fill(1)), GATEWAY_A)).toBe(ErrorCode.TooLong);
    expect(sent).toEqual([]);
    expect(hear(encode(publish('ab', new Uint8Array(494))), NODE)).toBe(0);
    expect(sent[0]!.octets).toHaveLength(512);
  });

  it('sends nothing on before it knows its gateway', () => {
    forwarder.start(0, 1);
    expect(hear(encode(pingReq()), NODE)).toBe(ErrorCode.Unexpected);
    expect(hear(wrapped(pingReq()))).toBe(ErrorCode.Unexpected);
    expect(sent).toEqual([]);
    expect(forwarder.call('gateway', 0)).toBe(ErrorCode.BadArgument);
    expect(forwarder.call('gateway', 19)).toBe(ErrorCode.TooLong);
  });

  it('hibernates like any device, and has nothing to wait for', () => {
    expect(forwarder.poll(0)).toBe(Number.POSITIVE_INFINITY);
    const image = forwarder.save();
    forwarder.start(0, 2);
    forwarder.restore(image, 77);
    expect(hear(encode(pingReq()), NODE)).toBe(0);
    for (let at = 0; at < image.length; at += 37) {
      const damaged = image.slice();
      damaged[at]! ^= 4;
      expect(() => forwarder.restore(damaged, 0)).toThrow(expect.objectContaining({ code: 'ERR_IMAGE' }));
    }
  });

  it('refuses a region of another layout, however well it is sealed', () => {
    // A raw swap keeps what is written to the region; the seal is then as good as any.
    const image = forwarder.save();
    new DataView(image.buffer).setUint32(IMAGE_LAYOUT_AT, IMAGE_LAYOUT + 1, true);
    module.bringIn(forwarder);
    module.region.set(image);
    forwarder.call('seal');
    expect(forwarder.call('resume', 0)).toBe(ErrorCode.BadImage);
  });

  it('lets a client that knows nothing of it publish through it', () => {
    const node = new Harness();
    const gateway: Uint8Array[] = [];
    /** What the client sends goes to the forwarder, and what that sends to either. */
    const flow = (): void => {
      for (const { octets } of node.takeSent()) hear(octets, NODE);
      for (const { octets, to } of sent.splice(0)) {
        if (Buffer.compare(to, GATEWAY_A) === 0) gateway.push(octets.subarray(octets[0]!));
        else node.hearOctets(octets, Uint8Array.of(0xf0));
      }
    };
    node.identify();
    node.connect();
    flow();
    hear(wrapped(connAck()), GATEWAY_A);
    flow();
    expect(node.link).toBe(Link.Active);
    const ticket = node.publish(node.verb('predefined', 1), octetsOf('x'), 1);
    flow();
    expect(gateway.map((octets) => octets[1])).toEqual([PacketType.Connect, PacketType.Publish]);
    hear(wrapped(pubAck(1, ticket)), GATEWAY_A);
    flow();
    expect(node.kinds()).toEqual(['Connected', 'Published']);
  });
});
