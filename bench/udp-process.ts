// The gateway and the broker behind it in a process of their own, on a real socket, with an application that sends to
// whoever asks. Started by udp.ts, which is the load; ends with its parent's channel.
import { Broker } from '../host/broker/broker.js';
import { BrokerUpstream } from '../host/broker/upstream.js';
import { Xoshiro128 } from '../host/core/random.js';
import { monotonicNow } from '../host/net/clock.js';
import { openUdpGateway } from '../host/net/udp.js';
import type { Message, Millis, Qos, UpstreamSession } from '../host/ports.js';
import { ASK, DOWN_WINDOW, PAYLOAD_BYTES, type Ready, TO, type Usage } from './udp-talk.js';

const PACKET_ID_MAX = 65_535;

class Application {
  private session: UpstreamSession | undefined;
  private id = 0;
  private readonly payload = new Uint8Array(PAYLOAD_BYTES);

  open(upstream: BrokerUpstream): void {
    const now = monotonicNow();
    const hears = {
      connected: () => {},
      message: (message: Message, _id: number, _dup: boolean, at: Millis) => this.onAsked(message, at),
      released: () => {},
      closed: (reason: string) => {
        throw new Error(`the application's session was closed: ${reason}`);
      },
    };
    this.session = upstream.open({ clientId: 'application', clean: true }, hears, now);
    this.session.subscribe(`${ASK}+`, 0, now, () => {});
  }

  private onAsked({ topic, payload }: Message, now: Millis): void {
    const qos = payload[0] as Qos;
    const to = TO + topic.slice(ASK.length);
    for (let i = 0; i < DOWN_WINDOW; i++) {
      this.id = qos === 0 ? 0 : (this.id % PACKET_ID_MAX) + 1;
      this.session?.publish({ topic: to, payload: this.payload, qos, retain: false }, this.id, false, now, () => {});
    }
  }
}

const upstream = new BrokerUpstream(new Broker({}, { random: new Xoshiro128(1) }));
const { gateway, address } = await openUdpGateway({ upstream });
new Application().open(upstream);

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  const { datagramsIn, datagramsOut, retransmissions } = gateway.counters;
  const usage: Usage = { cpuUs: user + system, datagramsIn, datagramsOut, retransmissions };
  process.send!(usage);
});
process.on('disconnect', () => process.exit(0));
const ready: Ready = { port: Number(address.split(':').at(-1)) };
process.send!(ready);
