import t from 'tap';
import { otherProcesses, PodApp } from '../../../../cli/sidecar/pod-app.ts';
import { manualClock } from '../../../../common/clock.ts';
import type { Beside } from '../../../../sidecar/companion.ts';
import { readConfig } from '../../../../sidecar/config.ts';

const start = () => {
  const clock = manualClock();
  const seen = { processes: 0, quits: 0, up: 0, signal: () => {} };
  const app = new PodApp({
    clock,
    processes: () => seen.processes,
    onSignal: quit => {
      seen.signal = quit;
    },
  });
  const result = readConfig({ OUTRIDER_SERVICE: 'web' });
  if (!('config' in result)) throw new Error('the configuration is wrong');
  const address = { host: '127.0.0.1', port: 1 };
  const beside: Beside = {
    config: result.config,
    listeners: [],
    admin: address,
    metrics: address,
    appIsUp: () => {
      seen.up++;
    },
    quit: () => {
      seen.quits++;
    },
  };
  app.start(beside);
  return { clock, app, seen };
};

t.test('the sidecar ends when the last process of the app has ended, not before the first has begun', t => {
  const { clock, seen } = start();
  t.equal(seen.up, 1, 'callers may come at once: nobody says when the app listens');
  clock.advance(60_000);
  t.equal(seen.quits, 0, 'the image of the app is still being fetched');
  seen.processes = 2;
  clock.advance(1_000);
  seen.processes = 1;
  clock.advance(1_000);
  t.equal(seen.quits, 0);
  seen.processes = 0;
  clock.advance(250);
  t.equal(seen.quits, 1);
  t.equal(clock.pending, 0);
  t.end();
});

t.test('told to end, the sidecar waits for the app, for so long as it may', async t => {
  const { clock, app, seen } = start();
  seen.processes = 1;
  clock.advance(250);
  seen.signal();
  t.equal(seen.quits, 1);
  let ended = '';
  const first = app.stop(10_000).then(() => {
    ended = 'with the app';
  });
  clock.advance(9_000);
  await Promise.resolve();
  t.equal(ended, '');
  seen.processes = 0;
  clock.advance(250);
  await first;
  t.equal(ended, 'with the app');

  const slow = start();
  slow.seen.processes = 1;
  slow.clock.advance(250);
  const second = slow.app.stop(10_000);
  slow.clock.advance(10_000);
  await t.resolves(second, 'the time is over');
});

t.test('an app that is not there is not waited for', async t => {
  const { app } = start();
  await t.resolves(app.stop(10_000));
});

t.test('an app that is done in no time is seen', t => {
  const { clock, seen } = start();
  seen.processes = 1;
  clock.advance(25);
  seen.processes = 0;
  clock.advance(250);
  t.equal(seen.quits, 1);
  t.end();
});

t.test('processes of the app are the numbers in /proc but the first and those of its own container', t => {
  const of = (container: string) => ({ cgroup: `0::/../${container}\n` });
  const proc = t.testdir({
    1: of('pause'),
    7: of('sidecar'),
    12: of('app'),
    20: of('sidecar'),
    300: of('app'),
    301: {},
    self: of('app'),
    sys: {},
  });
  t.equal(otherProcesses(proc, 7), 2, 'neither the hook of the sidecar nor what has just ended');
  t.end();
});
