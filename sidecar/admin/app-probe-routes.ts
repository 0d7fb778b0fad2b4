import type { AppProbe } from '../health/app-probes.ts';
import { createProbe } from '../health/probe.ts';
import type { Routes } from './http-server.ts';
import { textReply } from './reply.ts';

/** A route for each probe that is made in the kubelet's place: 200, or 503 and what the app did. `host`: where the app listens. */
export const appProbeRoutes = (probes: readonly AppProbe[], host: string): Routes =>
  Object.fromEntries(
    probes.map(({ url, port, view, https, timeoutMs }) => {
      const probe = createProbe(view, { host, port }, https);
      const handle = async () => {
        const signal = AbortSignal.timeout(timeoutMs);
        const late = new Promise<{ ok: false; cause: string }>(resolve => {
          signal.addEventListener('abort', () =>
            resolve({ ok: false, cause: `no answer within ${timeoutMs / 1_000} s` }),
          );
        });
        const { ok, cause } = await Promise.race([probe(signal), late]);
        return textReply(ok ? 200 : 503, cause);
      };
      return [url, { method: 'GET', about: "the app's own health, for the kubelet", handle }];
    }),
  );
