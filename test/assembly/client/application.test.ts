// What an application in AssemblyScript can say of gateways, forwarders and its clock.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PacketType } from '../../../assembly/protocol/index.js';
import { type Device, DeviceModule } from '../../../host/device/device.js';
import { decode, encode, type Packet } from '../../../host/wire/index.js';
import { appText, buildApp } from '../../host/firmware/modules.js';
import { advertise, GATEWAY_A, searchGw, T_SEARCHGW } from '../harness.js';

interface Running {
  readonly device: Device;
  readonly sent: { readonly packet: Packet; readonly to: Uint8Array }[];
}

async function run(app: string): Promise<Running> {
  const { out } = await buildApp({ 'app.ts': app });
  const sent: Running['sent'] = [];
  const board = {
    send: (datagram: Uint8Array, to: Uint8Array): number => {
      sent.push({ packet: decode(datagram.slice()) as Packet, to: to.slice() });
      return datagram.length;
    },
  };
  const device = new DeviceModule(readFileSync(out)).create(board);
  device.start(0, 1);
  return { device, sent };
}

describe('an application', () => {
  it('discovers gateways where it says so', async () => {
    const { device, sent } = await run(appText().replace('client.connect(', 'client.discover(2);\n  client.connect('));
    device.poll(T_SEARCHGW);
    expect(sent.map(({ packet }) => packet)).toEqual([searchGw(2)]);
    device.receive(encode(advertise(1, 900)), T_SEARCHGW, GATEWAY_A);
    expect(sent.at(-1)).toMatchObject({ packet: { type: PacketType.Connect }, to: GATEWAY_A });
  });

  it('speaks through a forwarder where it says as whom', async () => {
    const { sent } = await run(
      appText().replace('client.connect(', "text.clear().add('n1');\n  client.forwarded();\n  client.connect("),
    );
    expect(sent).toMatchObject([
      { packet: { type: PacketType.Forwarded, ctrl: 0, wirelessNodeId: Uint8Array.of(0x6e, 0x31) } },
    ]);
  });

  it('keeps its moments where it was away: they are as far ahead as they were, on any clock', async () => {
    // Publishes at QoS -1 ten seconds after power-on, whatever the board's clock says.
    const app = `
      import { client, EventKind, text } from 'thimble';
      @unmanaged class State { at: i32; topic: i32; isDone: i32; }
      export function setup(seed: i32): void {
        const my = client.state<State>();
        my.topic = client.predefined(1);
        my.at = client.now() + 10_000;
      }
      export function tick(): i32 {
        const my = client.state<State>();
        if (my.isDone) return 1_000_000;
        if (!client.isTime(my.at)) return my.at - client.now();
        my.isDone = 1;
        text.clear().add('now');
        client.publish(my.topic, -1, false);
        return 1_000_000;
      }`;
    const { device, sent } = await run(app);
    expect(device.poll(4_000)).toBe(6_000);
    const image = device.save();
    for (const now of [0, 1_000_000, 2 ** 32 - 3_000]) {
      device.restore(image, now);
      expect(device.poll(now)).toBe(6_000);
      device.poll(now + 5_999);
      expect(sent).toEqual([]);
      device.poll(now + 6_000);
      expect(sent.splice(0)).toMatchObject([{ packet: { type: PacketType.Publish } }]);
    }
  });
});
