/**
 * h2spec, the HTTP/2 conformance suite, against the port of an upstream and against the inbound side. h2spec has no client certificate,
 * so HAProxy in tcp mode stands before the inbound side and lends it one. A real app answers before, during and after.
 */
import t, { type Test } from 'tap';
import { request } from 'undici';
import { startCertificateLender } from '../support/certificate-lender.ts';
import { findProgram, missing } from '../support/foreign-tools.ts';
import { startHttpApp } from '../support/http-app.ts';
import { startSidecarPair } from '../support/pair.ts';
import { createSvid } from '../support/peer-certificates.ts';
import { runToEnd } from '../support/processes.ts';

/** Of 146: one is at odds with the RFC that obsoleted the suite's. */
const MUST_PASS = 145;

const conform = async (t: Test, port: number): Promise<void> => {
  const done = await runToEnd(findProgram('h2spec') ?? '', ['-h', '127.0.0.1', '-p', String(port), '-o', '2'], {
    timeoutMs: 300_000,
  });
  const [, total = '0', passed = '0'] = /(\d+) tests, (\d+) passed/.exec(done.stdout) ?? [];
  t.equal(Number(total), 146, 'all cases ran');
  const enough = t.ok(Number(passed) >= MUST_PASS, `${passed} of ${total} passed`);
  if (!enough) t.comment(done.stdout.slice(done.stdout.indexOf('Failures:')).slice(0, 8_000));
};

t.test('h2spec', { skip: missing('h2spec', 'haproxy') }, async t => {
  await using app = await startHttpApp();
  await using pair = await startSidecarPair({
    services: [{ name: 'web', port: 80, protocol: 'http', appPort: app.port }],
  });
  await using lender = await startCertificateLender(pair.inbound, createSvid(pair.mesh.root, 'client'), t.testdir({}));
  const hello = async (t: Test): Promise<void> => {
    const before = app.seen.get('/') ?? 0;
    const answer = await request(`http://127.0.0.1:${pair.upstream('web')}/`);
    t.same(await answer.body.json(), { hello: 'world' });
    t.equal(app.seen.get('/'), before + 1, 'the app saw it');
  };
  await t.test('the app answers before', hello);
  await t.test('the port of an upstream', async t => {
    const before = app.seen.get('/') ?? 0;
    await conform(t, pair.upstream('web'));
    t.ok((app.seen.get('/') ?? 0) > before, 'the app was reached during the suite');
  });
  await t.test('the inbound side', async t => {
    const before = app.seen.get('/') ?? 0;
    await conform(t, lender.port);
    t.ok((app.seen.get('/') ?? 0) > before, 'the app was reached during the suite');
  });
  await t.test('the app answers after', hello);
});
