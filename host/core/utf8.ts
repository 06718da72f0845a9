// Whether bytes are UTF-8, without surrogates and with nothing cut off.

const strict = new TextDecoder('utf-8', { fatal: true });

export function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false; // TextDecoder says so by throwing
  }
}
