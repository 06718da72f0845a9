// The variables that every connection has, whoever let it in.
import type { ConnectRequest } from '../broker/access.js';
import type { Granted } from './authenticator.js';
import type { Variables } from './policy/variables.js';

/** `iot:ClientId` and `iot:DomainName` are what the client says of itself; policies decide which of it may be. */
export function variablesOf({ clientId, peer }: ConnectRequest, { principal, variables }: Granted): Variables {
  return (name) => {
    switch (name) {
      case 'iot:ClientId':
      // Where there is no registry of things, a client is the thing that has its name.
      case 'iot:Connection.Thing.ThingName':
        return clientId;
      case 'aws:SourceIp':
        return peer.address;
      case 'iot:DomainName':
        return peer.serverName ?? peer.headers?.host?.replace(/:\d+$/, '');
      case 'thimble:Principal':
        return principal;
      default:
        return variables?.(name);
    }
  };
}
