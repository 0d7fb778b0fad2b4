/**
 * Mutated header blocks against HPACK: `node test/fuzz/hpack.ts [--count 100000] [--seed N]`. Prints the seed.
 * The decoder must never throw and never keep more than its limits; a head reader, which remembers what it has read, must find in each block what
 * a decoder without memory finds, block after block of one connection; and what is found must come back the same when encoded again.
 */
import { deepStrictEqual, ok, strictEqual } from 'node:assert';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../common/random.ts';
import { type HeadBuilder, HeadReader } from '../../sidecar/protocol/http2/decode-head.ts';
import { encodeVolatile } from '../../sidecar/protocol/http2/encode-head.ts';
import { HpackDecoder } from '../../sidecar/protocol/http2/hpack/decoder.ts';
import { encodeFields } from '../../sidecar/protocol/http2/hpack/encoder.ts';
import { findVolatileTail } from '../../sidecar/protocol/http2/hpack/volatile-tail.ts';

const LIMITS = { maxTableBytes: 512, maxListBytes: 4_096, maxFields: 30 };
const NAMES = ['x', 'accept', ':path', 'traceparent', 'content-length', 'date', 'cookie', 'y'.repeat(130)];
const VALUES = ['', '/', '1', 'hello', 'z'.repeat(150), '\xff', 'a b'];

/** A head is its list: nothing is checked and nothing sorted. */
const asList: HeadBuilder<{ readonly list: readonly string[] }> = {
  allowed: () => true,
  tailsRepeat: true,
  build: list => ({ list }),
};

/** Runs `count` blocks. Throws an AssertionError for the block that fails. */
export const fuzzHpack = (count: number, seed: number): { readonly read: number; readonly refused: number } => {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const text = (value: string): Buffer => {
    const length = value.length < 127 ? [value.length] : [127, value.length - 127];
    return Buffer.concat([Buffer.from(length), Buffer.from(value, 'latin1')]);
  };
  const field = (): Buffer => {
    switch (below(8)) {
      case 0:
        return Buffer.from([0x80 + 1 + below(70)]);
      case 1:
        return Buffer.concat([Buffer.from([0x40]), text(pick(NAMES)), text(pick(VALUES))]);
      case 2:
        return Buffer.concat([Buffer.from([0x40 + 1 + below(62)]), text(pick(VALUES))]);
      case 3: {
        const out = Buffer.alloc(400);
        return out.subarray(0, encodeVolatile(out, 0, [pick(NAMES), pick(VALUES)]));
      }
      case 4:
        return Buffer.concat([Buffer.from([1 + below(14)]), text(pick(VALUES))]);
      case 5:
        return Buffer.concat([Buffer.from([0x10 + 1 + below(14)]), text(pick(VALUES))]);
      default:
        return encodeFields([pick(NAMES), pick(VALUES)]);
    }
  };
  const mutate = (bytes: Buffer): Buffer => {
    const at = below(bytes.length + 1);
    if (random() < 0.4) return bytes.subarray(0, at);
    const out = Buffer.from(bytes);
    if (at < out.length) out[at] = below(256);
    return out;
  };
  const recent: Buffer[] = [Buffer.alloc(0)];
  const make = (): Buffer => {
    if (random() < 0.4) return pick(recent);
    const parts: Buffer[] = random() < 0.1 ? [Buffer.from([0x20 + below(31)])] : [];
    for (let n = below(8); n > 0; n--) parts.push(field());
    const bytes = Buffer.concat(parts);
    recent[below(Math.min(20, recent.length + 1))] = bytes;
    return random() < 0.1 ? mutate(bytes) : bytes;
  };

  let read = 0;
  let refused = 0;
  let plain = new HpackDecoder(LIMITS);
  let reader = new HeadReader(new HpackDecoder(LIMITS), asList);
  for (let i = 0; i < count; i++) {
    const bytes = make();
    const shown = bytes.toString('hex');
    const list: string[] = [];
    const reason = plain.decode(bytes, 0, bytes.length, list);
    ok(list.length <= 2 * LIMITS.maxFields, shown);
    ok(list.join('').length <= LIMITS.maxListBytes, shown);
    const split = findVolatileTail(bytes, 0, bytes.length);
    ok(split >= -1 && split <= bytes.length, shown);
    const problem = reader.read(bytes, 0, bytes.length);
    if (reason === '' || reason === 'header_list_too_large') {
      // Prefix and tail are measured one by one, so the reader may take a little more.
      if (reason === '') strictEqual(problem, undefined, shown);
      else ok(problem === undefined || problem.kind === 'too_large', shown);
    } else strictEqual(problem?.kind, 'compression', shown);
    if (reason !== '') {
      refused++;
      if (reason !== 'header_list_too_large') {
        // A connection error: both begin anew.
        plain = new HpackDecoder(LIMITS);
        reader = new HeadReader(new HpackDecoder(LIMITS), asList);
      }
      continue;
    }
    read++;
    const found = [...(reader.head?.list ?? [])];
    const behind = found.length < list.length ? reader.volatile : [];
    deepStrictEqual([...found, ...behind], list, shown);
    const again: string[] = [];
    const encoded = encodeFields(list);
    strictEqual(new HpackDecoder(LIMITS).decode(encoded, 0, encoded.length, again), '', shown);
    deepStrictEqual(again, list, shown);
  }
  return { read, refused };
};

if (import.meta.main) {
  const { values } = parseArgs({ options: { count: { type: 'string', default: '100000' }, seed: { type: 'string' } } });
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  console.log(`seed ${seed}`);
  const started = performance.now();
  const { read, refused } = fuzzHpack(Number(values.count), seed);
  const ms = Math.round(performance.now() - started);
  console.log(`${values.count} blocks, ${read} read, ${refused} refused, ${ms} ms`);
}
