/** Slots of a table that has just been made; a power of two. It doubles whenever it is half full. */
const FIRST_SLOTS = 16;
/** A block is looked for in so many slots at most, however many were made to fall together. */
const MAX_PROBES = 8;
/** Fingerprints of blocks that came lately; a power of two. */
const SEEN = 256;
/** FNV-1a, 32 bits, over words. */
const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 16_777_619;

interface Kept<Derived> {
  readonly hash: number;
  readonly bytes: Uint8Array;
  readonly derived: Derived;
}

/** A copy of `block[start, end)`. */
export const copyOfBytes = (block: Uint8Array, start: number, end: number): Uint8Array =>
  new Uint8Array(block.subarray(start, end));

/** Whether `block[start, end)` is `bytes`. */
export const isSameBytes = (bytes: Uint8Array, block: Uint8Array, start: number, end: number): boolean => {
  const { length } = bytes;
  if (length !== end - start) return false;
  for (let i = 0; i < length; i++) if (bytes[i] !== block[start + i]) return false;
  return true;
};

/** 32 bits that are most likely others for other bytes. */
export const fingerprint = (block: Uint8Array, start: number, end: number): number => {
  let hash = FNV_OFFSET ^ (end - start);
  let i = start;
  for (; i + 3 < end; i += 4) {
    const word = block[i]! | (block[i + 1]! << 8) | (block[i + 2]! << 16) | (block[i + 3]! << 24);
    hash = Math.imul(hash ^ word, FNV_PRIME);
    hash ^= hash >>> 15;
  }
  for (; i < end; i++) hash = Math.imul(hash ^ block[i]!, FNV_PRIME);
  return hash ^ (hash >>> 13);
};

/**
 * What was derived from blocks of bytes, found again by these bytes without making a string of them; kept from the second time that a block is
 * seen, as `KeptHeads` does. A table that is full, or crowded in one place, is emptied: simple, and rare. Owned by a connection's reader of heads.
 */
export class KeptBlocks<Derived> {
  private slots: (Kept<Derived> | undefined)[] = [];
  private size = 0;
  private seen: Int32Array | undefined = undefined;
  private readonly maxEntries: number;
  /** Of the block that was looked for last. */
  private hash = 0;

  constructor(maxEntries: number) {
    this.maxEntries = maxEntries;
  }

  get(block: Uint8Array, start: number, end: number): Derived | undefined {
    const hash = fingerprint(block, start, end);
    this.hash = hash;
    const { slots } = this;
    for (let i = 0; i < MAX_PROBES && i < slots.length; i++) {
      const kept = slots[(hash + i) & (slots.length - 1)];
      if (kept === undefined) return undefined;
      if (kept.hash === hash && isSameBytes(kept.bytes, block, start, end)) return kept.derived;
    }
    return undefined;
  }

  /** The block was looked up just now and not found; this was derived from it. */
  add(block: Uint8Array, start: number, end: number, derived: Derived): void {
    const { hash } = this;
    this.seen ??= new Int32Array(SEEN);
    const at = hash & (SEEN - 1);
    if (this.seen[at] !== hash) {
      this.seen[at] = hash;
      return;
    }
    if (this.size >= this.maxEntries) this.clear();
    if (this.size * 2 >= this.slots.length) this.grow();
    if (!this.place({ hash, bytes: copyOfBytes(block, start, end), derived })) this.clear();
  }

  clear(): void {
    if (this.size > 0) this.slots = [];
    this.size = 0;
  }

  /** What finds no place in the larger table is forgotten. */
  private grow(): void {
    const { slots } = this;
    const length = Math.max(FIRST_SLOTS, slots.length * 2);
    this.slots = Array.from({ length }, () => undefined);
    this.size = 0;
    for (const kept of slots) if (kept !== undefined) this.place(kept);
  }

  /** False: the slots where it would be looked for are taken. */
  private place(kept: Kept<Derived>): boolean {
    const { slots } = this;
    for (let i = 0; i < MAX_PROBES; i++) {
      const slot = (kept.hash + i) & (slots.length - 1);
      if (slots[slot] !== undefined) continue;
      slots[slot] = kept;
      this.size++;
      return true;
    }
    return false;
  }
}
