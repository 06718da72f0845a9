// A lamp on the mains. It takes commands ({"on":true}, {"on":false}; more may follow) for itself and for all lights,
// reports its state as a retained message, and leaves a will that tells when it vanishes.
import { client, Event, EventKind, text } from '../index';

const KEEP_ALIVE_S: i32 = 60;

@unmanaged
class State {
  isOn: i32;
  sequence: i32;
  stateTopic: i32;
  statusTopic: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(seed: i32): void {
  text.clear().add('light-').addHex(seed, 8);
  client.identify();
  my().stateTopic = topicOf(seed, '/state');
  my().statusTopic = topicOf(seed, '/status');
  client.will(my().statusTopic, 'offline', 1, true);
  client.subscribe(topicOf(seed, '/set'), 2);
  client.subscribe(client.topic('home/all/lights/#'), 1);
  client.connect(KEEP_ALIVE_S, false);
}

function topicOf(seed: i32, leaf: string): i32 {
  text.clear().add('home/').add('light-').addHex(seed, 8).add(leaf);
  return client.topicOfText();
}

export function tick(): i32 {
  for (let event = client.next(); event.kind !== EventKind.None; event = client.next()) {
    if (event.kind === EventKind.Connected) {
      text.clear().add('online');
      client.publish(my().statusTopic, 1, true);
      report();
    } else if (event.kind === EventKind.Message) {
      obey(event);
    }
  }
  return i32.MAX_VALUE; // commands come when they come
}

function obey(event: Event): void {
  if (client.dataBegins(event, '{"on":true')) my().isOn = 1;
  else if (client.dataBegins(event, '{"on":false')) my().isOn = 0;
  else return; // not for us
  report();
}

function report(): void {
  my().sequence++;
  text
    .clear()
    .add('{"seq":')
    .addInt(my().sequence)
    .add(my().isOn ? ',"on":true}' : ',"on":false}');
  client.publish(my().stateTopic, 1, true);
}
