/** A real pair before an app that keeps its bytes, and a good client beside the attacks. */
import t, { type Test } from 'tap';
import { Pool } from 'undici';
import type { PolicyView, Snapshot } from '../../../api/snapshot.ts';
import { type SidecarPair, startSidecarPair } from '../../support/pair.ts';
import { type RawApp, startRawApp } from './raw-app.ts';

export interface Stage {
  readonly app: RawApp;
  readonly pair: SidecarPair;
  /** A request of somebody else on a connection that was open before: it is served, and both sidecars are still there. */
  othersAreServed(t: Test, beside?: string): Promise<void>;
}

/** For the whole test file. `editSnapshot`: the last word on what the first sidecar knows. */
export const startStage = async (
  policy: Partial<PolicyView> = {},
  editSnapshot: (snapshot: Snapshot) => Snapshot = snapshot => snapshot,
): Promise<Stage> => {
  const app = await startRawApp();
  const pair = await startSidecarPair({
    services: [{ name: 'app', port: 80, protocol: 'http', appPort: app.port }],
    policy,
    editSnapshot,
  });
  const pool = new Pool(`http://127.0.0.1:${pair.outbound}`, { connections: 1 });
  t.teardown(async () => {
    await pool.destroy();
    await pair[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });
  return {
    app,
    pair,
    async othersAreServed(t, beside = '') {
      const answer = await pool.request({ method: 'GET', path: '/good', headers: { host: 'app' } });
      t.equal(await answer.body.text(), 'ok', `a good request is served${beside === '' ? '' : ` beside ${beside}`}`);
    },
  };
};
