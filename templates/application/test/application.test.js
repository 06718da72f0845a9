// What {{name}} promises, in virtual time: `npm test` needs no network.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { simulate } from 'thimble/testing';

const DEVICES = 21;

/** @type {import('thimble/testing').Simulated} */
let run;

before(async () => {
  run = await simulate('scenario.json');
});

/** What reached the application in the hall, of one kind: a list for each device. */
function arrived(leaf) {
  const devices = new Map();
  for (const { node, topic, text } of run.messages) {
    const [name, serial, last] = topic.split('/');
    if (node !== 'hall' || name !== '{{name}}' || last !== leaf) continue;
    devices.set(serial, [...(devices.get(serial) ?? []), text]);
  }
  return devices;
}

test('every promise of QoS 1 and 2 is kept', () => {
  assert.deepEqual(run.report.violations, []);
});

test('each device counts from 1, and each count arrives exactly once and in order', () => {
  const counts = arrived('count');
  assert.equal(counts.size, DEVICES);
  for (const texts of counts.values()) {
    const expected = texts.map((_, i) => `{"count":${i + 1}}`);
    assert.deepEqual(texts, expected);
  }
});

test('devices stop and go on as they are told', () => {
  const told = [...arrived('status').values()].map((texts) => texts.join());
  assert.ok(told.some((texts) => texts.includes('paused,counting')));
});

test('the one that loses its power leaves its will', () => {
  const gone = [...arrived('status').values()].filter((texts) => texts.at(-1) === 'offline');
  assert.equal(gone.length, 1);
});
