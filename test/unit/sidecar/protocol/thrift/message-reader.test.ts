import fc from 'fast-check';
import t from 'tap';
import type { ThriftProtocol } from '../../../../../sidecar/protocol/thrift/message-head.ts';
import {
  MessageEnd,
  parseMessageStart,
  type ThriftTransport,
} from '../../../../../sidecar/protocol/thrift/message-reader.ts';
import { randomMessage } from '../../../../support/random-thrift.ts';
import { applicationException, type Protocol, wrap } from '../../../../support/thrift-bytes.ts';

interface Read {
  readonly name: string;
  readonly sequence: number;
  readonly type: number;
  readonly result: string;
  readonly end: number;
}

/** What is read when the bytes come in pieces that end at `cuts`; a text when they break a rule. */
const readInPieces = (
  transport: ThriftTransport,
  protocol: ThriftProtocol,
  bytes: Buffer,
  cuts: readonly number[],
): Read | string => {
  let known: Buffer = Buffer.alloc(0);
  let end: MessageEnd | undefined;
  let at = 0;
  let head: Omit<Read, 'end'> | undefined;
  for (const cut of [...cuts, bytes.length]) {
    if (cut < known.length) continue;
    known = bytes.subarray(0, cut);
    if (end === undefined) {
      const start = parseMessageStart(transport, protocol, known, 0);
      if (typeof start === 'string') return start;
      if (start === undefined) continue;
      end = new MessageEnd(start);
      at = start.messageAt;
      head = { name: start.name, sequence: start.sequence, type: start.type, result: start.result };
    }
    at = end.pass(known, at, known.length);
    if (end.fault !== '') return end.fault;
    if (end.reached) return { ...(head as Omit<Read, 'end'>), end: at };
  }
  return 'more';
};

const PROTOCOLS: readonly Protocol[] = ['binary', 'compact'];
const TRANSPORTS: readonly ThriftTransport[] = ['framed', 'unframed', 'header'];

/** A dice that falls the same way for the same seed. */
const diceOf = (seed: number) => {
  let state = seed >>> 0;
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
};

t.test('messages of any shape are read to their end, however they are cut', t => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.constantFrom(...PROTOCOLS),
      fc.constantFrom(...TRANSPORTS),
      fc.constantFrom(1, 2, 4),
      fc.array(fc.nat(400), { maxLength: 12 }),
      (seed, protocol, transport, type, cuts) => {
        const first = seed % 3 === 0 ? 0 : undefined;
        const message = randomMessage(protocol, diceOf(seed), type, 'Calc:add', 300, first);
        const bytes = wrap({ transport, protocol, headers: { a: 'b' } }, 300, message);
        const more = Buffer.concat([bytes, Buffer.from([0x80, 1, 0])]);
        const whole = readInPieces(transport, protocol, more, []);
        const read = readInPieces(
          transport,
          protocol,
          more,
          cuts.toSorted((a, b) => a - b),
        );
        const empty = message.at(-2) === undefined;
        return (
          !empty &&
          typeof whole === 'object' &&
          whole.end === bytes.length &&
          whole.name === 'Calc:add' &&
          whole.sequence === 300 &&
          whole.type === type &&
          JSON.stringify(read) === JSON.stringify(whole)
        );
      },
    ),
    { numRuns: 400 },
  );
  t.pass();
  t.end();
});

t.test('a mutated message says the same however it is cut', t => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.constantFrom(...PROTOCOLS),
      fc.constantFrom(...TRANSPORTS),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(300), { maxLength: 8 }),
      (seed, protocol, transport, changes, cuts) => {
        const bytes = wrap({ transport, protocol }, 3, randomMessage(protocol, diceOf(seed), 2, 'get', 3, 0));
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        const whole = readInPieces(transport, protocol, bytes, []);
        const sorted = cuts.toSorted((a, b) => a - b);
        t.same(readInPieces(transport, protocol, bytes, sorted), whole, { seed, protocol, transport, changes, cuts });
      },
    ),
    { numRuns: 400 },
  );
  t.end();
});

t.test('JSON messages are read for their method, their outcome and their end', t => {
  const cases = {
    '[1,"add",1,7,{"1":{"i32":3},"2":{"str":"a]}\\"["}}]': { name: 'add', type: 1, sequence: 7, result: 'reply' },
    '[1,"add",2,7,{"0":{"i32":3}}]': { result: 'reply', type: 2 },
    '[1,"add",2,7,{}]': { result: 'reply' },
    '[1,"add",2,7,{"1":{"rec":{}}}]': { result: 'declared' },
    '[1,"add",3,-2,{"1":{"str":"x"}}]': { result: 'exception', sequence: -2 },
  };
  for (const [text, expected] of Object.entries(cases)) {
    const bytes = Buffer.from(`${text}[1,`);
    const whole = readInPieces('unframed', 'json', bytes, []);
    t.match(whole, { ...expected, end: text.length }, text);
    const cuts = Array.from({ length: text.length }, (_, i) => i);
    t.same(readInPieces('unframed', 'json', bytes, cuts), whole, `${text} in single bytes`);
  }
  t.equal(readInPieces('unframed', 'json', Buffer.from(`[1,"add",1,7,{"1":${'{'.repeat(90)}`), []), 'thrift_depth');
  t.equal(readInPieces('unframed', 'json', Buffer.from(`[2,"add"${' '.repeat(400)}`), []), 'thrift_version');
  t.end();
});

t.test('an exception of type 1 is an unknown method, wherever its type stands', t => {
  for (const protocol of PROTOCOLS)
    for (const [code, result] of [
      [1, 'unknown_method'],
      [6, 'exception'],
    ] as const) {
      const bytes = applicationException({ transport: 'framed', protocol }, 'x', 1, 'text', code);
      t.match(readInPieces('framed', protocol, bytes, []), { result });
      const long = applicationException({ transport: 'framed', protocol }, 'x', 1, 'y'.repeat(5_000), code);
      t.match(
        readInPieces('framed', protocol, long, [40, 1_200]),
        { result: 'exception' },
        'far away it is not looked for',
      );
    }
  t.end();
});

t.test('bombs are refused before anything is kept', t => {
  const binary = (hex: string): Buffer => Buffer.from(`8001000100000001780000000${hex}`, 'hex');
  const cases: readonly (readonly [ThriftProtocol, Buffer, string])[] = [
    ['binary', binary('1' + '0b00017fffffff'), 'thrift_length'],
    ['binary', binary('1' + '0b0001ffffffff'), 'thrift_length'],
    ['binary', binary('1' + '0f00010c7fffffff'), 'thrift_length'],
    ['binary', binary('1' + '0d00010b0b7fffffff'), 'thrift_length'],
    ['binary', binary('1' + '0f00010a40000000'), 'thrift_length'],
    ['binary', binary('1' + '110001'), 'thrift_type'],
    ['binary', binary(`1${'0c0001'.repeat(80)}`), 'thrift_depth'],
    ['compact', Buffer.from(`822101017818ffffffff7f`, 'hex'), 'thrift_length'],
    ['compact', Buffer.from(`8221010178${'1c'.repeat(80)}`, 'hex'), 'thrift_depth'],
    ['compact', Buffer.from(`822101017819fcffffffff7f`, 'hex'), 'thrift_length'],
    ['compact', Buffer.from(`82210101781f`, 'hex'), 'thrift_type'],
    ['compact', Buffer.from(`8221010178${`05${'ff'.repeat(12)}`}`, 'hex'), 'thrift_length'],
    ['binary', Buffer.from('800100010000000000000001', 'hex'), 'thrift_name'],
    ['binary', Buffer.from('80010001000f000000000001', 'hex'), 'thrift_name'],
    ['binary', Buffer.from('8001000900000001', 'hex'), 'thrift_message_type'],
  ];
  for (const [protocol, bytes, fault] of cases)
    t.equal(readInPieces('unframed', protocol, bytes, []), fault, `${protocol} ${bytes.toString('hex').slice(0, 60)}`);
  for (const length of ['80000000', 'ffffffff', '00000000', '06400001'])
    t.equal(readInPieces('framed', 'binary', Buffer.from(`${length}80010001`, 'hex'), []), 'thrift_length', length);
  t.equal(readInPieces('framed', 'binary', Buffer.from('0000000580010001000000ff', 'hex'), []), 'thrift_truncated');
  t.end();
});

t.test('a THeader is read for its protocol and its headers; transformed payloads are not', t => {
  const bytes = wrap(
    { transport: 'header', protocol: 'compact', headers: { Tenant: 'blue', b: '' } },
    5,
    randomMessage('compact', diceOf(1), 1, 'x', 5),
  );
  const start = parseMessageStart('header', 'binary', bytes, 0);
  t.match(start, { protocol: 'compact', headers: ['Tenant', 'blue', 'b', ''], headerSequenceAt: 8 });
  const transformed = Buffer.from(bytes);
  transformed[15] = 1;
  t.equal(parseMessageStart('header', 'binary', transformed, 0), 'thrift_header');
  const large = Buffer.from(bytes);
  large.writeUInt16BE(0xffff, 12);
  t.equal(parseMessageStart('header', 'binary', large, 0), 'thrift_header');
  const noMagic = Buffer.from(bytes);
  noMagic[5] = 0xfe;
  t.equal(parseMessageStart('header', 'binary', noMagic, 0), 'thrift_header');
  t.end();
});
