/** Gzip (RFC 1952): ID1, ID2, and the only method there is. */
export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b && head[2] === 8;
