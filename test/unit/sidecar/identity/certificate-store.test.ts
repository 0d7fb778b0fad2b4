import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { CertificateStore } from '../../../../sidecar/identity/certificate-store.ts';
import type { Identity } from '../../../../sidecar/identity/identity.ts';
import {
  createSvid,
  createTestMesh,
  identityMaterial,
  VIOLATIONS,
  writeStateDir,
} from '../../../support/peer-certificates.ts';

const mesh = createTestMesh();
const clock = () => manualClock(mesh.nowMs);
const web = createSvid(mesh.intermediate, 'web', 'shop', mesh.nowMs);

t.test('a store is empty at first, and takes an identity that fits together', t => {
  const store = new CertificateStore({ clock: clock() });
  t.equal(store.current, undefined);
  t.equal(store.replace(identityMaterial(web, mesh.bundle)), undefined);
  t.match(store.current, {
    certificatePem: web.certificatePem,
    keyPem: web.keyPem,
    id: { uri: web.id, namespace: 'shop', serviceAccount: 'web' },
    notBeforeMs: Math.floor((mesh.nowMs - 300_000) / 1_000) * 1_000,
    notAfterMs: Math.floor((mesh.nowMs + 86_400_000) / 1_000) * 1_000,
    bundle: { version: mesh.bundle.version },
    tlsOptions: { minVersion: 'TLSv1.3' },
  });
  t.end();
});

t.test('there is one secure context per identity, and a new one for the next', t => {
  const store = new CertificateStore({ clock: clock() });
  store.replace(identityMaterial(web, mesh.bundle));
  const first = store.current!.secureContext;
  t.equal(store.current!.secureContext, first);
  store.replace({ trustBundlePem: mesh.root.certificatePem });
  t.not(store.current!.secureContext, first);
  t.equal(store.current!.certificatePem, web.certificatePem, 'the certificate stays when only the bundle changes');
  t.not(store.current!.bundle.version, mesh.bundle.version);
  t.end();
});

t.test('listeners hear of each new identity until they stop', t => {
  const store = new CertificateStore({ clock: clock() });
  const heard: Identity[] = [];
  const stop = store.onChange(identity => heard.push(identity));
  store.replace(identityMaterial(web, mesh.bundle));
  const first = store.current;
  store.replace({ ...identityMaterial(web, mesh.bundle), keyPem: 'broken' });
  store.replace({ trustBundlePem: mesh.root.certificatePem });
  stop();
  store.replace({ trustBundlePem: mesh.bundle.pem });
  t.equal(heard.length, 2);
  t.equal(heard[0], first);
  t.end();
});

t.test('what does not fit together is refused with the reason, and the last identity stays', t => {
  const dir = t.testdir();
  const store = new CertificateStore({ clock: clock(), stateDir: dir });
  t.match(store.replace({ trustBundlePem: mesh.bundle.pem }), { reason: 'no_identity' });
  store.replace(identityMaterial(web, mesh.bundle));
  const before = store.current;
  const good = identityMaterial(web, mesh.bundle);
  t.match(store.replace({ ...good, certificatePem: '' }), { reason: 'malformed_certificate' });
  t.match(store.replace({ ...good, certificatePem: web.certificatePem.replace(/[A-Za-z]{4}/g, 'AAAA') }), {
    reason: 'malformed_certificate',
  });
  t.match(store.replace({ ...good, keyPem: 'hello' }), { reason: 'malformed_key' });
  t.match(store.replace({ ...good, keyPem: createSvid(mesh.root, 'web').keyPem }), { reason: 'key_mismatch' });
  t.match(store.replace({ ...good, trustBundlePem: '' }), { reason: 'bundle_empty' });
  t.match(store.replace({ ...good, trustBundlePem: mesh.otherRoot.certificatePem }), {
    reason: 'unknown_trust_domain',
  });
  t.equal(store.current, before);
  t.equal(readFileSync(join(dir, 'key.pem'), 'utf8'), web.keyPem);
  t.end();
});

t.test('our own certificate must pass what we ask of every peer', t => {
  const store = new CertificateStore({ clock: clock() });
  for (const { name, make, reason } of VIOLATIONS)
    t.match(store.replace(identityMaterial(make(mesh), mesh.bundle)), { reason }, `a certificate ${name}`);
  t.equal(store.current, undefined);
  t.end();
});

t.test('an identity survives a restart, in files for this user alone', t => {
  const dir = join(t.testdir(), 'state');
  new CertificateStore({ clock: clock(), stateDir: dir }).replace(identityMaterial(web, mesh.bundle));
  t.same(readdirSync(dir).sort(), ['certificate.pem', 'key.pem', 'trust-bundle.pem']);
  for (const name of readdirSync(dir)) t.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name);
  t.equal(statSync(dir).mode & 0o777, 0o700);
  const restarted = new CertificateStore({ clock: clock(), stateDir: dir });
  t.equal(restarted.load(), undefined);
  t.equal(restarted.current?.id.uri, web.id);
  t.end();
});

t.test('a state folder that holds nothing, half, or something old is refused at load', t => {
  const dir = t.testdir();
  t.match(new CertificateStore({ clock: clock() }).load(), { reason: 'not_stored' });
  t.match(new CertificateStore({ clock: clock(), stateDir: dir }).load(), { reason: 'not_stored' });
  writeStateDir(dir, web, mesh.bundle);
  const tomorrow = manualClock(mesh.nowMs + 2 * 86_400_000);
  t.match(new CertificateStore({ clock: tomorrow, stateDir: dir }).load(), { reason: 'expired' });
  writeFileSync(join(dir, 'key.pem'), createSvid(mesh.root, 'web').keyPem);
  t.match(
    new CertificateStore({ clock: clock(), stateDir: dir }).load(),
    { reason: 'key_mismatch' },
    'as after a crash in the middle of a renewal',
  );
  t.end();
});

t.test('the key never stands in a file that others may read, also when one was left open', t => {
  const dir = t.testdir({ 'key.pem': 'old', 'key.pem.new': 'left over' });
  for (const name of ['key.pem', 'key.pem.new']) chmodSync(join(dir, name), 0o644);
  new CertificateStore({ clock: clock(), stateDir: dir }).replace(identityMaterial(web, mesh.bundle));
  t.equal(statSync(join(dir, 'key.pem')).mode & 0o777, 0o600);
  t.notOk(existsSync(join(dir, 'key.pem.new')));
  t.end();
});

t.test('an identity that cannot be written is used all the same, and somebody is told', t => {
  const dir = t.testdir({ occupied: 'a file where the folder should be' });
  const told: string[] = [];
  const store = new CertificateStore({
    clock: clock(),
    stateDir: join(dir, 'occupied'),
    onNotStored: sentence => told.push(sentence),
  });
  t.equal(store.replace(identityMaterial(web, mesh.bundle)), undefined);
  t.equal(store.current?.id.uri, web.id);
  t.match(told, [/^The identity could not be written to the state folder: .*EEXIST/]);
  t.end();
});
