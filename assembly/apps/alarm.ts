// A smoke detector: rare messages that count, exactly once (QoS 2), and a will that tells when it is torn off the wall.
import { client, EventKind, text } from '../index';

const KEEP_ALIVE_S: i32 = 30;
/** A test alarm every 20 to 40 s. */
const ALARM_MS_MIN: i32 = 20_000;
const ALARM_MS_SPREAD: u32 = 20_000;

@unmanaged
class State {
  alarmAt: i32;
  sequence: i32;
  alarmTopic: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(seed: i32): void {
  text.clear().add('alarm-').addHex(seed, 8);
  client.identify();
  text.clear().add('home/alarm-').addHex(seed, 8).add('/status');
  client.will(client.topicOfText(), 'offline', 1, true);
  text.clear().add('home/alarm-').addHex(seed, 8).add('/smoke');
  my().alarmTopic = client.topicOfText();
  schedule();
  client.connect(KEEP_ALIVE_S, false);
}

export function tick(): i32 {
  while (client.next().kind !== EventKind.None) {}
  if (client.isTime(my().alarmAt)) {
    my().sequence++;
    text.clear().add('{"seq":').addInt(my().sequence).add(',"test":true}');
    client.publish(my().alarmTopic, 2, false);
    schedule();
  }
  return my().alarmAt - client.now();
}

function schedule(): void {
  my().alarmAt = client.now() + ALARM_MS_MIN + <i32>(client.random() % ALARM_MS_SPREAD);
}
