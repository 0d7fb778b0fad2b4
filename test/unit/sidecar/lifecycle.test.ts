import t from 'tap';
import { manualClock } from '../../../common/clock.ts';
import { Readiness } from '../../../sidecar/admin/readiness.ts';
import type { Discovery } from '../../../sidecar/discovery/discovery.ts';
import { Lifecycle } from '../../../sidecar/lifecycle.ts';

const setUp = (drainMs: number) => {
  const clock = manualClock();
  const said: string[] = [];
  const write = (): void => {};
  const log = { debug: write, info: write, warn: write, error: write, child: () => log };
  let confirm = (): void => {};
  const readiness = new Readiness();
  const lifecycle = new Lifecycle({
    proxy: {
      drain: async (withinMs: number, endApp?: (withinMs: number) => Promise<void>) => {
        said.push(`proxy ${withinMs}`);
        await endApp?.(withinMs / 2);
      },
    },
    discovery: {
      drain: (withinMs: number) => {
        said.push(`registry ${withinMs}`);
        return new Promise<void>(resolve => {
          confirm = resolve;
        });
      },
    } as Discovery,
    readiness,
    drainMs,
    clock,
    log,
    companion: {
      start: () => {},
      stop: async withinMs => void said.push(`app ${withinMs}`),
    },
  });
  return { clock, said, lifecycle, readiness, confirm: () => confirm() };
};

t.test('a sidecar leaves the registry first, and takes nothing new when callers know it', async t => {
  const { clock, said, lifecycle, readiness, confirm } = setUp(30_000);
  lifecycle.quit();
  lifecycle.quit();
  t.same(said, ['registry 2000'], 'it is waited for two seconds');
  t.ok(lifecycle.draining);
  t.notOk(readiness.state().ready);
  clock.advance(300);
  confirm();
  await lifecycle.stopped;
  t.same(said, ['registry 2000', 'proxy 29700', 'app 14850'], 'and all of it is one time');
});

t.test('of a short time the registry gets a quarter', t => {
  const { said, lifecycle } = setUp(1_000);
  lifecycle.drain();
  t.same(said, ['registry 250']);
  t.end();
});
