// CONNECT: whether a client may come in, and under which identifier. Decisions only; the connection carries them out.
import { mqttStringBytes } from '../core/topics.js';
import type { Message, Qos, Random } from '../ports.js';
import type { Client } from './config.js';
import { ConnackCode, type ConnectPacket, LEVEL_MQTT_3_1, LEVEL_MQTT_3_1_1 } from './packets.js';
import type { SessionRegistry } from './session-registry.js';
import type { BrokerState } from './state.js';

const NAME_MQTT_3_1 = 'MQIsdp';
const NAME_MQTT_3_1_1 = 'MQTT';

const ASSIGNED_PREFIX = 'thimble-';
const HEX = 16;
const HEX_DIGITS_U32 = 8;

/** What the protocol's name and level come to [MQTT-3.1.2-1], [MQTT-3.1.2-2]. MQTT 3.1 differs only in its CONNECT. */
export function protocolOf(packet: ConnectPacket): 'supported' | 'other-level' | 'other-protocol' {
  const level = packet.protocolVersion ?? LEVEL_MQTT_3_1_1;
  switch (packet.protocolId ?? NAME_MQTT_3_1_1) {
    case NAME_MQTT_3_1_1:
      return level === LEVEL_MQTT_3_1_1 ? 'supported' : 'other-level';
    case NAME_MQTT_3_1:
      return level === LEVEL_MQTT_3_1 ? 'supported' : 'other-level';
    default:
      return 'other-protocol';
  }
}

/** The client's identifier; one made up for a client without, undefined where the protocol does not let it do without. */
export function clientIdOf(packet: ConnectPacket, sessions: SessionRegistry, random: Random): string | undefined {
  if (packet.clientId !== '') return mqttStringBytes(packet.clientId) > 0 ? packet.clientId : undefined;
  if (packet.clean === false || packet.protocolVersion === LEVEL_MQTT_3_1) return undefined; // [MQTT-3.1.3-8]
  for (;;) {
    const words = [random.nextU32(), random.nextU32()];
    const id = ASSIGNED_PREFIX + words.map((word) => word.toString(HEX).padStart(HEX_DIGITS_U32, '0')).join('');
    if (sessions.get(id) === undefined) return id; // [MQTT-3.1.3-6]
  }
}

/** Whether the client may come in. The packet has passed the rules of the protocol. */
export function admit(state: BrokerState, packet: ConnectPacket, client: Client): ConnackCode {
  const { access } = state.config;
  if (access !== undefined) {
    const code = access.connect(packet, client);
    if (code !== ConnackCode.Accepted) return code;
    if (packet.will !== undefined && !access.publish(client, packet.will.topic)) return ConnackCode.NotAuthorized;
  }
  return state.sessions.hasRoomFor(client.clientId) ? ConnackCode.Accepted : ConnackCode.ServerUnavailable;
}

export function willOf(packet: ConnectPacket): Message | undefined {
  if (packet.will === undefined) return undefined;
  const { topic, payload, qos = 0, retain = false } = packet.will;
  return { topic, payload, qos: qos as Qos, retain };
}
