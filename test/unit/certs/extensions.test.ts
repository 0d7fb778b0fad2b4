import t from 'tap';
import * as asn1 from '../../../certs/asn1.ts';
import * as extensions from '../../../certs/extensions.ts';

t.test('key usage is written with as many bits as it has, and read back', t => {
  t.equal(extensions.keyUsage(['digitalSignature']).value.toString('hex'), '03020780');
  t.equal(extensions.keyUsage(['keyCertSign', 'cRLSign']).value.toString('hex'), '03020106');
  t.equal(extensions.keyUsage([]).value.toString('hex'), '030100');
  for (const usages of [[], ['digitalSignature'], ['digitalSignature', 'keyCertSign', 'cRLSign']] as const) {
    t.same([...extensions.readKeyUsage(extensions.keyUsage(usages).value)!], usages);
  }
  t.end();
});

t.test('alternative names are written by kind, and read as URIs and others', t => {
  const value = extensions.subjectAltName(
    { uris: ['spiffe://mesh.local/a'], dnsNames: ['web'], ipAddresses: ['10.0.0.1', '::1'] },
    true,
  ).value;
  t.same(extensions.readSubjectAltName(value), { uris: ['spiffe://mesh.local/a'], others: 3 });
  const names = asn1.children(asn1.fromDer(value));
  t.same(names.map(asn1.contextTag), [6, 2, 7, 7]);
  t.same(asn1.content(names[2]), Buffer.of(10, 0, 0, 1));
  t.end();
});

t.test('IPv6 addresses are sixteen bytes, however they are written', t => {
  const cases = {
    '::': '0'.repeat(32),
    '::1': `${'0'.repeat(31)}1`,
    'fe80::1:2': 'fe800000000000000000000000010002',
    '2001:db8:1:2:3:4:5:6': '20010db8000100020003000400050006',
    '2001:DB8::': '20010db8000000000000000000000000',
    '::ffff:10.1.2.3': '00000000000000000000ffff0a010203',
  };
  for (const [address, hex] of Object.entries(cases)) {
    const [name] = asn1.children(
      asn1.fromDer(extensions.subjectAltName({ uris: [], ipAddresses: [address] }, false).value),
    );
    t.equal(asn1.content(name).toString('hex'), hex, address);
  }
  t.end();
});

t.test('a list of extensions is read with its criticality', t => {
  const [first, second] = [extensions.basicConstraints(true), extensions.extendedKeyUsage([extensions.OID.clientAuth])];
  const list = asn1.sequence(extensions.encodeExtension(first), extensions.encodeExtension(second));
  const read = extensions.readExtensions(list)!;
  t.same([...read.values()], [first, second]);
  t.same(extensions.readExtendedKeyUsage(second.value), [extensions.OID.clientAuth]);
  t.end();
});

t.test('a list that names an extension twice, or is malformed, is refused', t => {
  const one = extensions.encodeExtension(extensions.basicConstraints(true));
  t.equal(extensions.readExtensions(asn1.sequence(one, one)), undefined);
  t.equal(extensions.readExtensions(asn1.sequence(asn1.sequence(asn1.oid('2.5.29.17')))), undefined);
  t.equal(extensions.readExtensions(asn1.sequence(asn1.sequence(asn1.octets(Buffer.of(1))))), undefined);
  t.end();
});

t.test('a value of the wrong form is refused', t => {
  const wrong = Buffer.from('0500', 'hex');
  t.equal(extensions.readSubjectAltName(wrong), undefined);
  t.equal(extensions.readKeyUsage(wrong), undefined);
  t.equal(extensions.readExtendedKeyUsage(wrong), undefined);
  t.end();
});
