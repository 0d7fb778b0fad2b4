import fc from 'fast-check';
import t from 'tap';
import { type Envelope, parseEnvelope, replyVersion } from '../../../../../sidecar/protocol/hessian/envelope.ts';
import { hessianCall, WIRES } from '../../../../support/hessian-bytes.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const parse = (text: string): Envelope | string | undefined => parseEnvelope(latin1(text));

t.test('the method of a call is read in every version', t => {
  t.same(parse('c\x01\0m\0\x03addI\0\0\0\x01z'), { version: 1, method: 'add' });
  t.same(parse('c\x02\0m\0\x03addI\0\0\0\x01z'), { version: 2, method: 'add' });
  t.same(parse('H\x02\0C\x03add\x91\x91'), { version: 2, method: 'add' });
  t.same(parse('H\x02\0C0\x03add\x91\x91'), { version: 2, method: 'add' }, 'in the form of middle length');
  t.same(parse('H\x02\0CS\0\x03add\x91\x91'), { version: 2, method: 'add' }, 'in the long form');
  t.same(parse('H\x02\0E\x06Header'), { version: 2, method: '' }, 'in an envelope it is hidden');
  t.same(parseEnvelope(hessianCall('1/1', 'größe')), { version: 1, method: 'größe' }, 'lengths count characters');
  t.same(parseEnvelope(hessianCall('2/2', 'größe')), { version: 2, method: 'größe' });
  t.end();
});

t.test('headers of a call are passed over, whatever their values are', t => {
  const headers = {
    text: 'héllo',
    number: 1,
    long: 2 ** 40,
    half: 0.5,
    nothing: null,
    yes: true,
    when: new Date(0),
    bytes: Buffer.from('czmH'),
    list: ['c', ['m']],
    map: { H: { m: 'add' } },
  };
  for (const wire of ['1/1', '1/2'] as const)
    t.match(parseEnvelope(hessianCall(wire, 'add', [1], headers)), { method: 'add' }, wire);
  t.same(parse('c\x01\0H\0\x01as\0\x01xS\0\x01ym\0\x01a'), { version: 1, method: 'a' }, 'a text in pieces');
  t.same(parse('c\x01\0H\0\x01ab\0\x01xB\0\x01ym\0\x01a'), { version: 1, method: 'a' }, 'bytes in pieces');
  t.same(parse('c\x01\0H\0\x01aMt\0\x01TS\0\x01kR\0\0\0\x01zm\0\x01a'), { version: 1, method: 'a' }, 'with a type');
  t.end();
});

t.test('what breaks the rules is told as soon as it shows', t => {
  const cases: Readonly<Record<string, string>> = {
    GET: 'hessian_magic',
    '{': 'hessian_magic',
    'count=1': 'hessian_magic',
    'c\x03\0m': 'hessian_magic',
    'H\x01\0C': 'hessian_magic',
    'H\x02\0R': 'hessian_magic',
    'c\x01\0r': 'hessian_magic',
    'c\x01\0m\0\0z': 'hessian_name',
    'c\x01\0m\xff\xff': 'hessian_name',
    'c\x01\0m\0\x02\xff\xff': 'hessian_name',
    'H\x02\0C\0': 'hessian_name',
    'H\x02\0C3\xff': 'hessian_name',
    'H\x02\0CR\0\x01a\x01b': 'hessian_name',
    'H\x02\0C\x91': 'hessian_name',
    'c\x01\0H\0\x01\xff': 'hessian_header',
    'c\x01\0H\0\x01xz': 'hessian_header',
    'c\x01\0H\0\x01xt\0\0': 'hessian_header',
    'c\x01\0H\0\x01xl': 'hessian_header',
    'c\x01\0H\0\x01x\x91': 'hessian_header',
    'c\x01\0H\0\x01xS\0\x01\x80': 'hessian_header',
    'c\x01\0H\0\x01xVt\0\x01\x80': 'hessian_header',
    [`c\x01\0H\0\x01x${'M'.repeat(65)}`]: 'hessian_depth',
    [`c\x01\0H\0\x01xS\xff\xff${'y'.repeat(9_000)}`]: 'hessian_too_long',
    [`c\x01\0${'H\0\x01xN'.repeat(2_000)}`]: 'hessian_too_long',
  };
  for (const [text, fault] of Object.entries(cases)) t.equal(parse(text), fault, JSON.stringify(text.slice(0, 20)));
  t.same(parse(`c\x01\0H\0\x01x${'V'.repeat(64)}${'z'.repeat(64)}m\0\x01a`), { version: 1, method: 'a' });
  t.end();
});

t.test('any split of a call gives the same, and nothing before the name is whole', t => {
  const name = fc.string({ minLength: 1, maxLength: 255, unit: fc.constantFrom('a', 'Z', '_', '9', 'é', '€') });
  const headers = fc.dictionary(fc.constantFrom('a', 'bc'), fc.oneof(fc.string(), fc.integer(), fc.constant(null)));
  fc.assert(
    fc.property(fc.constantFrom(...WIRES), name, headers, (wire, method, heads) => {
      const bytes = hessianCall(wire, method, [], wire === '2/2' ? {} : heads);
      const whole = parseEnvelope(bytes);
      if (typeof whole !== 'object' || whole.method !== method) return false;
      let known: Envelope | string | undefined;
      for (let end = 0; end <= bytes.length; end++) {
        const part = parseEnvelope(bytes.subarray(0, end));
        if (part === undefined && known === undefined) continue;
        known ??= part;
        if (JSON.stringify(part) !== JSON.stringify(whole)) return false;
      }
      return known !== undefined;
    }),
    { numRuns: 60 },
  );
  t.end();
});

t.test('any bytes give a call, a fault or a wish for more, and a fault stays one whatever follows', t => {
  const start = fc.constantFrom('', 'c\x01\0', 'c\x02\0', 'c\x01\0H\0\x01x', 'c\x01\0m', 'H\x02\0C');
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 20 }), (first, rest, more) => {
      const bytes = Buffer.concat([latin1(first), rest]);
      const parsed = parseEnvelope(bytes);
      const longer = parseEnvelope(Buffer.concat([bytes, more]));
      return parsed === undefined || JSON.stringify(longer) === JSON.stringify(parsed);
    }),
    { numRuns: 2_000 },
  );
  t.end();
});

t.test('the version of the reply that a caller reads shows in its first bytes', t => {
  t.equal(replyVersion(latin1('c\x01\0?')), 1);
  t.equal(replyVersion(latin1('c\x02\0?')), 2);
  t.equal(replyVersion(latin1('H\x02\0?')), 2);
  t.equal(replyVersion(latin1('')), 2);
  t.end();
});
