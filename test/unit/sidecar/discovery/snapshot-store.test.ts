import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import type { Snapshot } from '../../../../api/snapshot.ts';
import { manualClock, systemClock } from '../../../../common/clock.ts';
import {
  EMPTY_SNAPSHOT,
  SNAPSHOT_FILE,
  SnapshotStore,
  type ValidateSnapshot,
} from '../../../../sidecar/discovery/snapshot-store.ts';
import { StateFolder } from '../../../../sidecar/discovery/state-folder.ts';

const silent = pino({ level: 'silent' });
const snapshot = (version: string): Snapshot => ({
  ...EMPTY_SNAPSHOT,
  configVersion: version,
  trustDomain: 'mesh.local',
});
const validate: ValidateSnapshot = value =>
  typeof value === 'object' && value !== null && (value as Snapshot).trustDomain !== ''
    ? undefined
    : { path: 'trustDomain', reason: 'must not be empty' };

t.test('a snapshot that validates is swapped in at once and reaches the disk within a second, mode 0600', async t => {
  const clock = manualClock();
  using folder = new StateFolder(t.testdir());
  await using store = new SnapshotStore(folder, validate, clock, silent);
  const seen: string[] = [];
  store.snapshots.subscribe(next => seen.push(next.configVersion));
  t.equal(store.loaded, false);
  t.equal(store.apply(snapshot('1')), undefined);
  t.equal(store.apply(snapshot('2')), undefined);
  t.same(seen, ['1', '2']);
  t.equal(store.loaded, true);
  clock.advance(1_000);
  await store.flush();
  const file = join(folder.path, SNAPSHOT_FILE);
  t.equal(JSON.parse(readFileSync(file, 'utf8')).configVersion, '2');
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.equal(existsSync(`${file}.tmp`), false);
});

t.test('a snapshot that does not validate changes nothing and says why', async t => {
  using folder = new StateFolder(t.testdir());
  await using store = new SnapshotStore(folder, validate, manualClock(), silent);
  store.apply(snapshot('1'));
  t.same(store.apply({ ...snapshot('2'), trustDomain: '' }), { path: 'trustDomain', reason: 'must not be empty' });
  t.equal(store.snapshots.value.configVersion, '1');
});

t.test('what the last run kept is loaded; broken or invalid files are not used', async t => {
  const dir = t.testdir();
  using folder = new StateFolder(dir);
  const fresh = (): SnapshotStore => new SnapshotStore(folder, validate, manualClock(), silent);
  t.equal(fresh().load(), false, 'there is none');
  {
    await using store = fresh();
    store.apply(snapshot('7'));
  }
  const next = fresh();
  t.equal(next.load(), true);
  t.equal(next.snapshots.value.configVersion, '7');
  writeFileSync(join(dir, SNAPSHOT_FILE), '{"truncated":');
  t.equal(next.load(), false);
  writeFileSync(join(dir, SNAPSHOT_FILE), '{"trustDomain":""}');
  t.equal(next.load(), false);
  t.equal(next.snapshots.value.configVersion, '7', 'the last good one stays');
});

t.test('a write that fails is survived, and the next one succeeds', async t => {
  const dir = t.testdir({ [SNAPSHOT_FILE]: { 'a folder in the way': '' } });
  using folder = new StateFolder(dir);
  await using store = new SnapshotStore(folder, validate, manualClock(), silent);
  store.apply(snapshot('1'));
  await store.flush();
  t.equal(store.snapshots.value.configVersion, '1');
});

t.test('in file-only mode a changed file is picked up', async t => {
  const dir = t.testdir();
  using folder = new StateFolder(dir);
  await using store = new SnapshotStore(folder, validate, systemClock, silent);
  store.followFile();
  const next = new Promise<Snapshot>(resolve => store.snapshots.subscribe(resolve));
  await folder.write(SNAPSHOT_FILE, JSON.stringify(snapshot('9')));
  // The store's own timers do not keep a process alive.
  const alive = setTimeout(() => {}, 10_000);
  t.equal((await next).configVersion, '9');
  clearTimeout(alive);
});

t.test('one sidecar per state folder', t => {
  const dir = t.testdir();
  {
    using _first = new StateFolder(dir);
    t.throws(() => new StateFolder(dir), { message: /in use by another sidecar/ });
  }
  new StateFolder(dir)[Symbol.dispose]();
  t.end();
});

t.test('without a folder nothing survives', t => {
  const folder = new StateFolder(undefined);
  t.equal(statSync(folder.path).mode & 0o777, 0o700);
  folder[Symbol.dispose]();
  t.equal(existsSync(folder.path), false);
  t.end();
});
