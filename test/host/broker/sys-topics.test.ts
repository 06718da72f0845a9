import { describe, expect, it } from 'vitest';
import { newCounters } from '../../../host/broker/counters.js';
import { SysTopics } from '../../../host/broker/sys-topics.js';
import type { Message } from '../../../host/ports.js';

/** A broker that can be set to any state, and what it was told to publish since the last look. */
function speaking() {
  const counters = newCounters();
  const published: Message[] = [];
  const broker = { counters, connectedClients: 0, publish: (message: Message) => void published.push(message) };
  const said = (): Record<string, string> =>
    Object.fromEntries(
      published
        .splice(0)
        .map(({ topic, payload }) => [topic.replace(/^\$SYS\/broker\//, ''), new TextDecoder().decode(payload)]),
    );
  return { counters, broker, published, said };
}

describe('the topics below $SYS', () => {
  it('say what has been counted, retained and at QoS 0, under the names that mosquitto has', () => {
    const { counters, broker, published, said } = speaking();
    Object.assign(counters, { sessionsNow: 5, sessionsExpired: 2, subscriptionsNow: 7, retainedNow: 9 });
    Object.assign(counters, { messagesInQos0: 1, messagesInQos1: 2, messagesInQos2: 3, messagesOutQos2: 4 });
    Object.assign(counters, { droppedOffline: 1, droppedSlow: 10, bytesIn: 100, bytesOut: 200 });
    broker.connectedClients = 3;
    new SysTopics(broker, { version: 'thimble 1.2.3', startedAt: 1_000 }).publish(62_500);
    for (const { qos, retain, topic } of published) {
      expect([qos, retain, topic.startsWith('$SYS/broker/')]).toEqual([0, true, true]);
    }
    expect(said()).toEqual({
      version: 'thimble 1.2.3',
      uptime: '61 seconds',
      'clients/connected': '3',
      'clients/active': '3',
      'clients/disconnected': '2',
      'clients/inactive': '2',
      'clients/total': '5',
      'clients/maximum': '3',
      'clients/expired': '2',
      'messages/received': '6',
      'messages/sent': '4',
      'messages/dropped': '11',
      'publish/messages/received': '6',
      'publish/messages/sent': '4',
      'publish/messages/dropped': '11',
      'bytes/received': '100',
      'bytes/sent': '200',
      'subscriptions/count': '7',
      'retained messages/count': '9',
    });
  });

  it('are published again only where they have changed', () => {
    const { counters, broker, said } = speaking();
    const topics = new SysTopics(broker, { version: 'v', startedAt: 0 });
    topics.publish(0);
    topics.publish(10_000); // the loads are new
    said();
    counters.bytesIn = 1;
    topics.publish(20_000);
    const { uptime, 'bytes/received': received, ...rest } = said();
    expect([uptime, received]).toEqual(['20 seconds', '1']);
    expect(Object.keys(rest).every((name) => name.startsWith('load/bytes/received/'))).toBe(true);
    topics.publish(20_000);
    expect(said()).toEqual({});
  });

  it('remember how many clients were connected at most', () => {
    const { broker, said } = speaking();
    const topics = new SysTopics(broker, { version: 'v', startedAt: 0 });
    broker.connectedClients = 8;
    topics.publish(0);
    broker.connectedClients = 2;
    topics.publish(1_000);
    expect(said()).toMatchObject({ 'clients/maximum': '8', 'clients/connected': '2' });
  });

  it('have loads a minute that near the rate, the sooner the shorter their span', () => {
    const { counters, broker, said } = speaking();
    const topics = new SysTopics(broker, { version: 'v', startedAt: 0 });
    topics.publish(0);
    expect(Object.keys(said()).filter((name) => name.startsWith('load'))).toEqual([]);
    for (let s = 10; s <= 60; s += 10) {
      counters.messagesInQos1 += 100; // 600 a minute
      topics.publish(s * 1_000);
    }
    const after = said();
    const of = (span: string): number => Number(after[`load/publish/received/${span}`]);
    // After its own span an average has taken up 1 - 1/e of a rate that came at once.
    expect(of('1min')).toBeCloseTo(600 * (1 - Math.exp(-1)), 1);
    expect(of('5min')).toBeCloseTo(600 * (1 - Math.exp(-1 / 5)), 1);
    expect(of('15min')).toBeCloseTo(600 * (1 - Math.exp(-1 / 15)), 1);
    expect(after['load/bytes/sent/1min']).toBe('0.00');
  });

  it('do not divide by no time', () => {
    const { broker, published } = speaking();
    const topics = new SysTopics(broker, { version: 'v', startedAt: 0 });
    topics.publish(5);
    topics.publish(5);
    expect(published.some(({ payload }) => /NaN|Infinity/.test(new TextDecoder().decode(payload)))).toBe(false);
  });
});
