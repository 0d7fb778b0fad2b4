/** Real threads, beside a first worker that is not there. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { type Clock, manualClock, systemClock } from '../../../../common/clock.ts';
import { Watched } from '../../../../common/watch.ts';
import { Readiness } from '../../../../sidecar/admin/readiness.ts';
import { budgetBytes } from '../../../../sidecar/buffer-budget.ts';
import { type Address, readConfig, type SidecarConfig } from '../../../../sidecar/config.ts';
import type { ServiceNames } from '../../../../sidecar/discovery/discovery.ts';
import { EMPTY_SNAPSHOT } from '../../../../sidecar/discovery/snapshot-store.ts';
import type { SidecarProxy } from '../../../../sidecar/proxy.ts';
import { SharedCells } from '../../../../sidecar/workers/cells.ts';
import { WorkerGroup } from '../../../../sidecar/workers/worker-group.ts';

const configOf = (): SidecarConfig => {
  const read = readConfig({
    OUTRIDER_SERVICE: 'web',
    OUTRIDER_WORKERS: '2',
    OUTRIDER_INBOUND: '127.0.0.1:0',
    OUTRIDER_OUTBOUND: '127.0.0.1:0',
  });
  if ('problems' in read) throw new Error(JSON.stringify(read.problems));
  return read.config;
};

const startGroup = (t: Test, addresses: Readonly<Record<string, Address>> = {}, clock: Clock = systemClock) => {
  const cells = new SharedCells();
  cells.of('buffers', budgetBytes(2));
  const lines: string[] = [];
  const readiness = new Readiness();
  const snapshots = new Watched(EMPTY_SNAPSHOT);
  const group = new WorkerGroup({
    config: configOf(),
    version: '1',
    discovery: { snapshots } as unknown as ServiceNames,
    controlled: true,
    identities: { current: undefined, onChange: () => () => {} },
    cells,
    proxy: {
      listeners: Object.entries(addresses).map(([name, address]) => ({ name, address })),
    } as unknown as SidecarProxy,
    readiness,
    output: { write: line => void lines.push(line) },
    clock,
  });
  t.teardown(() => group[Symbol.asyncDispose]());
  return { group, lines, readiness };
};

t.test('a worker that cannot listen is the end of the sidecar, and the sentence says why', async t => {
  await using taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { readonly port: number };
  const clock = manualClock();
  const { group } = startGroup(t, { inbound: { host: '127.0.0.1', port } }, clock);
  const cause = new RegExp(`the inbound listener can't listen on .*EADDRINUSE.*127\\.0\\.0\\.1:${port}`);
  await t.rejects(group.listen(), { message: cause });
  await t.rejects(group.failed, { message: /^worker 1 has died: the inbound listener/ });
  const drained = group.drainFromPeers(500);
  clock.advance(1_500);
  await drained;
});

t.test('workers listen before they can serve, count, drain and end', async t => {
  const { group, readiness } = startGroup(t);
  await group.listen();
  t.same(readiness.state(), { ready: false, reasons: ['Not every worker has started.'] });
  const [part] = await group.metrics();
  t.same(part?.requests.labels, []);
  t.same(await group.clusters(), [[]]);
  await group.drainFromPeers(100);
  await group.drainFromApp(100);
  await group[Symbol.asyncDispose]();
});
