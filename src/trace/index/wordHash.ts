/**
 * A check sum over 32-bit words (the mixing of MurmurHash3): a changed, moved or missing word changes it. Not against people who
 * mean it.
 */
export function wordHash(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = bytes.length >>> 2;
  let hash = bytes.length | 0;
  for (let word = 0; word < words; word++) hash = mix(hash, view.getInt32(4 * word, true));
  for (let at = 4 * words; at < bytes.length; at++) hash = mix(hash, bytes[at] ?? 0);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mix(hash: number, word: number): number {
  const scattered = Math.imul(word, 0xcc9e2d51);
  const turned = hash ^ Math.imul((scattered << 15) | (scattered >>> 17), 0x1b873593);
  return (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe6546b64) | 0;
}
