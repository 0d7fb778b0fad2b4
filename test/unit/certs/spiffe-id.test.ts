import fc from 'fast-check';
import t from 'tap';
import { createWorkloadId, MAX_ID_BYTES, parseSpiffeId, parseTrustDomain } from '../../../certs/spiffe-id.ts';

const reasonOf = (text: string): string => {
  const result = parseSpiffeId(text);
  return 'reason' in result ? result.reason : result.uri;
};

t.test('an id of a workload is taken apart', t => {
  t.same(parseSpiffeId('spiffe://mesh.local/ns/shop/sa/web'), {
    uri: 'spiffe://mesh.local/ns/shop/sa/web',
    trustDomain: 'mesh.local',
    path: '/ns/shop/sa/web',
    namespace: 'shop',
    serviceAccount: 'web',
  });
  t.end();
});

t.test('an id of another form is an id without namespace and service account', t => {
  for (const path of [
    '/batch',
    '/ns/shop',
    '/ns/shop/sa',
    '/ns/shop/sa/web/more',
    '/sa/web/ns/shop',
    '/NS/shop/SA/web',
  ]) {
    t.match(parseSpiffeId(`spiffe://mesh.local${path}`), { path, namespace: '', serviceAccount: '' });
  }
  t.match(parseSpiffeId('spiffe://mesh.local'), { path: '', trustDomain: 'mesh.local' });
  t.end();
});

t.test('scheme and trust domain are the same in capitals, the path is not', t => {
  t.equal(reasonOf('SPIFFE://Mesh.Local/ns/Shop/sa/Web'), 'spiffe://mesh.local/ns/Shop/sa/Web');
  t.end();
});

t.test('what is no id is refused with the reason', t => {
  const cases: [string, string][] = [
    ['', 'spiffe_id_scheme'],
    ['spiffe:/mesh.local/a', 'spiffe_id_scheme'],
    ['https://mesh.local/a', 'spiffe_id_scheme'],
    [' spiffe://mesh.local/a', 'spiffe_id_scheme'],
    ['spiffe://', 'spiffe_id_trust_domain'],
    ['spiffe:///a', 'spiffe_id_trust_domain'],
    ['spiffe://mesh local/a', 'spiffe_id_trust_domain'],
    ['spiffe://mesh%2elocal/a', 'spiffe_id_trust_domain'],
    ['spiffe://m\u00e9sh.local/a', 'spiffe_id_trust_domain'],
    // The Kelvin sign becomes an ASCII k in lower case.
    ['spiffe://\u212aube.local/a', 'spiffe_id_trust_domain'],
    [`spiffe://${'a'.repeat(256)}/a`, 'spiffe_id_trust_domain'],
    ['spiffe://root@mesh.local/a', 'spiffe_id_authority'],
    ['spiffe://mesh.local:443/a', 'spiffe_id_authority'],
    ['spiffe://[::1]/a', 'spiffe_id_authority'],
    ['spiffe://mesh.local/a?b', 'spiffe_id_query'],
    ['spiffe://mesh.local/a#b', 'spiffe_id_fragment'],
    ['spiffe://mesh.local/', 'spiffe_id_path'],
    ['spiffe://mesh.local/a/', 'spiffe_id_path'],
    ['spiffe://mesh.local//a', 'spiffe_id_path'],
    ['spiffe://mesh.local/a/./b', 'spiffe_id_path'],
    ['spiffe://mesh.local/a/../b', 'spiffe_id_path'],
    ['spiffe://mesh.local/a%20b', 'spiffe_id_path'],
    ['spiffe://mesh.local/a:b', 'spiffe_id_path'],
    ['spiffe://mesh.local/a\n', 'spiffe_id_path'],
    [`spiffe://mesh.local/${'a'.repeat(2_048)}`, 'spiffe_id_too_long'],
  ];
  for (const [text, reason] of cases) t.equal(reasonOf(text), reason, JSON.stringify(text.slice(0, 60)));
  t.end();
});

t.test('the longest id and the longest trust domain are accepted', t => {
  const start = 'spiffe://mesh.local/';
  const longest = start + 'a'.repeat(MAX_ID_BYTES - start.length);
  t.equal(reasonOf(longest), longest);
  t.same(parseTrustDomain('A'.repeat(255)), { trustDomain: 'a'.repeat(255) });
  t.end();
});

t.test('a workload id cannot be made to name somebody else', t => {
  t.match(createWorkloadId('mesh.local', 'shop', 'web'), { uri: 'spiffe://mesh.local/ns/shop/sa/web' });
  for (const [namespace, account] of [
    ['shop', 'web/more'],
    ['shop/sa/admin', ''],
    ['..', 'web'],
    ['', 'web'],
    ['shop', 'w?b'],
  ] as const) {
    t.match(createWorkloadId('mesh.local', namespace, account), { reason: 'spiffe_id_path' });
  }
  t.match(createWorkloadId('mesh/local', 'shop', 'web'), { reason: 'spiffe_id_trust_domain' });
  t.match(createWorkloadId('', 'shop', 'web'), { reason: 'spiffe_id_trust_domain' });
  t.end();
});

t.test('whatever is accepted is accepted again, unchanged, and its parts make the whole', t => {
  const character = fc.constantFrom(...'abzABZ09._-/%:@?#\u212a\u0130 '.split(''));
  const text = fc.array(character, { maxLength: 30 }).map(list => `spiffe://${list.join('')}`);
  fc.assert(
    fc.property(text, input => {
      const id = parseSpiffeId(input);
      if ('reason' in id) return;
      const again = parseSpiffeId(id.uri);
      t.strictSame(again, id);
      t.equal(id.uri, `spiffe://${id.trustDomain}${id.path}`);
      t.equal(id.uri.toLowerCase(), input.toLowerCase());
    }),
  );
  t.end();
});
