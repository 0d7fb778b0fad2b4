/** Hessian's calls and replies around the values of hessian.js, which is a codec for values alone. */
import hessian from 'hessian.js';

/** `1/1`: Hessian 1. `1/2`: a call in Hessian 1 that wants its reply in Hessian 2. `2/2`: Hessian 2. */
export const WIRES = ['1/1', '1/2', '2/2'] as const;
export type Wire = (typeof WIRES)[number];

export interface Call {
  readonly method: string;
  readonly args: readonly unknown[];
}

export type Reply =
  | { readonly kind: 'reply'; readonly value: unknown }
  | { readonly kind: 'fault'; readonly code: string; readonly message: string };

/** To begin with: it grows. */
const BYTES = 256;
const values = (version: '1' | '2', list: readonly unknown[]): Buffer => {
  const encoder = version === '1' ? new hessian.EncoderV1({ size: BYTES }) : new hessian.EncoderV2({ size: BYTES });
  for (const value of list) encoder.write(value);
  return encoder.get();
};
const size16 = (length: number): Buffer => Buffer.from([length >> 8, length & 0xff]);
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/** `headers`: of a Hessian 1 call. */
export const hessianCall = (
  wire: Wire,
  method: string,
  args: readonly unknown[] = [],
  headers: Readonly<Record<string, unknown>> = {},
): Buffer => {
  const name = Buffer.from(method);
  if (wire === '2/2')
    return Buffer.concat([latin1('H\x02\0C'), values('2', [method]), values('2', [args.length, ...args])]);
  const heads = Object.entries(headers).map(([key, value]) =>
    Buffer.concat([latin1('H'), size16(key.length), latin1(key), values('1', [value])]),
  );
  const version = wire === '1/1' ? 'c\x01\0' : 'c\x02\0';
  return Buffer.concat([
    latin1(version),
    ...heads,
    latin1('m'),
    size16(method.length),
    name,
    ...(args.length > 0 ? [values('1', args)] : []),
    latin1('z'),
  ]);
};

export const hessianReply = (wire: Wire, value: unknown): Buffer =>
  wire === '1/1'
    ? Buffer.concat([latin1('r\x01\0'), values('1', [value]), latin1('z')])
    : Buffer.concat([latin1('H\x02\0R'), values('2', [value])]);

export const hessianFault = (wire: Wire, code: string, message: string): Buffer =>
  wire === '1/1'
    ? Buffer.concat([latin1('r\x01\0f'), values('1', ['code', code, 'message', message]), latin1('z')])
    : Buffer.concat([latin1('H\x02\0FH'), values('2', ['code', code, 'message', message]), latin1('Z')]);

/** @throws when it is none. */
export const readCall = (bytes: Buffer): Call & { readonly wire: Wire } => {
  if (bytes.latin1Slice(0, 4) === 'H\x02\0C') {
    const decoder = new hessian.DecoderV2(bytes.subarray(4));
    const method = decoder.read() as string;
    const count = decoder.read() as number;
    return { wire: '2/2', method, args: Array.from({ length: count }, () => decoder.read()) };
  }
  if (bytes[0] !== 0x63) throw new Error(`no call: ${bytes.latin1Slice(0, 8)}`);
  let at = 3;
  while (bytes[at] === 0x48) {
    const decoder = new hessian.DecoderV1(bytes.subarray(at + 3 + bytes.readUInt16BE(at + 1)));
    decoder.read();
    at += 3 + bytes.readUInt16BE(at + 1) + decoder.position();
  }
  const length = bytes.readUInt16BE(at + 1);
  const method = bytes.toString('utf8', at + 3, at + 3 + length);
  const rest = bytes.subarray(at + 3 + length);
  const decoder = new hessian.DecoderV1(rest);
  const args: unknown[] = [];
  while (rest[decoder.position()] !== 0x7a) args.push(decoder.read());
  return { wire: bytes[1] === 1 ? '1/1' : '1/2', method, args };
};

/** @throws when it is none. */
export const readReply = (bytes: Buffer): Reply => {
  const start = bytes.latin1Slice(0, 4);
  if (start === 'H\x02\0R') return { kind: 'reply', value: new hessian.DecoderV2(bytes.subarray(4)).read() };
  if (start === 'H\x02\0F') return { kind: 'fault', ...(new hessian.DecoderV2(bytes.subarray(4)).read() as Fault) };
  if (start === 'r\x01\0f') {
    const decoder = new hessian.DecoderV1(bytes.subarray(4));
    const pairs = Array.from({ length: 2 }, () => [decoder.read(), decoder.read()]);
    return { kind: 'fault', ...(Object.fromEntries(pairs) as unknown as Fault) };
  }
  if (start.startsWith('r\x01\0')) return { kind: 'reply', value: new hessian.DecoderV1(bytes.subarray(3)).read() };
  throw new Error(`no reply: ${bytes.latin1Slice(0, 60)}`);
};

interface Fault {
  readonly code: string;
  readonly message: string;
}
