import t from 'tap';
import type { Stored } from '../../../../api/object.ts';
import { computeTarget } from '../../../../control-plane/push/target.ts';
import type { OwnWorkload } from '../../../../control-plane/translate/health-checks.ts';
import { compileMtls } from '../../../../control-plane/translate/mtls.ts';
import { peerAuthentication, translatorOf, workload } from '../../../support/objects.ts';

const own: OwnWorkload = { namespace: 'shop', service: 'web', labels: { app: 'web' }, ports: [] };
const mtls = (...objects: readonly Stored[]) => compileMtls(translatorOf(...objects).world, own);
const web = { selector: { matchLabels: { app: 'web' } } };
const mesh = peerAuthentication('mesh', { mtls: { mode: 'PERMISSIVE' } }, { namespace: 'outrider-system' });

t.test('without a policy only the mesh comes in', t => {
  t.equal(mtls(), undefined);
  t.equal(mtls(peerAuthentication('other', { mtls: { mode: 'PERMISSIVE' } }, { namespace: 'books' })), undefined);
  const db = { matchLabels: { app: 'db' } };
  t.equal(mtls(peerAuthentication('db', { selector: db, mtls: { mode: 'PERMISSIVE' } })), undefined);
  t.end();
});

t.test('the narrowest policy that says something wins', t => {
  const namespace = peerAuthentication('all', { mtls: { mode: 'DISABLE' } });
  const workload = peerAuthentication('web', { ...web, mtls: { mode: 'STRICT' } });
  const portsOnly = peerAuthentication('ports', { ...web, portLevelMtls: { 8080: { mode: 'STRICT' } } });
  t.same(mtls(mesh), { mode: 'PERMISSIVE', ports: {} });
  t.same(mtls(mesh, namespace), { mode: 'DISABLE', ports: {} });
  t.equal(mtls(mesh, namespace, workload), undefined);
  t.same(mtls(mesh, portsOnly), { mode: 'PERMISSIVE', ports: { 8080: 'STRICT' } });
  t.end();
});

t.test('of several of one width the oldest wins', t => {
  const at = (name: string, mode: 'STRICT' | 'PERMISSIVE', creationTimestamp: string) =>
    peerAuthentication(name, { ...web, mtls: { mode }, portLevelMtls: { 80: { mode } } }, { creationTimestamp });
  const [old, young] = [at('b', 'PERMISSIVE', '2026-01-01T00:00:00Z'), at('a', 'STRICT', '2026-02-01T00:00:00Z')];
  t.same(mtls(young, old), { mode: 'PERMISSIVE', ports: { 80: 'PERMISSIVE' } });
  t.end();
});

t.test('callers dial a port itself where mTLS is disabled, and the sidecar for the others', t => {
  const ports = [{ port: 8_080 }, { port: 9_090 }];
  const app = workload('a', { service: 'web', address: '10.0.0.1', ports }, { labels: { app: 'web' } });
  const translator = translatorOf(app);
  const endpoints = () =>
    translator.view('web.shop', 'shop')?.endpoints.map(each => [each.address, each.identity !== null, each.ports]);
  const sidecar = [['10.0.0.1:15006', true, { 8080: 8_080, 9090: 9_090 }]];
  t.same(endpoints(), sidecar);
  const permissive = peerAuthentication('p', { mtls: { mode: 'PERMISSIVE' } });
  t.not(translator.apply({ type: 'ADDED', object: permissive }).services, 'all', 'nothing changes for callers');
  t.same(endpoints(), sidecar);

  const onePort = peerAuthentication('one', { ...web, portLevelMtls: { 9090: { mode: 'DISABLE' } } });
  t.equal(translator.apply({ type: 'ADDED', object: onePort }).services, 'all');
  t.same(endpoints(), [
    ['10.0.0.1:15006', true, { 8080: 8_080 }],
    ['10.0.0.1:9090', false, { 9090: 9_090 }],
  ]);

  const all = peerAuthentication('web', { ...web, mtls: { mode: 'DISABLE' } });
  translator.apply({ type: 'ADDED', object: all });
  t.same(endpoints(), [
    ['10.0.0.1:8080', false, { 8080: 8_080 }],
    ['10.0.0.1:9090', false, { 9090: 9_090 }],
  ]);

  translator.apply({ type: 'DELETED', object: onePort });
  t.equal(translator.apply({ type: 'DELETED', object: all }).services, 'all');
  t.same(endpoints(), sidecar, 'and the sidecar again when it is gone');
  t.end();
});

t.test('a policy changes the version of the configuration, and wakes the sidecars that it may concern', t => {
  const translator = translatorOf();
  const before = computeTarget(translator, [], 'shop', own);
  const touched = translator.apply({ type: 'ADDED', object: mesh });
  const after = computeTarget(translator, [], 'shop', own);
  t.not(after.configVersion, before.configVersion);
  t.same(after.mtls, { mode: 'PERMISSIVE', ports: {} });
  t.ok(touched.keys?.some(key => after.interests.has(key)));
  const elsewhere = translator.apply({ type: 'ADDED', object: peerAuthentication('x', {}, { namespace: 'books' }) });
  t.notOk(elsewhere.keys?.some(key => after.interests.has(key)));
  t.equal(computeTarget(translator, [], 'shop').mtls, undefined, 'a sidecar without an app has none');
  t.end();
});
