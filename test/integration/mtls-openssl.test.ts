/** An independent judge of our certificates: the openssl program. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createCsr } from '../../certs/csr.ts';
import { createWorkloadId } from '../../certs/spiffe-id.ts';
import { accepted, createSvid, createTestMesh, VIOLATIONS } from '../support/peer-certificates.ts';

const openssl = (...args: string[]) => spawnSync('openssl', args, { encoding: 'utf8', timeout: 20_000 });
const skip = openssl('version').status === 0 ? false : 'the openssl program is not installed';
const mesh = createTestMesh();

const verify = (dir: string, pem: string, purpose: string) => {
  const [roots, chain] = [join(dir, 'roots.pem'), join(dir, 'chain.pem')];
  writeFileSync(roots, mesh.bundle.pem);
  writeFileSync(chain, pem);
  return openssl('verify', '-x509_strict', '-purpose', purpose, '-CAfile', roots, '-untrusted', chain, chain);
};

t.test(
  'openssl verifies our chains strictly, as server and as client, with and without an intermediate',
  { skip },
  t => {
    const dir = t.testdir();
    for (const authority of [mesh.root, mesh.intermediate]) {
      for (const purpose of ['sslserver', 'sslclient']) {
        const result = verify(dir, createSvid(authority, 'web').certificatePem, purpose);
        t.equal(result.status, 0, result.stderr);
      }
    }
    t.not(
      verify(dir, VIOLATIONS[0]!.make(mesh).certificatePem, 'sslserver').status,
      0,
      'and does not verify just anything',
    );
    t.end();
  },
);

t.test('openssl reads our certificates and requests as we mean them', { skip }, t => {
  const dir = t.testdir();
  const [leaf, csr] = [join(dir, 'leaf.pem'), join(dir, 'csr.pem')];
  writeFileSync(leaf, createSvid(mesh.root, 'web').certificatePem);
  const text = openssl('x509', '-in', leaf, '-noout', '-text').stdout;
  for (const line of [
    /Basic Constraints: critical\s+CA:FALSE/,
    /Key Usage: critical\s+Digital Signature\n/,
    /TLS Web Server Authentication, TLS Web Client Authentication/,
    /Subject Alternative Name: critical\s+URI:spiffe:\/\/mesh\.local\/ns\/default\/sa\/web\n/,
    /NIST CURVE: P-256/,
    /Subject: *\n/,
  ]) {
    t.match(text, line);
  }
  writeFileSync(csr, createCsr(accepted(createWorkloadId('mesh.local', 'default', 'web'))).csrPem);
  const request = openssl('req', '-in', csr, '-noout', '-verify', '-text');
  t.equal(request.status, 0, request.stderr);
  t.match(request.stdout, /URI:spiffe:\/\/mesh\.local\/ns\/default\/sa\/web\n/);
  t.end();
});
