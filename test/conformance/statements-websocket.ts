// Section 6 of both versions: MQTT over WebSocket. It is shown over real sockets, where the listeners are tested.
import type { Statement } from './statement.js';

const file = 'host/net/websocket';

export const WEBSOCKET: readonly Statement[] = [
  {
    id: 'MQTT-6.0.0-1',
    about: 'WebSocket: binary frames only, others end the connection',
    elsewhere: [{ file, title: 'A WebSocket that sends text is closed with 1003, and its will is published' }],
  },
  {
    id: 'MQTT-6.0.0-2',
    about: 'WebSocket: packets and frames need not begin and end together',
    elsewhere: [
      { file, title: 'A WebSocket may cut packets at every place, and join them' },
      { file, title: 'A WebSocket may send a message in fragments' },
    ],
  },
  {
    id: 'MQTT-6.0.0-4',
    about: 'WebSocket: the subprotocol that was chosen is `mqtt`',
    elsewhere: [{ file, title: 'The upgrade to WebSocket takes of the subprotocols %o the first that is MQTT' }],
  },
];
