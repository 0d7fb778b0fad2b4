import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import t from 'tap';
import { Client } from 'undici';
import { SERVICE_ACCOUNT } from '../../api/service-account.ts';
import * as asn1 from '../../certs/asn1.ts';
import { createCertificateAuthority, createKeyPair } from '../../certs/certificate-authority.ts';
import { createCsr } from '../../certs/csr.ts';
import { encodeExtension, subjectAltName } from '../../certs/extensions.ts';
import { formatPem } from '../../certs/pem.ts';
import { encodeName, encodePublicKey, signStructure } from '../../certs/sign-certificate.ts';
import { createWorkloadId } from '../../certs/spiffe-id.ts';
import { readSpiffeId } from '../../certs/verify-svid.ts';
import { manualClock } from '../../common/clock.ts';
import { type BackHalf, startBackHalf } from '../support/back-half.ts';
import { identityFrom } from '../support/simulated-sidecar.ts';

interface Credentials {
  readonly token?: string;
  readonly cert?: string;
  readonly key?: string;
}

const post = async (
  plane: BackHalf,
  { token, cert, key }: Credentials,
  body: string,
  path = '/v1/certificates',
  allowH2 = true,
) => {
  const client = new Client(plane.url, {
    allowH2,
    connect: { ca: plane.trustBundlePem, ...(cert && key ? { cert, key } : {}) },
  });
  try {
    const answer = await client.request({
      method: 'POST',
      path,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      body,
    });
    return { status: answer.statusCode, value: (await answer.body.json()) as Record<string, string> };
  } finally {
    await client.destroy();
  }
};

const csrFor = (namespace: string, serviceAccount: string): string => {
  const id = createWorkloadId('mesh.local', namespace, serviceAccount);
  if ('reason' in id) throw new Error(id.sentence);
  return createCsr(id).csrPem;
};

const body = (csr: string): string => JSON.stringify({ csr });

t.test('with its token a workload gets a certificate for its own identity, and with that the next one', async t => {
  const lines: string[] = [];
  const audit = pino(
    { level: 'info' },
    new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk));
        done();
      },
    }),
  );
  await using plane = await startBackHalf({ dataDir: t.testdir(), audit, lifetimeMs: 3_600_000 });
  const { csrPem, keyPem } = createCsr(idOf('shop', 'web'));
  const first = await post(plane, { token: await plane.token('shop', 'web') }, body(csrPem));
  t.equal(first.status, 200);
  const leaf = new X509Certificate(first.value.certificate ?? '');
  t.match(readSpiffeId(leaf), { uri: 'spiffe://mesh.local/ns/shop/sa/web' });
  t.equal(first.value.trustBundle, plane.trustBundlePem);
  t.ok(Math.abs(Date.parse(first.value.serverTime ?? '') - Date.now()) < 5_000);
  t.ok(Math.abs(leaf.validToDate.getTime() - Date.now() - 3_600_000) < 5_000);
  const second = await post(plane, { cert: first.value.certificate ?? '', key: keyPem }, body(csrFor('shop', 'web')));
  t.equal(second.status, 200);
  t.equal(lines.length, 2, 'one audit line for each certificate');
  t.match(JSON.parse(lines[0] ?? ''), { identity: 'spiffe://mesh.local/ns/shop/sa/web', by: 'token' });
  t.match(JSON.parse(lines[1] ?? ''), { by: 'certificate' });
});

t.test('the identity of somebody else is refused, by token and by certificate', async t => {
  await using plane = await startBackHalf({ dataDir: t.testdir() });
  const token = await plane.token('shop', 'web');
  const { certificatePem: cert, keyPem: key } = identityFrom(
    plane.identities.mesh.authority,
    plane.trustBundlePem,
    'shop',
    'web',
  );
  for (const [namespace, account] of [
    ['shop', 'payments'],
    ['other', 'web'],
    ['outrider-system', 'control-plane'],
  ] as const)
    for (const credentials of [{ token }, { cert, key }]) {
      const { status, value } = await post(plane, credentials, body(csrFor(namespace, account)));
      t.equal(status, 403);
      t.match(value.message, /the caller is spiffe:\/\/mesh\.local\/ns\/shop\/sa\/web/);
    }
});

t.test('without credentials, and with a bad token or certificate, the answer is 401 with a sentence', async t => {
  const clock = manualClock(Date.now());
  const dataDir = t.testdir();
  await using plane = await startBackHalf({ dataDir, clock });
  const csr = body(csrFor('shop', 'web'));
  const refused = async (credentials: Credentials, sentence: RegExp): Promise<void> => {
    const { status, value } = await post(plane, credentials, csr);
    t.equal(status, 401, String(sentence));
    t.match(value.message, sentence);
  };
  await refused({}, /showed no certificate.*bearer token/s);
  await refused({ token: 'not-a-jwt' }, /not a service account token/);
  const token = await plane.token('shop', 'web', 600);
  const [header, payload, signature = ''] = token.split('.');
  await refused(
    { token: `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}` },
    /signature/,
  );
  const unsigned = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
  await refused({ token: `${unsigned}.${payload}.` }, /not issued by this control plane/);
  const subject = { namespace: 'shop', serviceAccount: 'web', uid: 'x' };
  await refused({ token: (await plane.identities.tokens.issue(subject, ['somebody'], 600)).token }, /audience/);
  await refused({ token: (await plane.identities.tokens.issue(subject, [], 600)).token }, /no longer exists/);
  const stranger = createCertificateAuthority({ trustDomain: 'mesh.local', nowMs: Date.now() });
  if ('reason' in stranger) throw new Error(stranger.sentence);
  const foreign = identityFrom(stranger, plane.trustBundlePem, 'shop', 'web');
  await refused({ cert: foreign.certificatePem, key: foreign.keyPem }, /does not lead to a root/);
  const short = identityFrom(plane.identities.mesh.authority, plane.trustBundlePem, 'shop', 'web', 60_000);
  clock.advance(61_000);
  await refused({ cert: short.certificatePem, key: short.keyPem }, /was valid until/);
  t.equal((await post(plane, { token }, csr)).status, 200);
  clock.advance(598_000);
  t.equal((await post(plane, { token }, csr)).status, 200, 'clocks may differ by a minute');
  clock.advance(60_000);
  await refused({ token }, /expired/);
  await plane.store.delete(SERVICE_ACCOUNT, 'shop', 'web');
  await refused({ token: (await plane.identities.tokens.issue(subject, [], 600)).token }, /no longer exists/);
});

t.test('a request for more names, with a weak key, or that is none, is refused with a sentence', async t => {
  await using plane = await startBackHalf({ dataDir: t.testdir() });
  const token = await plane.token('shop', 'web');
  const ask = async (text: string): Promise<readonly [number, string]> => {
    const { status, value } = await post(plane, { token }, text);
    return [status, value.message ?? ''];
  };
  t.match(await ask('{"csr":'), [400, /must be a JSON object with the member "csr"/]);
  t.match(await ask('{"csr":7}'), [400, /"csr"/]);
  t.match(await ask(body('hello')), [400, /not one PEM block/]);
  t.match(await ask(body(`${csrFor('shop', 'web')}${csrFor('shop', 'web')}`)), [400, /not one PEM block/]);
  t.match(await ask(body('x'.repeat(10_000))), [413, /longer than/]);
  t.match(await ask(JSON.stringify({ csr: 'x'.repeat(70_000) })), [413, /at most 65536 bytes/]);
  const own = idOf('shop', 'web').uri;
  const extra = (names: Partial<Parameters<typeof subjectAltName>[0]>) => body(requestFor({ uris: [own], ...names }));
  t.match(await ask(extra({ dnsNames: ['payments.shop'] })), [422, /names other than a SPIFFE id/]);
  t.match(await ask(extra({ ipAddresses: ['10.0.0.1'] })), [422, /names other than a SPIFFE id/]);
  t.match(await ask(extra({ uris: [own, idOf('shop', 'payments').uri] })), [422, /several URIs/]);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1_024 });
  t.match(await ask(body(requestFor({ uris: [own] }, rsa))), [422, /rsa; the mesh certifies ECDSA P-256 keys only/]);
  const damaged = csrFor('shop', 'web').replace(/.{6}\n-----END/, 'AAAAAA\n-----END');
  t.match((await ask(body(damaged)))[0], /400|422/);
});

t.test('paths and methods that are not there are answered with what is', async t => {
  await using plane = await startBackHalf({ dataDir: t.testdir() });
  t.match(await post(plane, {}, '', '/v2'), { status: 404, value: { message: /\/v1\/certificates/ } });
  t.match(await post(plane, {}, '', '/v1/trust-bundle'), { status: 405, value: { message: /takes GET/ } });
  const session = connectHttp2(plane.url, { ca: plane.trustBundlePem });
  const stream = session.request({ ':path': '/v1/trust-bundle' });
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) text += String(chunk);
  session.close();
  t.equal(text, plane.trustBundlePem, 'the trust bundle needs no credentials');
  const { certificatePem: cert, keyPem: key } = identityFrom(
    plane.identities.mesh.authority,
    plane.trustBundlePem,
    'a',
    'b',
  );
  t.match(await post(plane, { cert, key }, '', '/v1/discovery', false), { status: 505 });
  t.match(await post(plane, { token: await plane.token('a', 'b') }, '', '/v1/discovery'), { status: 401 });
});

t.test(
  'keys are kept from the first start on, for this user alone; what does not fit together stops the start',
  async t => {
    const dataDir = t.testdir();
    {
      await using plane = await startBackHalf({ dataDir });
      t.equal(readFileSync(join(dataDir, 'trust-bundle.pem'), 'utf8'), plane.trustBundlePem);
    }
    for (const file of ['ca-key.pem', 'ca.pem', 'token-key.pem'])
      t.equal(statSync(join(dataDir, file)).mode & 0o777, 0o600, file);
    await using again = await startBackHalf({ dataDir });
    t.equal(again.trustBundlePem, readFileSync(join(dataDir, 'trust-bundle.pem'), 'utf8'));
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    });
    const broken = t.testdir({
      'ca.pem': readFileSync(join(dataDir, 'ca.pem')),
      'ca-key.pem': other,
    });
    await t.rejects(startBackHalf({ dataDir: broken }), { message: /does not belong to the CA certificate/ });
  },
);

/** A request as a hostile client would write it. */
const requestFor = (
  names: Parameters<typeof subjectAltName>[0],
  { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject } = createKeyPair(),
): string => {
  const extensions = asn1.sequence(encodeExtension(subjectAltName(names, true)));
  const attribute = asn1.sequence(asn1.oid('1.2.840.113549.1.9.14'), asn1.set(extensions));
  const info = asn1.sequence(
    asn1.integer(Buffer.of(0)),
    encodeName([]),
    encodePublicKey(publicKey),
    asn1.explicit(0, attribute),
  );
  return formatPem(signStructure(info, privateKey), 'CERTIFICATE REQUEST');
};

const idOf = (namespace: string, serviceAccount: string) => {
  const id = createWorkloadId('mesh.local', namespace, serviceAccount);
  if ('reason' in id) throw new Error(id.sentence);
  return id;
};
