// The event queue: what the client has to tell its application, in a ring of fixed size. Names and payloads are not
// copied; they point into the receive buffer, so an event is to be taken before the call that made it returns.

import { EVENTS_MAX } from '../memory/limits';
import { EventKind } from '../protocol/event-kind';
import { client, Event, eventAt, NO_TOPIC, packet } from './state';

/** True where one more event fits. */
export function hasRoom(): bool {
  return <i32>client.events < EVENTS_MAX;
}

/** A fresh event at the end of the queue; where that is full, the oldest is lost. */
export function raise(kind: EventKind): Event {
  if (!hasRoom()) next();
  const event = eventAt((<i32>client.eventFirst + client.events) % EVENTS_MAX);
  client.events++;
  memory.fill(changetype<usize>(event), 0, offsetof<Event>());
  event.kind = <u8>kind;
  event.topic = <u8>NO_TOPIC;
  return event;
}

/** The same for a topic (-1: none), with the code and the flags that the gateway has answered. */
export function raiseAbout(kind: EventKind, handle: i32): Event {
  const event = raise(kind);
  event.topic = <u8>handle; // -1 is NO_TOPIC
  event.code = <u8>packet.code;
  event.flags = <u8>packet.flags;
  return event;
}

/** The oldest event, taken out of the queue; its `kind` is None where there is none. Valid until the next call. */
export function next(): Event {
  const event = eventAt(client.eventFirst);
  if (!client.events) {
    event.kind = 0;
    return event;
  }
  client.eventFirst = <u8>((<i32>client.eventFirst + 1) % EVENTS_MAX);
  client.events--;
  return event;
}

/** Drops what the application left: its pointers are about to become stale. */
export function dropEvents(): void {
  client.events = 0;
}
