import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readIdentityFiles, writeIdentityFiles } from '../../../../sidecar/identity/identity-files.ts';

const material = (word: string) => ({
  certificatePem: `certificate ${word}`,
  keyPem: `key ${word}`,
  trustBundlePem: `bundle ${word}`,
});
const NAMES = ['key.pem', 'trust-bundle.pem', 'certificate.pem'] as const;
const STEPS = 2 * NAMES.length;

/** The state folder of a run that was killed behind its `steps`-th step: three files are written aside, then renamed. `torn`: the last one is half. */
const killedBehind = (dir: string, steps: number, torn: boolean): void => {
  writeIdentityFiles(dir, material('old'));
  writeIdentityFiles(join(dir, 'next'), material('new'));
  for (let step = 0; step < steps; step++) {
    const name = NAMES[step % 3] ?? '';
    const whole = readFileSync(join(dir, 'next', name), 'utf8');
    if (step >= 3) renameSync(join(dir, `${name}.new`), join(dir, name));
    else writeFileSync(join(dir, `${name}.new`), torn && step === steps - 1 ? whole.slice(0, 3) : whole);
  }
};

t.test('whenever a run is killed, the next one finds all of the old identity or all of the new one', t => {
  for (let steps = 0; steps <= STEPS; steps++) {
    for (const torn of [false, true]) {
      const dir = t.testdir({ next: {} });
      killedBehind(dir, steps, torn);
      t.same(readIdentityFiles(dir), material(steps > 3 ? 'new' : 'old'), `${steps} steps`);
      t.same(
        readdirSync(dir).sort(),
        ['certificate.pem', 'key.pem', 'next', 'trust-bundle.pem'],
        'nothing is left over',
      );
    }
  }
  t.end();
});

t.test('one that writes without having read does not mix with what was left', t => {
  for (let steps = 0; steps <= STEPS; steps++) {
    const dir = t.testdir({ next: {} });
    killedBehind(dir, steps, true);
    writeIdentityFiles(dir, material('third'));
    t.same(readIdentityFiles(dir), material('third'));
    t.notOk(NAMES.some(name => existsSync(join(dir, `${name}.new`))));
  }
  t.end();
});
