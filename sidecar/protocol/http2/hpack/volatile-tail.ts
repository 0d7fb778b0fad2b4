const NEVER_INDEXED_LITERAL_NAME = 0x10;

/**
 * Where the volatile tail of a block begins: at the first never-indexed literal with a literal name; `end` when there is none.
 * -1 when the block is malformed or would change the dynamic table, so that the same bytes may mean something else the next time.
 * Steps over representations without decoding them.
 */
export const findVolatileTail = (block: Buffer, start: number, end: number): number => {
  let at = start;
  while (at < end) {
    const first = block[at] as number;
    if (first === NEVER_INDEXED_LITERAL_NAME) return at;
    if (first >= 0x80) {
      at = first === 0xff ? skipInteger(block, at + 1, end) : at + 1;
    } else if (first >= 0x20) {
      return -1;
    } else {
      const index = first & 15;
      at = index === 15 ? skipInteger(block, at + 1, end) : at + 1;
      if (index === 0) at = skipString(block, at, end);
      at = skipString(block, at, end);
    }
    if (at < 0) return -1;
  }
  return at === end ? end : -1;
};

const skipInteger = (block: Buffer, start: number, end: number): number => {
  for (let at = start; at < end; at++) if ((block[at] as number) < 0x80) return at + 1;
  return -1;
};

const skipString = (block: Buffer, start: number, end: number): number => {
  if (start < 0 || start >= end) return -1;
  const length = (block[start] as number) & 127;
  if (length < 127) return start + 1 + length;
  let total = 127;
  for (let at = start + 1, shift = 0; at < end && shift < 28; at++, shift += 7) {
    const octet = block[at] as number;
    total += (octet & 127) << shift;
    if (octet < 0x80) return at + 1 + total;
  }
  return -1;
};
