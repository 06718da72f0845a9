// A thermometer on a battery. It samples every 30 s, publishes at QoS 1, raises an alarm at QoS 2 when it gets hot, and
// sleeps in between: it wakes by connecting, says what it has to say, and sleeps again.
import { client, EventKind, text } from '../index';

const SAMPLE_MS: i32 = 30_000;
const SLEEP_S: i32 = 120;
const KEEP_ALIVE_S: i32 = 60;
/** Hundredths of a degree Celsius. */
const START_TEMPERATURE: i32 = 2100;
const ALARM_TEMPERATURE: i32 = 2300;
const STEP_MAX: u32 = 60;

@unmanaged
class State {
  sampleAt: i32;
  sequence: i32;
  temperature: i32;
  temperatureTopic: i32;
  alarmTopic: i32;
  isHot: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(seed: i32): void {
  text.clear().add('sensor-').addHex(seed, 8);
  client.identify();
  my().temperatureTopic = topicOf(seed, '/temperature');
  my().alarmTopic = topicOf(seed, '/alarm');
  my().temperature = START_TEMPERATURE;
  // Devices switched on together must not speak together.
  my().sampleAt = client.now() + <i32>(client.random() % <u32>SAMPLE_MS);
  client.connect(KEEP_ALIVE_S, false);
}

function topicOf(seed: i32, leaf: string): i32 {
  text.clear().add('home/sensor-').addHex(seed, 8).add(leaf);
  return client.topicOfText();
}

export function tick(): i32 {
  while (client.next().kind !== EventKind.None) {} // nothing to learn: the client brings every message through
  if (client.isTime(my().sampleAt)) {
    my().sampleAt += SAMPLE_MS;
    sample();
    // Where the gateway is lost the client is at it already, with pauses that spare the battery.
    if (client.isAsleep()) client.connect(KEEP_ALIVE_S, false);
  }
  if (client.isActive() && !client.isBusy()) client.sleep(SLEEP_S);
  return my().sampleAt - client.now();
}

function sample(): void {
  const s = my();
  // A random walk stands in for the thermometer.
  s.temperature += <i32>(client.random() % (2 * STEP_MAX + 1)) - <i32>STEP_MAX;
  s.sequence++;
  writeReading();
  client.publish(s.temperatureTopic, 1, false);
  const isHot = s.temperature > ALARM_TEMPERATURE ? 1 : 0;
  if (isHot && !s.isHot) {
    writeReading();
    client.publish(s.alarmTopic, 2, true);
  }
  s.isHot = isHot;
}

function writeReading(): void {
  text.clear().add('{"seq":').addInt(my().sequence).add(',"celsius":').addHundredths(my().temperature).add('}');
}
