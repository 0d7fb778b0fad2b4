import t from 'tap';
import { objectSchema } from '../../../../api/admission.ts';
import { SERVICE } from '../../../../api/service.ts';
import { applyMergePatch, applyStrategicPatch } from '../../../../control-plane/rest/merge-patch.ts';

/** RFC 7386, appendix A. */
const CASES: readonly (readonly [target: unknown, patch: unknown, result: unknown])[] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

t.test('a merge patch does what RFC 7386 says', t => {
  for (const [target, patch, result] of CASES) t.same(applyMergePatch(target, patch), result, JSON.stringify(patch));
  t.end();
});

const PORTS = [
  { name: 'a', port: 1, protocol: 'TCP', targetPort: 11 },
  { name: 'b', port: 2, protocol: 'TCP' },
];
const SERVICE_OBJECT = { metadata: { labels: { x: '1', y: '2' } }, spec: { type: 'ClusterIP', ports: PORTS } };
const patched = (patch: object) =>
  applyStrategicPatch(SERVICE_OBJECT, patch, objectSchema(SERVICE)) as typeof SERVICE_OBJECT;
const ports = (list: readonly object[], more: object = {}) => patched({ spec: { ports: list, ...more } }).spec.ports;

t.test('a strategic patch merges ports by port and protocol', t => {
  t.same(ports([{ port: 2, targetPort: 22 }]), [PORTS[0], { ...PORTS[1], targetPort: 22 }]);
  t.same(ports([{ port: 3, name: 'c' }]), [...PORTS, { port: 3, name: 'c' }]);
  t.same(ports([{ port: 1, targetPort: null }]), [{ name: 'a', port: 1, protocol: 'TCP' }, PORTS[1]]);
  t.end();
});

t.test('a strategic patch deletes, replaces and orders as it says', t => {
  t.same(ports([{ $patch: 'delete', port: 1 }]), [PORTS[1]]);
  t.same(ports([{ $patch: 'delete', port: 9 }]), PORTS, 'what is not there stays so');
  t.same(ports([{ $patch: 'replace' }, { port: 7 }]), [{ port: 7 }]);
  t.same(
    ports([{ port: 3 }], { '$setElementOrder/ports': [{ port: 3 }, { port: 2 }] }).map(port => port.port),
    [3, 2, 1],
  );
  t.same(
    patched({ spec: { '$setElementOrder/ports': [{ port: 2 }, { port: 1 }] } }).spec.ports.map(port => port.port),
    [2, 1],
  );
  t.same(patched({ spec: { $retainKeys: ['ports'], ports: [] } }).spec, { ports: PORTS });
  t.same(patched({ spec: { $patch: 'replace', type: 'x' } }).spec, { type: 'x' });
  t.same(patched({ metadata: { labels: { $patch: 'delete' } } }).metadata, {});
  t.same(patched({ metadata: { labels: { x: null, z: '3' } } }).metadata.labels, { y: '2', z: '3' });
  const list = { spec: { clusterIPs: ['a', 'b'] } };
  t.same(applyStrategicPatch(list, { spec: { '$deleteFromPrimitiveList/clusterIPs': ['a'] } }, objectSchema(SERVICE)), {
    spec: { clusterIPs: ['b'] },
  });
  t.end();
});

t.test('an entry without its key is refused', t => {
  t.throws(() => ports([{ name: 'c' }]), { message: /must have "port"/ });
  t.end();
});
