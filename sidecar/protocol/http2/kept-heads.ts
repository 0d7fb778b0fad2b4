/**
 * What was derived from a text, kept from the second time that the text is seen: most of what is seen once is never seen again, and whatever
 * hangs on it had better die young. A full table is emptied: simple, and rare. Owned by whoever derives.
 */
export class KeptHeads<Derived> {
  private readonly known = new Map<string, Derived>();
  private readonly seen = new Set<string>();
  private readonly maxEntries: number;

  constructor(maxEntries: number) {
    this.maxEntries = maxEntries;
  }

  get(key: string): Derived | undefined {
    return this.known.get(key);
  }

  /** `key` was looked up and not found; this was derived for it. */
  add(key: string, derived: Derived): void {
    if (this.seen.delete(key)) {
      if (this.known.size >= this.maxEntries) this.known.clear();
      this.known.set(key, derived);
      return;
    }
    if (this.seen.size >= this.maxEntries) this.seen.clear();
    this.seen.add(key);
  }

  clear(): void {
    this.known.clear();
    this.seen.clear();
  }
}
