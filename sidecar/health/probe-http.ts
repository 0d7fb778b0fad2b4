import type { Dispatcher } from 'undici';
import type { ProbeView } from '../../api/snapshot.ts';
import { type Address, formatAddress } from '../config.ts';
import type { Probe } from './probe.ts';
import { probeFailure } from './probe-failure.ts';

/** So much of an answer is read. */
const MAX_BODY_BYTES = 65_536;
/** As servers see it in their logs. */
export const USER_AGENT = 'outrider-health-check';

/**
 * Healthy is who answers a GET with a status that is expected; redirects are not followed. Each check has a connection of its own, so that it sees
 * whether the app still accepts, and never meets one that the app is closing. `https`: whatever its certificate says, as the kubelet does.
 * Kubernetes: httpGet; Envoy: http_health_check.
 */
export const probeHttp = (view: Extract<ProbeView, { kind: 'http' }>, address: Address, https: boolean): Probe => {
  const origin = `${https ? 'https' : 'http'}://${formatAddress(address)}`;
  const headers: Record<string, string> = { 'user-agent': USER_AGENT };
  if (view.authority !== '') headers.host = view.authority;
  for (const { name, value } of view.headers) headers[name.toLowerCase()] = value;
  return async signal => {
    let client: Dispatcher | undefined;
    try {
      // Loaded when it is needed: most sidecars check nothing.
      const { Client, H2CClient } = await import('undici');
      client = view.http2 ? new H2CClient(origin) : new Client(origin, { connect: { rejectUnauthorized: false } });
      const { statusCode, body } = await client.request({
        method: 'GET',
        path: view.path,
        headers,
        reset: true,
        signal,
      });
      let bytes = 0;
      // An answer that breaks off is none; of a long one the beginning is enough.
      for await (const chunk of body) {
        bytes += (chunk as Buffer).length;
        if (bytes > MAX_BODY_BYTES) break;
      }
      const ok = view.statuses.some(([from, to]) => statusCode >= from && statusCode <= to);
      return { ok, cause: `status ${statusCode}` };
    } catch (error) {
      return probeFailure(error);
    } finally {
      client?.destroy().catch(() => {});
    }
  };
};
