import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Packet } from '../../../host/broker/packets.js';
import type { Qos } from '../../../host/ports.js';
import { type ScriptedClient, textOf, World } from './scripted.js';

/** A subscriber that acknowledges when it is told to, reads when it is told to, and comes back when it is lost. */
class Moody {
  readonly firsts: Record<Qos, number[]> = { 0: [], 1: [], 2: [] };
  private owed: (() => void)[] = [];
  private client: ScriptedClient;

  constructor(private readonly world: World) {
    this.client = this.join();
    this.client.subscribe('t', 2);
  }

  do(step: string): void {
    if (step === 'ack') this.owed.shift()?.();
    else if (step === 'congest') this.client.isCongested = true;
    else if (step === 'drain') this.client.drained();
    else {
      this.client.drop();
      this.client = this.join();
    }
  }

  settle(): void {
    this.client.drained();
    while (this.owed.length > 0) this.do('ack');
  }

  private join(): ScriptedClient {
    this.owed = [];
    const client = this.world.dial();
    client.onPacket = (packet) => this.hear(client, packet);
    client.connect('s', { clean: false });
    return client;
  }

  private hear(client: ScriptedClient, packet: Packet): void {
    if (packet.cmd === 'pubrel') this.owed.push(() => client.ack('pubcomp', packet.messageId));
    if (packet.cmd !== 'publish') return;
    const { qos, messageId } = packet;
    if (!packet.dup) this.firsts[qos].push(Number(textOf(packet.payload)));
    if (qos > 0) this.owed.push(() => client.ack(qos === 1 ? 'puback' : 'pubrec', messageId));
  }
}

it('messages of one publisher reach a subscriber in their order for each QoS, whatever it does', () => {
  const steps = fc.array(
    fc.constantFrom('publish0', 'publish1', 'publish2', 'publish1', 'ack', 'ack', 'congest', 'drain', 'reconnect'),
    { maxLength: 120 },
  );
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 4 }), (all, inflightMax) => {
      const world = new World({ inflightMax });
      const subscriber = new Moody(world);
      const publisher = world.connect('p');
      const sent: Record<Qos, number[]> = { 0: [], 1: [], 2: [] };
      for (const [index, step] of all.entries()) {
        if (!step.startsWith('publish')) {
          subscriber.do(step);
          continue;
        }
        const qos = Number(step.at(-1)) as Qos;
        sent[qos].push(index);
        publisher.publish('t', `${index}`, qos, index + 1);
      }
      subscriber.settle();
      expect(subscriber.firsts[1]).toEqual(sent[1]);
      expect(subscriber.firsts[2]).toEqual(sent[2]);
      // QoS 0 may be lost with a connection; what arrives is in order and once.
      expect(subscriber.firsts[0]).toEqual(sent[0].filter((index) => subscriber.firsts[0].includes(index)));
    }),
    { numRuns: 500 },
  );
});
