/**
 * Huffman decoding, RFC 7541 §5.2 and appendix B. The code is canonical: the lengths alone define it, codes being given in the order
 * of (length, symbol). We never encode with it: CPU costs more than the bytes that it saves between neighbours.
 */

/** Code length in bits of each octet, and of EOS (256). */
// biome-ignore format: a table of 257 numbers
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];
const EOS = 256;

/** A state is a node of the code tree; from each, four more bits lead to another one and emit at most one octet. */
interface Automaton {
  /** `state * 16 + nibble` → next state, or FAIL. */
  readonly next: Uint16Array;
  /** The octet emitted on the way, or NOTHING. */
  readonly emit: Uint16Array;
  /** The input may end here: at most seven bits since the last symbol, all ones. */
  readonly mayEnd: Uint8Array;
}

const FAIL = 0xffff;
const NOTHING = 0xffff;

const buildAutomaton = (): Automaton => {
  // The tree: children of inner nodes; a negative child is a leaf, -1 - symbol.
  const children: [number, number][] = [[0, 0]];
  const order = LENGTHS.map((_, symbol) => symbol).sort((a, b) => LENGTHS[a]! - LENGTHS[b]! || a - b);
  let code = 0;
  let length = 0;
  for (const symbol of order) {
    code *= 2 ** (LENGTHS[symbol]! - length);
    length = LENGTHS[symbol]!;
    let node = 0;
    for (let bit = length - 1; bit >= 0; bit--) {
      const side = Math.floor(code / 2 ** bit) % 2 === 1 ? 1 : 0;
      if (bit === 0) children[node]![side] = -1 - symbol;
      else {
        if (children[node]![side] === 0) children[node]![side] = children.push([0, 0]) - 1;
        node = children[node]![side];
      }
    }
    code++;
  }
  const next = new Uint16Array(children.length * 16).fill(FAIL);
  const emit = new Uint16Array(children.length * 16).fill(NOTHING);
  for (let state = 0; state < children.length; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state;
      for (let bit = 3; bit >= 0 && node >= 0; bit--) {
        const child = children[node]![((nibble >> bit) & 1) as 0 | 1];
        if (child >= 0) node = child;
        else if (child === -1 - EOS) node = -1;
        else {
          emit[state * 16 + nibble] = -1 - child;
          node = 0;
        }
      }
      if (node >= 0) next[state * 16 + nibble] = node;
    }
  }
  const mayEnd = new Uint8Array(children.length);
  for (let bits = 0, node = 0; bits < 8; bits++, node = children[node]![1]) mayEnd[node] = 1;
  return { next, emit, mayEnd };
};

const { next, emit, mayEnd } = buildAutomaton();

/** Decodes `input[start, end)`, by way of `scratch` when it is large enough; undefined when it is not valid (EOS inside, or padding that is not a short run of ones). */
export const decodeHuffman = (input: Buffer, start: number, end: number, scratch: Buffer): string | undefined => {
  // The shortest code has five bits, so this bounds the result before anything is allocated.
  const bound = Math.floor(((end - start) * 8) / 5);
  const out = bound <= scratch.length ? scratch : Buffer.allocUnsafe(bound);
  let size = 0;
  let state = 0;
  for (let at = start; at < end; at++) {
    const octet = input[at] as number;
    for (let shift = 4; shift >= 0; shift -= 4) {
      const key = state * 16 + ((octet >> shift) & 15);
      state = next[key] as number;
      if (state === FAIL) return undefined;
      const symbol = emit[key] as number;
      if (symbol !== NOTHING) out[size++] = symbol;
    }
  }
  return mayEnd[state] === 1 ? out.latin1Slice(0, size) : undefined;
};
