// A device that shows all that it can, when it is told to. Whoever tests a board publishes commands to board/SERIAL/do:
//   say Q      publishes {"seq":n} to board/SERIAL/said at QoS Q
//   sleep S    sleeps for S seconds, and again after each wake-up
//   awake      is connected again
//   will       has "gone for good" for its will, from now on
//   loop       never returns: a watchdog's case
//   trap       stops in the middle: a reset's case
// What comes to board/SERIAL/in it repeats to board/SERIAL/heard, at QoS 1, as "QoS payload". An odd serial number discovers
// its gateway.
import { client, Event, EventKind, text } from 'thimble';

const KEEP_ALIVE_S: i32 = 2;
const QOS_SHIFT: i32 = 5;
const QOS_MASK: i32 = 3;
const ZERO: i32 = 0x30;

@unmanaged
class State {
  doTopic: i32;
  inTopic: i32;
  saidTopic: i32;
  heardTopic: i32;
  statusTopic: i32;
  sequence: i32;
  /** How long it is to sleep once all is said; 0: not at all. */
  sleepS: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(seed: i32): void {
  text.clear().add('tour-').addHex(seed, 8);
  client.identify();
  my().doTopic = topicOf(seed, '/do');
  my().inTopic = topicOf(seed, '/in');
  my().saidTopic = topicOf(seed, '/said');
  my().heardTopic = topicOf(seed, '/heard');
  my().statusTopic = topicOf(seed, '/status');
  client.will(my().statusTopic, 'gone', 1, false);
  client.subscribe(my().doTopic, 2);
  client.subscribe(my().inTopic, 2);
  if (seed & 1) client.discover(1);
  client.connect(KEEP_ALIVE_S, false);
}

function topicOf(seed: i32, leaf: string): i32 {
  text.clear().add('board/').addHex(seed, 8).add(leaf);
  return client.topicOfText();
}

export function tick(): i32 {
  for (let event = client.next(); event.kind !== EventKind.None; event = client.next()) {
    if (event.kind === EventKind.Connected) tell('here');
    else if (event.kind === EventKind.Asleep)
      continue; // whoever is asleep says nothing
    else if (event.kind !== EventKind.Message) continue;
    else if (<i32>event.topic === my().doTopic) obey(event);
    else repeat(event);
  }
  if (my().sleepS && client.isActive() && !client.isBusy()) {
    client.sleep(my().sleepS);
    my().sleepS = 0;
  }
  return i32.MAX_VALUE; // commands come when they come
}

function tell(status: string): void {
  text.clear().add(status);
  client.publish(my().statusTopic, 1, false);
}

function repeat(event: Event): void {
  text
    .clear()
    .addInt((<i32>event.flags >> QOS_SHIFT) & QOS_MASK)
    .add(' ')
    .addBytes(event.data, event.dataBytes);
  client.publish(my().heardTopic, 1, false);
}

function obey(event: Event): void {
  if (client.dataBegins(event, 'say ')) say(argument(event));
  else if (client.dataBegins(event, 'sleep ')) my().sleepS = argument(event);
  else if (client.dataBegins(event, 'awake')) client.connect(KEEP_ALIVE_S, false);
  else if (client.dataBegins(event, 'will')) client.will(my().statusTopic, 'gone for good', 2, false);
  else if (client.dataBegins(event, 'loop')) while (spin()) {}
  else if (client.dataBegins(event, 'trap')) unreachable();
}

/** The digits at the end. */
function argument(event: Event): i32 {
  let value = 0;
  for (let i = 0; i < <i32>event.dataBytes; i++) {
    const digit = <i32>load<u8>(event.data + i) - ZERO;
    if (<u32>digit <= 9) value = value * 10 + digit;
  }
  return value;
}

function say(qos: i32): void {
  my().sequence++;
  text.clear().add('{"seq":').addInt(my().sequence).add('}');
  client.publish(my().saidTopic, qos, false);
}

/** Always true, which no compiler finds out. */
function spin(): bool {
  return my().sequence >= 0;
}
