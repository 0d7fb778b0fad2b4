import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import type { Identity } from '../../../../sidecar/identity/identity.ts';
import { followValidity } from '../../../../sidecar/listener/follow-validity.ts';

const WALL = Date.UTC(2026, 0, 1);

const start = (leftMs: number) => {
  const clock = manualClock(WALL);
  const said: string[] = [];
  const listeners = new Set<(identity: Identity) => void>();
  const connection = {
    drain: () => said.push(`drain ${clock.nowMs()}`),
    expire: () => said.push(`expire ${clock.nowMs()}`),
  };
  const stop = followValidity(connection, { notAfterMs: WALL + leftMs, bundleVersion: 'one' }, clock, {
    onChange: listener => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
  const change = (version: string): void => {
    for (const listener of listeners) listener({ bundle: { version } } as Identity);
  };
  return { clock, said, listeners, change, stop };
};

t.test('a peer that stays is sent away shortly before the certificates end, and ended with them', t => {
  for (const [leftMs, drainAtMs] of [
    [24 * 3_600_000, 24 * 3_600_000 * 0.95],
    [60_000, 57_000],
    [6_000, 3_750],
    [1_000, 625],
  ] as const) {
    const { clock, said, stop } = start(leftMs);
    clock.advance(leftMs + 60_000);
    t.same(said, [`drain ${drainAtMs}`, `expire ${leftMs}`], `${leftMs} ms left`);
    stop();
  }
  t.end();
});

t.test('a changed trust bundle sends peers away, a renewed certificate does not', t => {
  const { said, change } = start(60_000);
  change('one');
  t.same(said, []);
  change('two');
  t.same(said, ['drain 0']);
  t.end();
});

t.test('a connection that is over leaves no timer and no listener', t => {
  const { clock, listeners, stop } = start(60_000);
  stop();
  t.equal(clock.pending, 0);
  t.equal(listeners.size, 0);
  t.end();
});
