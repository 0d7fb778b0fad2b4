import { type FieldList, NO_FIELDS, VOLATILE } from '../head.ts';
import { isReserved } from '../reserved-fields.ts';
import { fieldProblem, isFieldValue } from './check-fields.ts';
import type { HpackDecoder } from './hpack/decoder.ts';
import { findVolatileTail } from './hpack/volatile-tail.ts';
import { copyOfBytes, fingerprint, isSameBytes, KeptBlocks } from './kept-blocks.ts';
import { type Allowed, isContentLength } from './sort-fields.ts';

/** Prefixes kept per connection, and the largest that is kept. */
const MAX_ENTRIES = 500;
const MAX_KEY_BYTES = 4_096;

/**
 * Why a block is no head. `compression`: the connection is lost (RFC 9113 §4.3). The others concern the stream alone.
 */
export interface HeadProblem {
  readonly kind: 'compression' | 'malformed' | 'too_large';
  readonly detail: string;
}

/** How a decoded list becomes a head. */
export interface HeadBuilder<Head> {
  /** Which reserved names are taken. */
  readonly allowed: Allowed;
  /** A head often comes with the same volatile fields again, as answers do with their length and the second that it is. */
  readonly tailsRepeat: boolean;
  /** The head, its volatile fields added to `volatile`; or what is wrong, and then `volatile` means nothing. */
  build(list: readonly string[], volatile: string[]): Head | string;
}

/** A prefix that was read before. */
interface Known<Head> {
  readonly list: readonly string[];
  readonly head: Head | string;
  readonly volatile: FieldList;
  /** The tail that came last behind it, where tails repeat themselves. */
  readonly tail: KnownTail | undefined;
}

/** A volatile tail. Its bytes are kept from the second time that it comes. */
interface KnownTail {
  hash: number;
  bytes: Uint8Array;
  list: FieldList;
}

/**
 * Decodes the heads of one connection, the same bytes to the same object from the second time on. A block is a stable prefix and a volatile tail; the prefix is looked
 * up by its bytes, which mean the same as long as the dynamic table stands still. Every block goes through the decoder exactly once, whatever is
 * wrong with it, so that the table stays in step with the peer's. Owned by its connection.
 */
export class HeadReader<Head> {
  head: Head | undefined = undefined;
  volatile: FieldList = NO_FIELDS;
  private readonly decoder: HpackDecoder;
  private readonly builder: HeadBuilder<Head>;
  private readonly byPrefix = new KeptBlocks<Known<Head>>(MAX_ENTRIES);
  private epoch = 0;

  constructor(decoder: HpackDecoder, builder: HeadBuilder<Head>) {
    this.decoder = decoder;
    this.builder = builder;
  }

  /** Reads a block; the result is in `head` and `volatile`. */
  read(block: Buffer, start: number, end: number): HeadProblem | undefined {
    if (this.epoch !== this.decoder.epoch) {
      this.byPrefix.clear();
      this.epoch = this.decoder.epoch;
    }
    const split = findVolatileTail(block, start, end);
    if (split < 0 || split - start > MAX_KEY_BYTES) return this.readWhole(block, start, end);
    const known = this.byPrefix.get(block, start, split);
    if (known === undefined) return this.readNew(block, start, split, end);
    return split === end ? this.take(known) : this.readTail(known, block, split, end);
  }

  private readNew(block: Buffer, start: number, split: number, end: number): HeadProblem | undefined {
    const list: string[] = [];
    const reason = this.decoder.decode(block, start, split, list);
    if (reason !== '') return decodingProblem(reason, this.decoder.decode(block, split, end, []));
    const volatile: string[] = [];
    const head = this.builder.build(list, volatile);
    const known = {
      list,
      head,
      volatile: volatile.length === 0 ? NO_FIELDS : volatile,
      tail: this.builder.tailsRepeat ? { hash: 0, bytes: NOTHING, list: NO_FIELDS } : undefined,
    };
    this.byPrefix.add(block, start, split, known);
    return split === end ? this.take(known) : this.readTail(known, block, split, end);
  }

  private readTail(known: Known<Head>, block: Buffer, split: number, end: number): HeadProblem | undefined {
    const last = known.tail;
    if (last !== undefined && isSameBytes(last.bytes, block, split, end)) {
      this.head = known.head as Head;
      this.volatile = last.list;
      return undefined;
    }
    const tail: string[] = [];
    const reason = this.decoder.decode(block, split, end, tail);
    if (reason !== '') return decodingProblem(reason);
    if (typeof known.head === 'string' || known.volatile.length > 0 || !this.isVolatile(tail))
      return this.build([...known.list, ...tail]);
    if (last !== undefined) keepTail(last, block, split, end, tail);
    this.head = known.head;
    this.volatile = tail;
    return undefined;
  }

  private readWhole(block: Buffer, start: number, end: number): HeadProblem | undefined {
    const list: string[] = [];
    const reason = this.decoder.decode(block, start, end, list);
    return reason === '' ? this.build(list) : decodingProblem(reason);
  }

  private build(list: readonly string[]): HeadProblem | undefined {
    const volatile: string[] = [];
    return this.take({ head: this.builder.build(list, volatile), volatile });
  }

  private take({ head, volatile }: Pick<Known<Head>, 'head' | 'volatile'>): HeadProblem | undefined {
    if (typeof head === 'string') return { kind: 'malformed', detail: head };
    this.head = head;
    this.volatile = volatile.length === 0 ? NO_FIELDS : volatile;
    return undefined;
  }

  /** What stands behind the prefix is volatile fields and nothing else. What is not goes through all checks with the rest of the block. */
  private isVolatile(tail: FieldList): boolean {
    let lengths = 0;
    for (let i = 0; i < tail.length; i += 2) {
      const name = tail[i] as string;
      const value = tail[i + 1] as string;
      if (!VOLATILE.has(name) || !isFieldValue(value)) return false;
      if (isReserved(name) && !this.builder.allowed(name)) return false;
      if (name === 'content-length' && (++lengths > 1 || !isContentLength(value))) return false;
    }
    return true;
  }
}

const NOTHING = new Uint8Array(0);

/** As long as the dynamic table stands still, these bytes mean the same as well. */
const keepTail = (last: KnownTail, block: Buffer, start: number, end: number, list: FieldList): void => {
  const hash = fingerprint(block, start, end);
  if (hash === last.hash) {
    last.bytes = copyOfBytes(block, start, end);
    last.list = list;
  } else last.hash = hash;
};

/** `later`: the reason of another part of the same block, or ''. What loses the connection outweighs the rest. */
const decodingProblem = (reason: string, later = ''): HeadProblem => {
  const worst = reason === 'header_list_too_large' && later !== '' ? later : reason;
  return { kind: worst === 'header_list_too_large' ? 'too_large' : 'compression', detail: worst };
};

/** Fields that would change how a message is framed or where it goes (RFC 9110 §6.5.1): nobody behind us shall merge them into the head. */
const NOT_IN_TRAILERS = new Set(['content-length', 'host', 'te', 'trailer']);

/** Trailers: fields only. Returns the list, or a problem. */
export const readTrailers = (
  decoder: HpackDecoder,
  block: Buffer,
  start: number,
  end: number,
  trusted: boolean,
): FieldList | HeadProblem => {
  const list: string[] = [];
  const reason = decoder.decode(block, start, end, list);
  if (reason !== '') return decodingProblem(reason);
  const kept: string[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] as string;
    const value = list[i + 1] as string;
    const problem = fieldProblem(name, value);
    if (problem !== '') return { kind: 'malformed', detail: problem };
    if ((trusted || !isReserved(name)) && !NOT_IN_TRAILERS.has(name)) kept.push(name, value);
  }
  return kept;
};
