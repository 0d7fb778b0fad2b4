/**
 * The inbound port as openssl sees it. In TLS 1.3 a client without a certificate sees a handshake that succeeds, and learns of the alert
 * with its first read: so what counts is what reaches the app.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { missing } from '../support/foreign-tools.ts';
import { startHttpApp } from '../support/http-app.ts';
import { startSidecarPair } from '../support/pair.ts';
import { createSvid, type KeyedCertificate, LEGAL_VARIANTS, VIOLATIONS } from '../support/peer-certificates.ts';
import { runToEnd } from '../support/processes.ts';
import { sendRaw } from '../support/raw-http1.ts';

t.test('the inbound port', { skip: missing('openssl', 'sh', 'curl') }, async t => {
  await using app = await startHttpApp();
  await using pair = await startSidecarPair({
    services: [{ name: 'web', port: 80, protocol: 'http', appPort: app.port }],
  });
  const directory = t.testdir({});
  const bundle = join(directory, 'bundle.pem');
  writeFileSync(bundle, pair.mesh.root.certificatePem);
  const reached = (): number => [...app.seen.values()].reduce((sum, count) => sum + count, 0);

  const filesOf = ({ certificatePem, keyPem }: KeyedCertificate): string[] => {
    const certificate = join(directory, 'certificate.pem');
    const key = join(directory, 'key.pem');
    writeFileSync(certificate, certificatePem);
    writeFileSync(key, keyPem);
    return ['--cert', certificate, '--key', key];
  };
  /** curl over HTTP/2 with a client certificate; its exit code and what it got. */
  const curl = (files: readonly string[], ...more: string[]) =>
    runToEnd('curl', ['-sS', '-k', '--http2', '-m', '5', ...files, ...more, `https://127.0.0.1:${pair.inbound}/`]);
  /** openssl s_client that speaks HTTP/2 as far as the preface and waits a moment for an answer. */
  const sClient = (...options: string[]) => {
    const command = `(printf 'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n'; sleep 0.3) | openssl s_client -connect 127.0.0.1:${pair.inbound} -alpn h2 "$@"`;
    return runToEnd('sh', ['-c', command, 'sh', ...options], { timeoutMs: 10_000 });
  };
  const refused = async (t: Test, work: () => Promise<unknown>): Promise<void> => {
    const before = reached();
    await work();
    t.equal(reached(), before, 'nothing reached the app');
  };
  const good = createSvid(pair.mesh.root, 'client');

  await t.test('control: a good certificate gets a 200 from the app', async t => {
    const before = reached();
    const done = await curl(filesOf(good));
    t.equal(done.stdout, '{"hello":"world"}', done.stderr);
    t.equal(reached(), before + 1, 'the app saw it');
  });
  for (const variant of LEGAL_VARIANTS) {
    await t.test(`a certificate ${variant.name} is accepted`, async t => {
      const done = await curl(filesOf(variant.make(pair.mesh)));
      t.equal(done.stdout, '{"hello":"world"}', done.stderr);
    });
  }
  for (const violation of VIOLATIONS) {
    await t.test(`a certificate ${violation.name} is refused`, t =>
      refused(t, async () => {
        const done = await curl(filesOf(violation.make(pair.mesh)));
        t.not(done.code, 0, 'and curl sees a failure');
      }),
    );
  }
  await t.test('no certificate', t => refused(t, async () => t.not((await curl([])).code, 0)));
  await t.test('plain text, HTTP/1.1 and HTTP/2', t =>
    refused(t, async () => {
      t.notMatch(await sendRaw(pair.inbound, 'GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n', 2_000), /200/);
      t.notMatch(await sendRaw(pair.inbound, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 2_000), /200/);
    }),
  );
  await t.test('TLS 1.2 with a good certificate', t =>
    refused(t, async () => {
      const [, certificate = '', , key = ''] = filesOf(good);
      const done = await sClient('-tls1_2', '-cert', certificate, '-key', key);
      t.match(done.stderr + done.stdout, /alert protocol version|wrong version|unsupported protocol/i);
    }),
  );
  await t.test('TLS 1.3 it is, with ALPN h2 and a chain that openssl verifies', async t => {
    const [, certificate = '', , key = ''] = filesOf(good);
    const done = await sClient('-tls1_3', '-cert', certificate, '-key', key, '-CAfile', bundle, '-showcerts');
    t.match(done.stdout, /Verify return code: 0 \(ok\)/);
    t.match(done.stdout, /Protocol *: TLSv1\.3|TLSv1\.3, Cipher/);
    t.match(done.stdout, /ALPN protocol: h2/);
  });
  await t.test('a session cannot be resumed: each connection shows its certificate', async t => {
    const [, certificate = '', , key = ''] = filesOf(good);
    const options = ['-tls1_3', '-cert', certificate, '-key', key];
    const session = join(directory, 'session.pem');
    t.match((await sClient(...options, '-sess_out', session)).stdout, /^New, TLSv1\.3/m);
    t.match((await sClient(...options, '-sess_in', session)).stdout, /^New, TLSv1\.3/m);
  });
  await t.test('openssl verify accepts our chains for both purposes', async t => {
    for (const purpose of ['sslserver', 'sslclient']) {
      const [, certificate = ''] = filesOf(createSvid(pair.mesh.intermediate, 'web'));
      const done = await runToEnd('openssl', [
        'verify',
        '-purpose',
        purpose,
        '-CAfile',
        bundle,
        '-untrusted',
        certificate,
        certificate,
      ]);
      t.match(done.stdout, /: OK/, done.stderr);
    }
  });
});
