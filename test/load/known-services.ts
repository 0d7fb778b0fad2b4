/**
 * What services that a sidecar never calls cost it: `node --expose-gc test/load/known-services.ts [known]`. Prints the
 * memory of a sidecar's discovery with three services known and with `known` (5,000), three used in both, as JSON.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCertificateAuthority } from '../../certs/certificate-authority.ts';
import { identityFrom } from '../support/simulated-sidecar.ts';
import { startTestSidecar, until } from '../support/test-sidecar.ts';

interface Ready {
  readonly url: string;
  readonly trustBundlePem: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}
const used = ['service-0', 'service-1', 'service-2'];

/** Bytes in use after collection, and resident. */
const measure = async (known: number): Promise<{ readonly heapMb: number; readonly residentMb: number }> => {
  const plane = fork(new URL('push-control-plane.ts', import.meta.url), [String(known)]);
  const ready = (await once(plane, 'message'))[0] as Ready;
  const authority = loadCertificateAuthority({ trustDomain: 'mesh.local', ...ready });
  if ('reason' in authority) throw new Error(authority.sentence);
  const stateDir = mkdtempSync(join(tmpdir(), 'outrider-known-'));
  const identity = identityFrom(authority, ready.trustBundlePem, 'default', 'client');
  writeFileSync(join(stateDir, 'certificate.pem'), identity.certificatePem);
  writeFileSync(join(stateDir, 'key.pem'), identity.keyPem);
  writeFileSync(join(stateDir, 'trust-bundle.pem'), ready.trustBundlePem);
  const sidecar = startTestSidecar({
    stateDir,
    controlPlanes: [ready.url],
    caFile: '',
    token: '',
    service: 'client',
    upstreams: used,
  });
  await until('subscribed', () => used.every(name => sidecar.discovery.lookup(name) === 'known'), 30_000);
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await new Promise(resolve => setTimeout(resolve, 200));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  await sidecar[Symbol.asyncDispose]();
  rmSync(stateDir, { recursive: true, force: true });
  plane.disconnect();
  return { heapMb: (heapUsed + external) / 1e6, residentMb: rss / 1e6 };
};

// Once to warm up: what is loaded and compiled then is not the services'.
await measure(3);
const few = await measure(3);
const many = await measure(Number(process.argv[2] ?? 5_000));
const moreHeapMb = many.heapMb - few.heapMb;
console.log(JSON.stringify({ few, many, moreHeapMb, moreResidentMb: many.residentMb - few.residentMb }));
// Resident memory says less: the allocator gives back what and when it likes.
if (moreHeapMb > 5) process.exitCode = 1;
