import { pino } from 'pino';
import t from 'tap';
import { createCertificateAuthority } from '../../../../certs/certificate-authority.ts';
import { type Refusal, refuse } from '../../../../certs/refusal.ts';
import { manualClock } from '../../../../common/clock.ts';
import type { TrustBundleRequestReason } from '../../../../sidecar/discovery/request-trust-bundle.ts';
import { TrustBundleKeeper } from '../../../../sidecar/discovery/trust-bundle-keeper.ts';
import { CertificateStore } from '../../../../sidecar/identity/certificate-store.ts';
import { accepted, createSvid, createTestMesh, identityMaterial } from '../../../support/peer-certificates.ts';

const FIVE_MINUTES_MS = 300_000;
const mesh = createTestMesh();
const next = accepted(createCertificateAuthority({ trustDomain: 'mesh.local', nowMs: mesh.nowMs }));
const both = mesh.bundle.pem + next.certificatePem;

/** Control planes that are a function of their url. */
const setUp = (answer: (url: string) => string | Refusal<TrustBundleRequestReason>) => {
  const clock = manualClock(mesh.nowMs);
  const certificates = new CertificateStore({ clock });
  const asked: string[] = [];
  let untrusted = 0;
  const keeper = new TrustBundleKeeper({
    controlPlanes: ['https://one', 'https://two'],
    certificates,
    request: async (url, { trustBundlePem, certificatePem }) => {
      asked.push(trustBundlePem && certificatePem ? url : 'without the present identity');
      return answer(url);
    },
    onUntrusted: () => untrusted++,
    clock,
    random: () => 0.5,
    log: pino({ level: 'silent' }),
  });
  const look = async (): Promise<void> => {
    clock.advance(FIVE_MINUTES_MS);
    await new Promise(resolve => setImmediate(resolve));
  };
  const take = () => certificates.replace(identityMaterial(createSvid(mesh.root, 'web'), mesh.bundle));
  return { clock, certificates, asked, keeper, look, take, untrusted: () => untrusted };
};

t.test('a root that comes is trusted within five minutes, and nothing changes while the roots stay', async t => {
  let pem = mesh.bundle.pem;
  const { certificates, keeper, look, take, asked } = setUp(() => pem);
  take();
  keeper.start();
  const first = certificates.current;
  await look();
  t.same(asked, ['https://one']);
  t.equal(certificates.current, first);
  pem = both;
  await look();
  t.equal(certificates.current?.bundle.roots.get('mesh.local')?.length, 2);
  t.equal(certificates.current?.certificatePem, first?.certificatePem);
  keeper[Symbol.dispose]();
});

t.test('while a control plane does not answer the next one is asked; when none does, the roots stay', async t => {
  let down = ['https://one'];
  const { certificates, keeper, look, take, asked } = setUp(url =>
    down.includes(url) ? refuse('unreachable', 'it is down') : both,
  );
  take();
  keeper.start();
  down = ['https://one', 'https://two'];
  await look();
  t.equal(certificates.current?.bundle.version, mesh.bundle.version);
  down = ['https://one'];
  await look();
  t.not(certificates.current?.bundle.version, mesh.bundle.version);
  t.same(asked, ['https://one', 'https://two', 'https://one', 'https://two']);
  keeper[Symbol.dispose]();
});

t.test('roots that no longer know our certificate are not taken, and another certificate is asked for', async t => {
  const { certificates, keeper, look, take, untrusted } = setUp(() => next.certificatePem);
  take();
  const before = certificates.current;
  keeper.start();
  await look();
  t.equal(certificates.current, before);
  t.equal(untrusted(), 1);
  keeper[Symbol.dispose]();
});

t.test('what is no bundle is not taken', async t => {
  const { certificates, keeper, look, take, untrusted } = setUp(() => 'hello');
  take();
  const before = certificates.current;
  keeper.start();
  await look();
  t.equal(certificates.current, before);
  t.equal(untrusted(), 0);
  keeper[Symbol.dispose]();
});

t.test('before the first certificate nobody is asked, and after the end no more', async t => {
  const { clock, keeper, look, take, asked } = setUp(() => both);
  keeper.start();
  await look();
  t.same(asked, []);
  take();
  await look();
  t.equal(asked.length, 1);
  keeper[Symbol.dispose]();
  await look();
  t.equal(asked.length, 1);
  t.equal(clock.pending, 0);
});
