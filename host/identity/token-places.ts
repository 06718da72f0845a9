// Where a client may have put its token: as AWS's custom authorizers look for it, and where other clients put it.
import type { ConnectRequest } from '../broker/access.js';
import type { TokenPlace } from './config.js';

/** A longer one is not read; servers of the web take no more in a header. */
export const TOKEN_CHARS_MAX = 16_384;
export const TOKEN_KEY_DEFAULT = 'token';
export const PLACES_DEFAULT: readonly TokenPlace[] = ['username-query', 'password', 'query', 'header'];
const AUTHORIZER_NAME = 'x-amz-customauthorizer-name';

/** Undefined: there is none. What it is worth is for others to say. */
export function findToken(request: ConnectRequest, places: readonly TokenPlace[], key: string): string | undefined {
  for (const place of places) {
    const token = tokenAt(place, request, key);
    if (token !== undefined) return token;
  }
  return undefined;
}

/** The authorizer that the client asks for by name. */
export function authorizerAskedFor({ packet, peer }: ConnectRequest): string | undefined {
  return (
    queryOf(packet.username)?.get(AUTHORIZER_NAME) ??
    queryOf(peer.url)?.get(AUTHORIZER_NAME) ??
    peer.headers?.[AUTHORIZER_NAME]
  );
}

/** What stands under a key is a token, whatever it looks like; a password or a user name is one where it looks so. */
function tokenAt(place: TokenPlace, { packet, peer }: ConnectRequest, key: string): string | undefined {
  switch (place) {
    case 'username':
      return looksLikeToken(packet.username);
    case 'username-query':
      return queryOf(packet.username)?.get(key) ?? undefined;
    case 'password':
      return looksLikeToken(packet.password && Buffer.from(packet.password).toString('utf8'));
    case 'query':
      return queryOf(peer.url)?.get(key) ?? undefined;
    case 'header':
      return bearer(peer.headers?.authorization) ?? peer.headers?.[key.toLowerCase()];
  }
}

/** The header of a JWS begins with `{"`; its parts are divided by points (RFC 7515, 7.1). */
function looksLikeToken(text: string | undefined): string | undefined {
  return text?.startsWith('eyJ') && text.includes('.') ? text : undefined;
}

const bearer = (header: string | undefined): string | undefined => /^bearer +(\S+)$/i.exec(header ?? '')?.[1];

function queryOf(text: string | undefined): URLSearchParams | undefined {
  const at = text?.indexOf('?') ?? -1;
  return at === -1 ? undefined : new URLSearchParams(text!.slice(at + 1));
}
