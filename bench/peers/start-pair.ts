/** Starting two proxy processes, B first, and stopping them again. */
import type { Child } from '../chain/children.ts';
import type { RunningPair } from './peer.ts';

export interface ProxyProcess {
  start(): Child;
  ready(child: Child): Promise<void>;
}

export const startPair = async (port: number, a: ProxyProcess, b: ProxyProcess): Promise<RunningPair> => {
  const started: Child[] = [];
  const start = async (proxy: ProxyProcess): Promise<number> => {
    const begin = performance.now();
    const child = proxy.start();
    started.push(child);
    await proxy.ready(child);
    return performance.now() - begin;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(started.map(child => child.stop()));
  };
  try {
    await start(b);
    const startMs = await start(a);
    return { port, pids: [started[1]!.pid, started[0]!.pid], startMs, stop };
  } catch (error) {
    await stop();
    throw error;
  }
};
