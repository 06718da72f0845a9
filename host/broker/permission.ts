// Whether a client may publish: asked for its messages, and for its will when it comes and when it leaves.
import type { Message } from '../ports.js';
import type { Client, Permit } from './access.js';
import type { BrokerState } from './state.js';

/** The broker's own topics, which clients may read and not write (section 4.7.2). */
const SYSTEM_TOPIC = '$SYS';

/** Also `$SYS` itself. */
const isSystemTopic = (topic: string): boolean =>
  topic.startsWith(SYSTEM_TOPIC) && (topic.length === SYSTEM_TOPIC.length || topic[SYSTEM_TOPIC.length] === '/');

/** A refusal is written down for whoever audits. */
export function mayPublish(
  state: BrokerState,
  { clientId, principal }: Pick<Client, 'clientId' | 'principal'>,
  permit: Permit | undefined,
  { topic, qos, retain }: Pick<Message, 'topic' | 'qos' | 'retain'>,
): boolean {
  if (!isSystemTopic(topic) && permit?.publish(topic, qos, retain) !== false) return true;
  state.log('warn', 'publish-denied', { clientId, principal, topic });
  return false;
}
