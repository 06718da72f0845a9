// What a person is told of the broker, and how often.
import { beforeEach, describe, expect, it } from 'vitest';
import { watchBroker } from '../../../host/cli/broker-watch.js';
import type { Log } from '../../../host/ports.js';

const CLIENT_ID = 'thimble-gateway-7';
const SECOND = 1_000;
const TRYING = 'trying again, and clients cannot connect until it is there';

let nowMs: number;
let said: string[];
let log: Log;

function watch(nodes: number): void {
  nowMs = 1_000_000;
  said = [];
  log = watchBroker({ clientId: CLIENT_ID, nodes, clock: () => nowMs, say: (text) => said.push(text) });
}

beforeEach(() => watch(1));

const up = (): void => log('info', 'upstream-up');
const down = (reason: string): void => log('warn', 'upstream-down', { reason });
const failed = (node: string, reason: string, clientId = CLIENT_ID): void =>
  log('warn', 'upstream-attempt-failed', { clientId, node, reason });

/** Comes, and goes after so long. */
function stand(forMs: number, reason = 'connection-lost'): void {
  up();
  nowMs += forMs;
  down(reason);
}

describe('a person', () => {
  it('hears nothing of a broker that is there, and stays', () => {
    up();
    log('info', 'upstream-qos-max', { qosMax: 2 });
    expect(said).toEqual([]);
  });

  it('hears once that it is out of reach and why, each other reason, and that it is back', () => {
    down('ECONNREFUSED');
    down('ECONNREFUSED');
    down('refused-5');
    down('ECONNREFUSED');
    up();
    expect(said).toEqual([
      `the broker is out of reach: nobody listens there (ECONNREFUSED); ${TRYING}`,
      `the broker is out of reach: it does not let the gateway in; a user name and a password may be missing or wrong (refused-5); ${TRYING}`,
      'the broker is there again',
    ]);
  });

  it('hears of every loss of a connection that had lasted', () => {
    for (let i = 0; i < 5; i++) stand(60 * SECOND);
    const loss = `the broker is lost: it ended the connection (connection-lost); ${TRYING}`;
    expect(said.filter((text) => text === loss)).toHaveLength(5);
    expect(said).toHaveLength(9); // and of four returns
  });

  it('reads a reason without words as it is', () => {
    down('CERT_HAS_EXPIRED');
    expect(said[0]).toContain('out of reach: CERT_HAS_EXPIRED; ');
  });
});

describe('a broker that is lost again and again', () => {
  it('within a minute makes a person look for another client of the same id, once', () => {
    for (let i = 0; i < 100; i++) stand(SECOND);
    expect(said).toHaveLength(5); // two losses, two returns, and this
    expect(said.at(-1)).toMatch(new RegExp(`again and again.*"${CLIENT_ID}".*gwId`));
  });

  it('in more than a minute does not', () => {
    for (let i = 0; i < 10; i++) stand(31 * SECOND);
    expect(said.join()).not.toContain('again and again');
  });

  it('is spoken of again once a connection has lasted, and at once for another reason', () => {
    for (let i = 0; i < 10; i++) stand(SECOND);
    said.length = 0;
    down('ECONNREFUSED');
    expect(said).toEqual([expect.stringContaining('nobody listens there')]);
    up();
    said.length = 0;
    stand(60 * SECOND);
    expect(said).toEqual([expect.stringContaining('the broker is lost')]);
    for (let i = 0; i < 10; i++) stand(SECOND);
    expect(said.at(-1)).toContain('again and again');
  });
});

describe('an aggregating gateway', () => {
  it('is spoken of by its one connection, not by what its sessions are told of that', () => {
    down('upstream-lost');
    for (let i = 0; i < 10; i++) {
      log('info', 'upstream-connected');
      nowMs += SECOND;
      if (i % 2 === 0) up();
      log('warn', 'upstream-lost', { reason: 'connection-lost', clients: 1 });
      down('upstream-lost');
    }
    expect(said).toHaveLength(5);
    expect(said[0]).toContain('the broker is lost: it ended the connection');
    expect(said.at(-1)).toContain('again and again');
  });
});

describe('attempts of which the session hears nothing', () => {
  it('count where no node is left, or where one has said no', () => {
    watch(2);
    failed('mqtt://a:1', 'ECONNREFUSED');
    failed('mqtt://a:1', 'ECONNREFUSED');
    expect(said).toEqual([]);
    failed('mqtt://b:1', 'ECONNREFUSED');
    down('timeout');
    expect(said).toEqual([expect.stringContaining('nobody listens there')]);
    watch(2);
    failed('mqtt://a:1', 'refused-4');
    expect(said).toEqual([expect.stringContaining('the user name and the password')]);
  });

  it('of other clients do not', () => {
    failed('mqtt://a:1', 'refused-2', 'device-1');
    expect(said).toEqual([]);
  });
});
