import fc from 'fast-check';
import t from 'tap';
import * as asn1 from '../../../certs/asn1.ts';

t.test('elements are written in DER', t => {
  const cases: [asn1.Asn1, string][] = [
    [asn1.sequence(asn1.boolean(true), asn1.boolean(false)), '30060101ff010100'],
    [asn1.set(), '3100'],
    [asn1.oid('2.5.29.17'), '0603551d11'],
    [asn1.integer(Buffer.of(0, 0xff)), '020200ff'],
    [asn1.utf8('é'), '0c02c3a9'],
    [asn1.octets(Buffer.of(1, 2)), '04020102'],
    [asn1.bits(Buffer.of(0x80), 7), '03020780'],
    [asn1.implicit(6, Buffer.from('a')), '860161'],
    [asn1.explicit(3, asn1.sequence()), 'a3023000'],
    [asn1.time(Date.UTC(2049, 11, 31, 23, 59, 59, 999)), Buffer.from('\x17\x0d491231235959Z').toString('hex')],
    [asn1.time(Date.UTC(2050, 0, 1)), Buffer.from('\x18\x0f20500101000000Z').toString('hex')],
  ];
  for (const [element, hex] of cases) t.equal(asn1.toDer(element).toString('hex'), hex);
  t.end();
});

t.test('elements are read back by kind', t => {
  const element = asn1.fromDer(
    asn1.toDer(
      asn1.sequence(
        asn1.boolean(true),
        asn1.octets(Buffer.of(7)),
        asn1.bits(Buffer.of(0x30, 0)),
        asn1.oid('2.5.29.17'),
        asn1.implicit(6, Buffer.from('x')),
      ),
    ),
  );
  const [flag, bytes, bits, oid, tagged] = asn1.children(element);
  t.ok(asn1.isSequence(element) && asn1.isBoolean(flag) && asn1.isOctets(bytes) && asn1.isBits(bits));
  t.notOk(asn1.isBoolean(bytes) || asn1.isOctets(undefined));
  t.same(asn1.content(bytes), Buffer.of(7));
  t.same(asn1.content(bits), Buffer.of(0, 0x30, 0), 'what looks like an element inside a bit string stays bits');
  t.equal(asn1.readOid(oid), '2.5.29.17');
  t.equal(asn1.readOid(bytes), '');
  t.equal(asn1.contextTag(tagged!), 6);
  t.equal(asn1.contextTag(bytes!), -1);
  t.same(asn1.children(bytes), []);
  t.same(asn1.content(element), Buffer.alloc(0));
  t.end();
});

t.test('what is not DER to the last byte is refused', t => {
  for (const hex of [
    '',
    '30',
    '3005',
    '3003010',
    '300301010001',
    '0500ff',
    '3080010100',
    '30800101ff0000',
    '308103010100',
    '24040402abcd00',
  ]) {
    t.equal(asn1.fromDer(Buffer.from(hex, 'hex')), undefined, hex);
  }
  t.equal(asn1.fromDer(Buffer.from(`${'3002'.repeat(100)}0500`, 'hex')), undefined);
  t.end();
});

t.test('nesting has a limit', t => {
  let element = asn1.sequence();
  for (let depth = 0; depth < 20; depth++) element = asn1.sequence(element);
  t.equal(asn1.fromDer(asn1.toDer(element)), undefined);
  t.end();
});

t.test('no bytes make the reader throw, and what it reads it writes the same', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), bytes => {
      const element = asn1.fromDer(bytes);
      if (element !== undefined) t.same(asn1.toDer(element), Buffer.from(bytes));
    }),
    { numRuns: 2_000 },
  );
  t.end();
});
