/** Base64 (RFC 4648), decoded without the environment's help: core has none. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The bytes of a base64 text. */
export function bytesOfBase64(text: string): Uint8Array {
  const digitOf = new Uint8Array(128);
  for (let i = 0; i < ALPHABET.length; i++) digitOf[ALPHABET.charCodeAt(i)] = i;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let i = 0, out = 0; i < text.length; i += 4) {
    let word = 0;
    for (let j = 0; j < 4; j++) word = (word << 6) | (digitOf[text.charCodeAt(i + j)] ?? 0);
    bytes[out++] = word >> 16;
    bytes[out++] = (word >> 8) & 255;
    bytes[out++] = word & 255;
  }
  return bytes;
}
