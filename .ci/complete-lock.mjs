// Run after `npm install` has written package-lock.json: adds the platform packages (other systems' binaries of biome, oxlint and so on) that
// the registry at hand does not serve, without which `npm ci` calls the lock incomplete. On the other systems npm then finds them by name.
import { readFileSync, writeFileSync } from 'node:fs';

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const packages = lock.packages;
const added = {};
for (const [path, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (packages[`node_modules/${name}`] || packages[`${path}/node_modules/${name}`]) continue;
    const os = /(android|darwin|win32|freebsd|linux|openharmony)/.exec(name)?.[1];
    const cpu = /(arm64|arm|x64|ia32|ppc64|riscv64|s390x)/.exec(name)?.[1];
    if (!os || !cpu) {
      console.error('not a platform package:', name);
      continue;
    }
    added[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
      os: [os],
      ...(/musl/.test(name) ? { libc: ['musl'] } : /gnu/.test(name) ? { libc: ['glibc'] } : {}),
    };
  }
}
Object.assign(packages, added);
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
console.log(Object.keys(added).length, 'added');
