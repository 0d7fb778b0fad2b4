/** A power of two. */
const SLOTS = 64;
/** Longer names are rare, and comparing them costs as much as making them. */
const MAX_NAME_BYTES = 32;

/**
 * The literal names of a connection: the same bytes give the same string, without a call into the runtime, and with its hash already known
 * to every Map and Set that it meets. One name a slot; another one that falls there takes its place. Owned by the connection's decoder.
 */
export class LiteralNames {
  private readonly slots: string[] = Array.from({ length: SLOTS }, () => '');

  /** The text of `block[start, end)`. */
  read(block: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length === 0 || length > MAX_NAME_BYTES) return block.latin1Slice(start, end);
    const first = block[start] as number;
    const last = block[end - 1] as number;
    const slot = (first * 7 + last * 3 + length) & (SLOTS - 1);
    const known = this.slots[slot] as string;
    if (known.length === length && isSame(known, block, start)) return known;
    const name = block.latin1Slice(start, end);
    this.slots[slot] = name;
    return name;
  }
}

const isSame = (text: string, block: Buffer, start: number): boolean => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== block[start + i]) return false;
  return true;
};
