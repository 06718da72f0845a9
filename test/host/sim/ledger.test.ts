import { describe, expect, it } from 'vitest';
import { Ledger } from '../../../host/sim/ledger.js';

const payload = (text: string): Uint8Array => new TextEncoder().encode(text);
const END_MS = 1_000_000;

describe('The ledger', () => {
  it('counts what was sent, what arrived, and arrivals beyond the first', () => {
    const ledger = new Ledger();
    ledger.sent('up', 'a', 't', payload('1'), 1, 100);
    ledger.sent('up', 'a', 't', payload('2'), 1, 200);
    ledger.delivered('up', 't', payload('1'), 130);
    ledger.delivered('up', 't', payload('1'), 170);
    expect(ledger.figures(1, END_MS)).toEqual({
      sent: 2,
      delivered: 1,
      duplicates: 1,
      orphaned: 0,
      latencyMs: { p50: 30, p99: 30 },
    });
  });

  it('has no latency where nothing arrived', () => {
    expect(new Ledger().figures(0, END_MS).latencyMs).toEqual({ p50: null, p99: null });
  });

  it('leaves out of the figures what was sent too late', () => {
    const ledger = new Ledger();
    ledger.sent('up', 'a', 't', payload('1'), 2, 100);
    ledger.sent('up', 'a', 't', payload('2'), 2, 300);
    expect(ledger.figures(2, 200).sent).toBe(1);
    expect(ledger.violations(200).map((v) => v.kind)).toEqual(['lost']);
  });

  it('matches equal messages one by one', () => {
    const ledger = new Ledger();
    ledger.sent('up', 'a', 't', payload('x'), 2, 1);
    ledger.sent('up', 'a', 't', payload('x'), 2, 2);
    ledger.delivered('up', 't', payload('x'), 3);
    ledger.delivered('up', 't', payload('x'), 4);
    expect(ledger.violations(END_MS)).toEqual([]);
    ledger.delivered('up', 't', payload('x'), 5);
    expect(ledger.violations(END_MS).map((v) => v.kind)).toEqual(['duplicate']);
  });

  it('tells messages from devices and messages to devices apart', () => {
    const ledger = new Ledger();
    ledger.sent('down', 'phone', 't', payload('x'), 2, 1);
    expect(ledger.delivered('up', 't', payload('x'), 2)).toBe(false);
    expect(ledger.delivered('down', 't', payload('x'), 2)).toBe(true);
  });

  it('tells octets apart that are no text', () => {
    const ledger = new Ledger();
    ledger.sent('up', 'a', 't', Uint8Array.of(0xff, 0x00), 1, 1);
    expect(ledger.delivered('up', 't', Uint8Array.of(0xff, 0x01), 2)).toBe(false);
    expect(ledger.delivered('up', 't', Uint8Array.of(0xff, 0x00), 2)).toBe(true);
  });

  it('allows duplicates at QoS 1 and losses at QoS 0 and -1', () => {
    const ledger = new Ledger();
    ledger.sent('up', 'a', 't', payload('1'), 1, 1);
    ledger.sent('up', 'a', 't', payload('0'), 0, 1);
    ledger.sent('up', 'a', 't', payload('-1'), -1, 1);
    ledger.delivered('up', 't', payload('1'), 2);
    ledger.delivered('up', 't', payload('1'), 3);
    expect(ledger.violations(END_MS)).toEqual([]);
  });

  it('sees disorder by first arrivals, a publisher, topic and QoS at a time', () => {
    const ledger = new Ledger();
    for (const n of ['1', '2']) ledger.sent('up', 'a', 't', payload(n), 1, 1);
    ledger.sent('up', 'a', 'other', payload('3'), 1, 1);
    ledger.delivered('up', 'other', payload('3'), 2);
    ledger.delivered('up', 't', payload('2'), 3);
    expect(ledger.violations(END_MS).filter((v) => v.kind === 'order')).toEqual([]);
    ledger.delivered('up', 't', payload('1'), 4);
    expect(ledger.violations(END_MS).map((v) => v.kind)).toEqual(['order']);
  });

  it('does not judge the order of messages that two publishers share', () => {
    const ledger = new Ledger();
    for (const publisher of ['a', 'b']) for (const n of ['1', '2']) ledger.sent('up', publisher, 't', payload(n), 2, 1);
    for (const n of ['1', '2', '1', '2']) ledger.delivered('up', 't', payload(n), 2);
    expect(ledger.violations(END_MS)).toEqual([]);
    ledger.delivered('up', 't', payload('1'), 3);
    expect(ledger.violations(END_MS).map((v) => v.kind)).toEqual(['duplicate']);
  });

  it('does not call a late copy of an old message disorder', () => {
    const ledger = new Ledger();
    for (const n of ['1', '2']) ledger.sent('up', 'a', 't', payload(n), 1, 1);
    for (const n of ['1', '2', '1']) ledger.delivered('up', 't', payload(n), 2);
    expect(ledger.violations(END_MS)).toEqual([]);
  });

  it('owes nothing for a sender that is dead', () => {
    const ledger = new Ledger();
    ledger.sent('up', 'a', 't', payload('1'), 2, 1);
    ledger.orphan('a');
    expect(ledger.violations(END_MS)).toEqual([]);
    expect(ledger.figures(2, END_MS)).toMatchObject({ sent: 1, delivered: 0, orphaned: 1 });
  });

  it('owes what a sender was told is taken, dead or not', () => {
    const ledger = new Ledger();
    for (const n of ['1', '2']) ledger.sent('up', 'a', 't', payload(n), 2, 1);
    ledger.acknowledged('a', 't', payload('1'));
    ledger.orphan('a');
    expect(ledger.violations(END_MS).map((v) => v.message)).toEqual([expect.stringContaining('"1"')]);
    expect(ledger.owes(END_MS)).toBe(true);
    ledger.delivered('up', 't', payload('1'), 2);
    expect(ledger.owes(END_MS)).toBe(false);
  });

  it('owes nothing to a receiver that is dead', () => {
    const ledger = new Ledger();
    ledger.sent('down', 'phone', 't', payload('1'), 2, 1, 'device:1');
    ledger.sent('down', 'phone', 't', payload('2'), 2, 1, 'device:2');
    ledger.orphan('device:1');
    expect(ledger.violations(END_MS).map((v) => v.message)).toEqual([expect.stringContaining('"2"')]);
  });

  it('has no latency of a message that is not counted', () => {
    const ledger = new Ledger();
    ledger.sent('up', 'a', 't', payload('1'), 1, 100);
    ledger.sent('up', 'a', 't', payload('2'), 1, 900);
    ledger.delivered('up', 't', payload('1'), 110);
    ledger.delivered('up', 't', payload('2'), 990);
    expect(ledger.figures(1, 500).latencyMs).toEqual({ p50: 10, p99: 10 });
  });

  it('describes a violation so that one finds it', () => {
    const ledger = new Ledger();
    ledger.sent('up', 'device:3', 'home/x', payload('{"seq":1}'), 2, 4_000);
    expect(ledger.violations(END_MS)[0]!.message).toBe(
      'QoS 2 "{\\"seq\\":1}" to home/x from device:3 at 4000 ms never arrived',
    );
  });
  it('forgives a device that was reset what it had not got through, or got twice, and nothing after that', () => {
    const ledger = new Ledger();
    ledger.sent('up', 'd', 't', payload('1'), 1, 100); // gone with the device's memory
    ledger.sent('up', 'd', 't', payload('taken'), 1, 110);
    ledger.acknowledged('d', 't', payload('taken'));
    ledger.sent('down', 'phone', 'c', payload('a'), 2, 120, 'd');
    ledger.delivered('down', 'c', payload('a'), 130);
    ledger.reset('d', 130);
    ledger.delivered('down', 'c', payload('a'), 140); // its PUBREC was lost with the memory
    expect(ledger.violations(END_MS).map((v) => v.message)).toEqual([expect.stringContaining('"taken"')]);
    ledger.delivered('down', 'c', payload('a'), 150);
    ledger.sent('up', 'd', 't', payload('3'), 1, 160);
    expect(ledger.violations(END_MS).map((v) => v.kind)).toEqual(['lost', 'duplicate', 'lost']);
  });

  it('takes what a device says again after a reset for the new message', () => {
    const ledger = new Ledger();
    ledger.sent('up', 'd', 't', payload('1'), 2, 100);
    ledger.reset('d', 110);
    ledger.sent('up', 'd', 't', payload('1'), 2, 120);
    ledger.sent('up', 'd', 't', payload('2'), 2, 130);
    ledger.delivered('up', 't', payload('1'), 140);
    ledger.delivered('up', 't', payload('2'), 150);
    expect(ledger.violations(END_MS)).toEqual([]);
    expect(ledger.figures(2, END_MS)).toMatchObject({ sent: 3, delivered: 2, orphaned: 1 });
  });
});
