/**
 * Mutated Hessian calls and replies: `node test/fuzz/hessian.ts [--count 100000] [--seed N]`. Prints the seed.
 * However a body is cut, the method that is read is the same, and so is the fault; nothing throws, what goes on is what came, nothing that waits is
 * larger than an envelope and the piece that completes it, and all that was counted as buffered is released. Replies pass unchanged and count alike.
 */
import { ok, strictEqual } from 'node:assert';
import { parseArgs } from 'node:util';
import { manualClock } from '../../common/clock.ts';
import { seededRandom } from '../../common/random.ts';
import { Fields, NO_FIELDS, RequestHead, ResponseHead } from '../../sidecar/protocol/head.ts';
import { HessianHeads } from '../../sidecar/protocol/hessian/call-heads.ts';
import { HessianServerCall } from '../../sidecar/protocol/hessian/serve.ts';
import type { Downstream } from '../../sidecar/protocol/stream.ts';
import { hessianCall, hessianFault, hessianReply, WIRES } from '../support/hessian-bytes.ts';

const MAX_ENVELOPE_BYTES = 8_192;
const SAID = new RequestHead('POST', 'http', 'a', '/', new Fields(['content-type', 'x-application/hessian']));
const UNSAID = new RequestHead('POST', 'http', 'a', '/', new Fields(NO_FIELDS));
const OK = new ResponseHead(200, new Fields(NO_FIELDS));
const CALL = hessianCall('2/2', 'get');

/** What becomes of a request in these pieces, and of a reply in those. */
const exchange = (head: RequestHead, request: readonly Buffer[], reply: readonly Buffer[]): string => {
  let method: string | undefined;
  let fault = '';
  let held = 0;
  let sent = '';
  let answered = '';
  let toApp: Downstream | undefined;
  const sink = {
    status: 0,
    requestData: (chunk: Buffer): void => {
      sent += chunk.toString('hex');
    },
    requestTrailers: () => {},
    requestReset: () => {},
    responseConsumed: () => {},
  };
  const clock = manualClock();
  const call = new HessianServerCall(
    {
      sendInformational: () => {},
      sendHead: () => {},
      sendData: chunk => {
        answered += chunk.toString('hex');
      },
      sendTrailers: () => {},
      reset: () => {},
      requestConsumed: () => {},
    },
    head,
    NO_FIELDS,
    {
      answersFaults: true,
      heads: new HessianHeads(),
      account: {
        hold: bytes => {
          held += bytes;
          ok(held - bytes <= MAX_ENVELOPE_BYTES, `${held} bytes were held`);
        },
        release: bytes => {
          held -= bytes;
        },
        roomToGrow: true,
      },
      clock,
      begin: (downstream, begun) => {
        method = begun.rpcMethod ?? 'plain';
        toApp = downstream;
        return sink;
      },
      refuse: (_downstream, _head, _volatile, error) => {
        fault = error.detail;
      },
    },
  );
  for (const [i, piece] of request.entries()) call.requestData(piece, i === request.length - 1);
  ok(method !== undefined || fault !== '', 'it is known what it is');
  strictEqual(held, 0, 'everything is released');
  strictEqual(clock.pending, 0, 'no timer is left');
  if (toApp !== undefined) {
    strictEqual(sent, Buffer.concat(request).toString('hex'), 'the call goes on unchanged');
    toApp.sendHead(OK, NO_FIELDS, false);
    for (const [i, piece] of reply.entries()) toApp.sendData(piece, i === reply.length - 1);
    strictEqual(answered, Buffer.concat(reply).toString('hex'), 'the reply goes on unchanged');
  }
  return `${method} ${fault} ${sink.status}`;
};

/** Runs `count` calls. Throws an AssertionError for the one that fails. */
export const fuzzHessian = (count: number, seed: number): Readonly<Record<string, number>> => {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const oneOf = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const cut = (bytes: Buffer): readonly Buffer[] => {
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + below(below(3) === 0 ? 3 : bytes.length);
      pieces.push(bytes.subarray(at, at + size));
      at += size;
    }
    return pieces;
  };
  const mutate = (bytes: Buffer): Buffer => {
    const out = Buffer.from(bytes);
    for (let i = below(4); i > 0; i--) out[below(below(2) === 0 ? Math.min(24, out.length) : out.length)] = below(256);
    return below(10) === 0 ? out.subarray(0, 1 + below(out.length - 1)) : out;
  };
  const value = (depth: number): unknown => {
    const kind = below(depth === 0 ? 5 : 7);
    if (kind === 5) return Array.from({ length: below(4) }, () => value(depth - 1));
    if (kind === 6) return { H: value(depth - 1), m: value(depth - 1) };
    return [null, true, below(1_000_000), 'm\0é'.repeat(below(20)), Buffer.alloc(below(40))][kind];
  };
  /** Prefixes that go deep, and texts that never end. */
  const bomb = (): Buffer =>
    Buffer.from(
      `c\x01\0H\0\x01x${oneOf(['M', 'V', 'S\xff\xff', 's\0\x01x', 'B\x20\0'])}`.padEnd(
        1 + below(20_000),
        oneOf(['V', 'M', 'S\0', '\xff', 'x']),
      ),
      'latin1',
    );
  const outcomes: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const wire = oneOf(WIRES);
    const headers = wire === '2/2' || below(2) === 0 ? {} : { trace: value(3), other: value(1) };
    const request = below(20) === 0 ? bomb() : mutate(hessianCall(wire, 'transfer', [value(2)], headers));
    const head = below(3) === 0 ? UNSAID : SAID;
    const whole = exchange(head, [request], []);
    strictEqual(exchange(head, cut(request), []), whole, request.toString('hex'));
    const said = mutate(
      below(2) === 0
        ? hessianReply(wire, value(2))
        : hessianFault(wire, oneOf(['ServiceException', 'NoSuchMethodException']), 'x'.repeat(below(2_000))),
    );
    const answer = exchange(SAID, [CALL], [said]);
    strictEqual(exchange(SAID, [CALL], cut(said)), answer, said.toString('hex'));
    for (const outcome of [whole.startsWith('undefined') ? 'refused' : 'read', answer.slice(-3)])
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  return outcomes;
};

if (import.meta.main) {
  const { values } = parseArgs({ options: { count: { type: 'string' }, seed: { type: 'string' } } });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const count = Number(values.count ?? 100_000);
  console.log(`seed ${seed}`);
  console.log(`${count} calls and replies: ${JSON.stringify(fuzzHessian(count, seed))}`);
}
