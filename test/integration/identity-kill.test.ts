import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { systemClock } from '../../common/clock.ts';
import { CertificateStore } from '../../sidecar/identity/certificate-store.ts';
import { createSvid, createTestMesh, identityMaterial } from '../support/peer-certificates.ts';
import { RunningProcess } from '../support/processes.ts';

const WRITER = pathToFileURL(join(import.meta.dirname, '../../sidecar/identity/identity-files.ts')).href;
/** Writes one identity after the other, without a pause. */
const PROGRAM = `
import { readFileSync } from 'node:fs';
const { writeIdentityFiles } = await import(${JSON.stringify(WRITER)});
const identities = JSON.parse(readFileSync(process.argv[1], 'utf8'));
writeIdentityFiles(process.argv[2], identities[0]);
console.log('writing');
for (let i = 1; ; i++) writeIdentityFiles(process.argv[2], identities[i % identities.length]);
`;

t.test('a sidecar that is killed while it renews its certificate starts again with a pair that fits', async t => {
  const mesh = createTestMesh();
  const dir = t.testdir({ state: {} });
  const identities = [0, 1, 2].map(() => identityMaterial(createSvid(mesh.root, 'web'), mesh.bundle));
  writeFileSync(join(dir, 'identities.json'), JSON.stringify(identities));
  const seen = new Set<string>();
  for (let round = 0; round < 10; round++) {
    const words = ['--input-type=module', '-e', PROGRAM, join(dir, 'identities.json'), join(dir, 'state')];
    await using writer = new RunningProcess(process.execPath, words, { env: { NODE_OPTIONS: undefined } });
    while (!writer.stdout.includes('writing')) await pause(5);
    await pause(round);
    writer.signal('SIGKILL');
    await writer.exited;
    const store = new CertificateStore({ clock: systemClock, stateDir: join(dir, 'state') });
    t.equal(store.load(), undefined, `round ${round}`);
    seen.add(store.current?.certificatePem ?? '');
  }
  t.ok(seen.size > 1, 'it was killed at different moments');
});
