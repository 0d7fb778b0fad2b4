import { type FieldList, NO_FIELDS } from '../head.ts';
import { isFieldValueIn } from './syntax.ts';

const CRLF = '\r\n';
/** A pattern with a longer text is not kept. */
const MAX_PATTERN_BYTES = 4_096;
const MAX_PATTERNS = 512;
const RECENT = 8;
/** 2^10, and the shift that leaves so many of 32 bits. */
const SEEN = 1_024;
const SLOT_SHIFT = 22;
/** FNV-1a, 32 bits. */
const FNV_PRIME = 16_777_619;

/**
 * What is the same in many heads: their text with holes where the volatile values are.
 * A head whose text fits was checked when the pattern was made; only its volatile values are new.
 */
export class HeadPattern {
  /** The constant text: one piece more than there are volatile fields. */
  readonly pieces: readonly string[];
  /** The names of the volatile fields, each with '' for its value. */
  private readonly blank: FieldList;
  /** It is kept in a cache, so that it is worth while to keep what is derived from it too. */
  kept = false;
  /** Where the value of Content-Length is in the volatile list; -1: there is none. */
  readonly lengthAt: number;
  private readonly constantLength: number;
  /** The head that fitted last, where heads often come again with the same volatile fields, as answers do within a second. */
  private readonly repeats: boolean;
  private last = '';
  private lastVolatile: FieldList = NO_FIELDS;

  constructor(pieces: readonly string[], volatile: FieldList, repeats: boolean) {
    this.pieces = pieces;
    this.repeats = repeats;
    this.constantLength = pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.blank = volatile.map((text, i) => (i % 2 === 0 ? text : ''));
    this.lengthAt = volatile.indexOf('content-length') + 1 || -1;
  }

  /** The volatile fields, when `text` from `at` fits; undefined when it does not. */
  match(text: string, at: number): FieldList | undefined {
    const { pieces, blank, last } = this;
    if (last !== '' && text.slice(at, at + last.length) === last) return this.lastVolatile;
    const first = pieces[0]!;
    let position = at + first.length;
    // A slice is compared faster than `startsWith` does it.
    if (text.slice(at, position) !== first) return undefined;
    if (pieces.length === 1) return NO_FIELDS;
    const volatile = blank.slice();
    for (let i = 1; i < pieces.length; i++) {
      const piece = pieces[i]!;
      const end = text.indexOf(CRLF, position);
      if (end === -1 || !isPlainValue(text, position, end)) return undefined;
      volatile[2 * i - 1] = text.slice(position, end);
      position = end + piece.length;
      if (text.slice(end, position) !== piece) return undefined;
    }
    if (this.repeats) {
      this.last = text.slice(at, position);
      this.lastVolatile = volatile;
    }
    return volatile;
  }

  /** How long the text is that fitted with these volatile values. */
  textLength(volatile: FieldList): number {
    let length = this.constantLength;
    for (let i = 1; i < volatile.length; i += 2) length += volatile[i]!.length;
    return length;
  }
}

/** Whether `text[start…end]` is a field value without white space around it. */
const isPlainValue = (text: string, start: number, end: number): boolean => {
  if (start === end) return true;
  if (text.charCodeAt(start) <= 32 || text.charCodeAt(end - 1) <= 32) return false;
  return isFieldValueIn(text, start, end);
};

/**
 * Patterns of heads. A few are tried one after the other, the others are found by their text once it was taken apart.
 * A pattern is kept from the second time on: to keep those that come once would cost more than to read them. Cleared when full.
 */
export class PatternCache<P extends HeadPattern> {
  /** The volatile fields that the last `find` met. */
  volatile: FieldList = NO_FIELDS;
  private readonly recent: P[] = [];
  private readonly byKey = new Map<string, P>();
  /** Fingerprints of texts that came lately. */
  private readonly seen = new Int32Array(SEEN);

  /** The pattern that `text` fits from `at` on. */
  find(text: string, at: number): P | undefined {
    const { recent } = this;
    for (let i = 0; i < recent.length; i++) {
      const pattern = recent[i]!;
      const volatile = pattern.match(text, at);
      if (volatile === undefined) continue;
      this.volatile = volatile;
      if (i > 0) {
        recent[i] = recent[i - 1]!;
        recent[i - 1] = pattern;
      }
      return pattern;
    }
    return undefined;
  }

  /** The kept pattern with these pieces, or `make()`. */
  intern(pieces: readonly string[], make: () => P): P {
    const key = pieces.length === 1 ? pieces[0]! : pieces.join('\0');
    if (key.length > MAX_PATTERN_BYTES) return make();
    const known = this.byKey.get(key) ?? make();
    if (!known.kept) {
      if (!this.cameBefore(key)) return known;
      known.kept = true;
      if (this.byKey.size >= MAX_PATTERNS) this.byKey.clear();
      this.byKey.set(key, known);
    }
    const { recent } = this;
    if (!recent.includes(known)) {
      if (recent.length === RECENT) recent.pop();
      recent.push(known);
    }
    return known;
  }

  /** Whether this text came not long ago. It may err, in both directions. */
  private cameBefore(key: string): boolean {
    const { seen } = this;
    const step = (key.length >> 9) + 1;
    let hash = key.length;
    for (let i = 0; i < key.length; i += step) hash = Math.imul(hash ^ key.charCodeAt(i), FNV_PRIME);
    const slot = hash >>> SLOT_SHIFT;
    if (seen[slot] === hash) return true;
    seen[slot] = hash;
    return false;
  }

  /** Every pattern that is kept; some may come twice. */
  *all(): Iterable<P> {
    yield* this.recent;
    yield* this.byKey.values();
  }
}
