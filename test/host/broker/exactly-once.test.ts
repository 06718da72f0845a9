import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ScriptedClient, World } from './scripted.js';

describe('exactly once', () => {
  it('holds between a publisher and a subscriber that both lose connections at random', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('publish', 'drop-p', 'drop-s', 'deafen-p', 'deafen-s'), { maxLength: 60 }),
        (steps) => {
          const world = new World({ inflightMax: 3 });
          const run = new ExactlyOnce(world);
          for (const step of steps) run.step(step);
          run.finish();
          expect(run.got).toEqual(run.sent);
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** A publisher and a subscriber of QoS 2 with the client's side of section 4.3.3, over connections that break. */
class ExactlyOnce {
  readonly sent: string[] = [];
  readonly got: string[] = [];
  /** Messages that the publisher still owns: owed PUBREC, or PUBCOMP. */
  private readonly unsettled = new Map<number, { text: string; released: boolean }>();
  private readonly received = new Set<number>();
  /** A deaf client does not get what it is sent until it comes back over another connection. */
  private readonly deaf = new Set<ScriptedClient>();
  private publisher: ScriptedClient;
  private subscriber: ScriptedClient;
  private nextId = 1;

  constructor(private readonly world: World) {
    this.subscriber = this.openSubscriber();
    this.subscriber.subscribe('t', 2);
    this.publisher = this.openPublisher();
  }

  step(step: string): void {
    if (step === 'publish') {
      const id = this.nextId++;
      this.sent.push(`${id}`);
      this.unsettled.set(id, { text: `${id}`, released: false });
      this.publisher.publish('t', `${id}`, 2, id);
    } else if (step === 'drop-p') {
      this.publisher.drop();
      this.publisher = this.openPublisher();
    } else if (step === 'drop-s') {
      this.subscriber.drop();
      this.subscriber = this.openSubscriber();
    } else this.deaf.add(step === 'deafen-p' ? this.publisher : this.subscriber);
  }

  finish(): void {
    this.step('drop-p');
    this.step('drop-s');
  }

  private openPublisher(): ScriptedClient {
    const client = this.world.dial();
    client.onPacket = (packet) => {
      if (this.deaf.has(client)) return;
      if (packet.cmd === 'pubrec') {
        const message = this.unsettled.get(packet.messageId);
        if (message !== undefined) message.released = true;
        client.ack('pubrel', packet.messageId);
      }
      if (packet.cmd === 'pubcomp') this.unsettled.delete(packet.messageId);
    };
    client.connect('p', { clean: false });
    for (const [id, { text, released }] of [...this.unsettled]) {
      if (released) client.ack('pubrel', id);
      else client.publish('t', text, 2, id, false, true);
    }
    return client;
  }

  private openSubscriber(): ScriptedClient {
    const client = this.world.dial();
    client.onPacket = (packet) => {
      if (this.deaf.has(client)) return;
      if (packet.cmd === 'publish') {
        if (!this.received.has(packet.messageId)) this.got.push(new TextDecoder().decode(packet.payload));
        this.received.add(packet.messageId);
        client.ack('pubrec', packet.messageId);
      }
      if (packet.cmd === 'pubrel') {
        this.received.delete(packet.messageId);
        client.ack('pubcomp', packet.messageId);
      }
    };
    client.connect('s', { clean: false });
    return client;
  }
}
