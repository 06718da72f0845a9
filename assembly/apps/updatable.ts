// An application that can be replaced over MQTT. It hands the chunks that are published for it to the board, and says on a
// retained topic which version works here, what is missing of an update, and why one was refused. That it runs on is shown by a
// reading every minute.
import { client, Event, EventKind, text, UPDATE_GAP } from '../index';

const KEEP_ALIVE_S: i32 = 60;
const READING_MS: i32 = 60_000;
/** Progress is told after so many chunks; whoever sends them waits for that from time to time. */
const REPORT_CHUNKS: i32 = 16;
/** How often one says that a chunk is not the next: many may be. */
const REPORT_MS: i32 = 5_000;

@unmanaged
class State {
  updateTopic: i32;
  statusTopic: i32;
  readingTopic: i32;
  readings: i32;
  readingAt: i32;
  /** What the board said to the last chunk. */
  result: i32;
  reportedAt: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(seed: i32): void {
  text.clear().add('updatable-').addHex(seed, 8);
  client.identify();
  my().updateTopic = topicOf(seed, '/update');
  my().statusTopic = topicOf(seed, '/status');
  my().readingTopic = topicOf(seed, '/reading');
  my().readingAt = client.now() + READING_MS;
  client.subscribe(my().updateTopic, 1);
  client.connect(KEEP_ALIVE_S, false);
}

function topicOf(seed: i32, leaf: string): i32 {
  text.clear().add('fleet/').addHex(seed, 8).add(leaf);
  return client.topicOfText();
}

export function tick(): i32 {
  return run('1.0.0');
}

/** The application as one version or another. */
export function run(version: string): i32 {
  for (let event = client.next(); event.kind !== EventKind.None; event = client.next()) {
    if (event.kind === EventKind.Connected) {
      client.confirm(); // it has found its way to the broker: it can be replaced again
      report(version, 0, '');
    } else if (event.kind === EventKind.Message && <i32>event.topic === my().updateTopic) {
      take(version, event);
    }
  }
  if (client.isTime(my().readingAt)) {
    my().readingAt = client.now() + READING_MS;
    my().readings++;
    text.clear().add('{"seq":').addInt(my().readings).add('}');
    client.publish(my().readingTopic, 2, false);
  }
  return my().readingAt - client.now();
}

function take(version: string, event: Event): void {
  const result = client.update(event);
  const missing = result & (UPDATE_GAP - 1);
  const isNext = result === my().result - 1;
  const isNews = result !== my().result || client.isTime(my().reportedAt + REPORT_MS);
  my().result = result;
  if (result < 0) {
    if (isNews) report(version, result, ',"refused":');
  } else if (result >= UPDATE_GAP) {
    if (isNews) report(version, missing, ',"gap":true,"missing":');
  } else if (isNext ? missing % REPORT_CHUNKS === 0 : isNews) {
    report(version, missing, ',"missing":'); // progress; or the first of an update, or one that was here before
  }
}

/** Whoever says anything here has confirmed before: `run` does so as soon as there is somebody to say it to. */
function report(version: string, value: i32, what: string): void {
  my().reportedAt = client.now();
  text.clear().add('{"version":"').add(version).add('","confirmed":true').add(what);
  if (what.length) text.addInt(value);
  text.add('}');
  client.publish(my().statusTopic, 1, true);
}
