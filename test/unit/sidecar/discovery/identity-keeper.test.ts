import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { createCertificateAuthority } from '../../../../certs/certificate-authority.ts';
import { checkCsr } from '../../../../certs/csr.ts';
import { issueCertificate } from '../../../../certs/issue-certificate.ts';
import { refuse } from '../../../../certs/refusal.ts';
import { manualClock } from '../../../../common/clock.ts';
import { IdentityKeeper, type IdentityKeeperOptions } from '../../../../sidecar/discovery/identity-keeper.ts';
import type { CertificateRequestReason } from '../../../../sidecar/discovery/request-certificate.ts';
import { CertificateStore } from '../../../../sidecar/identity/certificate-store.ts';
import { accepted } from '../../../support/peer-certificates.ts';

const START = Date.UTC(2026, 0, 1);

/** A control plane that is a function. `fails`: what it answers instead. */
const setUp = (dir: string, lifetimeMs: number, more: Partial<IdentityKeeperOptions> = {}) => {
  const clock = manualClock(START);
  const authority = accepted(createCertificateAuthority({ trustDomain: 'mesh.local', nowMs: START }));
  writeFileSync(join(dir, 'ca.pem'), authority.certificatePem);
  writeFileSync(join(dir, 'token'), 'the token\n');
  const asked: {
    readonly url: string;
    readonly token: string | undefined;
    readonly atMs: number;
    readonly withCertificate: boolean;
  }[] = [];
  let fails: CertificateRequestReason | undefined;
  const certificates = new CertificateStore({ clock, stateDir: join(dir, 'state') });
  const keeper = new IdentityKeeper({
    controlPlanes: ['https://one', 'https://two'],
    namespace: 'shop',
    serviceAccount: 'web',
    tokenFile: join(dir, 'token'),
    caFile: join(dir, 'ca.pem'),
    certificates,
    request: async (url, tls, token, csrPem) => {
      asked.push({ url, token, atMs: clock.nowMs(), withCertificate: tls.certificatePem !== undefined });
      if (fails !== undefined) return refuse(fails, 'it fails');
      const csr = accepted(checkCsr(csrPem));
      const { chainPem } = issueCertificate(authority, {
        id: csr.id,
        publicKey: csr.publicKey,
        nowMs: clock.wallMs(),
        lifetimeMs,
      });
      return {
        certificatePem: chainPem,
        trustBundlePem: authority.certificatePem,
        serverTimeMs: clock.wallMs() - 40_000,
      };
    },
    clock,
    random: () => 0.5,
    log: pino({ level: 'silent' }),
    ...more,
  });
  return {
    clock,
    certificates,
    keeper,
    asked,
    fail: (reason: CertificateRequestReason | undefined) => {
      fails = reason;
    },
  };
};

/** Lets promises that are not timers run. */
const settle = () => new Promise(resolve => setImmediate(resolve));

t.test(
  'the first certificate comes by token, each next one by the present certificate, at half of its life',
  async t => {
    const { clock, certificates, keeper, asked } = setUp(t.testdir(), 60_000);
    keeper.start();
    await settle();
    t.equal(certificates.current?.id.uri, 'spiffe://mesh.local/ns/shop/sa/web');
    t.match(asked, [{ token: 'the token', withCertificate: false }]);
    t.equal(keeper.clockSkewMs, 40_000);
    for (let renewal = 1; renewal <= 5; renewal++) {
      clock.advance(29_999);
      await settle();
      t.equal(asked.length, renewal, 'not before half of its life');
      clock.advance(1);
      await settle();
      t.match(asked.at(-1), { token: undefined, withCertificate: true, atMs: renewal * 30_000 });
      t.equal(certificates.current?.notAfterMs, START + renewal * 30_000 + 60_000);
    }
    keeper[Symbol.dispose]();
    t.equal(clock.pending, 0);
  },
);

t.test('120 renewals of certificates that hold 6 s, and never one that has expired', async t => {
  const { clock, certificates, keeper, asked } = setUp(t.testdir(), 6_000);
  keeper.start();
  await settle();
  for (let ms = 0; ms < 360_000; ms += 500) {
    clock.advance(500);
    await settle();
    if ((certificates.current?.notAfterMs ?? 0) <= clock.wallMs()) t.fail(`expired at ${ms} ms`);
  }
  t.ok(asked.length >= 120, `${asked.length} certificates`);
  keeper[Symbol.dispose]();
});

t.test(
  'while no control plane answers it asks all of them, again and again, and the present certificate stays',
  async t => {
    const { clock, certificates, keeper, asked, fail } = setUp(t.testdir(), 60_000);
    keeper.start();
    await settle();
    const first = certificates.current;
    fail('unreachable');
    for (let i = 0; i < 100; i++) {
      clock.advance(500);
      await settle();
    }
    t.equal(certificates.current, first);
    t.ok(asked.length > 6);
    t.same(new Set(asked.slice(1).map(({ url }) => url)), new Set(['https://one', 'https://two']));
    t.match(keeper.lastError, /it fails/);
    fail(undefined);
    for (let i = 0; i < 20; i++) {
      clock.advance(500);
      await settle();
    }
    t.not(certificates.current, first);
    t.equal(keeper.lastError, '');
    keeper[Symbol.dispose]();
  },
);

t.test('a certificate that expired while nobody answered is replaced by token', async t => {
  const { clock, keeper, asked, fail } = setUp(t.testdir(), 10_000);
  keeper.start();
  await settle();
  fail('unreachable');
  for (let i = 0; i < 40; i++) {
    clock.advance(500);
    await settle();
  }
  fail(undefined);
  const before = asked.length;
  for (let i = 0; i < 20 && asked.length === before; i++) {
    clock.advance(500);
    await settle();
  }
  t.match(asked.at(-1), { token: 'the token' });
  keeper[Symbol.dispose]();
});

t.test('one that is asked for out of turn comes at once, and the next in its time', async t => {
  const { clock, keeper, asked } = setUp(t.testdir(), 60_000);
  keeper.start();
  keeper.renew();
  await settle();
  t.equal(asked.length, 1, 'it was on its way already');
  clock.advance(10_000);
  keeper.renew();
  clock.advance(0);
  await settle();
  t.match(asked.at(-1), { atMs: 10_000, withCertificate: true });
  clock.advance(29_999);
  await settle();
  t.equal(asked.length, 2);
  clock.advance(1);
  await settle();
  t.equal(asked.length, 3);
  keeper[Symbol.dispose]();
  t.equal(clock.pending, 0);
});

t.test('a stored identity is used at once and renewed in its time; that of somebody else is not', async t => {
  const dir = t.testdir();
  const one = setUp(dir, 60_000);
  one.keeper.start();
  await settle();
  one.keeper[Symbol.dispose]();
  const stateDir = join(dir, 'state');
  const again = new CertificateStore({ clock: one.clock, stateDir });
  const base = { certificates: again, clock: one.clock, caFile: '' };
  const keeper = setUp(dir, 60_000, base).keeper;
  keeper.start();
  t.equal(again.current?.id.uri, 'spiffe://mesh.local/ns/shop/sa/web');
  keeper[Symbol.dispose]();
  const other = setUp(dir, 60_000, { ...base, serviceAccount: 'payments' });
  other.keeper.start();
  await settle();
  t.match(other.asked, [{ token: 'the token' }]);
  other.keeper[Symbol.dispose]();
});

t.test('what is missing is said in a sentence that names the setting', async t => {
  for (const [more, sentence] of [
    [{ caFile: '' }, /OUTRIDER_CA_FILE is not set/],
    [{ caFile: '/nowhere' }, /OUTRIDER_CA_FILE cannot be read/],
    [{ tokenFile: '' }, /set OUTRIDER_TOKEN_FILE/],
    [{ tokenFile: '/nowhere' }, /OUTRIDER_TOKEN_FILE cannot be read/],
    [{ controlPlanes: [] }, /No control plane is configured/],
    [{ namespace: 'a/b' }, /A namespace and a service account have letters/],
  ] as const) {
    const { keeper } = setUp(t.testdir({}), 60_000, more);
    keeper.start();
    await settle();
    t.match(keeper.lastError, sentence);
    keeper[Symbol.dispose]();
  }
});
