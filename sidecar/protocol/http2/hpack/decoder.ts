import { decodeHuffman } from './huffman.ts';
import { LiteralNames } from './literal-names.ts';
import { STATIC_TABLE } from './static-table.ts';

/** What an entry costs beyond its strings (RFC 7541 §4.1). */
const ENTRY_OVERHEAD = 32;
const STATIC_ENTRIES = STATIC_TABLE.length;
/** Integers above this are refused: nothing here is as large (RFC 7541 §5.1). */
const MAX_INTEGER = 2 ** 28;

/** Room for what a Huffman-coded string of ordinary length decodes to. */
const SCRATCH_BYTES = 256;

export interface HpackLimits {
  /** SETTINGS_HEADER_TABLE_SIZE as we announced it. */
  readonly maxTableBytes: number;
  /** Size of a decoded list, counted as RFC 7541 §4.1 does. */
  readonly maxListBytes: number;
  readonly maxFields: number;
}

interface Entry {
  readonly name: string;
  readonly value: string;
}

/** Thrown inside the decoder only, and turned into a reason. */
class Malformed {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/**
 * HPACK decoding (RFC 7541), one per connection, because the dynamic table is the connection's. The same entry gives the same strings
 * each time. Lengths are checked before anything is allocated.
 */
export class HpackDecoder {
  /** Grows whenever the dynamic table changes: bytes that refer to it mean the same while this stays. */
  epoch = 0;
  private readonly limits: HpackLimits;
  private maxBytes: number;
  /** A ring: the newest entry is at `newest`, older ones before it. */
  private readonly ring: (Entry | undefined)[];
  private newest = 0;
  private count = 0;
  private bytes = 0;
  private readonly scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
  private readonly names = new LiteralNames();
  // The block being read.
  private block: Buffer = EMPTY;
  private at = 0;
  private end = 0;

  constructor(limits: HpackLimits) {
    this.limits = limits;
    this.maxBytes = limits.maxTableBytes;
    this.ring = Array.from({ length: Math.floor(limits.maxTableBytes / ENTRY_OVERHEAD) + 1 }, () => undefined);
  }

  /**
   * Appends the block's fields to `out`: name, value, name, value. Returns '' or why it could not. `header_list_too_large` leaves the table in
   * step, and the connection usable; every other reason is a COMPRESSION_ERROR of the connection.
   */
  decode(block: Buffer, start: number, end: number, out: string[]): string {
    this.block = block;
    this.at = start;
    this.end = end;
    try {
      return this.decodeAll(out);
    } catch (error) {
      if (error instanceof Malformed) return error.reason;
      throw error;
    } finally {
      this.block = EMPTY;
    }
  }

  private decodeAll(out: string[]): string {
    let listBytes = 0;
    let fields = 0;
    let mayResize = true;
    while (this.at < this.end) {
      const first = this.block[this.at] as number;
      if (first >= 0x20 && first < 0x40) {
        if (!mayResize) throw new Malformed('late_table_size');
        this.resize(this.integer(31));
        continue;
      }
      mayResize = false;
      let name: string;
      let value: string;
      if (first >= 0x80) ({ name, value } = this.entry(this.integer(127)));
      else {
        const indexing = first >= 0x40;
        const index = this.integer(indexing ? 63 : 15);
        name = index === 0 ? this.string(true) : this.entry(index).name;
        value = this.string(false);
        if (indexing) this.insert({ name, value });
      }
      listBytes += name.length + value.length + ENTRY_OVERHEAD;
      if (listBytes <= this.limits.maxListBytes && ++fields <= this.limits.maxFields) out.push(name, value);
    }
    return listBytes > this.limits.maxListBytes || fields > this.limits.maxFields ? 'header_list_too_large' : '';
  }

  private entry(index: number): Entry {
    if (index === 0) throw new Malformed('index_zero');
    if (index <= STATIC_ENTRIES) return STATIC_ENTRY[index - 1] as Entry;
    const back = index - STATIC_ENTRIES - 1;
    if (back >= this.count) throw new Malformed('index_out_of_range');
    return this.ring[(this.newest - back + this.ring.length) % this.ring.length] as Entry;
  }

  private insert(entry: Entry): void {
    this.epoch++;
    const size = entry.name.length + entry.value.length + ENTRY_OVERHEAD;
    this.evictTo(this.maxBytes - size);
    // An entry larger than the table empties it, and that is all (RFC 7541 §4.4).
    if (size > this.maxBytes) return;
    this.newest = (this.newest + 1) % this.ring.length;
    this.ring[this.newest] = entry;
    this.count++;
    this.bytes += size;
  }

  private resize(maxBytes: number): void {
    if (maxBytes > this.limits.maxTableBytes) throw new Malformed('table_size');
    this.epoch++;
    this.maxBytes = maxBytes;
    this.evictTo(maxBytes);
  }

  private evictTo(bytes: number): void {
    while (this.count > 0 && this.bytes > bytes) {
      const oldest = (this.newest - this.count + 1 + this.ring.length) % this.ring.length;
      const entry = this.ring[oldest] as Entry;
      this.ring[oldest] = undefined;
      this.count--;
      this.bytes -= entry.name.length + entry.value.length + ENTRY_OVERHEAD;
    }
  }

  /** An integer whose prefix is `mask` wide (RFC 7541 §5.1). */
  private integer(mask: number): number {
    if (this.at >= this.end) throw new Malformed('truncated');
    let value = (this.block[this.at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      if (this.at >= this.end) throw new Malformed('truncated');
      const octet = this.block[this.at++] as number;
      value += (octet & 127) * 2 ** shift;
      if (value > MAX_INTEGER || shift > 28) throw new Malformed('integer_too_large');
      if (octet < 0x80) return value;
    }
  }

  private string(isName: boolean): string {
    if (this.at >= this.end) throw new Malformed('truncated');
    const huffman = (this.block[this.at] as number) >= 0x80;
    const length = this.integer(127);
    const start = this.at;
    if (length > this.end - start) throw new Malformed('truncated');
    this.at = start + length;
    if (!huffman) return isName ? this.names.read(this.block, start, this.at) : this.block.latin1Slice(start, this.at);
    const text = decodeHuffman(this.block, start, this.at, this.scratch);
    if (text === undefined) throw new Malformed('huffman');
    return text;
  }
}

const EMPTY = Buffer.alloc(0);
const STATIC_ENTRY: readonly Entry[] = STATIC_TABLE.map(([name, value]) => ({ name, value }));
